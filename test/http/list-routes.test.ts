import t from 'tap'
import { codeOf, runServer } from './running-server.ts'

async function withPaths(t: { teardown(then: () => unknown): void }, paths: readonly string[]) {
  const running = await runServer(t, { listen: true })
  for (const path of paths) {
    await running.server.inject({ method: 'PUT', url: `/put/${encodeURIComponent(path)}`, payload: path })
  }
  return running
}

t.test('pages follow each other until there is no next', async t => {
  const paths = Array.from({ length: 25 }, (_, i) => `f/${String(i).padStart(2, '0')}`)
  const { server } = await withPaths(t, paths)
  const got: string[] = []
  let url = '/list/f/?limit=10'
  for (let pages = 0; ; pages++) {
    const page = (await server.inject(url)).json()
    got.push(...page.files.map((file: { path: string }) => file.path))
    if (page.next === null) {
      t.equal(pages, 2)
      break
    }
    url = `/list/f/?limit=10&after=${encodeURIComponent(page.next)}`
  }
  t.same(got, paths)
  t.equal((await server.inject('/list?limit=25')).json().next, null, 'a full last page has no next')
})

t.test('one level, with what is known of each file', async t => {
  const { server } = await withPaths(t, ['a/b', 'a/c', 'd', 'é'])
  const page = (await server.inject('/list?delimiter=/')).json()
  t.same(page.prefixes, ['a/'])
  t.match(page, {
    prefix: '',
    next: null,
    files: [
      {
        path: 'd',
        size: 1,
        etag: /^"/,
        mediaType: 'application/octet-stream',
        writtenAt: /^\d{4}-\d\d-\d\dT/,
      },
      { path: 'é' },
    ],
  })
  t.same((await server.inject('/list/a/?delimiter=/')).json().files.length, 2)
  t.same((await server.inject('/list/%C3%A9')).json().files.length, 1)
})

t.test('NDJSON has everything, a line each', async t => {
  const paths = Array.from({ length: 1234 }, (_, i) => `f/${String(i).padStart(5, '0')}`)
  const { origin } = await withPaths(t, paths)
  const lines = async (query = '') => {
    const answer = await fetch(`${origin}/list${query}`, { headers: { accept: 'application/x-ndjson' } })
    t.match(answer.headers.get('content-type'), /^application\/x-ndjson/)
    return (await answer.text())
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line))
  }
  t.same(
    (await lines()).map(line => line.path),
    paths,
  )
  t.same(await lines('?delimiter=/'), [{ prefix: 'f/' }])
  t.equal((await lines('?limit=1000')).length, 1000)
})

t.test('a reader who goes away ends the list', async t => {
  const { origin, server } = await withPaths(
    t,
    Array.from({ length: 600 }, (_, i) => `${i}`),
  )
  const abort = new AbortController()
  const headers = { accept: 'application/x-ndjson' }
  const answer = await fetch(`${origin}/list`, { headers, signal: abort.signal })
  await answer.body?.getReader().read()
  abort.abort()
  t.equal((await server.inject('/health')).statusCode, 200)
})

t.test('what cannot be listed is refused', async t => {
  const { server } = await runServer(t)
  for (const query of [
    'delimiter=,',
    'limit=0',
    'limit=10001',
    'limit=x',
    'limit=-1',
    'limit=1.5',
    'prefix=a',
    'after=a//b',
  ]) {
    const answer = await server.inject(`/list?${query}`)
    t.equal(answer.statusCode, 400, query)
    t.match(codeOf(answer), /^INVALID_/)
  }
  t.equal((await server.inject('/list/a//b')).statusCode, 400)
  t.equal((await server.inject('/list/%ff')).statusCode, 400)
  t.equal((await server.inject({ method: 'POST', url: '/list' })).statusCode, 405)
})
