import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { PeerVersions } from '../../src/peer/protocol.ts'
import {
  answeredBy,
  answerGreeting,
  answerHeaders,
  greeting,
  parseGreeted,
  wordSigner,
} from '../../src/peer/signed-answer.ts'
import { Turns } from '../../src/peer/turns.ts'
import { type Credentials, encode, peerHeaders } from '../../src/peer/wire.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'

const credentials = (secret: string | undefined, otherSecrets: string[] = []): Credentials => ({
  secret,
  otherSecrets,
  networkId: () => 'net',
  self: () => ({
    address: 'me:1' as Address,
    nodeId: 'a'.repeat(32) as NodeId,
    boot: { counter: 1, nonce: 'b' },
  }),
  versions: new PeerVersions({ speaks: 4 }),
  turns: new Turns(realEnv()),
})

t.test('an answer counts for the question that it was given to, as it was given', async t => {
  const ours = credentials('secret')
  const question = { signature: 'of the question' }
  const body = Buffer.from('{"error":1}')
  const headers = answerHeaders(ours, question, 200, body)
  t.match(answeredBy(ours, question, { status: 200, headers, body }), ours.self())
  const stranger = answerHeaders(credentials('another'), question, 200, body)
  const rows: [string, Parameters<typeof answeredBy>[2], string?][] = [
    ['another status', { status: 404, headers, body }],
    ['another body', { status: 200, headers, body: Buffer.from('x') }],
    ['another secret', { status: 200, headers: stranger, body }],
    [
      'another node',
      { status: 200, headers: { ...headers, 'ring-node': `${'f'.repeat(32)}/1.b/me:1` }, body },
    ],
    [
      'none of a version that is spoken',
      { status: 200, headers: { ...headers, 'ring-protocol': '2' }, body },
    ],
    ['unsigned', { status: 200, headers: {}, body }],
    ['another question', { status: 200, headers, body }, 'of another'],
  ]
  for (const [what, answer, signature] of rows)
    t.equal(answeredBy(ours, { signature: signature ?? question.signature }, answer), undefined, what)
  t.match(
    answeredBy(credentials('new', ['secret']), question, { status: 200, headers, body }),
    ours.self(),
    'a secret that counts as well',
  )
})

t.test('a greeting is answered with the name of the start, whoever sends it again', async t => {
  const ours = credentials('secret')
  const body = greeting('nonce')
  const headers = peerHeaders(credentials('secret'), 'POST', '/peer/call', body, 3)
  const head = { method: 'POST', url: '/peer/call', headers }
  const to = `${'a'.repeat(32)}.${ours.turns.start}`
  for (const _ of [1, 2]) t.equal(parseGreeted(answerGreeting(ours, head, body) as Buffer), to)
  const other = encode({ kind: 'list' })
  const unnamed = { ...head, headers: peerHeaders(credentials('secret'), 'POST', '/peer/call', other, 3) }
  t.throws(
    () => answerGreeting(ours, unnamed, other),
    { code: 'INVALID_REQUEST' },
    'nothing else goes that way',
  )
  t.throws(() => answerGreeting(credentials('other'), head, body), { code: 'UNAUTHORIZED' })
  for (const bad of [encode({}), encode({ to: 'x' }), encode(7)])
    t.throws(() => parseGreeted(bad), { code: 'INVALID_REQUEST' })
})

t.test('each word of an answer is signed for its place', async t => {
  const sign = wordSigner(credentials('secret'), { signature: 'q' })
  t.equal(sign('a', 0), sign('a', 0))
  for (const other of [
    sign('a', 1),
    sign('b', 0),
    wordSigner(credentials('secret'), { signature: 'r' })('a', 0),
  ])
    t.not(other, sign('a', 0))
  t.equal(wordSigner(credentials(undefined), { signature: '' })('a', 0), '')
})
