import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import t from 'tap'
import type { FrameWriter } from '../../src/peer/frames.ts'
import { LINK_BATCHES_MAX, LINK_TARGET } from '../../src/peer/peer-link.ts'
import { encode, peerHeaders } from '../../src/peer/wire.ts'
import type { Address } from '../../src/ring/identifier.ts'
import { waitFor } from '../e2e/harness.ts'
import {
  credentialsOf,
  movedEnv,
  nodeUnderTest,
  openSockets,
  rawLink,
  type Spoken,
  seen,
  senderUnderTest,
} from './link-under-test.ts'

t.test('messages travel over one link, in order, and what is said in return comes back', async t => {
  for (const [theirs, ours] of [
    [{ secret: 'a secret' }, { secret: 'a secret' }],
    [{ secret: undefined }, { secret: undefined }],
    [
      { secret: 'new', otherSecrets: ['old'] },
      { secret: 'old', otherSecrets: ['new'] },
    ],
  ] satisfies [Spoken, Spoken][]) {
    const node = await nodeUnderTest(t, theirs)
    const { peers, replies, took } = senderUnderTest(t, ours)
    const sent: string[] = []
    for (let turn = 0; turn < 50; turn++) {
      for (const text of [`${turn}`, `echo ${turn}`]) {
        sent.push(text)
        peers.send(node.address, { text })
      }
      await new Promise(setImmediate)
    }
    await seen('all replies', () => replies.length === 50)
    t.same(node.texts(), sent)
    t.same(
      replies.map(([{ nodeId }, text]) => [nodeId, text]),
      sent.filter(text => text.startsWith('echo')).map(text => ['b'.repeat(32), text]),
    )
    t.same(node.requests, ['POST /peer/call'], 'the greeting is the only request')
    t.ok(took.length > 0)
    await seen('nothing under way', () => peers.waitsMs(node.address) === 0)
  }
})

t.test('a peer of the version before gets requests, until it is upgraded', async t => {
  const node = await nodeUnderTest(t, { speaks: 4 })
  const { peers } = senderUnderTest(t)
  peers.send(node.address, { text: 'old' })
  await seen('the message', () => node.texts().length === 1)
  t.same(node.requests.at(-1), 'POST /peer/messages')
  const old = await nodeUnderTest(t)
  const { peers: ofOld } = senderUnderTest(t, { speaks: 4 })
  ofOld.send(old.address, { text: 'to a newer one' })
  await seen('the message', () => old.texts().length === 1)
  t.same(old.requests.at(-1), 'POST /peer/messages')
})

t.test('a node that counts a new start while it runs says so, at both ends', async t => {
  const node = await nodeUnderTest(t)
  const { peers, credentials, replies } = senderUnderTest(t)
  const counters = () => [node.received.at(-1)?.[0].boot.counter, replies.at(-1)?.[0].boot.counter]
  peers.send(node.address, { text: 'echo 1' })
  await seen('a reply', () => replies.length === 1)
  t.same(counters(), [1, 1])
  credentials.startsAnew()
  node.credentials.startsAnew()
  peers.send(node.address, { text: 'echo 2' })
  await seen('a reply', () => replies.length === 2)
  t.same(counters(), [2, 2])
})

t.test('a start that a node counts while its link opens is told, too', async t => {
  const node = await nodeUnderTest(t)
  const { peers, credentials } = senderUnderTest(t)
  node.app.server.prependListener('connect', () => credentials.startsAnew())
  peers.send(node.address, { text: 'first' })
  await seen('the message', () => node.received.length === 1)
  t.equal(node.received[0]?.[0].boot.counter, 2)
})

t.test('a link that breaks is told, and the next message opens another', async t => {
  const node = await nodeUnderTest(t)
  let cutAfter = Number.POSITIVE_INFINITY
  const sockets: Socket[] = []
  const proxy = createServer(near => {
    const far = connect(node.port, '127.0.0.1')
    sockets.push(near)
    let bytes = 0
    near.on('data', chunk => {
      bytes += chunk.length
      if (bytes < cutAfter) {
        far.write(chunk)
        return
      }
      // In the middle of a frame.
      far.write(chunk.subarray(0, chunk.length - 7))
      far.destroy()
      near.destroy()
    })
    far.on('data', chunk => near.write(chunk))
    for (const [one, other] of [[near, far] as const, [far, near] as const])
      one.on('error', () => undefined).on('close', () => other.destroy())
  }).listen(0, '127.0.0.1')
  t.teardown(() => proxy.close())
  await once(proxy, 'listening')
  const address = `127.0.0.1:${(proxy.address() as { port: number }).port}` as Address
  const { peers, unreachable } = senderUnderTest(t)
  peers.send(address, { text: 'first' })
  await seen('the first', () => node.texts().includes('first'))
  await seen('nothing under way', () => peers.waitsMs(address) === 0)
  cutAfter = 0
  peers.send(address, { text: 'lost' })
  await seen('the loss', () => unreachable.length > 0)
  t.same(unreachable[0], [address, 'refused'])
  cutAfter = Number.POSITIVE_INFINITY
  peers.send(address, { text: 'after' })
  await seen('what follows', () => node.texts().includes('after'))
  t.notOk(node.texts().includes('lost'), 'half a frame is none')
})

