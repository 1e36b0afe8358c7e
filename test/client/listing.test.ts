import t from 'tap'
import { type Lines, listLines } from '../../src/client/listing.ts'
import { Transport } from '../../src/client/transport.ts'
import { realEnv } from '../../src/env.ts'
import { type Answer, hangUp, refusal, scriptedServer } from './scripted-server.ts'

type Test = { teardown(end: () => unknown): unknown }

const line = (path: string) => `${JSON.stringify({ path })}\n`

/** Sends the first lines, and breaks off in the middle of one. */
const brokenAfter =
  (...paths: string[]): Answer =>
  (_seen, response) => {
    response.writeHead(200).write(`${paths.map(line).join('')}{"pat`)
    setImmediate(() => response.destroy())
  }

async function lister(t: Test, answers: readonly Answer[]) {
  const { origin, seen } = await scriptedServer(t, answers)
  const env = { ...realEnv(), timers: { ...realEnv().timers, sleep: async () => {} } }
  const init = {
    token: undefined,
    answerTimeoutMs: 5000,
    idleTimeoutMs: 5000,
    attemptsMax: 2,
    firstContactMs: 0,
    direct: true,
  }
  const transport = new Transport({ env }, { ...init, origin })
  t.teardown(() => transport.close())
  const list = async (prefix: string, options: object, delimiter: '' | '/' = '') => {
    const paths: string[] = []
    const lines: Lines = { env: () => env, send: (request, take) => transport.send(request, take) }
    for await (const entry of listLines(lines, prefix, options, delimiter)) {
      paths.push('path' in entry ? entry.path : entry.prefix)
    }
    return paths
  }
  return { list, seen }
}

t.test('a list whose connection breaks goes on after the last path', async t => {
  const { list, seen } = await lister(t, [
    brokenAfter('a', 'b c'),
    (_seen, response) => response.writeHead(200).end(line('d')),
  ])
  t.same(await list('', { limit: 5 }), ['a', 'b c', 'd'])
  t.same(
    seen.map(({ url }) => url),
    ['/list/?limit=5', '/list/?after=b%20c&limit=3'],
  )
})

t.test('what was asked for is in the URL, encoded', async t => {
  const { list, seen } = await lister(t, [(_seen, response) => response.writeHead(200).end()])
  await list('a b/', { after: 'a b/&' }, '/')
  t.equal(seen[0]?.url, '/list/a%20b/?delimiter=%2F&after=a%20b%2F%26')
  t.same(await list('', { limit: 0 }), [])
  t.equal(seen.length, 1, 'nothing is asked for nothing')
})

t.test('a list that never gets on ends, and so does a refused one', async t => {
  const stuck = await lister(t, [brokenAfter()])
  await t.rejects(stuck.list('', {}), { code: 'UNAVAILABLE', message: /before the list was complete/ })
  t.equal(stuck.seen.length, 4)
  const refused = await lister(t, [refusal(503, 'UNAVAILABLE')])
  await t.rejects(refused.list('', {}), { code: 'UNAVAILABLE' })
  const lost = await lister(t, [hangUp])
  await t.rejects(lost.list('', {}), { code: 'UNAVAILABLE' })
})
