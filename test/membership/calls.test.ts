import t from 'tap'
import { isPeerCall } from '../../src/membership/calls.ts'

t.test('only what is in the table is a call', async t => {
  for (const kind of ['join', 'learn', 'lookup', 'has-body', 'list']) t.ok(isPeerCall({ kind }), kind)
  for (const value of [
    undefined,
    null,
    7,
    'join',
    [],
    {},
    { kind: 7 },
    { kind: 'toString' },
    { kind: 'leave' },
  ])
    t.notOk(isPeerCall(value), JSON.stringify(value))
})