t.test(
  'a peer that takes nothing any more counts as silent, and holds up a bounded number of messages',
  async t => {
    const node = await nodeUnderTest(t)
    const { peers, unreachable, time } = senderUnderTest(t)
    peers.send(node.address, { text: 'first' })
    await seen('the first', () => node.texts().includes('first'))
    await seen('nothing under way', () => peers.waitsMs(node.address) === 0)
    // Half open: the other end neither reads nor ends.
    const held = node.received
    for (const socket of await openSockets(node.app.server)) socket.pause()
    for (let index = 0; index < 4 * LINK_BATCHES_MAX; index++) {
      peers.send(node.address, { text: 'x'.repeat(1000) })
      await new Promise(setImmediate)
    }
    t.equal(held.length, 1)
    t.ok(peers.waitsMs(node.address) > 0)
    t.same(unreachable, [])
    time.skip(5_000)
    await seen('its silence', () => unreachable.length === LINK_BATCHES_MAX)
    t.same(unreachable[0], [node.address, 'silent'])
  },
)

t.test('a link that carries nothing is closed, and leaves no timer', async t => {
  const node = await nodeUnderTest(t)
  const { peers, time, unreachable } = senderUnderTest(t)
  peers.send(node.address, { text: 'one' })
  await seen('the message', () => node.texts().length === 1)
  await seen('nothing under way', () => peers.waitsMs(node.address) === 0)
  const open = () => openSockets(node.app.server)
  const before = (await open()).length
  time.skip(59_000)
  t.equal((await open()).length, before)
  time.skip(5_000)
  await waitFor(async () => (await open()).length === before - 1, { what: 'the link is closed' })
  t.equal(time.waiting(), 0, 'no timer is left')
  t.same(unreachable, [], 'which is nobody’s fault')
  peers.send(node.address, { text: 'two' })
  await seen('another link', () => node.texts().length === 2)
})

t.test('strangers and what was captured get no link', async t => {
  const node = await nodeUnderTest(t)
  const good = await rawLink(t, node, { turn: 7 })
  t.equal(good.status(), 200)
  for (const [what, init, message] of [
    ['it has come before', { turn: 7 }, /has come before/],
    ['another secret', { turn: 8, credentials: credentialsOf({ secret: 'another' }) }, /not signed/],
    ['another name', { turn: 9, headers: { 'ring-node': `${'d'.repeat(32)}/1.ab/d:1` } }, /not signed/],
    ['no turn', { turn: 10, headers: { 'ring-turn': '' } }, /not signed/],
  ] as const) {
    const link = await rawLink(t, node, init)
    await seen('the end', link.ended)
    t.equal(link.status(), 400, what)
    t.match(link.all().toString(), message)
    t.match(link.all().toString(), '"UNAUTHORIZED"')
  }
  t.notOk(good.ended(), 'the first one stays')
})

t.test('a CONNECT to anywhere else is no link', async t => {
  const node = await nodeUnderTest(t)
  node.app.server.on('connect', (request, socket) => {
    if (request.url !== LINK_TARGET) socket.end('HTTP/1.1 405 Method Not Allowed\r\n\r\n')
  })
  const socket = connect(node.port, '127.0.0.1')
  socket.write('CONNECT example.org:443 HTTP/1.1\r\nhost: x\r\n\r\n')
  const [answer] = (await once(socket, 'data')) as [Buffer]
  t.match(answer.toString(), /^HTTP\/1\.1 405 /)
  socket.destroy()
})

t.test('garbage ends a link with a word on why, and costs nobody else anything', async t => {
  const node = await nodeUnderTest(t)
  const message = [encode({ text: 'x' })]
  type Writer = FrameWriter
  const rows: [what: string, bytes: (writer: Writer) => Buffer, code: string][] = [
    ['no frame', () => Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'INVALID_REQUEST'],
    ['a wrong proof', writer => writer.frame('messages', message).fill(0, 5, 10), 'UNAUTHORIZED'],
    ['no message', writer => writer.frame('messages', [encode({ kind: 'y' })]), 'INVALID_REQUEST'],
    ['no MessagePack', writer => writer.frame('messages', [Buffer.from([0xc1])]), 'INVALID_REQUEST'],
    ['the wrong direction', writer => writer.frame('taken', [Buffer.alloc(10)]), 'INVALID_REQUEST'],
    ['no identity', writer => writer.frame('self', [Buffer.from('x')]), 'INVALID_REQUEST'],
    [
      'another node',
      writer => writer.frame('self', [Buffer.from(`${'e'.repeat(32)}/1.ab/e:1`)]),
      'INVALID_REQUEST',
    ],
  ]
  for (const [index, [what, bytes, code]] of rows.entries()) {
    const link = await rawLink(t, node, { turn: index + 1 })
    link.socket.write(link.writer.frame('messages', message))
    await seen('a good one', () => link.frames().length === 1)
    link.socket.write(bytes(link.writer))
    await seen('the end', link.ended)
    const last = link.frames().at(-1)
    t.equal(last?.kind, 'refused', what)
    t.match(JSON.parse(`${last?.content}`), { error: { code } }, what)
  }
  t.equal(node.received.length, rows.length, 'what came before was taken')
})

