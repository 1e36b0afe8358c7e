import t from 'tap'
import { davServer, hrefsOf } from './dav-server.ts'

const basic = (token: string) => ({ authorization: `Basic ${Buffer.from(`me:${token}`).toString('base64')}` })

t.test('what it can do', async t => {
  const { dav, server } = await davServer(t)
  const reply = await dav('OPTIONS', '')
  t.match(reply, { status: 200, headers: { dav: '1, 2', 'ms-author-via': 'DAV', allow: /PROPFIND/ } })
  t.match((await server.inject({ method: 'OPTIONS', url: '/dav' })).headers, { dav: '1, 2' })
  const contract = (await server.inject('/openapi.json')).json() as { paths: Record<string, object> }
  t.same(Object.keys(contract.paths['/dav/{path}'] as object).sort(), ['delete', 'get', 'head', 'put'])
})

t.test('files are given as everywhere, a collection as a page', async t => {
  const { dav, server } = await davServer(t)
  await server.inject({
    method: 'PUT',
    url: '/put/d/f',
    payload: 'abc',
    headers: { 'content-type': 'text/plain' },
  })
  t.match(await dav('GET', 'd/f', { headers: { range: 'bytes=1-' } }), { status: 206, body: 'bc' })
  t.match((await dav('GET', 'd/f')).headers, {
    'content-type': 'text/plain',
    'content-security-policy': 'sandbox',
  })
  t.match(await dav('GET', 'd/'), { status: 200, body: /<a href="\.\/f">f<\/a>/ })
  t.match(await dav('GET', ''), { status: 200, body: /<a href="\.\/d\/">d\/<\/a>/ })
  t.equal((await dav('GET', 'x')).status, 404)
})

t.test('the token is the password', async t => {
  const { dav } = await davServer(t, { tokens: { readWrite: 'w'.repeat(24), readOnly: 'r'.repeat(24) } })
  const closed = await dav('PROPFIND', '', { headers: { depth: '0' } })
  t.match(closed, { status: 401, headers: { 'www-authenticate': /^Basic realm=/ } })
  t.equal((await dav('OPTIONS', '')).status, 200)
  const put = (token: string) => dav('PUT', 'f', { body: 'x', headers: basic(token) })
  t.equal((await put('w'.repeat(24))).status, 201)
  t.equal((await put('r'.repeat(24))).status, 403)
  t.equal((await put('x'.repeat(24))).status, 401)
  t.equal((await dav('GET', 'f', { headers: basic('r'.repeat(24)) })).body, 'x')
  const page = { ...basic('w'.repeat(24)), 'sec-fetch-site': 'cross-site' }
  t.equal(
    (await dav('PUT', 'f', { body: 'evil', headers: page })).status,
    403,
    'a browser remembers passwords',
  )
})

// As these programs were seen to ask, in the order in which they do.
t.test('the habits of the Finder', async t => {
  const { dav } = await davServer(t)
  const agent = { 'user-agent': 'WebDAVFS/3.0.0 (03008000) Darwin/23.0.0 (arm64)' }
  t.match(
    (await dav('OPTIONS', '', { headers: agent })).headers,
    { dav: /2/ },
    'without locks it mounts read-only',
  )
  t.equal((await dav('PROPFIND', '', { headers: { ...agent, depth: '0' } })).status, 207)
  t.equal((await dav('PROPFIND', '._.', { headers: { ...agent, depth: '0' } })).status, 404)
  const created = await dav('PUT', 'Picture.png', { body: '', headers: agent })
  t.equal(created.status, 201, 'a file is made empty first')
  const lock =
    '<?xml version="1.0" encoding="utf-8"?>\n<D:lockinfo xmlns:D="DAV:">\n<D:lockscope><D:exclusive/></D:lockscope>\n<D:locktype><D:write/></D:locktype>\n<D:owner>\n<D:href>http://www.apple.com/webdav_fs/</D:href>\n</D:owner>\n</D:lockinfo>\n'
  const locked = await dav('LOCK', 'Picture.png', {
    body: lock,
    headers: { ...agent, depth: '0', timeout: 'Second-600' },
  })
  const token = String(locked.headers['lock-token'])
  const shown = { ...agent, if: `(${token})` }
  t.equal((await dav('PUT', 'Picture.png', { body: 'png', headers: shown })).status, 204)
  t.equal(
    (await dav('PUT', '._Picture.png', { body: 'attributes', headers: agent })).status,
    201,
    'kept, not dropped',
  )
  t.equal((await dav('UNLOCK', 'Picture.png', { headers: { ...agent, 'lock-token': token } })).status, 204)
  t.same(hrefsOf(await dav('PROPFIND', '', { headers: { ...agent, depth: '1' } })), [
    '/dav/',
    '/dav/._Picture.png',
    '/dav/Picture.png',
  ])
})

t.test('the habits of the Explorer', async t => {
  const { dav } = await davServer(t)
  const agent = { 'user-agent': 'Microsoft-WebDAV-MiniRedir/10.0.19045', translate: 'f' }
  t.match((await dav('OPTIONS', '', { headers: agent })).headers, { 'ms-author-via': 'DAV' })
  t.equal((await dav('PROPFIND', '', { headers: { ...agent, depth: '0' } })).status, 207)
  t.equal((await dav('MKCOL', 'New%20folder', { headers: agent })).status, 201)
  const moved = { ...agent, destination: 'http://localhost:80/dav/Letters', overwrite: 'F' }
  t.equal((await dav('MOVE', 'New%20folder', { headers: moved })).status, 201)
  t.equal((await dav('PUT', 'Letters/a.docx', { body: '', headers: agent })).status, 201)
  const lock =
    '<?xml version="1.0" encoding="utf-8" ?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype><D:owner><D:href>DESKTOP\\me</D:href></D:owner></D:lockinfo>'
  const locked = await dav('LOCK', 'Letters/a.docx', {
    body: lock,
    headers: { ...agent, timeout: 'Second-3600' },
  })
  const shown = { ...agent, if: `(${locked.headers['lock-token']})` }
  t.equal((await dav('PUT', 'Letters/a.docx', { body: 'words', headers: shown })).status, 204)
  const times =
    '<?xml version="1.0" encoding="utf-8" ?><D:propertyupdate xmlns:D="DAV:" xmlns:Z="urn:schemas-microsoft-com:"><D:set><D:prop><Z:Win32LastModifiedTime>Fri, 27 Nov 2026 12:00:00 GMT</Z:Win32LastModifiedTime><Z:Win32FileAttributes>00000020</Z:Win32FileAttributes></D:prop></D:set></D:propertyupdate>'
  t.match(await dav('PROPPATCH', 'Letters/a.docx', { body: times, headers: shown }), {
    status: 207,
    body: /200 OK/,
  })
  const unlock = { ...agent, 'lock-token': String(locked.headers['lock-token']) }
  t.equal((await dav('UNLOCK', 'Letters/a.docx', { headers: unlock })).status, 204)
  t.equal((await dav('GET', 'Letters/a.docx', { headers: agent })).body, 'words')
})
