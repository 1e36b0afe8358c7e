import t from 'tap'
import { davServer, hrefsOf } from './dav-server.ts'

t.test('files come into collections that are there', async t => {
  const { dav } = await davServer(t)
  t.equal((await dav('PUT', 'a/b', { body: 'x' })).status, 409)
  t.equal((await dav('MKCOL', 'a/b')).status, 409)
  t.equal((await dav('MKCOL', 'a')).status, 201)
  t.equal((await dav('MKCOL', 'a')).status, 405)
  t.equal((await dav('MKCOL', 'c', { body: '<x/>' })).status, 415)
  t.equal((await dav('PUT', 'a', { body: 'x' })).status, 405)
  t.equal((await dav('PUT', 'a/b/', { body: 'x' })).status, 405)
  t.match(await dav('PUT', 'a/b', { body: 'x' }), { status: 201, headers: { etag: /^"/ } })
  t.equal((await dav('PUT', 'a/b', { body: 'y' })).status, 204)
  t.equal((await dav('MKCOL', 'a/b')).status, 405)
  t.equal((await dav('PUT', 'a/b', { body: 'z', headers: { 'if-none-match': '*' } })).status, 409)
  t.equal((await dav('GET', 'a/b')).body, 'y')
})

t.test('a collection goes with what is in it, and stays when its last member goes', async t => {
  const { dav, server } = await davServer(t)
  await server.inject({ method: 'PUT', url: '/put/made/elsewhere', payload: 'x' })
  t.equal((await dav('DELETE', 'made/elsewhere')).status, 204)
  t.equal((await dav('PROPFIND', 'made', { headers: { depth: '0' } })).status, 207)
  await dav('MKCOL', 'a')
  await dav('MKCOL', 'a/empty')
  await dav('PUT', 'a/f', { body: 'x' })
  t.equal((await dav('DELETE', 'a')).status, 204)
  for (const path of ['a', 'a/f', 'a/empty']) t.equal((await dav('PROPFIND', path)).status, 404, path)
  t.equal((await dav('DELETE', 'a')).status, 404)
  t.equal((await dav('DELETE', '')).status, 403)
})

t.test('copies and moves of files', async t => {
  const { dav } = await davServer(t)
  await dav('PUT', 'f', { body: 'one' })
  await dav('PUT', 'g', { body: 'two' })
  const to = (method: string, from: string, destination: string, overwrite?: string) =>
    dav(method, from, { headers: { destination, ...(overwrite && { overwrite }) } })
  t.equal((await to('COPY', 'f', '/dav/h')).status, 201)
  t.equal((await to('COPY', 'f', 'http://localhost:80/dav/g', 'F')).status, 412)
  t.equal((await to('COPY', 'f', 'http://localhost:80/dav/g', 'T')).status, 204)
  t.equal((await dav('GET', 'g')).body, 'one')
  t.equal((await to('MOVE', 'f', '/dav/i')).status, 201)
  t.equal((await dav('GET', 'f')).status, 404)
  t.equal((await to('MOVE', 'i', '/dav/i')).status, 403)
  t.equal((await to('MOVE', 'i', '/dav/none/i')).status, 409)
  t.equal((await to('MOVE', 'gone', '/dav/x')).status, 404)
})

t.test('copies and moves of collections', async t => {
  const { dav } = await davServer(t)
  await dav('MKCOL', 'a')
  await dav('MKCOL', 'a/empty')
  await dav('PUT', 'a/f', { body: 'x' })
  const to = (method: string, from: string, destination: string, headers: Record<string, string> = {}) =>
    dav(method, from, { headers: { destination, ...headers } })
  t.equal((await to('COPY', 'a', '/dav/shallow', { depth: '0' })).status, 201)
  t.same(hrefsOf(await dav('PROPFIND', 'shallow', { headers: { depth: '1' } })), ['/dav/shallow/'])
  t.equal((await to('COPY', 'a/', '/dav/b/')).status, 201)
  t.equal((await to('MOVE', 'a', '/dav/b')).status, 204, 'over what is there')
  t.same(hrefsOf(await dav('PROPFIND', 'b', { headers: { depth: '1' } })), [
    '/dav/b/',
    '/dav/b/f',
    '/dav/b/empty/',
  ])
  t.equal((await dav('PROPFIND', 'a')).status, 404)
  t.equal((await to('MOVE', 'b', '/dav/b/inside')).status, 403)
  await dav('PUT', 'g', { body: 'file' })
  t.equal((await to('MOVE', 'g', '/dav/b')).status, 204, 'a file in place of a collection')
  t.equal((await dav('GET', 'b')).body, 'file')
  t.equal((await dav('PROPFIND', 'b/f')).status, 404)
})
