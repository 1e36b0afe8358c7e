import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import fastify from 'fastify'
import t, { type Test } from 'tap'
import { realEnv } from '../../src/env.ts'
import { StoreError } from '../../src/errors.ts'
import { HttpPeers } from '../../src/peer/http-peers.ts'
import { type PeerReception, peerRoutes } from '../../src/peer/peer-routes.ts'
import type { Unreachable } from '../../src/peer/peers.ts'
import { PeerVersions, type ProtocolVersion } from '../../src/peer/protocol.ts'
import { Turns } from '../../src/peer/turns.ts'
import type { Credentials } from '../../src/peer/wire.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'

interface Message {
  kind: 'note'
  text: string
}

const NODE_ID = '3f2b8c1e00004000800000000000000a' as NodeId

function credentialsOf(
  init: { speaks?: ProtocolVersion; secret?: string; start?: number } = {},
): Credentials {
  const boot = { counter: init.start ?? 1, nonce: 'ab' }
  return {
    secret: init.secret ?? 'secret',
    networkId: () => 'net-1',
    self: () => ({ address: 'me:1' as Address, nodeId: NODE_ID, boot }),
    versions: new PeerVersions({ speaks: init.speaks ?? 4 }),
    turns: new Turns(realEnv()),
  }
}

/** A peer that notes what it is told, and a client that speaks to it. */
async function peerUnderTest(t: Test, init: { credentials?: Credentials; speaks?: ProtocolVersion } = {}) {
  const sender = credentialsOf({ ...(init.speaks && { speaks: init.speaks }) })
  const warnings: object[] = []
  const env = realEnv({
    debug() {},
    info() {},
    warn: fields => warnings.push(fields),
    error() {},
  })
  const received: Message[] = []
  const staged: unknown[] = []
  const reception: PeerReception<Message, { kind: string; n?: number }, unknown, { count: number }> = {
    isMessage: (value): value is Message => (value as Message | null)?.kind === 'note',
    isCall: (value, version): value is { kind: string } =>
      typeof (value as { kind?: unknown } | null)?.kind === 'string' &&
      (version >= 4 || (value as { kind: string }).kind !== 'new'),
    messages(_from, messages) {
      received.push(...messages)
      return messages.filter(({ text }) => text === 'echo')
    },
    async call(from, call) {
      if (call.kind === 'large') return Buffer.alloc(4 * 1024 * 1024)
      if (call.kind === 'never') return new Promise(() => undefined)
      if (call.kind === 'third') throw new StoreError('PROTOCOL_UNSUPPORTED', 'A third node is too old.')
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
    async stageBody(_from, name, announced, body) {
      let bytes = 0
      for await (const chunk of body) bytes += (chunk as Buffer).byteLength
      staged.push(name, announced)
      return { bytes }
    },
  }
  const app = fastify()
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null, undefined))
  app.setErrorHandler((error: StoreError, _request, reply) =>
    reply.code(400).send({ error: { code: error.code, message: error.message, path: error.path } }),
  )
  const asked: string[] = []
  app.addHook('onRequest', async request => {
    asked.push(`${request.headers['ring-protocol']}`)
  })
  const credentials = init.credentials ?? credentialsOf()
  await app.register(peerRoutes, { env, credentials, reception } as never)
  await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => app.close())
  const { port } = app.server.address() as { port: number }
  const address = `127.0.0.1:${port}` as Address
  const replies: [Address, readonly Message[]][] = []
  const unreachable: [Address, Unreachable][] = []
  const replaced: NodeId[] = []
  const peers = new HttpPeers<Message, { kind: string; n?: number }, unknown, { count: number }>(
    { env, credentials: sender },
    {
      scheme: 'http',
      unreachable: (peer, how) => unreachable.push([peer, how]),
      isMessage: (value): value is Message => typeof (value as Message | null)?.kind === 'string',
      dated: what => {
        const kind = 'kind' in what ? what.kind : 'count'
        return { kind, since: kind === 'new' || ('text' in what && what.text === 'new') ? 4 : 3 }
      },
      messages: (from, messages) => replies.push([from.address, messages]),
      replaced: ({ nodeId }) => replaced.push(nodeId),
    },
  )
  t.teardown(() => peers.close())
  return {
    address,
    asked,
    replies,
    replaced,
    peers,
    received,
    staged,
    unreachable,
    versions: sender.versions,
    warnings,
  }
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
  const limits = { ...options, stallMs: 5000 }
  const answer = { bytes: 100 * chunk.byteLength }
  t.same(await peers.stageBody(address, name, { sha256 }, body(), limits), answer)
  const onward = ['n2', 'n3'] as NodeId[]
  t.same(await peers.stageBody(address, name, { onward }, body(), limits), answer)
  t.same(await peers.stageBody(address, name, { onward: [] }, body(), limits), answer)
  t.same(staged, [name, { sha256 }, name, { onward }, name, { onward: [] }])
  const chunks: Buffer[] = []
  for await (const piece of await peers.fetchBody(address, name, 30, options)) chunks.push(piece)
  t.equal(Buffer.concat(chunks).toString(), 'ab:body')
})

