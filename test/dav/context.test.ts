import t from 'tap'
import { davServer, lockBody, tokenOf } from './dav-server.ts'

t.test('an If header holds, or the request does nothing', async t => {
  const { dav } = await davServer(t)
  const etag = String((await dav('PUT', 'f', { body: 'one' })).headers.etag)
  const write = (condition: string) => dav('PUT', 'f', { body: 'two', headers: { if: condition } })
  t.equal((await write('(["0.0-x"])')).status, 412)
  t.equal((await write('(Not <DAV:no-lock> ["0.0-x"])')).status, 412)
  t.equal((await write('<http://localhost:80/dav/other> (<urn:uuid:x>)')).status, 412)
  t.equal((await write('nonsense')).status, 400)
  t.equal((await dav('GET', 'f')).body, 'one')
  t.equal((await write(`([${etag}])`)).status, 204)
  t.equal((await write(`([${etag}])`)).status, 412, 'that version is gone')
})

t.test('a locked place is changed only by who shows the token', async t => {
  const { dav } = await davServer(t)
  await dav('MKCOL', 'c')
  await dav('PUT', 'c/f', { body: 'one' })
  const token = tokenOf(await dav('LOCK', 'c', { body: lockBody() }))
  const shown = { if: `<http://localhost:80/dav/c> (<${token}>)` }
  for (const [method, path, headers] of [
    ['PUT', 'c/f', {}],
    ['PUT', 'c/new', {}],
    ['DELETE', 'c/f', {}],
    ['DELETE', 'c', {}],
    ['MKCOL', 'c/d', {}],
    ['MOVE', 'c/f', { destination: '/dav/g' }],
    ['COPY', 'c/f', { destination: '/dav/c/g' }],
    ['PROPPATCH', 'c/f', {}],
  ] as const) {
    const body =
      method === 'PUT' ? 'x' : method === 'PROPPATCH' ? '<propertyupdate xmlns="DAV:"/>' : undefined
    const reply = await dav(method, path, { headers, ...(body !== undefined && { body }) })
    t.equal(reply.status, 423, `${method} ${path}`)
  }
  t.equal((await dav('GET', 'c/f')).status, 200, 'reading needs no lock')
  t.equal((await dav('PUT', 'c/f', { body: 'x', headers: shown })).status, 204)
  t.equal((await dav('DELETE', 'c', { headers: shown })).status, 204)
})

t.test('destinations and depths that make no sense are refused', async t => {
  const { dav } = await davServer(t)
  await dav('PUT', 'f', { body: 'x' })
  const move = (headers: Record<string, string>) => dav('MOVE', 'f', { headers })
  t.equal((await move({})).status, 400)
  t.equal((await move({ destination: 'http://other.example/dav/g' })).status, 502)
  t.equal((await move({ destination: '/get/g' })).status, 502)
  t.equal((await move({ destination: '/dav/g', depth: '0' })).status, 400)
  t.equal((await dav('PROPFIND', '', { headers: { depth: '2' } })).status, 400)
  t.equal((await dav('PROPFIND', 'a%00b')).status, 400)
})