t.test('a sender that never reads is not read from without bounds', async t => {
  const node = await nodeUnderTest(t)
  const link = await rawLink(t, node)
  link.socket.pause()
  const echo = link.writer
  const text = `echo ${'x'.repeat(10_000)}`
  let written = 0
  const write = () => {
    while (written < 20_000 && link.socket.write(echo.frame('messages', [encode({ text })]))) written++
  }
  link.socket.on('drain', write)
  write()
  let before = -1
  await waitFor(
    async () => {
      const stands = node.received.length === before && before > 0
      before = node.received.length
      return stands
    },
    { what: 'the node reads no more' },
  )
  const bytes = (await openSockets(node.app.server)).map(socket => socket.writableLength)
  t.ok(Math.max(...bytes) < 4 * 1024 * 1024, `${Math.max(...bytes)} bytes wait`)
  link.socket.resume()
  await seen('the rest', () => node.received.length > before)
})

t.test('whoever was refused and goes on sending, or neither sends nor ends, holds no connection', async t => {
  const time = movedEnv([])
  const node = await nodeUnderTest(t, { env: time.env })
  const left = async () => (await openSockets(node.app.server)).length
  const refusedStranger = await rawLink(t, node, {
    ...{ credentials: credentialsOf({ secret: 'another' }), neverEnds: true },
  })
  t.equal(refusedStranger.status(), 400)
  const garbage = await rawLink(t, node, { turn: 2, neverEnds: true })
  garbage.socket.write(garbage.writer.frame('messages', [Buffer.from([0xc1])]))
  await seen('the refusal', () => garbage.frames().at(-1)?.kind === 'refused')
  for (const { socket } of [refusedStranger, garbage]) socket.write(Buffer.alloc(100_000))
  t.equal(await left(), 2)
  time.skip(5_000)
  await waitFor(async () => (await left()) === 0, { what: 'both are closed' })
  t.equal(time.waiting(), 0, 'no timer is left')
  t.same(node.received, [])
})

t.test('whoever was refused and ends leaves nothing behind', async t => {
  const time = movedEnv([])
  const node = await nodeUnderTest(t, { env: time.env })
  const stranger = await rawLink(t, node, { credentials: credentialsOf({ secret: 'another' }) })
  await seen('the end', stranger.ended)
  await waitFor(async () => (await openSockets(node.app.server)).length === 0, { what: 'it is closed' })
  t.equal(time.waiting(), 0)
})

t.test('half a frame and then nothing: nothing is taken, and the link is closed in the end', async t => {
  const node = await nodeUnderTest(t)
  const link = await rawLink(t, node, { neverEnds: true })
  const frame = link.writer.frame('messages', [encode({ text: 'whole' })])
  link.socket.write(frame.subarray(0, frame.length - 1))
  const [socket] = await openSockets(node.app.server)
  await seen('its bytes', () => (socket?.bytesRead ?? 0) > frame.length)
  t.equal(socket?.timeout, 300_000, 'silence has an end')
  socket?.emit('timeout')
  await seen('the end', () => link.socket.closed || link.socket.readableEnded)
  t.same(node.received, [])
})

t.test(
  'a link that is asked for while the node closes is not let in: the node would wait for its end',
  async t => {
    const node = await nodeUnderTest(t)
    const turn = {
      to: `${node.credentials.self().nodeId}.${node.credentials.turns.start}`,
      turn: `${'c'.repeat(32)}.1`,
    }
    const headers = Object.entries(peerHeaders(credentialsOf(), 'CONNECT', LINK_TARGET, undefined, 5, turn))
    const socket = connect(node.port, '127.0.0.1').on('error', () => undefined)
    t.teardown(() => socket.destroy())
    const begun = `CONNECT ${LINK_TARGET} HTTP/1.1\r\nhost: x\r\n`
    socket.write(begun)
    const begunAt = async () => (await openSockets(node.app.server))[0]?.bytesRead === begun.length
    await waitFor(begunAt, { what: 'the request has begun' })
    const closing = node.app.close()
    await seen('no more connections', () => !node.app.server.listening)
    socket.write(`${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`)
    await seen('the end', () => socket.closed || socket.readableEnded)
    await closing
  },
)