t.test('a peer that takes no more of a body is given up, and the body is let go', async t => {
  const { address: answering, peers, unreachable } = await peerUnderTest(t)
  const deaf = await listening(t, socket => socket.pause())
  let letGo = false
  async function* endless() {
    try {
      for (;;) yield Buffer.alloc(1024 * 1024)
    } finally {
      letGo = true
    }
  }
  const limits = { timeoutMs: 60_000, stallMs: 50 }
  const stage = (to: Address) => peers.stageBody(to, 'ab', { sha256: 'cd' }, endless(), limits)
  await t.rejects(stage(deaf), { code: 'UNAVAILABLE' }, 'one that does not even answer a greeting')
  t.same(unreachable, [[deaf, 'silent']])
  const stalled = await listening(t, socket => {
    const onward = connect(Number(answering.split(':')[1]), '127.0.0.1')
    onward.pipe(socket)
    socket.on('data', chunk => {
      if (chunk.subarray(0, 3).toString() === 'PUT') socket.pause()
      else onward.write(chunk)
    })
    socket.on('error', () => {}).on('close', () => onward.destroy())
    onward.on('error', () => {})
  })
  // On a busy machine the greeting itself may take longer than the stall.
  while (!letGo) await t.rejects(stage(stalled), { code: 'UNAVAILABLE' })
})

/** The address of something that listens and does that with each connection. */
async function listening(t: Test, take: (socket: Socket) => void): Promise<Address> {
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket)
    take(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `127.0.0.1:${(server.address() as { port: number }).port}` as Address
}

