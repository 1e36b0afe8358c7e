import { createServer } from 'node:net'
import { Readable } from 'node:stream'
import t from 'tap'
import type { WireRequest } from '../../src/client/exchange.ts'
import { jsonOf } from '../../src/client/reply.ts'
import { Transport, type TransportInit } from '../../src/client/transport.ts'
import { type Env, realEnv } from '../../src/env.ts'
import { parsePathName } from '../../src/ring/path-name.ts'
import { hangUp, json, refusal, scriptedServer, silence } from './scripted-server.ts'

/** Sleeps are noted and not slept. */
function impatientEnv(): Env & { sleeps: number[] } {
  const sleeps: number[] = []
  const env = realEnv()
  return {
    ...env,
    sleeps,
    randomness: { bytes: length => new Uint8Array(length).fill(128) },
    timers: {
      after: env.timers.after,
      soon: env.timers.soon,
      async sleep(delayMs, signal) {
        signal?.throwIfAborted()
        sleeps.push(delayMs)
      },
    },
  }
}

type Test = { teardown(end: () => unknown): unknown }

function transportTo(t: Test, origin: string, init: Partial<TransportInit> = {}) {
  const env = impatientEnv()
  const transport = new Transport(
    { env },
    {
      origin,
      token: undefined,
      answerTimeoutMs: 5000,
      idleTimeoutMs: 5000,
      direct: true,
      attemptsMax: 4,
      firstContactMs: 0,
      ...init,
    },
  )
  t.teardown(() => transport.close())
  return { transport, sleeps: env.sleeps }
}

const read: WireRequest = { method: 'GET', target: '/get/a', path: 'a' }
const write: WireRequest = { method: 'PUT', target: '/put/a', path: 'a', body: () => Buffer.from('x') }
const keyed: WireRequest = { ...write, headers: { 'idempotency-key': 'k' } }

t.test('a request carries its token, its headers and its body', async t => {
  const { origin, seen } = await scriptedServer(t, [json(201, { ok: true })])
  const { transport } = transportTo(t, origin, { token: 'secret' })
  t.same(await transport.send(keyed, jsonOf), { ok: true })
  t.match(seen, [
    {
      method: 'PUT',
      url: '/put/a',
      headers: { authorization: 'Bearer secret', 'idempotency-key': 'k', 'content-length': '1' },
    },
  ])
  t.equal(String(seen[0]?.body), 'x')
})

t.test('a refusal of the node is a StoreError with its code, and is not tried again', async t => {
  const { origin, seen } = await scriptedServer(t, [refusal(404, 'FILE_NOT_FOUND')])
  const { transport, sleeps } = transportTo(t, origin)
  await t.rejects(transport.send(read, jsonOf), {
    name: 'StoreError',
    code: 'FILE_NOT_FOUND',
    message: 'This is FILE_NOT_FOUND.',
    path: 'a',
  })
  t.equal(seen.length, 1)
  t.same(sleeps, [])
})

t.test('an answer of something that is no node has a code by its status', async t => {
  const rows: [number, string][] = [
    [401, 'UNAUTHORIZED'],
    [403, 'FORBIDDEN'],
    [404, 'ROUTE_NOT_FOUND'],
    [418, 'INVALID_REQUEST'],
    [301, 'INVALID_REQUEST'],
    [500, 'UNAVAILABLE'],
  ]
  for (const [status, code] of rows) {
    const { origin } = await scriptedServer(t, [
      (_seen, response) => response.writeHead(status, { 'content-type': 'text/html' }).end('<h1>Oops</h1>'),
    ])
    const { transport } = transportTo(t, origin, { attemptsMax: 1 })
    await t.rejects(
      transport.send(read, jsonOf),
      { code, message: `The node answered ${status}.` },
      `${status}`,
    )
  }
})

t.test('what the node calls retryable is tried again, when the node says or with growing pauses', async t => {
  const { origin, seen } = await scriptedServer(t, [
    refusal(429, 'OVERLOADED', { 'retry-after': '2' }),
    refusal(503, 'UNAVAILABLE'),
    refusal(503, 'UNAVAILABLE'),
    json(200, 'done'),
  ])
  const { transport, sleeps } = transportTo(t, origin)
  t.equal(await transport.send(keyed, jsonOf), 'done')
  t.equal(seen.length, 4)
  t.same(sleeps, [2000, 200, 400])
})

