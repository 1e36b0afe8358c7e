import t from 'tap'
import { ADDRESS, codeOf, runServer } from './running-server.ts'

const form = (fileName: string, body: string) => ({
  method: 'POST' as const,
  headers: { 'content-type': 'multipart/form-data; boundary=B' },
  payload: `--B\r\nContent-Disposition: form-data; name="file"; filename="${fileName}"\r\n\r\n${body}\r\n--B--\r\n`,
})

t.test('upload and download', async t => {
  const { server } = await runServer(t)
  const up = await server.inject({ ...form('../a b.txt', 'x'), url: '/admin/webapp/upload/' })
  t.equal(up.statusCode, 201)
  t.match(up.json(), [{ filename: 'a b.txt', status: 'uploaded', path: 'a b.txt' }])
  t.equal((await server.inject({ ...form('c.txt', 'y'), url: '/admin/webapp/upload' })).statusCode, 201)
  const again = await server.inject({ ...form('c.txt', 'z'), url: '/admin/webapp/upload/' })
  t.equal(codeOf(again), 'FILE_EXISTS')
  const down = await server.inject('/admin/webapp/download?fileName=a%20b.txt')
  t.equal(down.statusCode, 200)
  t.equal(down.body, 'x')
  t.equal(down.headers['content-disposition'], 'attachment; filename="a b.txt"')
  t.equal(down.headers['content-security-policy'], 'sandbox')
  t.equal((await server.inject('/admin/webapp/download?fileName=a+b.txt')).body, 'x', 'a plus of a form')
  for (const [query, status, code] of [
    ['', 400, 'INVALID_REQUEST'],
    ['?fileName=', 400, 'INVALID_PATH'],
    ['?fileName=../etc/passwd', 400, 'INVALID_PATH'],
    ['?fileName=none', 404, 'FILE_NOT_FOUND'],
    ['?filename=a', 400, 'INVALID_REQUEST'],
  ] as const) {
    const answer = await server.inject(`/admin/webapp/download${query}`)
    t.equal(answer.statusCode, status, query)
    t.equal(codeOf(answer), code, query)
  }
})

t.test('the active nodes', async t => {
  const { server } = await runServer(t)
  for (const rest of ['getActiveList', ADDRESS, '10.0.0.1:80']) {
    t.same((await server.inject(`/bootstrapServer/${rest}`)).json(), [ADDRESS], rest)
  }
  for (const rest of ['', 'getactivelist', 'host', '5000', 'a:1/b', '%ff']) {
    t.equal((await server.inject(`/bootstrapServer/${rest}`)).statusCode, 400, rest)
  }
})

t.test('a node is added by telling this one of it, when it is one of this network', async t => {
  const { server } = await runServer(t, { tokens: { readWrite: 'w', readOnly: 'r' } })
  const add = (rest: string, token = 'w') =>
    server.inject({
      method: 'POST',
      url: `/bootstrapServer/${rest}`,
      headers: { authorization: `Bearer ${token}` },
    })
  t.same((await add(ADDRESS)).json(), [ADDRESS])
  t.equal((await add(ADDRESS, 'r')).statusCode, 403, 'who may only read adds nobody')
  t.equal((await add('getActiveList')).statusCode, 400)
  t.equal((await add('5000')).statusCode, 400)
  const nobody = await add('127.0.0.1:1')
  t.same([nobody.statusCode, codeOf(nobody)], [503, 'UNAVAILABLE'])
})

t.test('tokens are asked for as at the other endpoints', async t => {
  const { server } = await runServer(t, { tokens: { readWrite: 'w' } })
  for (const url of ['/admin/webapp/download?fileName=a', '/bootstrapServer/getActiveList'])
    t.equal((await server.inject(url)).statusCode, 401, url)
  t.equal((await server.inject({ ...form('a', 'x'), url: '/admin/webapp/upload/' })).statusCode, 401)
})
