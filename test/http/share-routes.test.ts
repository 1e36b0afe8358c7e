import t from 'tap'
import { codeOf, runServer, type ServerSettings } from './running-server.ts'

const WRITE = { authorization: `Bearer ${'w'.repeat(24)}` }
const READ = { authorization: `Bearer ${'r'.repeat(24)}` }
const tokens = { readWrite: 'w'.repeat(24), readOnly: 'r'.repeat(24) }

async function serverWithFiles(test: Parameters<typeof runServer>[0], settings: ServerSettings = {}) {
  const running = await runServer(test, { tokens, ...settings })
  const put = (path: string, payload: string, type: string) =>
    running.server.inject({
      method: 'PUT',
      url: `/put/${path}`,
      payload,
      headers: { ...WRITE, 'content-type': type },
    })
  await put('docs/one.txt', 'one', 'text/plain')
  await put('docs/sub/two.txt', 'two', 'text/plain')
  await put(`docs/${encodeURIComponent('<img src=x onerror=alert(1)>')}`, 'x', 'text/html')
  await put('private.txt', 'mine', 'text/plain')
  const share = async (path: string, query = '', headers: Record<string, string> = WRITE) =>
    running.server.inject({ method: 'POST', url: `/share/${path}${query}`, headers })
  return { ...running, share }
}

t.test('a link gives a file without a token, and nothing else', async t => {
  const { server, share } = await serverWithFiles(t)
  const made = await share('docs/one.txt', '?for=1h')
  t.equal(made.statusCode, 201)
  const { link, path, until } = made.json() as { link: string; path: string; until: string }
  t.equal(path, 'docs/one.txt')
  t.match(until, /^\d{4}-.*\.000Z$/)
  const got = await server.inject(link)
  t.match(got, { statusCode: 200, body: 'one' })
  t.match(got.headers, {
    'content-type': 'text/plain',
    'content-security-policy': 'sandbox',
    'x-content-type-options': 'nosniff',
  })
  t.equal(got.headers['content-disposition'], undefined)
  const saved = await server.inject(`${link}?download=true`)
  t.equal(saved.headers['content-disposition'], 'attachment; filename=one.txt')
  t.match(await server.inject({ url: link, headers: { range: 'bytes=1-' } }), { statusCode: 206, body: 'ne' })
  t.equal(codeOf(await server.inject(link.replace('one.txt', 'sub/two.txt'))), 'FORBIDDEN')
  t.equal(codeOf(await server.inject('/get/docs/one.txt')), 'UNAUTHORIZED')
  t.equal(
    codeOf(await server.inject({ method: 'PUT', url: link, payload: 'x', headers: WRITE })),
    'METHOD_NOT_ALLOWED',
  )
})

t.test('a folder is a page to a browser and a list to a program', async t => {
  const { server, share } = await serverWithFiles(t)
  const { link } = (await share('docs/')).json() as { link: string }
  const list = (await server.inject(link)).json() as { files: { path: string }[]; prefixes: string[] }
  t.same(
    list.files.map(({ path }) => path),
    ['docs/<img src=x onerror=alert(1)>', 'docs/one.txt'],
  )
  t.same(list.prefixes, ['docs/sub/'])
  const page = await server.inject({ url: link, headers: { accept: 'text/html,*/*' } })
  t.match(page.headers['content-security-policy'], /^default-src 'none'/)
  t.match(page.body, '<a href="./one.txt">one.txt</a>')
  t.notMatch(page.body, '<img')
  t.match(page.body, '<a href="?format=tar">tar</a>')
  const tar = await server.inject(`${link}?format=tar`)
  t.match(tar.headers, { 'content-type': 'application/x-tar', 'content-disposition': /docs\.tar/ })
  for (const inside of ['one.txt', 'sub/two.txt']) t.match(tar.body, inside)
  t.notMatch(tar.body, 'private')
  t.equal((await server.inject(`${link}sub/?format=zip`)).headers['content-type'], 'application/zip')
  t.equal(codeOf(await server.inject(`${link}?format=rar`)), 'INVALID_REQUEST')
  t.match(await server.inject(`${link}sub/two.txt`), { statusCode: 200, body: 'two' })
  t.equal(codeOf(await server.inject(link.replace(/docs\/$/, 'private.txt'))), 'FORBIDDEN')
})

t.test('who may read makes links that end soon, and nobody without a token makes any', async t => {
  const { share } = await serverWithFiles(t)
  t.equal((await share('docs/one.txt', '?for=5m', READ)).statusCode, 201)
  t.equal(codeOf(await share('docs/one.txt', '?for=6m', READ)), 'FORBIDDEN')
  t.equal(codeOf(await share('docs/one.txt', '', READ)), 'FORBIDDEN', 'the default is a week')
  t.equal(codeOf(await share('docs/one.txt', '', {})), 'UNAUTHORIZED')
})

t.test('a link to nothing, to everything or for no time is refused', async t => {
  const { share } = await serverWithFiles(t)
  const rows: [string, string, string][] = [
    ['docs', '', 'FILE_NOT_FOUND'],
    ['nothing/', '', 'FILE_NOT_FOUND'],
    ['docs//x', '', 'INVALID_PATH'],
    ['', '', 'INVALID_PATH'],
    ['docs/one.txt', '?for=7', 'INVALID_REQUEST'],
    ['docs/one.txt', '?for=0s', 'INVALID_REQUEST'],
    ['docs/one.txt', '?for=367d', 'INVALID_REQUEST'],
    ['docs/one.txt', '?till=7d', 'INVALID_REQUEST'],
  ]
  for (const [path, query, code] of rows) t.equal(codeOf(await share(path, query)), code, `${path}${query}`)
})

t.test('another key revokes every link, and nodes with one key know all of them', async t => {
  const first = await serverWithFiles(t)
  const { link } = (await first.share('docs/one.txt')).json() as { link: string }
  const revoked = await serverWithFiles(t, { shareKey: 'k'.repeat(24) })
  t.equal(codeOf(await revoked.server.inject(link)), 'FORBIDDEN')
  const second = await serverWithFiles(t)
  t.equal((await second.server.inject(link)).body, 'one')
})
