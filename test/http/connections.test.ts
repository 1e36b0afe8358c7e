import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Readable } from 'node:stream'
import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { exchange, runServer } from './running-server.ts'

const putHead = (path: string, more: string) =>
  `PUT /put/${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n\r\n`

t.test('a body that stands still ends with a 408, and nothing of it stays', async t => {
  const { storage, port } = await runServer(t, { limits: { bodyIdleTimeoutMs: 300 }, listen: true })
  for (const start of [putHead('a', 'Content-Length: 10'), putHead('a', 'Transfer-Encoding: chunked')]) {
    const answer = await exchange(port, `${start}3\r\nabc\r\n`.slice(0, start.length + 6))
    t.match(answer, /^HTTP\/1\.1 408 [\s\S]*connection: close[\s\S]*"code":"REQUEST_TIMEOUT"/i)
  }
  t.equal(storage.statistics().files, 0)
  t.equal(storage.statistics().staged, 0)
})

t.test('a header that does not come ends with a 408', async t => {
  const { port } = await runServer(t, { limits: { headerTimeoutMs: 200 }, listen: true })
  const answer = await exchange(port, 'GET /get/a HTTP/1.1\r\nHo')
  t.match(answer, /^HTTP\/1\.1 408 [\s\S]*"code":"REQUEST_TIMEOUT"/)
})

t.test('a node that is at work is not taken for a client that stands still', async t => {
  const env = realEnv()
  const storage = new MemoryStorage({ env })
  const apply = storage.replica.apply.bind(storage.replica)
  const limits = { bodyIdleTimeoutMs: 200 }
  const { port } = await runServer(t, { env, storage, limits, listen: true })
  let slow = 0
  storage.replica.apply = async batch => {
    if (batch.records.length > 0) {
      slow += 1
      await env.timers.sleep(700)
    }
    return apply(batch)
  }
  const answer = await exchange(port, `${putHead('a', 'Content-Length: 1\r\nConnection: close')}x`)
  t.match(answer, /^HTTP\/1\.1 201 /)
  t.ok(slow > 0)
})

t.test('a reader that stands still is cut off', async t => {
  const { server, port } = await runServer(t, { limits: { bodyIdleTimeoutMs: 300 }, listen: true })
  await server.inject({ method: 'PUT', url: '/put/big', payload: Buffer.alloc(20_000_000) })
  const gone = once(server.server, 'connection').then(([socket]) => once(socket, 'close'))
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('error', () => {})
  socket.write('GET /get/big HTTP/1.1\r\nHost: localhost\r\n\r\n')
  // The test itself reads nothing; it ends when the server has closed the connection.
  await gone
  t.pass('closed by the server')
  socket.destroy()
})

t.test('who leaves before the turn of an answer leaves no body open', async t => {
  const { server, port, storage } = await runServer(t, { listen: true })
  await server.inject({ method: 'PUT', url: '/put/big', payload: Buffer.alloc(20_000_000) })
  const bodies: Readable[] = []
  const read = storage.read.bind(storage)
  storage.read = async (...asked) => {
    const body = await read(...asked)
    bodies.push(body as Readable)
    return body
  }
  const get = (more = '') => `GET /get/big HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('error', () => {})
  socket.write(get() + get() + get('Range: bytes=0-1,9000000-19000000\r\n'))
  while (bodies.length < 3) await new Promise(resolve => setImmediate(resolve))
  // One more is asked for at the last moment: its bytes come when nobody is there.
  storage.read = async (...asked) => {
    const gone = once(socket, 'close')
    socket.resetAndDestroy()
    await gone
    while (bodies.some(body => !body.destroyed)) await new Promise(resolve => setImmediate(resolve))
    const body = await read(...asked)
    bodies.push(body as Readable)
    return body
  }
  socket.write(get())
  while (bodies.length < 4 || bodies.some(body => !body.destroyed))
    await new Promise(resolve => setImmediate(resolve))
  t.pass('all of them are closed')
})

t.test('what is no HTTP gets a 400 as JSON', async t => {
  const { port, server } = await runServer(t, { listen: true })
  const nonsense: (string | Buffer)[] = [
    'hello\r\n\r\n',
    'GET\r\n\r\n',
    'GET /get/a HTTP/9.9\r\n\r\n',
    'GET /get/a HTTP/1.1\r\nHost: localhost\r\nX\r\n\r\n',
    'GET /get/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n',
    'PUT /put/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    'PUT /put/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n',
    Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00]),
  ]
  for (const bytes of nonsense) {
    const answer = await exchange(port, bytes)
    t.match(
      answer,
      /^HTTP\/1\.1 400 [\s\S]*"error":\{"code":"INVALID_REQUEST"/,
      JSON.stringify(bytes.toString('latin1')).slice(0, 60),
    )
  }
  t.match(
    await exchange(port, 'BREW /get/a HTTP/1.1\r\nHost: a\r\n\r\n'),
    /^HTTP\/1\.1 405 [\s\S]*allow: GET[\s\S]*METHOD_NOT_ALLOWED/,
  )
  t.match(
    await exchange(port, 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'),
    /^HTTP\/1\.1 405 [\s\S]*METHOD_NOT_ALLOWED/,
  )
  t.equal((await server.inject('/health')).statusCode, 200)
})

t.test('a header of 10 MB gets a 431, read to its end or not', async t => {
  const { port } = await runServer(t, { listen: true })
  const answer = await exchange(
    port,
    `GET /get/a HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(10_000_000)}\r\n\r\n`,
  )
  t.match(answer, /^HTTP\/1\.1 431 [\s\S]*"code":"HEADERS_TOO_LARGE"/)
  const url = await exchange(port, `GET /get/${'x'.repeat(10_000_000)} HTTP/1.1\r\n\r\n`)
  t.match(url, /^HTTP\/1\.1 431 /)
})

t.test('an early refusal reaches a client that is still sending', async t => {
  const { server, port, storage } = await runServer(t, { listen: true })
  await server.inject({ method: 'PUT', url: '/put/a', payload: 'x' })
  const chunk = Buffer.alloc(100_000)
  const answer = await exchange(port, socket => {
    socket.write(putHead('a', 'Content-Length: 5000000'))
    sendAll(socket, chunk, 50)
  })
  t.match(answer, /^HTTP\/1\.1 409 [\s\S]*connection: close[\s\S]*"code":"FILE_EXISTS"/i)
  t.equal(storage.statistics().staged, 0)
})

t.test('a client that never stops sending is cut off after its refusal', async t => {
  const { server, port } = await runServer(t, { listen: true })
  await server.inject({ method: 'PUT', url: '/put/a', payload: 'x' })
  const chunk = Buffer.alloc(1_000_000)
  const socket = connect({ port, host: '127.0.0.1' })
  let sent = 0
  const more = () => {
    while (socket.writable && socket.write(chunk)) sent++
  }
  socket.on('drain', more).on('error', () => {})
  socket.write(putHead('a', 'Content-Length: 100000000000'))
  more()
  socket.resume()
  await new Promise(resolve => socket.once('close', resolve))
  t.ok(sent < 1000, `${sent} MB were taken`)
  t.equal((await server.inject('/health')).statusCode, 200)
})

function sendAll(socket: Socket, chunk: Buffer, times: number): void {
  if (times === 0 || !socket.writable) return
  socket.write(chunk, () => sendAll(socket, chunk, times - 1))
}
