import t from 'tap'
import { codeOf, runServer } from './running-server.ts'

t.test('a copy can be asked for in three ways', async t => {
  const { server } = await runServer(t)
  const type = { 'content-type': 'text/x-mine' }
  await server.inject({ method: 'PUT', url: '/put/a%2Fb', payload: 'x', headers: type })
  const form = 'application/x-www-form-urlencoded'
  const ways = [
    { method: 'GET' as const, url: '/copy/a%2Fb/c%2F1' },
    { method: 'POST' as const, url: '/copy/a%2Fb/c%2F2' },
    { method: 'POST' as const, url: '/copy?source_path=a/b&destination_path=c/3' },
    { method: 'POST' as const, url: '/copy', payload: { source_path: 'a/b', destination_path: 'c/4' } },
    {
      method: 'POST' as const,
      url: '/copy',
      headers: { 'content-type': form },
      payload: 'source_path=a%2Fb&destination_path=c%2F5',
    },
    {
      method: 'POST' as const,
      url: '/copy?source_path=a/b',
      payload: { destination_path: 'c/6' },
    },
  ]
  for (const [i, way] of ways.entries()) {
    const answer = await server.inject(way)
    t.equal(answer.statusCode, 201, way.url)
    t.equal(answer.json().path, `c/${i + 1}`)
    const copy = await server.inject(`/get/c/${i + 1}`)
    t.equal(copy.body, 'x')
    t.equal(copy.headers['content-type'], 'text/x-mine')
    t.equal((await server.inject(way)).statusCode, 409, 'it is there now')
  }
  const replacing = { source_path: 'a/b', destination_path: 'c/4', overwrite: true }
  t.equal((await server.inject({ method: 'POST', url: '/copy', payload: replacing })).statusCode, 200)
  t.equal((await server.inject('/copy/a%2Fb/c%2F1?overwrite=true')).statusCode, 200)
})

t.test('a copy replaces only the version that If-Match names', async t => {
  const { server } = await runServer(t)
  const put = (path: string) => server.inject({ method: 'PUT', url: `/put/${path}`, payload: path })
  const { etag } = (await put('b')).json()
  await put('a')
  const copy = (headers: Record<string, string>, url = '/copy/a/b') =>
    server.inject({ method: 'POST', url, headers })
  t.equal(codeOf(await copy({ 'if-match': '"0.0-00000000"' })), 'PRECONDITION_FAILED')
  t.equal((await copy({ 'if-match': etag })).statusCode, 200)
  t.equal(codeOf(await copy({ 'if-match': etag })), 'PRECONDITION_FAILED')
  t.equal(codeOf(await copy({ 'if-match': '*' }, '/copy/a/none')), 'FILE_NOT_FOUND')
  t.equal(codeOf(await copy({ 'if-match': etag }, '/copy/a/b?overwrite=false')), 'INVALID_REQUEST')
  t.equal(codeOf(await copy({ 'if-match': etag }, '/move/a/b')), 'INVALID_REQUEST')
})

t.test('a move leaves the file at one path', async t => {
  const { server } = await runServer(t)
  await server.inject({ method: 'PUT', url: '/put/a', payload: 'a' })
  await server.inject({ method: 'PUT', url: '/put/b', payload: 'b' })
  const move = (url: string) => server.inject({ method: 'POST', url })
  t.equal((await move('/move/a/b')).statusCode, 409)
  t.equal((await move('/move/a/b?overwrite=true')).statusCode, 200)
  t.equal((await server.inject('/get/b')).body, 'a')
  t.equal((await move('/move/a/c')).statusCode, 404)
  t.equal((await server.inject('/list')).json().files.length, 1)
  t.equal((await server.inject('/move/b/c')).statusCode, 405, 'GET changes nothing')
})

t.test('what cannot be meant is refused', async t => {
  const { server, storage } = await runServer(t)
  await server.inject({ method: 'PUT', url: '/put/a', payload: 'a' })
  const post = (url: string, payload?: string | object, type = 'application/json') =>
    server.inject({
      method: 'POST',
      url,
      ...(payload !== undefined && { payload, headers: { 'content-type': type } }),
    })
  const cases: [Promise<Awaited<ReturnType<typeof post>>>, number, string][] = [
    [post('/copy/a/a'), 400, 'INVALID_REQUEST'],
    [post('/move/a/a'), 400, 'INVALID_REQUEST'],
    [post('/copy/a/b/c'), 400, 'INVALID_PATH'],
    [post('/copy/a'), 400, 'INVALID_PATH'],
    [post('/copy/a/%2e%2e'), 400, 'INVALID_PATH'],
    [post('/copy/missing/b'), 404, 'FILE_NOT_FOUND'],
    [post('/copy'), 400, 'INVALID_REQUEST'],
    [post('/copy?source_path=a'), 400, 'INVALID_REQUEST'],
    [post('/copy', '{'), 400, 'INVALID_REQUEST'],
    [post('/copy', '[]'), 400, 'INVALID_REQUEST'],
    [post('/copy', 'null'), 400, 'INVALID_REQUEST'],
    [post('/copy', '{"source_path":1,"destination_path":"b"}'), 400, 'INVALID_REQUEST'],
    [post('/copy', '{"source_path":"a","destination_path":"b","x":1}'), 400, 'INVALID_REQUEST'],
    [post('/copy', '{"source_path":"a","destination_path":"../b"}'), 400, 'INVALID_PATH'],
    [post('/copy?source_path=a', '{"source_path":"a","destination_path":"b"}'), 400, 'INVALID_REQUEST'],
    [post('/copy', 'x', 'text/x-nobody-knows'), 415, 'TYPE_NOT_ALLOWED'],
    [post('/copy', Buffer.from([0xff]).toString('latin1'), 'application/json'), 400, 'INVALID_REQUEST'],
    [post('/copy', ' '.repeat(16 * 1024 + 1)), 413, 'FILE_TOO_LARGE'],
    [post('/copy/a/b', 'x'.repeat(16 * 1024 + 1)), 413, 'FILE_TOO_LARGE'],
    [post('/copy/a/b?overwrite=maybe'), 400, 'INVALID_REQUEST'],
    [
      server.inject({ method: 'POST', url: '/move/a/b', headers: { 'if-match': '*' } }),
      400,
      'INVALID_REQUEST',
    ],
  ]
  for (const [i, [answer, status, code]] of cases.entries()) {
    t.equal((await answer).statusCode, status, `case ${i}: ${code}`)
    t.equal(codeOf(await answer), code, `case ${i}`)
  }
  t.equal(storage.statistics().files, 1)
  t.equal(storage.statistics().staged, 0)
})

t.test('the page of another site cannot make a browser copy', async t => {
  const { server } = await runServer(t)
  await server.inject({ method: 'PUT', url: '/put/a', payload: 'a' })
  const from = (site: string) => server.inject({ url: '/copy/a/b', headers: { 'sec-fetch-site': site } })
  t.equal((await from('cross-site')).statusCode, 403)
  t.equal((await from('same-site')).statusCode, 403)
  t.equal((await from('none')).statusCode, 201)
})
