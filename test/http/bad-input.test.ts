/**
 * The hostile requests: bytes as nobody well-behaved sends them, over real connections. After each of them the
 * node lives, nothing is stored and nothing is staged.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { exchange, type RunningServer, runServer } from './running-server.ts'

const host = 'Host: localhost\r\nConnection: close\r\n'
const request = (target: string, method = 'GET') => `${method} ${target} HTTP/1.1\r\n${host}\r\n`
const put = (target: string, more = '', body = 'x') =>
  `PUT ${target} HTTP/1.1\r\n${host}Content-Length: ${body.length}\r\n${more}\r\n${body}`
const form = (boundary: string, body: string) =>
  `POST /upload HTTP/1.1\r\n${host}Content-Type: multipart/form-data; boundary=${boundary}\r\nContent-Length: ${body.length}\r\n\r\n${body}`

const refusalOf = (status: number) =>
  new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*\\{"error":\\{"code":"[A-Z_]+","message":"`)

async function nothingHappened(
  t: { equal(found: unknown, wanted: unknown, message: string): boolean },
  { storage, server }: RunningServer,
  name: string,
): Promise<void> {
  while (storage.statistics().staged > 0) await new Promise(resolve => setImmediate(resolve))
  t.equal(storage.statistics().files, 0, `${name}: nothing stored`)
  t.equal((await server.inject('/health')).statusCode, 200, `${name}: alive`)
}

const traversals = [
  '/put/..',
  '/put/../a',
  '/put/a/../../b',
  '/put/a/..',
  '/put/%2e%2e/a',
  '/put/%2E./a',
  '/put/.%2e%2fa',
  '/put/..%2f..%2fetc%2fpasswd',
  '/put/%2e%2e%2f%2e%2e%2fa',
  '/put/a%2f..%2fb',
  '/put/./a',
  '/put/%c0%ae%c0%ae/a',
  '/put/%c0%af',
  '/put/%e0%80%ae',
  '/put/%f0%80%80%ae',
  '/put/%ed%a0%80',
  '/put/%ff',
  '/put/a%00b',
  '/put/%0d%0aX:%20y',
  '/put/a%7f',
  '/put/%c2%85',
  '/put/%',
  '/put/%2',
  '/put/%zz',
  '/put/a//b',
  '/put/a/',
  '/put//',
  '/put/',
  '/put',
  '/put/a#b',
  '/put/%23/../..',
  `/put/${'a'.repeat(1025)}`,
  `/put/${'%F0%9F%98%80'.repeat(257)}`,
  '/put/caf\u00e9',
  'http://localhost/put/../a',
  '/put/a?overwrite',
  '/put/a?overwrite=TRUE',
  '/put/a?%ff',
  '/put/a?overwrite=%zz',
]

t.test('paths that are none, in every disguise', async t => {
  const running = await runServer(t, { listen: true })
  for (const target of traversals) {
    const answer = await exchange(running.port, Buffer.from(put(target), 'latin1'))
    t.match(
      answer,
      /^HTTP\/1\.1 400 [\s\S]*"code":"INVALID_(?:PATH|REQUEST)","message":"[^"]{20,}/,
      target.slice(0, 40),
    )
  }
  await nothingHappened(t, running, 'paths')
})

t.test('requests that are none', async t => {
  const running = await runServer(t, { listen: true })
  const cases: [string, string, number][] = [
    ['no Host', 'GET /get/a HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['another Host', 'GET /list HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n', 403],
    ['a GET with a body', `GET /get/a HTTP/1.1\r\n${host}Content-Length: 3\r\n\r\nabc`, 400],
    [
      'a body longer than announced',
      put('/put/%00', '', 'x').replace('Content-Length: 1', 'Content-Length: 0'),
      400,
    ],
    [
      'a chunk of a wrong size',
      `PUT /put/a HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n`,
      400,
    ],
    [
      'a chunk longer than it says',
      `PUT /put/a HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n`,
      400,
    ],
    ['a transfer coding nobody knows', `PUT /put/a HTTP/1.1\r\n${host}Transfer-Encoding: gzip\r\n\r\nx`, 400],
    ['a negative length', `PUT /put/a HTTP/1.1\r\n${host}Content-Length: -1\r\n\r\nx`, 400],
    [
      'a length beyond all numbers',
      `PUT /put/a HTTP/1.1\r\n${host}Content-Length: 99999999999999999999999\r\n\r\nx`,
      400,
    ],
    [
      'a length beyond all disks',
      `PUT /put/a HTTP/1.1\r\n${host}Content-Length: 9007199254740993\r\n\r\nx`,
      413,
    ],
    ['an unknown method', request('/get/a', 'BREW'), 405],
    ['a method for others', request('/get/a', 'PROPFIND'), 405],
    ['a star', request('*', 'OPTIONS'), 404],
    ['a bad range', request('/get/a').replace(host, `${host}Range: bytes=9-1\r\n`), 404],
    ['a bad ETag', put('/put/a', 'If-Match: abc\r\n'), 400],
    ['a bad key', put('/put/a', `Idempotency-Key: ${'k'.repeat(300)}\r\n`), 400],
    ['a compressed body', put('/put/a', 'Content-Encoding: br\r\n'), 415],
    ['a piece of a body', put('/put/a', 'Content-Range: bytes 0-0/9\r\n'), 400],
    ['another site', put('/put/a', 'Sec-Fetch-Site: cross-site\r\n'), 403],
    ['another origin', put('/put/a', 'Origin: http://evil.example\r\n'), 403],
  ]
  for (const [name, bytes, status] of cases) {
    const answer = await exchange(running.port, bytes)
    t.match(answer, refusalOf(status), name)
    await nothingHappened(t, running, name)
  }
})

t.test('forms that are none', async t => {
  const running = await runServer(t, { listen: true })
  const part = (text: string) =>
    `--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n${text}\r\n`
  const cases: [string, string, number?][] = [
    ['nothing', form('B', '')],
    ['no boundary in it', form('B', 'hello')],
    ['another boundary', form('C', `${part('x')}--B--\r\n`)],
    ['no closing boundary', form('B', part('x'))],
    [
      'a form in the form',
      form(
        'B',
        `--B\r\nContent-Disposition: form-data; name="file"\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n${part('x')}--B--\r\n--B--\r\n`,
      ),
    ],
    ['a nested boundary that begins like ours', form('B', `--BB\r\n\r\nx\r\n--BB--\r\n--B--\r\n`)],
    ['a part without name', form('B', `--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--\r\n`)],
    [
      'a header without end',
      form('B', `--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n--B--\r\n`),
    ],
    [
      'a name that is none',
      form('B', `--B\r\nContent-Disposition: form-data; name="file"; filename=".."\r\n\r\nx\r\n--B--\r\n`),
    ],
    ['an endless boundary', form('x'.repeat(71), `--${'x'.repeat(71)}--\r\n`)],
    ['no boundary', form('', '')],
    [
      'a prototype',
      form(
        'B',
        `--B\r\nContent-Disposition: form-data; name="__proto__"; filename="a"\r\n\r\nx\r\n--B--\r\n`,
      ),
    ],
    ['no form', form('B', '').replace('multipart/form-data', 'text/plain'), 415],
  ]
  for (const [name, bytes, status = 400] of cases) {
    const answer = await exchange(running.port, bytes)
    t.match(answer, refusalOf(status), name)
    await nothingHappened(t, running, name)
  }
})

t.test('a request that ends too early leaves nothing, however it ends', async t => {
  const running = await runServer(t, { listen: true })
  const whole = [
    `PUT /put/a HTTP/1.1\r\n${host}Content-Length: 200000\r\n\r\n${'x'.repeat(100_000)}`,
    `PUT /put/a HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n186a0\r\n${'x'.repeat(100_000)}\r\n`,
    `POST /upload HTTP/1.1\r\n${host}Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 200000\r\n\r\n--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n${'x'.repeat(100_000)}`,
    `POST /copy HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"source`,
  ]
  for (const bytes of whole) {
    for (const end of ['end', 'destroy', 'resetAndDestroy'] as const) {
      const socket = connect(running.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.resume()
      const closed = new Promise(resolve => socket.once('close', resolve))
      await once(socket, 'connect')
      await new Promise<void>(resolve => socket.write(bytes, () => resolve()))
      socket[end]()
      await closed
      await nothingHappened(t, running, `${bytes.slice(0, 12)} ${end}`)
    }
  }
})

t.test('law: whatever bytes come, the answer is an error of ours or none, and the node lives', async t => {
  const running = await runServer(t, {
    limits: { headerTimeoutMs: 300, bodyIdleTimeoutMs: 300 },
    listen: true,
  })
  const line = fc.constantFrom(
    'GET /get/a HTTP/1.1\r\n',
    'PUT /put/a HTTP/1.1\r\n',
    'POST /upload HTTP/1.1\r\n',
    'POST /copy HTTP/1.1\r\n',
    'DELETE /remove/a HTTP/1.1\r\n',
    'GET /list HTTP/1.0\r\n',
    '',
  )
  const field = fc.constantFrom(
    'Host: localhost\r\n',
    'Content-Length: 5\r\n',
    'Content-Length: 50000\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Expect: 100-continue\r\n',
    'Expect: tea\r\n',
    'Content-Type: multipart/form-data; boundary=B\r\n',
    'Range: bytes=0-0,-1\r\n',
    'If-None-Match: *\r\n',
    'Upgrade: websocket\r\n',
    ': \r\n',
    '\r\n',
  )
  const body = fc.oneof(
    fc.constantFrom('\r\n', '0\r\n\r\n', '--B\r\n', '--B--\r\n'),
    fc.string({ unit: 'binary', maxLength: 20 }),
  )
  await fc.assert(
    fc.asyncProperty(
      line,
      fc.array(field, { maxLength: 6 }),
      fc.array(body, { maxLength: 4 }),
      async (first, fields, rest) => {
        const answer = await exchange(running.port, socket => {
          socket.end(Buffer.from(`${first}${fields.join('')}${rest.join('')}`, 'latin1'))
        }).catch(() => '')
        const statuses = [...answer.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(match => Number(match[1]))
        t.ok(
          statuses.every(status => status < 500),
          // A reporter that reads lines may take odd characters for ends of them.
          `${encodeURI(JSON.stringify([first, fields, rest]).toWellFormed())} -> ${statuses}`,
        )
        while (running.storage.statistics().staged > 0) await new Promise(resolve => setImmediate(resolve))
      },
    ),
    { numRuns: 150 },
  )
  t.equal((await running.server.inject('/health')).statusCode, 200)
})
