import t from 'tap'
import { isEnvelope } from '../../src/calls/envelope.ts'

t.test('a message travels with the disk that is meant', async t => {
  t.ok(isEnvelope(['d', { kind: 'ping' }], 3))
  for (const wrong of [undefined, {}, ['d'], [1, { kind: 'ping' }], ['d', { kind: 'nonsense' }]])
    t.notOk(isEnvelope(wrong, 3), JSON.stringify(wrong))
})
