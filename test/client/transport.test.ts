import { createServer } from 'node:net'
import t from 'tap'
import { jsonOf, Transport, type TransportInit, type WireRequest } from '../../src/client/transport.ts'
import { type Env, realEnv } from '../../src/env.ts'
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
    { origin, token: undefined, answerTimeoutMs: 5000, idleTimeoutMs: 5000, attemptsMax: 4, ...init },
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
  t.same(sleeps, [], 'a write without a key is not repeated')
  await t.rejects(transport.send(keyed, jsonOf), { code: 'UNAVAILABLE' })
  t.equal(sleeps.length, 3)
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
