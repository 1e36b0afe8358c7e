import t from 'tap'
import { codeOf, runServer } from './running-server.ts'

type Version = { path: string; version: string; place: string; reason: string; size: number }

async function withTrash(t: Parameters<typeof runServer>[0], settings: Parameters<typeof runServer>[1] = {}) {
  const running = await runServer(t, settings)
  const { server } = running
  const put = (path: string, payload: string, headers = {}) =>
    server.inject({ method: 'PUT', url: `/put/${path}?overwrite=true`, payload, headers })
  const remove = (path: string, headers = {}) =>
    server.inject({ method: 'DELETE', url: `/remove/${path}`, headers })
  const restore = (payload: object | string, headers = {}) =>
    server.inject({ method: 'POST', url: '/trash/restore', payload, headers })
  const versions = async (query = '') =>
    (await server.inject(`/trash${query}`)).json().versions as readonly Version[]
  return { ...running, put, remove, restore, versions }
}

t.test('pages and lines show what can be restored', async t => {
  const { server, put, remove, versions } = await withTrash(t)
  for (const path of ['a', 'a/b', 'b']) {
    await put(path, '1', { 'meta-color': 'blue' })
    await put(path, '22')
    await remove(path)
  }
  const all = await versions()
  t.same(
    all.map(({ path, reason, size }) => `${path} ${reason} ${size}`),
    ['a', 'a/b', 'b'].flatMap(path => [`${path} replaced 1`, `${path} removed 2`]),
  )
  t.match(all[0], { meta: { color: 'blue' }, until: /T/, sha256: /^[0-9a-f]{64}$/, etag: /^"/ })
  t.equal((await versions('?prefix=a/')).length, 2)
  const got: string[] = []
  for (let after = ''; ; ) {
    const page = (await server.inject(`/trash?limit=2${after}`)).json()
    got.push(...page.versions.map(({ place }: Version) => place))
    if (page.next === null) break
    after = `&after=${encodeURIComponent(page.next)}`
  }
  t.same(
    got,
    all.map(({ place }) => place),
  )
  const lines = await server.inject({ url: '/trash?prefix=b', headers: { accept: 'application/x-ndjson' } })
  t.equal(lines.body.trim().split('\n').length, 2)
  t.equal((await server.inject('/list')).json().files.length, 0, 'no list shows it')
  t.match((await server.inject('/status')).json(), { files: 0, trash: { versions: 6, bytes: 9 } })
  t.match((await server.inject('/metrics')).body, /altered_chord_trash_bytes 9\n/)
  for (const query of ['?after=x', '?limit=0', '?prefix=//', '?unknown=1'])
    t.equal((await server.inject(`/trash${query}`)).statusCode, 400, query)
})

t.test('a restoration is a put: create-only unless it says otherwise, and once under its key', async t => {
  const { server, put, remove, restore, versions } = await withTrash(t)
  await put('a', 'one')
  await remove('a')
  t.match(await restore({ path: 'a' }), { statusCode: 201 })
  t.same(await versions(), [], 'it has left the trash')
  await put('a', 'two')
  const [{ version } = { version: '' }] = await versions()
  t.equal(codeOf(await restore({ path: 'a', version })), 'FILE_EXISTS')
  t.equal(
    codeOf(await restore({ path: 'a', version }, { 'if-match': '"9.9-00000000"' })),
    'PRECONDITION_FAILED',
  )
  const key = { 'idempotency-key': 'k' }
  const first = await restore({ path: 'a', version, overwrite: true }, key)
  t.equal(first.statusCode, 200)
  t.same((await restore({ path: 'a', version, overwrite: true }, key)).json(), first.json(), 'again')
  t.equal((await server.inject('/get/a')).body, 'one')
  t.equal((await versions()).map(({ size }) => size).join(), '3', 'what stood there')
  t.match(await restore({ path: 'a', to: 'b/c' }), { statusCode: 201 })
  t.equal((await server.inject('/get/b/c')).body, 'two')
  t.equal((await versions()).length, 1, 'elsewhere it is a copy')
  t.equal(codeOf(await restore({ path: 'x' })), 'FILE_NOT_FOUND')
  for (const wrong of ['', '[]', '{"path":1}', '{"path":"a","x":1}', '{"path":"a","version":"1"}'])
    t.equal(codeOf(await restore(wrong)), 'INVALID_REQUEST', wrong)
  t.equal(codeOf(await restore({ path: '.altered-chord/x' })), 'INVALID_PATH')
})

t.test('it is emptied by path, by prefix and by age, and never by saying nothing', async t => {
  const { server, put, remove, versions } = await withTrash(t)
  for (const path of ['a/1', 'a/2', 'b']) {
    await put(path, 'x')
    await put(path, 'y')
    await remove(path)
  }
  const empty = (query: string) => server.inject({ method: 'DELETE', url: `/trash${query}` })
  for (const query of [
    '',
    '?prefix=a&path=a',
    '?path=a/1&older_than=1d',
    '?prefix=&version=1.1',
    '?prefix=&older_than=7',
  ])
    t.equal(codeOf(await empty(query)), 'INVALID_REQUEST', query)
  t.same((await empty('?prefix=&older_than=1h')).json(), { versions: 0, bytes: 0 })
  t.same((await empty('?prefix=a/')).json(), { versions: 4, bytes: 4 })
  const [{ version } = { version: '' }] = await versions()
  t.equal((await empty(`?path=b&version=${version}`)).statusCode, 204)
  t.equal((await versions()).length, 1)
  t.equal((await empty('?path=b')).statusCode, 204)
  t.equal(codeOf(await empty('?path=b')), 'FILE_NOT_FOUND')
})

t.test('a token that may only read sees the trash and changes nothing in it', async t => {
  const { server, put, remove, restore } = await withTrash(t, { tokens: { readWrite: 'rw', readOnly: 'ro' } })
  const as = (token: string) => ({ authorization: `Bearer ${token}` })
  await put('a', 'x', as('rw'))
  await remove('a', as('rw'))
  const list = await server.inject({ url: '/trash', headers: as('ro') })
  t.equal(list.json().versions.length, 1)
  t.equal((await server.inject('/trash')).statusCode, 401)
  t.equal(codeOf(await restore({ path: 'a' }, as('ro'))), 'FORBIDDEN')
  t.equal(
    codeOf(await server.inject({ method: 'DELETE', url: '/trash?prefix=', headers: as('ro') })),
    'FORBIDDEN',
  )
  t.equal((await restore({ path: 'a' }, as('rw'))).statusCode, 201)
})
