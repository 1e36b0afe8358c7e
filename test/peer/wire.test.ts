import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { PeerVersions, type ProtocolVersion } from '../../src/peer/protocol.ts'
import { Turns } from '../../src/peer/turns.ts'
import {
  authenticate,
  type Credentials,
  decode,
  decodeBatch,
  encode,
  hearReply,
  identify,
  malformedMessage,
  peerHeaders,
  spoken,
} from '../../src/peer/wire.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'

const identity = {
  address: '127.0.0.1:5000' as Address,
  nodeId: '3f2b8c1e000040008000000000000001'.padEnd(32, '0') as NodeId,
  boot: { counter: 7, nonce: 'ab' },
}

function credentials(
  secret: string | undefined,
  networkId: string | undefined,
  speaks: ProtocolVersion = 4,
): Credentials {
  return {
    secret,
    networkId: () => networkId,
    self: () => identity,
    versions: new PeerVersions({ speaks }),
    turns: new Turns(realEnv()),
  }
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
  t.same(identify(ours, request(ours, body), body), { ...identity, version: 3 })
  const stranger = credentials('secret', undefined)
  t.same(
    identify(ours, request(stranger, body), body),
    { ...identity, version: 3 },
    'a node that wants to join has no network yet',
  )
})

t.test('what is not signed by our secret, or changed on the way, is refused', async t => {
  const body = encode({ kind: 'ping' })
  const ours = credentials('secret', 'net-1')
  const other = credentials('another', 'net-1')
  const none = credentials(undefined, 'net-1')
  const refused = { code: 'UNAUTHORIZED' }
  t.throws(() => identify(ours, request(other, body), body), refused)
  t.throws(() => identify(ours, request(none, body), body), refused)
  t.throws(() => identify(none, request(ours, body), body), refused)
  t.throws(() => identify(ours, request(ours, body), encode({ kind: 'pong' })), refused)
  t.throws(() => identify(ours, { ...request(ours, body), url: '/peer/call' }, body), refused)
  t.throws(() => identify(ours, request(ours, body, { 'ring-node': 'x' }), body), refused)
})

t.test('while one secret takes the place of another, both count, and the first signs', async t => {
  const body = encode({ kind: 'ping' })
  const old = credentials('old', 'net-1')
  const both = { ...credentials('old', 'net-1'), otherSecrets: ['new'] }
  const turned = { ...credentials('new', 'net-1'), otherSecrets: ['old'] }
  const renewed = credentials('new', 'net-1')
  const understands = (receiver: Credentials, sender: Credentials) => {
    const signed: unknown[] = []
    const onSigned = (secret: string | undefined) => signed.push(secret)
    identify(receiver, { ...request(sender, body), onSigned }, body)
    const heard = hearReply(receiver, identity.address, spoken(sender))
    return [...signed, heard]
  }
  for (const [receiver, sender] of [
    [both, old],
    [old, both],
    [turned, both],
    [both, turned],
    [renewed, turned],
    [turned, renewed],
  ] as const)
    t.same(understands(receiver, sender), [sender.secret, 4])
  t.throws(() => understands(renewed, both), { code: 'UNAUTHORIZED' }, 'a step was left out')
})

