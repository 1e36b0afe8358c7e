import { once } from 'node:events'
import { createServer } from 'node:net'
import { Readable } from 'node:stream'
import fastify from 'fastify'
import t, { type Test } from 'tap'
import { realEnv } from '../../src/env.ts'
import { StoreError } from '../../src/errors.ts'
import { HttpPeers } from '../../src/peer/http-peers.ts'
import { type PeerReception, peerRoutes } from '../../src/peer/peer-routes.ts'
import type { Unreachable } from '../../src/peer/peers.ts'
import type { Credentials } from '../../src/peer/wire.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'

interface Message {
  kind: 'note'
  text: string
}

const NODE_ID = '3f2b8c1e00004000800000000000000a' as NodeId

const sender: Credentials = {
  secret: 'secret',
  networkId: () => 'net-1',
  self: () => ({ address: 'me:1' as Address, nodeId: NODE_ID, boot: { counter: 1, nonce: 'ab' } }),
}

/** A peer that notes what it is told, and a client that speaks to it. */
async function peerUnderTest(t: Test, init: { credentials?: Credentials } = {}) {
  const warnings: object[] = []
  const env = realEnv({
    debug() {},
    info() {},
    warn: fields => warnings.push(fields),
    error() {},
  })
  const received: Message[] = []
  const staged: string[] = []
  const reception: PeerReception<Message, { kind: string; n?: number }, unknown, { count: number }> = {
    isMessage: (value): value is Message => (value as Message | null)?.kind === 'note',
    isCall: (value): value is { kind: string } =>
      typeof (value as { kind?: unknown } | null)?.kind === 'string',
    messages(_from, messages) {
      received.push(...messages)
      return messages.filter(({ text }) => text === 'echo')
    },
    async call(from, call) {
      if (call.kind === 'fail') throw new StoreError('FILE_EXISTS', 'It is there.', { path: 'a' })
      return { from: from.address, twice: (call.n ?? 0) * 2 }
    },
    isStream: (value): value is { count: number } =>
      typeof (value as { count?: unknown })?.count === 'number',
    async *stream(_from, { count }) {
      if (count < 0) throw new StoreError('OVERLOADED', 'Too many.')
      for (let word = 0; word < count; word++) {
        if (word === 500) throw new StoreError('DISK_FULL', 'It broke.')
        yield { word, filling: 'x'.repeat(100) }
      }
    },
    openBody: async (_from, name, first) =>
      Readable.from([Buffer.from(`${name}:body`.slice(first))], { objectMode: false }),
    async stageBody(_from, name, sha256, body) {
      let bytes = 0
      for await (const chunk of body) bytes += (chunk as Buffer).byteLength
      staged.push(name, sha256)
      return { bytes }
    },
  }
  const app = fastify()
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null, undefined))
  app.setErrorHandler((error: StoreError, _request, reply) =>
    reply.code(400).send({ error: { code: error.code, message: error.message, path: error.path } }),
  )
  await app.register(peerRoutes, { env, credentials: init.credentials ?? sender, reception } as never)
  await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => app.close())
  const { port } = app.server.address() as { port: number }
  const address = `127.0.0.1:${port}` as Address
  const replies: [Address, readonly Message[]][] = []
  const unreachable: [Address, Unreachable][] = []
  const peers = new HttpPeers<Message, { kind: string; n?: number }, unknown, { count: number }>(
    { env, credentials: sender },
    {
      scheme: 'http',
      unreachable: (peer, how) => unreachable.push([peer, how]),
      isMessage: (value): value is Message => typeof (value as Message | null)?.kind === 'string',
      messages: (from, messages) => replies.push([from.address, messages]),
    },
  )
  t.teardown(() => peers.close())
  return { address, replies, peers, received, staged, unreachable, warnings }
}

async function until(condition: () => boolean) {
  while (!condition()) await new Promise(resolve => setImmediate(resolve))
}

const options = { timeoutMs: 5000 }

