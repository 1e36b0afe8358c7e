import { createHash } from 'node:crypto'
import t from 'tap'
import { codeOf, exchange, runServer } from './running-server.ts'

const put = (url: string, headers: Record<string, string> = {}, payload: string | Buffer = 'x') => ({
  method: 'PUT' as const,
  url,
  headers,
  payload,
})

t.test('bodies are kept byte for byte whatever they say they are', async t => {
  const { server } = await runServer(t)
  const types: [string | undefined, string][] = [
    ['application/json', 'application/json'],
    ['application/x-www-form-urlencoded', 'application/x-www-form-urlencoded'],
    ['multipart/form-data; boundary=x', 'multipart/form-data; boundary=x'],
    ['application/x-nobody-knows', 'application/x-nobody-knows'],
    ['nonsense', 'application/octet-stream'],
    ['text/plain; charset', 'application/octet-stream'],
    [`a/${'b'.repeat(300)}`, 'application/octet-stream'],
    [undefined, 'application/octet-stream'],
  ]
  for (const [i, [type, stored]] of types.entries()) {
    const payload = Buffer.from([0, 255, 123, 10, 13, i])
    const answer = await server.inject(
      put(`/put/f${i}`, type === undefined ? {} : { 'content-type': type }, payload),
    )
    t.equal(answer.statusCode, 201, type ?? 'no type')
    const get = await server.inject(`/get/f${i}`)
    t.ok(get.rawPayload.equals(payload), type ?? 'no type')
    t.equal(get.headers['content-type'], stored)
  }
})

t.test('create, replace, and replace exactly one version', async t => {
  const { server, storage } = await runServer(t)
  const first = await server.inject({ ...put('/put/a'), method: 'POST' })
  t.equal(first.statusCode, 201)
  const etag = String(first.headers.etag)
  const cases: [ReturnType<typeof put>, number, string?][] = [
    [put('/put/a'), 409, 'FILE_EXISTS'],
    [put('/put/a?overwrite=false'), 409, 'FILE_EXISTS'],
    [put('/put/a', { 'if-none-match': '*' }), 412, 'PRECONDITION_FAILED'],
    [put('/put/a', { 'if-match': '"9.9-00000000"' }), 412, 'PRECONDITION_FAILED'],
    [put('/put/b', { 'if-match': etag }), 412, 'PRECONDITION_FAILED'],
    [put('/put/a', { 'if-match': etag.replaceAll('"', '') }), 400, 'INVALID_REQUEST'],
    [put('/put/a?overwrite=1'), 400, 'INVALID_REQUEST'],
    [put('/put/a?overwite=true'), 400, 'INVALID_REQUEST'],
    [put('/put/a?overwrite=true&overwrite=true'), 400, 'INVALID_REQUEST'],
    [put('/put/a', { 'content-encoding': 'gzip' }), 415, 'TYPE_NOT_ALLOWED'],
    [put('/put/a', { 'content-range': 'bytes 0-0/5' }), 400, 'INVALID_REQUEST'],
    [put('/put/a', { 'idempotency-key': 'k'.repeat(256) }), 400, 'INVALID_REQUEST'],
    [put('/put/a?overwrite=true', { 'content-encoding': 'identity' }), 200],
    [put('/put/a', { 'if-match': etag }), 412, 'PRECONDITION_FAILED'],
    [put('/put/a', { 'if-match': '*' }), 200],
    [put('/put/c', { 'if-none-match': '*' }), 201],
  ]
  for (const [request, status, code] of cases) {
    const answer = await server.inject(request)
    t.equal(answer.statusCode, status, `${request.url} ${JSON.stringify(request.headers)}`)
    if (code !== undefined) t.equal(codeOf(answer), code)
  }
  t.equal(storage.statistics().files, 2)
  t.equal(storage.statistics().staged, 0)
})

t.test('of racing If-Match replaces exactly one wins', async t => {
  const { server, storage } = await runServer(t)
  const etag = String((await server.inject(put('/put/a'))).headers.etag)
  const all = await Promise.all(
    Array.from({ length: 10 }, (_, i) => server.inject(put('/put/a', { 'if-match': etag }, `${i}`))),
  )
  t.same(all.map(answer => answer.statusCode).sort(), [200, ...new Array(9).fill(412)])
  t.equal(storage.statistics().staged, 0)
})

t.test('a body is what its digest says, or it is refused', async t => {
  const { server } = await runServer(t)
  const digest = `sha-256=:${createHash('sha256').update('x').digest('base64')}:`
  t.equal((await server.inject(put('/put/a', { 'repr-digest': digest }))).statusCode, 201)
  t.equal((await server.inject(put('/put/b', { 'content-digest': `md5=:x:, ${digest}` }))).statusCode, 201)
  const wrong = await server.inject(put('/put/c', { 'repr-digest': digest }, 'y'))
  t.equal(wrong.statusCode, 400)
  t.equal((await server.inject('/exists/c')).body, 'false\n')
})

