import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { nodeUrl, withClient } from '../../src/cli/connection.ts'
import { json, scriptedServer } from '../client/scripted-server.ts'
import { scriptedSession } from './scripted-session.ts'

t.test('a node is a URL, HOST:PORT or a port', async t => {
  t.equal(nodeUrl('https://files.example'), 'https://files.example')
  t.equal(nodeUrl('files.example:80'), 'http://files.example:80')
  t.equal(nodeUrl('5001'), 'http://127.0.0.1:5001')
  for (const text of ['', 'http://', 'http://a/b', 'a b']) {
    t.throws(() => nodeUrl(text), { exitCode: 2, message: /--node is/ }, text)
  }
})

t.test('the token comes from the option, the variable, or a file', async t => {
  const { origin, seen } = await scriptedServer(t, [json(200, {})])
  const folder = t.testdir({ token: 'from-file\n' })
  const rows: [Record<string, string>, Record<string, string>, string | undefined][] = [
    [{}, {}, undefined],
    [{ token: 'o' }, { ALTERED_CHORD_TOKEN: 'v' }, 'Bearer o'],
    [{}, { ALTERED_CHORD_TOKEN: 'v', ALTERED_CHORD_TOKEN_FILE: '/none' }, 'Bearer v'],
    [{}, { ALTERED_CHORD_TOKEN_FILE: join(folder, 'token') }, 'Bearer from-file'],
  ]
  for (const [options, environment, header] of rows) {
    const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: origin, ...environment } })
    await withClient(session, options, client => client.status())
    t.equal(seen.at(-1)?.headers.authorization, header)
  }
  const session = scriptedSession({ environment: { ALTERED_CHORD_TOKEN_FILE: '/none' } })
  await t.rejects(
    withClient(session, {}, client => client.status()),
    { exitCode: 2, message: /cannot be read/ },
  )
})

t.test('what a reply says of other nodes is followed, unless --no-direct', async t => {
  const other = await scriptedServer(t, [json(200, true)])
  const whole = `${'0'.repeat(40)} ${'0'.repeat(40)}`
  const headers = { 'ring-range': `${whole} 7 ${other.origin.slice(7)}`, 'ring-network': 'n1' }
  for (const [direct, elsewhere] of [
    [false, 0],
    [true, 1],
  ] as const) {
    const { origin, seen } = await scriptedServer(t, [json(200, true, headers)])
    const options = { node: origin, direct }
    await withClient(scriptedSession(), options, async client => {
      await client.exists('a')
      await client.exists('a')
    })
    t.equal(other.seen.length, elsewhere)
    t.equal(seen[0]?.headers['ring-epoch'], direct ? '0' : undefined)
  }
})

t.test(
  '--wait-for-node goes on asking a node that is not there yet; without it a second has to do',
  async t => {
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('true')
    })
    const listen = (port: number) => new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
    await listen(0)
    const { port } = server.address() as AddressInfo
    await new Promise(resolve => server.close(resolve))
    t.teardown(() => server.close())
    const options = { node: String(port), waitForNode: '5min' }
    let tries = 0
    const session = scriptedSession()
    const sleep = async () => {
      tries += 1
      // Later than the last try without the option.
      if (tries === 6) await listen(port)
    }
    const env = { ...session.env, timers: { ...session.env.timers, sleep } }
    t.equal(await withClient({ ...session, env }, options, client => client.exists('a')), true)
    t.equal(tries, 6)
    for (const waitForNode of ['soon', '2h', '-1s'])
      await t.rejects(
        withClient(session, { waitForNode }, client => client.exists('a')),
        { exitCode: 2, message: /--wait-for-node is/ },
        waitForNode,
      )
  },
)
