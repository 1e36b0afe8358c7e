import { readFileSync } from 'node:fs'
import { request as secureRequest } from 'node:https'
import { connect } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { INLINE_BYTES_MAX } from '../../src/storage/record.ts'
import { certificateIn } from '../certificate-in.ts'
import { ADDRESS, codeOf, runServer } from './running-server.ts'

t.test('a file goes in, comes out, is copied, moved, listed and removed', async t => {
  const { server, storage } = await runServer(t)
  const put = await server.inject({
    method: 'PUT',
    url: '/put/a/b.json',
    payload: '{ "as": "sent" }',
    headers: { 'content-type': 'application/json' },
  })
  t.equal(put.statusCode, 201)
  t.equal(put.headers['ring-chain'], ADDRESS)
  t.equal(put.headers['ring-hops'], '0')
  t.match(put.json(), {
    path: 'a/b.json',
    size: 16,
    etag: put.headers.etag,
    sha256: /^[0-9a-f]{64}$/,
    consistency: 'chain',
    durable: false,
    replicas: [ADDRESS],
    chain: [ADDRESS],
  })

  const get = await server.inject('/get/a/b.json')
  t.equal(get.statusCode, 200)
  t.equal(get.body, '{ "as": "sent" }', 'byte for byte, though it is JSON')
  t.equal(get.headers['content-type'], 'application/json')
  t.equal(get.headers.etag, put.headers.etag)
  t.equal((await server.inject('/get/a%2Fb.json')).body, get.body, '%2F is a slash of the path')

  t.equal((await server.inject({ method: 'POST', url: '/copy/a%2Fb.json/c' })).statusCode, 201)
  t.equal((await server.inject({ method: 'POST', url: '/move/c/d' })).statusCode, 201)
  t.equal((await server.inject('/exists/c')).body, 'false\n')
  t.equal((await server.inject('/exists/d')).body, 'true\n')
  t.equal((await server.inject({ method: 'HEAD', url: '/exists/c' })).statusCode, 404)
  t.same(
    (await server.inject('/list')).json().files.map((file: { path: string }) => file.path),
    ['a/b.json', 'd'],
  )

  const again = await server.inject({ method: 'PUT', url: '/put/d', payload: 'x' })
  t.equal(again.statusCode, 409)
  t.match(again.json(), { error: { code: 'FILE_EXISTS', path: 'd', retryable: false } })
  t.equal(
    (await server.inject({ method: 'PUT', url: '/put/d?overwrite=true', payload: 'x' })).statusCode,
    200,
  )

  t.equal((await server.inject({ method: 'DELETE', url: '/remove/d' })).statusCode, 204)
  t.equal(codeOf(await server.inject('/get/d')), 'FILE_NOT_FOUND')
  t.equal(storage.statistics().staged, 0)
})

t.test('what is no endpoint is refused as JSON, with what would be one', async t => {
  const { server } = await runServer(t)
  const cases: [string, string, number, string][] = [
    ['GET', '/', 404, 'ROUTE_NOT_FOUND'],
    ['GET', '/nix/a', 404, 'ROUTE_NOT_FOUND'],
    ['PATCH', '/get/a', 405, 'METHOD_NOT_ALLOWED'],
    ['GET', '/put/a', 405, 'METHOD_NOT_ALLOWED'],
    ['GET', '/get', 400, 'INVALID_PATH'],
    ['GET', '/get/', 400, 'INVALID_PATH'],
    ['GET', '/get/%zz', 400, 'INVALID_PATH'],
    ['GET', '/get/%c0%ae', 400, 'INVALID_PATH'],
  ]
  for (const [method, url, status, code] of cases) {
    const answer = await server.inject({ method: method as 'GET', url })
    t.equal(answer.statusCode, status, `${method} ${url}`)
    t.equal(codeOf(answer), code, `${method} ${url}`)
  }
  const wrong = await server.inject({ method: 'GET', url: '/put/a' })
  t.equal(wrong.headers.allow, 'PUT, POST')
  const elsewhere = { host: 'localhost', 'ring-network': 'another' }
  const trace = await server.inject({ method: 'TRACE' as 'GET', url: '/exists/a', headers: elsewhere })
  t.equal(trace.statusCode, 405, 'a method that no endpoint has, whichever network is meant')
  const form = await server.inject({ method: 'PATCH', url: '/admin/webapp/upload' })
  t.match(
    [form.statusCode, form.headers.allow],
    [405, 'POST'],
    'an endpoint with more than one word in its URL',
  )
})