t.test('other networks, other protocols and nameless senders are refused', async t => {
  const ours = credentials(undefined, 'net-1')
  const check = (sender: Credentials, changes: Record<string, string | undefined> = {}) =>
    identify(ours, request(sender, undefined, changes), undefined)
  t.throws(() => check(credentials(undefined, 'net-2')), { code: 'WRONG_NETWORK' })
  for (const version of ['0', '2', '5', '1.5', '', 'x', 'NaN', '1e9', undefined]) {
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

t.test('a request is in one version, and shows a newer one where there is one', async t => {
  const body = encode({ kind: 'ping' })
  const rows: [speaks: ProtocolVersion, version: ProtocolVersion, shows: boolean][] = [
    [3, 3, false],
    [4, 3, true],
    [4, 4, false],
  ]
  for (const [speaks, version, shows] of rows) {
    const sender = credentials('secret', 'net-1', speaks)
    const headers = peerHeaders(sender, 'POST', '/peer/call', body, version)
    t.equal('ring-speaks' in headers, shows)
    const ours = credentials('secret', 'net-1')
    const head = { method: 'POST', url: '/peer/call', headers }
    t.match(identify(ours, head, body), { ...identity, version })
    t.equal(ours.versions.of(identity.address), speaks, `${speaks} in ${version}`)
  }
})

t.test('a program of version 3 takes what is in version 3 whatever it shows, and nothing else', async t => {
  const old = credentials('secret', 'net-1', 3)
  const sender = credentials('secret', 'net-1')
  const ask = (version: ProtocolVersion) => {
    const headers = peerHeaders(sender, 'POST', '/x', undefined, version)
    return () => identify(old, { method: 'POST', url: '/x', headers }, undefined)
  }
  t.match(ask(3)(), identity)
  t.throws(ask(4), { code: 'PROTOCOL_UNSUPPORTED', message: /speaks the peer protocol 3, not "4"/ })
})

// What nodes of these versions send: other headers, or another signature, would be a new version of the protocol.
const GOLDEN = [
  {
    'ring-protocol': '3',
    'ring-speaks': '4.roNUny_KIpKFmBWfb2GN2FyuKFKs1YNTrBNG_nhv3l4',
    'ring-signature': 'WtyOvU2Uropot-AhlwBuafpbgDAj62_hKzWxKNowzTg',
  },
  { 'ring-protocol': '4', 'ring-signature': 'aZCBY6D3XMEk8Qp5ZD3lbBKJzGS4f_q2C64n3WZqh0w' },
]

t.test('the headers of a request are those that nodes of versions 3 and 4 send', async t => {
  const turn = { to: '3f2b8c1e000040008000000000000002.start', turn: '9' }
  for (const [index, golden] of GOLDEN.entries()) {
    const sender = {
      ...credentials('a secret of a network', 'net', 4),
      self: () => ({ ...identity, nodeId: '3f2b8c1e000040008000000000000001' as NodeId }),
    }
    const version = (index + 3) as ProtocolVersion
    t.strictSame(peerHeaders(sender, 'POST', '/peer/messages', encode({ kind: 'ping' }), version, turn), {
      'ring-network': 'net',
      'ring-node': '3f2b8c1e000040008000000000000001/7.ab/127.0.0.1:5000',
      'ring-to': turn.to,
      'ring-turn': turn.turn,
      ...golden,
    })
  }
})

t.test('neither the version of a request nor what it shows can be changed on the way', async t => {
  const sender = credentials('secret', 'net-1')
  const rows: [ProtocolVersion, Record<string, string>][] = [
    [4, { 'ring-protocol': '3' }],
    [3, { 'ring-protocol': '4' }],
    [3, { 'ring-speaks': '3' }],
    [3, { 'ring-speaks': 'x' }],
    [3, { 'ring-speaks': `5.${spoken(sender)['ring-speaks']?.slice(2)}` }],
    [4, { 'ring-speaks': '4.' }],
  ]
  for (const [version, change] of rows) {
    const ours = credentials('secret', 'net-1')
    const headers = { ...peerHeaders(sender, 'POST', '/x', undefined, version), ...change }
    const head = { method: 'POST', url: '/x', headers }
    t.throws(() => identify(ours, head, undefined), { code: 'UNAUTHORIZED' }, JSON.stringify(change))
    t.equal(ours.versions.of(identity.address), undefined, 'and nothing is learned of it')
  }
})

t.test('a reply shows what its sender speaks, signed for that start of it', async t => {
  const peer = identity.address
  const shown = spoken(credentials('secret', 'net-1'))
  const rows: [headers: Record<string, string>, secret: string | undefined, heard: number | undefined][] = [
    [shown, 'secret', 4],
    [spoken(credentials(undefined, 'net-1')), undefined, 4],
    [{}, 'secret', undefined],
    [shown, 'another', undefined],
    [shown, undefined, undefined],
    [{ ...shown, 'ring-node': shown['ring-node']?.replace('/7.', '/8.') ?? '' }, 'secret', undefined],
    [{ 'ring-speaks': '4', 'ring-node': 'x' }, undefined, undefined],
  ]
  for (const [headers, secret, heard] of rows) {
    const ours = credentials(secret, 'net-1')
    t.equal(hearReply(ours, peer, headers), heard)
    t.equal(ours.versions.of(peer), heard)
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

const now = (turns: Turns, number: number) => ({
  to: `${identity.nodeId}.${turns.start}`,
  turn: `${'c'.repeat(32)}.${number}`,
})

t.test('a request counts once, at the one start of the node that it is for', async t => {
  const ours = credentials('secret', 'net-1')
  const sender = credentials('secret', 'net-1', 3)
  const other = new Turns(realEnv())
  const ask = (turn: ReturnType<typeof now> | undefined, changes: Record<string, string> = {}) => {
    const headers = { ...peerHeaders(sender, 'POST', '/x', undefined, 3, turn), ...changes }
    return () => authenticate(ours, { method: 'POST', url: '/x', headers }, undefined)
  }
  const refused = (message: RegExp) => ({ code: 'UNAUTHORIZED', message })
  const first = ask(now(ours.turns, 1))
  t.match(first(), { ...identity, version: 3 })
  t.throws(first, refused(/has come before/), 'a captured one comes too late')
  t.match(ask(now(ours.turns, 3))(), identity)
  t.match(ask(now(ours.turns, 2))(), identity, 'one that was overtaken does not')
  t.throws(ask(now(other, 4)), refused(/another node, or for an earlier start/))
  t.throws(
    ask({ ...now(ours.turns, 4), to: `${'f'.repeat(32)}.${ours.turns.start}` }),
    refused(/another node/),
  )
  t.throws(ask(undefined), refused(/another node/), 'without a turn it is none')
  for (const change of [
    { 'ring-turn': `${'c'.repeat(32)}.5` },
    { 'ring-to': `${'f'.repeat(32)}.${ours.turns.start}` },
    { 'ring-protocol': '4' },
  ])
    t.throws(ask(now(ours.turns, 6), change), refused(/not signed/), JSON.stringify(change))
})
