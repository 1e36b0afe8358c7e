import t from 'tap'
import { datedOf, isKnownIn, SINCE } from '../../src/membership/since.ts'
import { PROTOCOL_VERSION } from '../../src/peer/protocol.ts'
import { absentRecord, type Operation } from '../../src/replication/chain/chain-record.ts'
import { MESSAGE_KINDS } from '../../src/replication/chain/message-shapes.ts'
import type { Message, Tag } from '../../src/replication/chain/messages.ts'
import { identifierOfPath } from '../../src/ring/identifier.ts'
import { parsePathName } from '../../src/ring/path-name.ts'
import type { ViewId } from '../../src/views/view.ts'

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
  const fourth = Object.entries(SINCE).filter(([, since]) => since === 4)
  t.same(
    fourth.map(([kind]) => kind),
    ['forward', 'forwarded'],
  )
  t.equal(
    first.length + second.length + third.length + fourth.length,
    Object.keys(SINCE).length,
    'nothing is newer than this program',
  )
  t.ok(Object.values(SINCE).every(since => since <= PROTOCOL_VERSION))
})

t.test('what is said is named with its version', async t => {
  t.same(datedOf({ kind: 'ping' }), { kind: 'ping', since: 1 })
  t.same(datedOf({ kind: 'recoveries' }), { kind: 'recoveries', since: 2 })
})

t.test('what makes a node keep user metadata is newer than the rest of its kind', async t => {
  const path = parsePathName('a')
  const floor = { epoch: 1, seq: 0 }
  const bare = absentRecord(path, identifierOfPath(path), floor)
  for (const [user, since] of [
    [undefined, 1],
    [[['color', 'blue']] as const, 4],
  ] as const) {
    const meta = { mediaType: 'text/plain', ...(user && { user }) }
    const record = { ...bare, meta }
    const viewId = 'v' as ViewId
    const tag = 't' as Tag
    const operation = { kind: 'put', meta } as unknown as Operation
    const messages = [
      { kind: 'pass', viewId, record, cleanSeq: 0 },
      { kind: 'write', tag, viewId, request: { operation } },
      { kind: 'difference', tag, records: [bare, record] },
    ] as unknown as Message[]
    for (const message of messages) {
      t.equal(datedOf(message).since, since, message.kind)
      t.ok(isKnownIn(3, message), 'an older node that hands on what it was told is understood')
    }
    const value = { kind: 'value', tag, record } as unknown as Message
    t.equal(datedOf(value).since, 1, 'who reads may read in any version')
  }
})