t.test('a method that the framework would treat in a way of its own has no endpoint either', async t => {
  const { port } = await runServer(t, { listen: true })
  const socket = connect(port, '127.0.0.1')
  socket.write('QUERY /exists/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  let text = ''
  for await (const chunk of socket) text += chunk
  t.match(text, /^HTTP\/1\.1 405 .*\r\nallow: GET, HEAD\r\n/is)
})

t.test('a page under another name for this machine reaches nothing', async t => {
  const { server } = await runServer(t)
  for (const [host, status] of [
    ['localhost:5000', 200],
    ['127.0.0.1', 200],
    ['evil.example', 403],
    ['localhost.evil.example:5000', 403],
  ] as const) {
    t.equal((await server.inject({ url: '/list', headers: { host } })).statusCode, status, host)
  }
  const named = await runServer(t, { advertise: 'files.home:5000' as typeof ADDRESS })
  t.equal((await named.server.inject({ url: '/list', headers: { host: 'files.home:5000' } })).statusCode, 200)
  const withToken = await runServer(t, { tokens: { readWrite: 'w' } })
  const headers = { host: 'proxy.example', authorization: 'Bearer w' }
  t.equal(
    (await withToken.server.inject({ url: '/list', headers })).statusCode,
    200,
    'a token is proof enough',
  )
})

t.test('one connection carries many requests, errors and pipelined ones included', async t => {
  const { server, port } = await runServer(t, { listen: true })
  await server.inject({ method: 'PUT', url: '/put/a', payload: 'x' })
  const get = (path: string) => `GET /get/${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`
  const socket = connect(port, '127.0.0.1')
  socket.setEncoding('latin1')
  socket.write(
    get('a') + get('missing') + get('%zz') + get('a').replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'),
  )
  let text = ''
  for await (const chunk of socket) text += chunk
  t.same(
    [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(match => match[1]),
    ['200', '404', '400', '200'],
  )
})

t.test('uploads beyond the bounds are told to come back', async t => {
  const limits = { uploadsMax: 1, uploadQueueMax: 0 }
  const { server, port, storage } = await runServer(t, { limits, listen: true })
  const socket = connect(port, '127.0.0.1')
  socket.write(
    `PUT /put/slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${INLINE_BYTES_MAX + 1}\r\n\r\nx`,
  )
  while (storage.statistics().staged === 0) await new Promise(resolve => setImmediate(resolve))
  const refused = await server.inject({ method: 'PUT', url: '/put/a', payload: 'x' })
  t.equal(refused.statusCode, 429)
  t.equal(refused.headers['retry-after'], '2')
  t.equal(refused.json().error.retryable, true)
  t.equal((await server.inject('/exists/a')).statusCode, 200, 'reads go on')
  socket.end(Buffer.alloc(INLINE_BYTES_MAX))
  await new Promise(resolve => socket.resume().once('close', resolve))
  t.equal((await server.inject({ method: 'PUT', url: '/put/a', payload: 'x' })).statusCode, 201)
})

t.test('over TLS with the files it is given, and only then', async t => {
  const folder = t.testdir({})
  const tls = certificateIn(folder)
  if (tls === undefined) return t.comment('openssl is not installed here')
  const { certFile, keyFile } = tls
  const { port } = await runServer(t, { tls: { certFile, keyFile }, listen: true })
  const ca = readFileSync(certFile)
  const status = await new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', path: '/health', ca, servername: 'localhost', agent: false }
    secureRequest(options, answer => resolve(answer.resume().statusCode))
      .on('error', reject)
      .end()
  })
  t.equal(status, 200)
  await t.rejects(runServer(t, { tls: { certFile: join(folder, 'missing'), keyFile } }), { code: 'ENOENT' })
})

t.test('requests are logged when that is asked for, and defects always, without bodies', async t => {
  const lines: unknown[][] = []
  const note =
    (level: string) =>
    (...line: unknown[]) =>
      lines.push([level, ...line])
  const log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') }
  const env = realEnv(log)
  const quiet = await runServer(t, { env })
  Object.assign(quiet.files, { find: () => Promise.reject(new TypeError('a defect')) })
  const answer = await quiet.server.inject('/get/a')
  t.equal(answer.statusCode, 500)
  t.equal(codeOf(answer), 'INTERNAL')
  t.notMatch(answer.body, /a defect/)
  t.match(lines, [['error', { op: 'get', err: { message: 'a defect' } }, 'request failed']])
  lines.length = 0
  const debug = await runServer(t, { env, logLevel: 'debug' })
  await debug.server.inject('/get/a')
  t.match(lines, [['debug', { op: 'GET', url: '/get/a', status: 404 }, 'request']])
})
