import t from 'tap'
import {
  authenticate,
  type Credentials,
  decode,
  decodeBatch,
  encode,
  malformedMessage,
  peerHeaders,
} from '../../src/peer/wire.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'

const identity = {
  address: '127.0.0.1:5000' as Address,
  nodeId: '3f2b8c1e000040008000000000000001'.padEnd(32, '0') as NodeId,
  boot: { counter: 7, nonce: 'ab' },
}

function credentials(secret: string | undefined, networkId: string | undefined): Credentials {
  return { secret, networkId: () => networkId, self: () => identity }
}

function request(
  sender: Credentials,
  body: Buffer | undefined,
  changes: Record<string, string | undefined> = {},
) {
  const headers = { ...peerHeaders(sender, 'POST', '/peer/messages', body), ...changes }
  return { method: 'POST', url: '/peer/messages', headers }
}

t.test('a signed request tells who sent it', async t => {
  const body = encode({ kind: 'ping' })
  const ours = credentials('secret', 'net-1')
  t.same(authenticate(ours, request(ours, body), body), identity)
  const stranger = credentials('secret', undefined)
  t.same(
    authenticate(ours, request(stranger, body), body),
    identity,
    'a node that wants to join has no network yet',
  )
})

t.test('what is not signed by our secret, or changed on the way, is refused', async t => {
  const body = encode({ kind: 'ping' })
  const ours = credentials('secret', 'net-1')
  const other = credentials('another', 'net-1')
  const none = credentials(undefined, 'net-1')
  const refused = { code: 'UNAUTHORIZED' }
  t.throws(() => authenticate(ours, request(other, body), body), refused)
  t.throws(() => authenticate(ours, request(none, body), body), refused)
  t.throws(() => authenticate(none, request(ours, body), body), refused)
  t.throws(() => authenticate(ours, request(ours, body), encode({ kind: 'pong' })), refused)
  t.throws(() => authenticate(ours, { ...request(ours, body), url: '/peer/call' }, body), refused)
  t.throws(() => authenticate(ours, request(ours, body, { 'ring-node': 'x' }), body), refused)
})

t.test('other networks, other protocols and nameless senders are refused', async t => {
  const ours = credentials(undefined, 'net-1')
  const check = (sender: Credentials, changes: Record<string, string | undefined> = {}) =>
    authenticate(ours, request(sender, undefined, changes), undefined)
  t.throws(() => check(credentials(undefined, 'net-2')), { code: 'WRONG_NETWORK' })
  for (const version of ['0', '2', '', 'x', 'NaN', '1e9', undefined]) {
    t.throws(
      () => check(ours, { 'ring-protocol': version }),
      { code: 'PROTOCOL_UNSUPPORTED' },
      String(version),
    )
  }
  for (const node of [
    undefined,
    '',
    'a/b/c',
    `${identity.nodeId}/x.a/127.0.0.1:1`,
    `${identity.nodeId}/1/a:1`,
    `${identity.nodeId}/1.a/`,
  ]) {
    t.throws(() => check(ours, { 'ring-node': node }), { code: 'INVALID_REQUEST' }, String(node))
  }
})

t.test('bytes that are no message are refused', async t => {
  t.throws(() => decode(Buffer.from([0xc1, 0x00])), { code: 'INVALID_REQUEST' })
  t.throws(() => decodeBatch(Buffer.from([0x92, 0x01])), { code: 'INVALID_REQUEST' })
  t.same(decodeBatch(Buffer.alloc(0)), [])
  t.same(decodeBatch(Buffer.concat([encode({ a: 1 }), encode({ b: 'x' })])), [{ a: 1 }, { b: 'x' }])
})

t.test('a malformed message is named by its kind, and no more of it is shown', async t => {
  const ofKind = (kind: unknown) => malformedMessage(['to', { kind, record: 'a secret' }]).message
  t.equal(ofKind('pass'), 'A message of the kind pass is not as the peer protocol has it.')
  t.equal(
    ofKind('x'.repeat(50)),
    `A message of the kind ${'x'.repeat(20)} is not as the peer protocol has it.`,
  )
  for (const other of [undefined, null, 7, 'text', [], ['to'], ['to', null]]) {
    t.equal(malformedMessage(other).message, 'A message is not as the peer protocol has it.')
  }
})
