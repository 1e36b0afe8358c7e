import t from 'tap'
import { datedOf, SINCE } from '../../src/membership/since.ts'
import { PROTOCOL_VERSION } from '../../src/peer/protocol.ts'
import { MESSAGE_KINDS } from '../../src/replication/chain/message-shapes.ts'

t.test('what the first program said, and what came with the second version', async t => {
  const first = Object.entries(SINCE).filter(([, since]) => since === 1)
  const calls = ['join', 'learn', 'lookup', 'has-body', 'list', 'ranges']
  t.same(
    new Set(first.map(([kind]) => kind)),
    new Set([...calls, ...MESSAGE_KINDS.filter(kind => kind !== 'settled')]),
  )
  const second = Object.entries(SINCE).filter(([, since]) => since === 2)
  t.same(
    second.map(([kind]) => kind).sort(),
    'check digests heal holdings mend record recover recovered recoveries versions'.split(' '),
  )
  const third = Object.entries(SINCE).filter(([, since]) => since === 3)
  t.same(
    third.map(([kind]) => kind),
    ['settled'],
  )
  t.equal(
    first.length + second.length + third.length,
    Object.keys(SINCE).length,
    'nothing is newer than this program',
  )
  t.ok(Object.values(SINCE).every(since => since <= PROTOCOL_VERSION))
})

t.test('what is said is named with its version', async t => {
  t.same(datedOf({ kind: 'ping' }), { kind: 'ping', since: 1 })
  t.same(datedOf({ kind: 'recoveries' }), { kind: 'recoveries', since: 2 })
})