t.test('an Idempotency-Key makes a retry harmless', async t => {
  const { server } = await runServer(t)
  const keyed = { 'idempotency-key': 'once' }
  const first = await server.inject(put('/put/a', keyed))
  const again = await server.inject(put('/put/a', keyed))
  t.equal(again.statusCode, 201)
  t.same(again.json(), first.json())
  t.equal(again.headers.etag, first.headers.etag)
  const other = await server.inject(put('/put/a', keyed, 'another body'))
  t.equal(other.statusCode, 422)
  t.equal(codeOf(other), 'IDEMPOTENCY_KEY_REUSED')
  const remove = { method: 'DELETE' as const, url: '/remove/a', headers: { 'idempotency-key': 'gone' } }
  t.equal((await server.inject(remove)).statusCode, 204)
  t.equal((await server.inject(remove)).statusCode, 204)
})

t.test('remove', async t => {
  const { server } = await runServer(t)
  const etag = String((await server.inject(put('/put/a'))).headers.etag)
  const remove = (headers: Record<string, string>, url = '/remove/a') =>
    server.inject({ method: 'DELETE', url, headers })
  t.equal((await remove({ 'if-match': '"9.9-00000000"' })).statusCode, 412)
  t.equal((await remove({ 'if-none-match': '*' })).statusCode, 400)
  t.equal((await remove({}, '/remove/a?recursive=true')).statusCode, 400)
  const gone = await remove({ 'if-match': etag })
  t.equal(gone.statusCode, 204)
  t.equal(gone.headers['ring-hops'], '0')
  t.equal((await remove({})).statusCode, 404)
  await server.inject(put('/put/a'))
  t.equal((await server.inject({ method: 'POST', url: '/remove/a', payload: {} })).statusCode, 204)
})

t.test('only allowed kinds of file come in', async t => {
  const { server } = await runServer(t, { allowedExtensions: ['txt'] })
  t.equal((await server.inject(put('/put/a.TXT'))).statusCode, 201)
  t.equal((await server.inject(put('/put/a.exe'))).statusCode, 415)
  t.equal((await server.inject({ method: 'POST', url: '/copy/a.TXT/a.exe' })).statusCode, 415)
})

t.test('a body that is too large is refused, announced or not', async t => {
  const { server, storage, port } = await runServer(t, { limits: { fileBytesMax: 10 }, listen: true })
  t.equal((await server.inject(put('/put/a', {}, 'x'.repeat(10)))).statusCode, 201)
  t.equal((await server.inject(put('/put/b', {}, 'x'.repeat(11)))).statusCode, 413)
  const head = 'PUT /put/c HTTP/1.1\r\nHost: localhost\r\n'
  const chunked = await exchange(port, `${head}Transfer-Encoding: chunked\r\n\r\nb\r\n${'x'.repeat(11)}\r\n`)
  t.match(chunked, /^HTTP\/1\.1 413 [\s\S]*"FILE_TOO_LARGE"/)
  const announced = await exchange(port, `${head}Content-Length: 1000000000\r\n\r\nxx`)
  t.match(announced, /^HTTP\/1\.1 413 [\s\S]*connection: close[\s\S]*"FILE_TOO_LARGE"/i)
  t.equal(storage.statistics().files, 1)
  t.equal(storage.statistics().staged, 0)
})

t.test('a client that asks first sends its body only when it is wanted', async t => {
  const { server, storage, port } = await runServer(t, { listen: true })
  await server.inject(put('/put/there'))
  const head = (path: string) =>
    `PUT /put/${path} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\n`
  const refused = await exchange(port, head('there'))
  t.match(refused, /^HTTP\/1\.1 409 /, 'no 100 before the refusal')
  let asked = ''
  const stored = await exchange(port, socket => {
    socket.on('data', chunk => {
      asked += chunk
      if (asked === 'HTTP/1.1 100 Continue\r\n\r\n') socket.write('abc')
    })
    socket.write(head('new'))
  })
  t.match(stored, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /)
  t.equal((await server.inject('/get/new')).body, 'abc')
  t.equal(storage.statistics().staged, 0)
})

t.test('a digest counts wherever it stands, and one that cannot be read is no proof', async t => {
  const { server } = await runServer(t)
  const of = (algorithm: string, text: string) => createHash(algorithm).update(text).digest('base64')
  const [good, bad, sha512] = [of('sha256', 'x'), of('sha256', 'y'), of('sha512', 'x')]
  const refused: Record<string, string>[] = [
    { 'repr-digest': `sha-512=:${sha512}:`, 'content-digest': `sha-256=:${bad}:` },
    { 'repr-digest': `sha-256=:${good}:`, 'content-digest': `sha-256=:${bad}:` },
    { 'repr-digest': `sha-512=:${sha512}:, sha-256=:${bad}:` },
    { 'repr-digest': `sha-256=:${Buffer.from(bad, 'base64').toString('hex')}:` },
    { 'repr-digest': `sha-256=${good}` },
    { 'repr-digest': 'nonsense' },
    { 'content-digest': 'sha-256=:AAAA:' },
    { 'repr-digest': '' },
  ]
  for (const headers of refused)
    t.equal((await server.inject(put('/put/a', headers))).statusCode, 400, JSON.stringify(headers))
  const taken: Record<string, string>[] = [
    { 'repr-digest': `sha-512=:${sha512}:`, 'content-digest': `sha-256=:${good}:` },
    { 'repr-digest': `sha-256=:${good}:;q=1, sha-512=:${sha512}:` },
  ]
  for (const headers of taken)
    t.ok(
      (await server.inject(put('/put/a?overwrite=true', headers))).statusCode < 300,
      JSON.stringify(headers),
    )
})
