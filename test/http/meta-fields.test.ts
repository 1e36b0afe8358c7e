import fc from 'fast-check'
import t from 'tap'
import { DEFAULT_MEDIA_TYPE, storedMediaType } from '../../src/http/meta-fields.ts'
import { codeOf, runServer } from './running-server.ts'

t.test('metadata comes in with a put, and out with every reply about the file', async t => {
  const { server } = await runServer(t)
  const headers = { 'meta-Color': 'dark blue', 'meta-empty': '', 'content-type': 'text/plain' }
  t.equal((await server.inject({ method: 'PUT', url: '/put/a', payload: 'abc', headers })).statusCode, 201)
  const meta = { 'meta-color': 'dark blue', 'meta-empty': '' }
  for (const request of [
    { method: 'GET', url: '/get/a' },
    { method: 'HEAD', url: '/get/a' },
    { method: 'GET', url: '/download/a' },
    { method: 'GET', url: '/get/a', headers: { range: 'bytes=0-1' } },
  ] as const)
    t.match((await server.inject(request)).headers, { ...meta, 'content-type': /text\/plain/ })
  const [file] = (await server.inject('/list')).json().files
  t.same(file.meta, { color: 'dark blue', empty: '' })
  t.match(file.sha256, /^ba7816bf/)
  await server.inject({ method: 'PUT', url: '/put/a?overwrite=true', payload: 'abc' })
  t.notHas((await server.inject('/get/a')).headers, { 'meta-color': String })
  t.notHas((await server.inject('/list')).json().files[0], { meta: Object })
})

t.test('copies and moves keep it, and a copy may replace it', async t => {
  const { server } = await runServer(t)
  const large = 'x'.repeat(100_000)
  await server.inject({ method: 'PUT', url: '/put/a', payload: large, headers: { 'meta-color': 'blue' } })
  const colorOf = async (path: string) => {
    const answer = await server.inject(`/get/${path}`)
    t.equal(answer.body, large, `${path} has its bytes`)
    return answer.headers['meta-color']
  }
  const post = (url: string, headers: Record<string, string> = {}) =>
    server.inject({ method: 'POST', url, headers })
  t.equal((await post('/copy/a/b')).statusCode, 201)
  t.equal(await colorOf('b'), 'blue')
  t.equal((await post('/move/b/c')).statusCode, 201)
  t.equal(await colorOf('c'), 'blue')
  t.equal((await post('/copy/a/d?replace_meta=true', { 'meta-color': 'red' })).statusCode, 201)
  t.equal(await colorOf('d'), 'red')
  t.equal((await post('/copy/a/e?replace_meta=true')).statusCode, 201)
  t.equal(await colorOf('e'), undefined)
  // The same path: only the metadata changes.
  const itself = '/copy/a/a?replace_meta=true&overwrite=true'
  t.equal((await post(itself, { 'meta-color': 'green' })).statusCode, 200)
  t.equal(await colorOf('a'), 'green')
  const byName = { source_path: 'a', destination_path: 'f', replace_meta: true }
  const answer = await server.inject({ method: 'POST', url: '/copy', payload: byName })
  t.equal(answer.statusCode, 201)
  t.equal(await colorOf('f'), undefined)
  t.equal(codeOf(await post('/copy/a/g', { 'meta-color': 'x' })), 'INVALID_REQUEST', 'without replace_meta')
  t.equal(codeOf(await post('/move/a/g', { 'meta-color': 'x' })), 'INVALID_REQUEST')
  t.equal(codeOf(await post('/move/a/g?replace_meta=true')), 'INVALID_REQUEST')
  t.equal(codeOf(await post('/copy/a/a')), 'INVALID_REQUEST', 'and the same path only with it')
})

t.test('metadata that is too large or malformed is refused before the body is taken', async t => {
  const { server, storage } = await runServer(t)
  const rows: [Record<string, string>, number, string][] = [
    [{ 'meta-a': 'x'.repeat(2048) }, 431, 'METADATA_TOO_LARGE'],
    [{ 'meta-': 'x' }, 400, 'INVALID_REQUEST'],
    [{ 'meta-a': 'caf\u00e9' }, 400, 'INVALID_REQUEST'],
  ]
  for (const [headers, status, code] of rows) {
    const answer = await server.inject({ method: 'PUT', url: '/put/a', payload: 'x', headers })
    t.equal(answer.statusCode, status)
    t.equal(codeOf(answer), code)
  }
  t.equal(storage.statistics().files, 0)
})

t.test('a request under a key is another one when its metadata differs', async t => {
  const { server } = await runServer(t)
  const put = (color: string) =>
    server.inject({
      method: 'PUT',
      url: '/put/a',
      payload: 'x',
      headers: { 'idempotency-key': 'k', 'meta-color': color },
    })
  t.equal((await put('blue')).statusCode, 201)
  t.equal((await put('blue')).statusCode, 201, 'the same again')
  t.equal(codeOf(await put('red')), 'IDEMPOTENCY_KEY_REUSED')
  const copy = (color: string) =>
    server.inject({
      method: 'POST',
      url: '/copy/a/b?replace_meta=true',
      headers: { 'idempotency-key': 'k', 'meta-color': color },
    })
  t.equal((await copy('blue')).statusCode, 201)
  t.equal((await copy('blue')).statusCode, 201)
  t.equal(codeOf(await copy('red')), 'IDEMPOTENCY_KEY_REUSED')
})

t.test('what an endpoint keeps for itself is not given and not shown', async t => {
  const { server, files } = await runServer(t)
  const put = await server.inject({
    method: 'PUT',
    url: '/put/a',
    payload: 'abc',
    headers: { 'meta-$parts': '1x150000000' },
  })
  t.equal(put.statusCode, 400)
  t.equal(codeOf(put), 'INVALID_REQUEST')
  const meta = {
    mediaType: 'text/plain',
    user: [
      ['$checksum-crc32', 'AAAAAA=='],
      ['color', 'blue'],
    ],
  } as const
  async function* body() {
    yield Buffer.from('abc')
  }
  await files.put('b' as never, body(), { condition: 'none', meta })
  const [file] = (await server.inject('/list')).json().files
  t.same(file.meta, { color: 'blue' })
  const { headers } = await server.inject('/get/b')
  t.equal(headers['meta-color'], 'blue')
  t.notOk('meta-$checksum-crc32' in headers)
})

t.test('a well-formed media type is kept as it is', async t => {
  for (const type of [
    'text/plain',
    'Text/HTML; charset="utf-8"',
    'application/x-nobody+knows',
    'a/b;c=d;e="f\\"g"',
    'a/b;',
  ]) {
    t.equal(storedMediaType(type), type)
  }
})

t.test('anything else is a sequence of bytes', async t => {
  const types = [
    undefined,
    '',
    'text',
    'text/',
    '/plain',
    'a b/c',
    'a/b; c',
    'a/b\r\nX: y',
    'a/b;c="d\n"',
    'é/é',
    `a/${'b'.repeat(255)}`,
  ]
  for (const type of types)
    t.equal(storedMediaType(type), DEFAULT_MEDIA_TYPE, JSON.stringify(type)?.slice(0, 40) ?? 'undefined')
})

t.test('law: nothing that ends a header line gets through, and no input takes long', async _t => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii', maxLength: 300 }), noise => {
      const stored = storedMediaType(`a/b;c="${noise}"`)
      return stored.length <= 255 && !/[\r\n\0]/.test(stored)
    }),
  )
})