t.test('messages arrive in order', async t => {
  const { address, peers, received } = await peerUnderTest(t)
  for (let i = 0; i < 500; i++) peers.send(address, { kind: 'note', text: String(i) })
  await until(() => received.length === 500)
  t.same(
    received.map(message => message.text),
    Array.from({ length: 500 }, (_, i) => String(i)),
  )
})

t.test('what is said at once in return rides on the reply', async t => {
  const { address, peers, replies } = await peerUnderTest(t)
  peers.send(address, { kind: 'note', text: 'echo' })
  await until(() => replies.length === 1)
  t.same(replies, [['me:1', [{ kind: 'note', text: 'echo' }]]])
})

t.test('a call is answered, and a refusal keeps its code', async t => {
  const { address, peers } = await peerUnderTest(t)
  t.same(await peers.call(address, { kind: 'double', n: 21 }, options), { from: 'me:1', twice: 42 })
  await t.rejects(peers.call(address, { kind: 'fail' }, options), { code: 'FILE_EXISTS', path: 'a' })
})

t.test('bodies stream in both directions', async t => {
  const { address, peers, staged } = await peerUnderTest(t)
  const [name, sha256] = ['ab'.repeat(16), 'cd'.repeat(32)]
  const chunk = Buffer.alloc(64 * 1024, 7)
  async function* body() {
    for (let i = 0; i < 100; i++) yield chunk
  }
  t.same(await peers.stageBody(address, name, sha256, body(), options), { bytes: 100 * chunk.byteLength })
  t.same(staged, [name, sha256])
  const chunks: Buffer[] = []
  for await (const piece of await peers.fetchBody(address, name, 30, options)) chunks.push(piece)
  t.equal(Buffer.concat(chunks).toString(), 'ab:body')
})

t.test('a peer that refuses and one that is silent are told apart', async t => {
  const { peers, unreachable } = await peerUnderTest(t)
  const deaf = createServer(() => {}).listen(0, '127.0.0.1')
  await once(deaf, 'listening')
  t.teardown(() => deaf.close())
  const silent = `127.0.0.1:${(deaf.address() as { port: number }).port}` as Address
  const refused = '127.0.0.1:1' as Address
  await t.rejects(peers.call(refused, { kind: 'x' }, options), { code: 'UNAVAILABLE' })
  await t.rejects(peers.call(silent, { kind: 'x' }, { timeoutMs: 50 }), { code: 'UNAVAILABLE' })
  t.same(unreachable, [
    [refused, 'refused'],
    [silent, 'silent'],
  ])
  peers.send(refused, { kind: 'note', text: 'lost' })
  await until(() => unreachable.length === 3)
  t.same(unreachable[2], [refused, 'refused'])
})

t.test('strangers and garbage are refused, logged once, and change nothing', async t => {
  const { address, peers, received, warnings } = await peerUnderTest(t, {
    credentials: { ...sender, secret: 'another' },
  })
  for (let i = 0; i < 3; i++)
    await t.rejects(peers.call(address, { kind: 'double' }, options), { code: 'UNAUTHORIZED' })
  const refusals = warnings.filter(fields => (fields as { op: string }).op === 'peer.refused')
  t.equal(refusals.length, 1)
  for (const path of ['/peer/messages', '/peer/call']) {
    const reply = await fetch(`http://${address}${path}`, {
      method: 'POST',
      body: Buffer.from([0xc1, 0, 0xff]),
    })
    t.equal(reply.status, 400, path)
  }
  t.same(received, [])
})

t.test('an answer of many words comes word by word', async t => {
  const { address, peers } = await peerUnderTest(t)
  const words = async (count: number) => {
    const seen: unknown[] = []
    for await (const word of peers.stream(address, { count }, options))
      seen.push((word as { word: number }).word)
    return seen
  }
  t.same(await words(0), [])
  t.same(
    await words(300),
    Array.from({ length: 300 }, (_, word) => word),
  )
  await t.rejects(words(501), { code: 'UNAVAILABLE' }, 'one that breaks off is not taken for a whole one')
  for await (const word of peers.stream(address, { count: 400 }, options)) {
    t.same((word as { word: number }).word, 0, 'and may be left after the first')
    break
  }
})