t.test('the last try throws; a very long Retry-After is left to the caller', async t => {
  const busy = await scriptedServer(t, [refusal(503, 'UNAVAILABLE')])
  await t.rejects(transportTo(t, busy.origin).transport.send(read, jsonOf), { code: 'UNAVAILABLE' })
  t.equal(busy.seen.length, 4)
  const later = await scriptedServer(t, [refusal(429, 'OVERLOADED', { 'retry-after': '3600' })])
  await t.rejects(transportTo(t, later.origin).transport.send(read, jsonOf), {
    code: 'OVERLOADED',
    retryAfterSeconds: 3600,
  })
  t.equal(later.seen.length, 1)
})

t.test('a lost answer: reads and keyed writes are repeated, a bare write is INDETERMINATE', async t => {
  for (const [request, repeated] of [
    [read, true],
    [keyed, true],
    [write, false],
  ] as const) {
    const { origin, seen } = await scriptedServer(t, [hangUp, json(200, 'done')])
    const sending = transportTo(t, origin).transport.send(request, jsonOf)
    if (repeated) t.equal(await sending, 'done')
    else await t.rejects(sending, { code: 'INDETERMINATE', path: 'a' })
    t.equal(seen.length, repeated ? 2 : 1)
  }
})

t.test('a keyed write that never gets an answer is INDETERMINATE, a read is UNAVAILABLE', async t => {
  const { origin, seen } = await scriptedServer(t, [hangUp])
  const { transport } = transportTo(t, origin)
  await t.rejects(transport.send(keyed, jsonOf), { code: 'INDETERMINATE' })
  t.equal(seen.length, 4)
  await t.rejects(transport.send(read, jsonOf), { code: 'UNAVAILABLE' })
})

t.test('a write that may have happened stays INDETERMINATE when the node then says UNAVAILABLE', async t => {
  const { origin } = await scriptedServer(t, [hangUp, refusal(503, 'UNAVAILABLE')])
  await t.rejects(transportTo(t, origin).transport.send(keyed, jsonOf), { code: 'INDETERMINATE' })
})

t.test('nobody listens: nothing was sent, so a write too is UNAVAILABLE', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  const { transport, sleeps } = transportTo(t, `http://127.0.0.1:${port}`)
  await t.rejects(transport.send(write, jsonOf), {
    code: 'UNAVAILABLE',
    message: /No node answers at .*ECONNREFUSED/,
  })
  t.equal(sleeps.length, 3, 'of which nothing was sent can be sent again, also without a key')
  await t.rejects(transport.send(keyed, jsonOf), { code: 'UNAVAILABLE' })
  t.equal(sleeps.length, 6)
})