t.test('a call that breaks off is refused with a code, whatever ends it', async t => {
  const { address: answering, peers } = await peerUnderTest(t)
  const broken = await listening(t, socket => {
    const onward = connect(Number(answering.split(':')[1]), '127.0.0.1')
    let bytes = 0
    onward.on('data', chunk => {
      bytes += chunk.byteLength
      socket.write(chunk)
      if (bytes > 128 * 1024) socket.destroy()
    })
    socket.on('data', chunk => onward.write(chunk))
    socket.on('error', () => {}).on('close', () => onward.destroy())
    onward.on('error', () => {})
  })
  await t.rejects(peers.call(broken, { kind: 'large' }, options), { code: 'UNAVAILABLE' }, 'in its answer')
  const stopping = new AbortController()
  const asked = peers.call(answering, { kind: 'never' }, { ...options, signal: stopping.signal })
  const given = peers.call(answering, { kind: 'never' }, options)
  setTimeout(() => stopping.abort(new StoreError('UNAVAILABLE', 'The node is stopping.')), 50)
  await t.rejects(asked, { code: 'UNAVAILABLE', message: 'The node is stopping.' })
  void peers.close()
  await t.rejects(given, { code: 'UNAVAILABLE' }, 'by the end of the node')
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
    credentials: credentialsOf({ secret: 'another' }),
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

t.test('two nodes find the newest version that both speak, and a call needs the one that has it', async t => {
  const outdated = { code: 'PROTOCOL_UNSUPPORTED', message: /"new" exists since 4: it has to be upgraded/ }
  const rows: [ours: ProtocolVersion, theirs: ProtocolVersion, calls: string[], asked: string[]][] = [
    // The first of them is a greeting.
    [4, 4, ['x', 'x', 'new'], ['4', '4', '4', '4']],
    [4, 4, ['new', 'x', 'x'], ['4', '4', '4', '4']],
    [3, 4, ['x', 'x', '!new'], ['3', '3', '3']],
    // What is refused in the newer version is greeted in the older one.
    [4, 3, ['x', 'x'], ['4', '3', '3', '3']],
    [4, 3, ['!new', '!new', 'x'], ['4', '3', '3']],
  ]
  for (const [speaks, theirs, calls, asked] of rows) {
    const init = { speaks, credentials: credentialsOf({ speaks: theirs }) }
    const { address, peers, asked: seen } = await peerUnderTest(t, init)
    for (const kind of calls) {
      if (kind === '!new') await t.rejects(peers.call(address, { kind: 'new' }, options), outdated)
      else t.match(await peers.call(address, { kind }, options), { from: 'me:1' })
    }
    t.same(seen, asked, `${speaks} asks ${theirs}: ${calls}`)
  }
})

t.test('a call that is newer than the version it comes in is none', async t => {
  const { address } = await peerUnderTest(t)
  const credentials = credentialsOf({ speaks: 3 })
  const asOld = new HttpPeers<Message, { kind: string }, unknown>(
    { env: realEnv({ debug() {}, info() {}, warn() {}, error() {} }), credentials },
    {
      scheme: 'http',
      unreachable() {},
      isMessage: (value): value is Message => value === undefined,
      dated: ({ kind }) => ({ kind, since: 3 }),
      messages() {},
    },
  )
  t.teardown(() => asOld.close())
  await t.rejects(asOld.call(address, { kind: 'new' }, options), { code: 'INVALID_REQUEST' })
})

/** The credentials of a peer in whose place another program may come at any moment. */
function replaceable(now: () => Credentials): Credentials {
  return {
    secret: 'secret',
    networkId: () => 'net-1',
    self: () => now().self(),
    get versions() {
      return now().versions
    },
    get turns() {
      return now().turns
    },
  }
}

t.test('a peer that is replaced by an older or a newer program is found out at the next word', async t => {
  let theirs = credentialsOf({ speaks: 4 })
  const credentials = replaceable(() => theirs)
  const { address, asked, peers, received, versions } = await peerUnderTest(t, { credentials })
  const tell = async (text: string) => {
    peers.send(address, { kind: 'note', text })
    await until(() => received.at(-1)?.text === text)
  }
  await tell('unknown yet')
  await until(() => versions.of(address) === 4)
  await tell('known')
  theirs = credentialsOf({ speaks: 3, start: 2 })
  await tell('downgraded')
  t.same(asked, ['4', '4', '4', '4', '3', '3'], 'messages that were refused for their version are not lost')
  peers.send(address, { kind: 'note', text: 'new' })
  await tell('after one that is too new')
  t.notOk(received.some(({ text }) => text === 'new'))
  theirs = credentialsOf({ speaks: 4, start: 3 })
  t.match(await peers.call(address, { kind: 'x' }, options), { from: 'me:1' })
  t.match(await peers.call(address, { kind: 'new' }, options), { from: 'me:1' })
  theirs = credentialsOf({ speaks: 3, start: 4 })
  t.match(await peers.call(address, { kind: 'x' }, options), { from: 'me:1' })
})

t.test(
  'a peer that greets in both versions is found out when it is upgraded, and when it is not any more',
  async t => {
    let theirs = credentialsOf({ speaks: 3 })
    const credentials = replaceable(() => theirs)
    const { address, peers, received, versions } = await peerUnderTest(t, { speaks: 4, credentials })
    const tell = async (text: string) => {
      peers.send(address, { kind: 'note', text })
      await until(() => received.at(-1)?.text === text)
    }
    await tell('unknown yet')
    t.equal(versions.of(address), 3)
    theirs = credentialsOf({ speaks: 4, start: 2 })
    await tell('upgraded')
    t.equal(versions.of(address), 4)
    theirs = credentialsOf({ speaks: 3, start: 3 })
    await tell('downgraded')
    t.equal(versions.of(address), 3)
  },
)

t.test('messages that are newer than a peer of which nothing was known are not sent to it', async t => {
  for (const [speaks, seen] of [
    [3, ['old']],
    [4, ['new', 'old']],
  ] as const) {
    const { address, peers, received } = await peerUnderTest(t, { credentials: credentialsOf({ speaks }) })
    peers.send(address, { kind: 'note', text: 'new' })
    peers.send(address, { kind: 'note', text: 'old' })
    await until(() => received.some(({ text }) => text === 'old'))
    t.same(
      received.map(({ text }) => text),
      seen,
    )
  }
})

t.test('a peer that has started anew is greeted anew, and nobody notices', async t => {
  let theirs = credentialsOf()
  const credentials: Credentials = {
    ...theirs,
    get turns() {
      return theirs.turns
    },
  }
  const { address, peers, received } = await peerUnderTest(t, { credentials })
  for (const text of ['1', '2', '3']) {
    peers.send(address, { kind: 'note', text })
    t.match(await peers.call(address, { kind: 'double', n: 1 }, options), { twice: 2 })
    const words: unknown[] = []
    for await (const word of peers.stream(address, { count: 3 }, options)) words.push(word)
    t.equal(words.length, 3)
    await until(() => received.at(-1)?.text === text)
    theirs = credentialsOf({ start: 1 + Number(text) })
  }
  const body = Readable.from([Buffer.from('x')])
  const limits = { ...options, stallMs: 5000 }
  const stage = () => peers.stageBody(address, 'ab'.repeat(16), { onward: [] }, body, limits)
  await t.rejects(stage(), { code: 'UNAVAILABLE' }, 'a body that has left is not sent twice')
  t.match(await stage(), { bytes: 0 })
})

t.test('what a third node refused does not count against the one that was asked', async t => {
  const { address, asked, peers, versions } = await peerUnderTest(t)
  await peers.call(address, { kind: 'x' }, options)
  await t.rejects(peers.call(address, { kind: 'third' }, options), { message: 'A third node is too old.' })
  t.equal(versions.of(address), 4)
  t.same(asked, ['4', '4', '4'], 'and it is not asked again')
})

t.test('where nothing listens any more, nothing is known', async t => {
  const { address, peers, versions } = await peerUnderTest(t)
  await peers.call(address, { kind: 'x' }, options)
  const nowhere = '127.0.0.1:1' as Address
  const { nodeId, boot } = credentialsOf().self()
  versions.heard(nowhere, { address: nowhere, nodeId, boot }, 4)
  await t.rejects(peers.call(nowhere, { kind: 'x' }, options), { code: 'UNAVAILABLE' })
  t.equal(versions.of(nowhere), undefined)
  t.equal(versions.of(address), 4)
})

t.test('another node than the one that is meant is asked nothing, and is told of', async t => {
  const { address, peers, replaced, unreachable } = await peerUnderTest(t)
  const call = { kind: 'double', n: 2 }
  t.match(await peers.call(address, call, { ...options, node: NODE_ID }), { twice: 4 })
  const node = NODE_ID.replace('a', 'b') as NodeId
  await t.rejects(peers.call(address, call, { ...options, node }), { code: 'UNAVAILABLE' })
  await t.rejects(peers.fetchBody(address, 'b', 0, { ...options, node }), { code: 'UNAVAILABLE' })
  const words = async () => {
    for await (const _word of peers.stream(address, { count: 1 }, { ...options, node }))
      t.fail('it has no words')
  }
  await t.rejects(words(), { code: 'UNAVAILABLE' })
  t.same(replaced, [NODE_ID, NODE_ID, NODE_ID])
  t.same(unreachable, [], 'somebody is there')
})
