import t from 'tap'
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
  t.equal((await server.inject('/exists/c')).body, 'false')
  t.equal((await server.inject('/exists/d')).body, 'true')
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

t.test('what is no door is refused as JSON, with what would be one', async t => {
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
})