t.test('who asks by HTTPS where plain HTTP is spoken is told so', async t => {
  const server = createServer(socket => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  const { transport } = transportTo(t, `https://127.0.0.1:${port}`)
  await t.rejects(transport.send(read, jsonOf), { code: 'UNAVAILABLE', message: /speaks no TLS; try http/ })
})

t.test('an answer that breaks off in its body counts as lost', async t => {
  const { origin, seen } = await scriptedServer(t, [
    (_seen, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('{"half":')
      setImmediate(() => response.destroy())
    },
    json(200, 'whole'),
  ])
  t.equal(await transportTo(t, origin).transport.send(keyed, jsonOf), 'whole')
  t.equal(seen.length, 2)
})

t.test('a node that does not answer meets the deadline', async t => {
  const { origin } = await scriptedServer(t, [silence])
  const { transport } = transportTo(t, origin, { answerTimeoutMs: 50, attemptsMax: 1 })
  await t.rejects(transport.send(read, jsonOf), { code: 'UNAVAILABLE' })
})

t.test('a node that stops taking a body meets the deadline', async t => {
  const stuck = createServer(socket => socket.pause()).listen(0, '127.0.0.1')
  await new Promise(resolve => stuck.once('listening', resolve))
  t.teardown(() => stuck.close())
  const { port } = stuck.address() as { port: number }
  const { transport } = transportTo(t, `http://127.0.0.1:${port}`, { idleTimeoutMs: 100 })
  const endless = async function* () {
    for (;;) yield Buffer.alloc(1024 * 1024)
  }
  await t.rejects(transport.send({ ...write, body: endless }, jsonOf), { code: 'REQUEST_TIMEOUT' })
})

t.test('a signal ends the request and the waiting with its own reason', async t => {
  const { origin } = await scriptedServer(t, [silence])
  const { transport } = transportTo(t, origin)
  const controller = new AbortController()
  const reason = new Error('enough')
  const sending = transport.send({ ...read, signal: controller.signal }, jsonOf)
  setImmediate(() => controller.abort(reason))
  await t.rejects(sending, reason)
})

t.test('a stream that can be sent once is sent once', async t => {
  const { origin, seen } = await scriptedServer(t, [hangUp, json(200, 'done')])
  await t.rejects(transportTo(t, origin).transport.send({ ...keyed, bodyOnce: true }, jsonOf), {
    code: 'INDETERMINATE',
  })
  t.equal(seen.length, 1)
})

const NETWORK = 'n1'
/** The whole ring, kept at these origins. */
function told(epoch: number, ...origins: string[]): Record<string, string> {
  const addresses = origins.map(origin => origin.replace('http://', ''))
  return {
    'ring-range': ['0'.repeat(40), '0'.repeat(40), epoch, ...addresses].join(' '),
    'ring-network': NETWORK,
  }
}

const path = parsePathName('a')
const readA: WireRequest = { ...read, goal: { path, writes: false } }
const writeA: WireRequest = { ...keyed, goal: { path, writes: true } }

async function deadOrigin(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return `http://127.0.0.1:${port}`
}

t.test('the next request goes straight to where the reply says', async t => {
  const head = await scriptedServer(t, [json(200, 'head')])
  const named = await scriptedServer(t, [json(404, {}, told(7, head.origin))])
  const { transport } = transportTo(t, named.origin, { token: 'secret' })
  await t.rejects(transport.send(readA, jsonOf), { code: 'ROUTE_NOT_FOUND' })
  t.equal(await transport.send(writeA, jsonOf), 'head')
  t.match(head.seen, [
    {
      url: '/put/a',
      headers: { 'ring-network': NETWORK, 'ring-epoch': '7', authorization: 'Bearer secret' },
    },
  ])
  t.equal(named.seen.length, 1)
})

t.test('who does not let us in teaches nothing', async t => {
  const head = await scriptedServer(t, [json(200, 'head')])
  const refused = json(401, { error: { code: 'UNAUTHORIZED', message: 'No.' } }, told(7, head.origin))
  const named = await scriptedServer(t, [refused, json(200, 'named')])
  const { transport } = transportTo(t, named.origin)
  await t.rejects(transport.send(readA, jsonOf), { code: 'UNAUTHORIZED' })
  t.equal(await transport.send(readA, jsonOf), 'named')
  t.equal(head.seen.length, 0)
})

t.test('a write goes on at another node at once, under the same key', async t => {
  const failing = {
    refused: async () => ({ origin: await deadOrigin(), seen: [] }),
    'cut off': () => scriptedServer(t, [hangUp]),
    'cannot now': () => scriptedServer(t, [refusal(503, 'UNAVAILABLE')]),
    'does not know': () => scriptedServer(t, [refusal(503, 'INDETERMINATE')]),
    'another network': () => scriptedServer(t, [refusal(409, 'WRONG_NETWORK')]),
    'other tokens': () => scriptedServer(t, [refusal(401, 'UNAUTHORIZED')]),
    'smaller files': () => scriptedServer(t, [refusal(413, 'FILE_TOO_LARGE')]),
  }
  for (const [how, start] of Object.entries(failing)) {
    const [head, tail] = [await start(), await scriptedServer(t, [json(200, 'tail')])]
    const named = await scriptedServer(t, [json(200, 'named', told(7, head.origin, tail.origin))])
    const { transport, sleeps } = transportTo(t, named.origin)
    await transport.send(readA, jsonOf)
    t.equal(await transport.send(writeA, jsonOf), 'tail', how)
    t.same(sleeps, [], 'without a pause')
    t.equal(tail.seen[0]?.headers['idempotency-key'], 'k')
    t.equal(String(tail.seen[0]?.body), 'x', 'the whole body again')
  }
})

t.test('an answer that speaks for the file is final wherever it comes from', async t => {
  const head = await scriptedServer(t, [refusal(409, 'FILE_EXISTS')])
  const named = await scriptedServer(t, [json(200, 'named', told(7, head.origin))])
  const { transport } = transportTo(t, named.origin)
  await transport.send(readA, jsonOf)
  await t.rejects(transport.send(writeA, jsonOf), { code: 'FILE_EXISTS' })
  t.equal(named.seen.length, 1)
})

t.test('two nodes that cannot now speak for the network: a pause comes before the third', async t => {
  const busy = await Promise.all([1, 2, 3].map(() => scriptedServer(t, [refusal(503, 'UNAVAILABLE')])))
  const named = await scriptedServer(t, [json(200, 'named', told(7, ...busy.map(({ origin }) => origin)))])
  const { transport, sleeps } = transportTo(t, named.origin, { attemptsMax: 2 })
  await transport.send(readA, jsonOf)
  await t.rejects(transport.send(writeA, jsonOf), { code: 'UNAVAILABLE' })
  t.same(
    busy.map(({ seen }) => seen.length),
    [2, 2, 0],
  )
  t.equal(sleeps.length, 1)
})

t.test('addresses that cannot be reached are not tried for each request', async t => {
  const dead = await deadOrigin()
  const named = await scriptedServer(t, [json(200, 'named', told(7, dead))])
  const { transport, sleeps } = transportTo(t, named.origin)
  for (let request = 0; request < 20; request++) t.equal(await transport.send(readA, jsonOf), 'named')
  t.equal(named.seen.length, 20)
  t.same(sleeps, [])
})

t.test('a node that is silent is passed by at once, and one other asked before a pause', async t => {
  const [mute, tail] = [await scriptedServer(t, [silence]), await scriptedServer(t, [json(200, 'tail')])]
  const named = await scriptedServer(t, [json(200, 'named', told(7, mute.origin, tail.origin))])
  const { transport, sleeps } = transportTo(t, named.origin, { answerTimeoutMs: 200 })
  await transport.send(readA, jsonOf)
  t.equal(await transport.send({ ...writeA, quick: true }, jsonOf), 'tail')
  t.same(sleeps, [])
  t.equal(tail.seen[0]?.headers['idempotency-key'], mute.seen[0]?.headers['idempotency-key'])
})

t.test('the named node goes down: what it told is enough to go on', async t => {
  const other = await scriptedServer(t, [json(200, 'other')])
  const named = await scriptedServer(t, [json(200, 'named', told(7, other.origin)), hangUp])
  const { transport, sleeps } = transportTo(t, named.origin)
  await transport.send(readA, jsonOf)
  await transport.send(readA, jsonOf)
  // A list is kept by nobody: it goes to the named node first.
  t.equal(await transport.send({ method: 'GET', target: '/list/', goal: 'any' }, jsonOf), 'other')
  await t.rejects(transport.send({ method: 'GET', target: '/status' }, jsonOf), { code: 'UNAVAILABLE' })
  t.equal(other.seen.length, 2, 'what is about a node goes nowhere else')
  t.equal(sleeps.length, 3)
})

t.test('a node that restarts is waited for once it is known, and not where nobody ever answered', async t => {
  const { origin } = await scriptedServer(t, [json(200, 'up'), hangUp])
  const known = transportTo(t, origin, { attemptsMax: 10 })
  await known.transport.send(read, jsonOf)
  await t.rejects(known.transport.send(read, jsonOf), { code: 'UNAVAILABLE' })
  t.same(known.sleeps, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000])
  const nobody = transportTo(t, await deadOrigin(), { attemptsMax: 10 })
  await t.rejects(nobody.transport.send(read, jsonOf), { code: 'UNAVAILABLE' })
  t.equal(nobody.sleeps.length, 3)
})

