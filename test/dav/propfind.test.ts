import t from 'tap'
import { wantedOf } from '../../src/dav/propfind.ts'
import { parseXml } from '../../src/dav/xml.ts'
import { davServer, hrefsOf, lockBody } from './dav-server.ts'

t.test('what is asked for', async t => {
  t.equal(wantedOf(undefined), 'all', 'Finder sends no body')
  t.equal(wantedOf(parseXml('<propfind xmlns="DAV:"><allprop/></propfind>')), 'all')
  t.equal(wantedOf(parseXml('<a:propfind xmlns:a="DAV:"><a:propname/></a:propfind>')), 'names')
  t.same(wantedOf(parseXml('<propfind xmlns="DAV:"><prop><getetag/><x xmlns="urn:x"/></prop></propfind>')), [
    { namespace: 'DAV:', name: 'getetag' },
    { namespace: 'urn:x', name: 'x' },
  ])
  t.throws(() => wantedOf(parseXml('<propfind/>')), { code: 'INVALID_REQUEST' })
  t.throws(() => wantedOf(parseXml('<propfind xmlns="DAV:"/>')), { code: 'INVALID_REQUEST' })
})

t.test('a level at a time', async t => {
  const { dav, server } = await davServer(t)
  for (const path of ['docs/one.txt', 'docs/deep/two.txt', 'docs/ü%20%26.txt', 'top.txt'])
    await server.inject({ method: 'PUT', url: `/put/${path}`, payload: 'x' })
  await dav('MKCOL', 'docs/empty')
  t.same(hrefsOf(await dav('PROPFIND', 'docs', { headers: { depth: '0' } })), ['/dav/docs/'])
  const level = await dav('PROPFIND', 'docs/', { headers: { depth: '1' } })
  t.equal(level.status, 207)
  t.same(hrefsOf(level), [
    '/dav/docs/',
    '/dav/docs/deep/',
    '/dav/docs/one.txt',
    '/dav/docs/%C3%BC%20%26.txt',
    '/dav/docs/empty/',
  ])
  t.same(hrefsOf(await dav('PROPFIND', '', { headers: { depth: '1' } })), [
    '/dav/',
    '/dav/docs/',
    '/dav/top.txt',
  ])
  t.equal((await dav('PROPFIND', 'nothing', { headers: { depth: '0' } })).status, 404)
  const endless = await dav('PROPFIND', '', { headers: { depth: 'infinity' } })
  t.match(endless, { status: 403, body: /propfind-finite-depth/ })
  t.equal((await dav('PROPFIND', 'top.txt')).status, 207, 'below a file there is nothing')
})

t.test('members show their locks, and dead properties that are asked for by name', async t => {
  const { dav } = await davServer(t)
  await dav('PUT', 'a', { body: 'x' })
  await dav('PUT', 'b', { body: 'x' })
  await dav('LOCK', 'a', { body: lockBody() })
  const set = '<propertyupdate xmlns="DAV:"><set><prop><c xmlns="urn:c">red</c></prop></set></propertyupdate>'
  await dav('PROPPATCH', 'b', { body: set })
  const depth = { depth: '1' }
  const all = (await dav('PROPFIND', '', { headers: depth })).body
  t.equal(all.match(/<D:activelock>/g)?.length, 1)
  const body = '<propfind xmlns="DAV:"><prop><c xmlns="urn:c"/></prop></propfind>'
  const named = (await dav('PROPFIND', '', { headers: depth, body })).body
  t.match(named, '<x:c xmlns:x="urn:c">red</x:c>')
})
