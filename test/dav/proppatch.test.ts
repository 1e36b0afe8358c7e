import t from 'tap'
import { changed, changesOf } from '../../src/dav/proppatch.ts'
import { parseXml } from '../../src/dav/xml.ts'
import { davServer } from './dav-server.ts'

const update = (inner: string) => `<propertyupdate xmlns="DAV:" xmlns:z="urn:z">${inner}</propertyupdate>`

t.test('changes are carried out in order', async t => {
  const changes = changesOf(
    parseXml(
      update(
        '<set><prop><z:a>1</z:a></prop></set><remove><prop><z:a/></prop></remove><set><prop><z:b>2</z:b></prop></set>',
      ),
    ),
  )
  t.same(
    changed([], changes).map(({ name }) => name),
    ['b'],
  )
  t.throws(() => changesOf(parseXml('<a/>')), { code: 'INVALID_REQUEST' })
  t.throws(() => changesOf(undefined), { code: 'INVALID_REQUEST' })
})

t.test('properties stay with a file that is written, moved and copied, and go with it', async t => {
  const { dav } = await davServer(t)
  const ask = async (path: string) =>
    (
      await dav('PROPFIND', path, {
        headers: { depth: '0' },
        body: '<propfind xmlns="DAV:"><prop><a xmlns="urn:z"/></prop></propfind>',
      })
    ).body
  for (const make of ['file', 'collection']) {
    if (make === 'file') await dav('PUT', 'f', { body: 'one' })
    else await dav('MKCOL', 'f')
    t.match(await dav('PROPPATCH', 'f', { body: update('<set><prop><z:a>1</z:a></prop></set>') }), {
      status: 207,
      body: /200 OK/,
    })
    if (make === 'file') {
      await dav('PUT', 'f', { body: 'two' })
      t.equal((await dav('GET', 'f')).body, 'two')
    }
    t.match(await ask('f'), '<x:a xmlns:x="urn:z">1</x:a>', make)
    await dav('COPY', 'f', { headers: { destination: '/dav/copy' } })
    await dav('MOVE', 'f', { headers: { destination: '/dav/moved' } })
    for (const path of ['copy', 'moved']) t.match(await ask(path), '>1</x:a>', `${make} ${path}`)
    for (const path of ['copy', 'moved']) await dav('DELETE', path)
  }
})

t.test('live properties are not set, and nothing beside them is', async t => {
  const { dav } = await davServer(t)
  await dav('PUT', 'f', { body: 'x' })
  const body = update('<set><prop><getetag>x</getetag><z:a>1</z:a></prop></set>')
  t.match((await dav('PROPPATCH', 'f', { body })).body, /403 Forbidden.*424 Failed Dependency/)
  const large = update(`<set><prop><z:a>${'x'.repeat(3000)}</z:a></prop></set>`)
  t.match((await dav('PROPPATCH', 'f', { body: large })).body, /507 Insufficient Storage/)
  t.equal((await dav('PROPPATCH', 'nothing', { body })).status, 404)
  t.equal((await dav('PROPPATCH', 'f', { body: '<a' })).status, 400)
  t.equal((await dav('PROPPATCH', 'f')).status, 400)
})