t.test('a stream that can be sent once goes elsewhere as long as nothing of it went out', async t => {
  const once = () => {
    const stream = Readable.from([Buffer.from('only once')])
    return { ...writeA, body: () => stream, bodyOnce: true }
  }
  const tail = await scriptedServer(t, [json(200, 'tail')])
  const unreached = await scriptedServer(t, [json(200, 'named', told(7, await deadOrigin(), tail.origin))])
  const first = transportTo(t, unreached.origin)
  await first.transport.send(readA, jsonOf)
  t.equal(await first.transport.send(once(), jsonOf), 'tail')
  t.equal(String(tail.seen[0]?.body), 'only once')

  const cut = await scriptedServer(t, [hangUp])
  const reached = await scriptedServer(t, [json(200, 'named', told(7, cut.origin, tail.origin))])
  const second = transportTo(t, reached.origin)
  await second.transport.send(readA, jsonOf)
  await t.rejects(second.transport.send(once(), jsonOf), { code: 'INDETERMINATE' })
  t.equal(tail.seen.length, 1)
})

t.test('the second answer that names who is missing is told', async t => {
  const lacking = json(503, {
    error: { code: 'UNAVAILABLE', message: 'Too few nodes.', retryable: true, missing: ['127.0.0.1:9'] },
  })
  const { origin, seen } = await scriptedServer(t, [lacking, hangUp, lacking])
  const { transport } = transportTo(t, origin, { attemptsMax: 10 })
  await t.rejects(transport.send(read, jsonOf), { code: 'UNAVAILABLE', missing: ['127.0.0.1:9'] })
  t.equal(seen.length, 3)
})

t.test('the last word is who is missing, and not that one of those does not answer', async t => {
  const lacking = json(503, {
    error: { code: 'UNAVAILABLE', message: 'Too few nodes.', retryable: true, missing: ['127.0.0.1:9'] },
  })
  const { origin } = await scriptedServer(t, [lacking, hangUp])
  const { transport } = transportTo(t, origin, { attemptsMax: 3 })
  await t.rejects(transport.send(read, jsonOf), { code: 'UNAVAILABLE', missing: ['127.0.0.1:9'] })
})
