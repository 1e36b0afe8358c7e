import fastify from 'fastify'
import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { peerRoutes } from '../../src/peer/peer-routes.ts'
import { PeerVersions } from '../../src/peer/protocol.ts'
import { Turns } from '../../src/peer/turns.ts'
import { type Credentials, encode, peerHeaders } from '../../src/peer/wire.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'

const turns = new Turns(realEnv())
let requests = 0

const credentials = (change: { secret?: string; network?: string } = {}): Credentials => ({
  secret: change.secret ?? 'secret',
  networkId: () => change.network ?? 'net',
  self: () => ({
    address: 'me:1' as Address,
    nodeId: 'a'.repeat(32) as NodeId,
    boot: { counter: 1, nonce: 'b' },
  }),
  versions: new PeerVersions({ speaks: 4 }),
  turns,
})

async function endpoints() {
  const warnings: object[] = []
  const reached: string[] = []
  const app = fastify()
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _body, done) => done(null))
  app.setErrorHandler((error, _request, reply) => reply.code(400).send((error as { code?: string }).code))
  await app.register(async scope =>
    peerRoutes<{ note: string }, { kind: string }, unknown>(scope, {
      env: realEnv({ debug() {}, info() {}, error() {}, warn: fields => warnings.push(fields) }),
      credentials: credentials(),
      reception: {
        isMessage: (value): value is { note: string } =>
          typeof (value as { note?: unknown })?.note === 'string',
        isCall: (value): value is { kind: string } => (value as { kind?: string })?.kind === 'known',
        messages: (_from, messages) => {
          reached.push('messages')
          return messages.filter(({ note }) => note === 'echo')
        },
        call: async () => reached.push('call'),
        isStream: (value): value is never => (value as { kind?: string })?.kind === 'known',
        async *stream() {
          yield { reached: reached.push('stream') }
        },
        openBody: async () => Buffer.from(`${reached.push('body')}`),
        stageBody: async () => reached.push('staged'),
      },
    }),
  )
  const send = (method: 'GET' | 'POST' | 'PUT', url: string, body?: Buffer, by = credentials()) => {
    const turn = { to: `${by.self().nodeId}.${turns.start}`, turn: `${'c'.repeat(32)}.${++requests}` }
    return app.inject({
      method,
      url,
      headers: {
        ...peerHeaders(by, method, url, method === 'PUT' ? undefined : body, 3, turn),
        'content-type': 'x/y',
      },
      ...(body && { payload: body }),
    })
  }
  return { send, warnings, reached }
}

const name = 'b'.repeat(32)
const sha256 = 'c'.repeat(64)

t.test('what is signed and known is let in', async t => {
  const { send, reached } = await endpoints()
  const two = Buffer.concat([encode({ note: 'x' }), encode({ note: 'echo' })])
  t.equal((await send('POST', '/peer/messages', encode({ note: 'x' }))).statusCode, 204)
  const echoed = await send('POST', '/peer/messages', two)
  t.equal(echoed.statusCode, 200)
  t.ok(echoed.headers['ring-signature'], 'what rides on the reply is signed')
  t.equal((await send('POST', '/peer/call', encode({ kind: 'known' }))).statusCode, 200)
  t.equal((await send('POST', '/peer/stream', encode({ kind: 'known' }))).statusCode, 200)
  t.equal((await send('GET', `/peer/bodies/${name}?first=3`)).statusCode, 200)
  t.equal((await send('PUT', `/peer/staging/${name}?sha256=${sha256}`, Buffer.from('x'))).statusCode, 200)
  t.same(reached, ['messages', 'messages', 'call', 'stream', 'body', 'staged'])
})

t.test(
  'everything else is refused, changes nothing and is logged once for each sender and fault',
  async t => {
    const { send, warnings, reached } = await endpoints()
    const note = encode({ note: 'x' })
    const rows: [Promise<{ statusCode: number; body: string }>, string][] = [
      [send('POST', '/peer/messages', note, credentials({ secret: 'wrong' })), 'UNAUTHORIZED'],
      [send('POST', '/peer/messages', note, credentials({ network: 'other' })), 'WRONG_NETWORK'],
      [send('POST', '/peer/messages', encode({ other: 1 })), 'INVALID_REQUEST'],
      [send('POST', '/peer/messages', Buffer.from([0xc1, 0xff, 0x00])), 'INVALID_REQUEST'],
      [send('POST', '/peer/messages', Buffer.alloc(2_000_000)), 'INVALID_REQUEST'],
      [send('POST', '/peer/call', encode({ kind: 'unknown' })), 'INVALID_REQUEST'],
      [send('POST', '/peer/stream', encode({ kind: 'unknown' })), 'INVALID_REQUEST'],
      [send('GET', `/peer/bodies/${name}?first=-1`), 'INVALID_REQUEST'],
      [send('GET', '/peer/bodies/..%2F..%2Fetc%2Fpasswd'), 'INVALID_REQUEST'],
      [send('PUT', `/peer/staging/${encodeURIComponent('../x')}?sha256=${sha256}`, note), 'INVALID_REQUEST'],
      [send('PUT', `/peer/staging/${name}`, note), 'INVALID_REQUEST'],
      [send('GET', `/peer/bodies/${name}`, undefined, credentials({ secret: 'wrong' })), 'UNAUTHORIZED'],
    ]
    for (const [answer, code] of rows) t.match(await answer, { statusCode: 400, body: code })
    t.same(reached, [])
    t.equal(warnings.length, 3)
  },
)
