import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { repositoryRoot } from '../tidy/inventory.ts'

type Test = { teardown(end: () => unknown): unknown }

/** A real process, as a user starts it, far from the repository. */
function launch(t: Test, args: string[]) {
  const child = spawn(process.execPath, [join(repositoryRoot, 'start.js'), ...args], {
    cwd: tmpdir(),
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = Promise.all([once(child, 'exit'), text(child.stderr)]).then(([[code], err]) => ({
    code,
    err,
  }))
  const url = async () => {
    const [line] = await once(child.stdout, 'data')
    return /http:\/\/[\d.:]+/.exec(String(line))?.[0] as string
  }
  return { child, ended, url }
}

const anywhere = ['-p', '0', '-b', '0', '--memory']

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  t.test(`${signal} stops a node with exit code 0`, async t => {
    const { child, ended, url } = launch(t, anywhere)
    t.equal((await fetch(`${await url()}/health`)).status, 200)
    child.kill(signal)
    const { code, err } = await ended
    t.equal(code, 0)
    t.match(err, new RegExp(`"signal":"${signal}"`))
    t.match(err, /"msg":"stopped"\}\n$/)
  })
}

t.test('a second signal ends at once, although a request still runs', async t => {
  const { child, ended, url } = launch(t, [
    ...anywhere,
    '--shutdown-timeout',
    '1h',
    '--body-idle-timeout',
    '1h',
  ])
  const node = new URL(await url())
  const socket = connect(Number(node.port), node.hostname)
  socket.on('error', () => {})
  // Longer than what is taken in whole: a body that is staged can be seen.
  socket.write('PUT /put/never HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nhal')
  for (let staged = 0; staged === 0; ) {
    staged = ((await (await fetch(new URL('/status', node))).json()) as { staged: number }).staged
  }
  child.kill('SIGINT')
  await once(child.stderr, 'data')
  child.kill('SIGINT')
  t.equal((await ended).code, 1)
})

t.test('a folder that is in use ends the start with a sentence and exit code 1', async t => {
  const data = t.testdir({})
  const first = launch(t, ['-p', '0', '-b', '0', '--data', join(data, 'd')])
  await first.url()
  const second = launch(t, ['-p', '0', '-b', '0', '--data', join(data, 'd')])
  const { code, err } = await second.ended
  t.equal(code, 1)
  t.match(err, /^The data directory .*\/d can't be used: process \d+ is using it\. \(UNAVAILABLE\)\n$/)
})

t.test('an open endpoint is refused with what to add, exit code 2', async t => {
  const { code, err } = await launch(t, ['--host', '0.0.0.0']).ended
  t.equal(code, 2)
  t.match(err, /add --secret and --token/)
})

t.test(
  'a boot node that does not come is waited for, with a word about it, and then the exit code is 1',
  async t => {
    // Port 9 is discard's; nothing listens there.
    const { code, err } = await launch(t, ['-p', '0', '-b', '9', '--memory', '--join-timeout', '500ms']).ended
    t.equal(code, 1)
    t.match(err, /"boot":"127.0.0.1:9".*"msg":"waiting for the boot node"/)
    t.match(err, /No network was found within 0.5 s: 127.0.0.1:9 does not answer. \(UNAVAILABLE\)\n$/)
  },
)

t.test('whoever ends a node that still waits gets exit code 0', async t => {
  const { child, ended } = launch(t, ['-p', '0', '-b', '9', '--memory'])
  await once(child.stderr, 'data')
  child.kill('SIGTERM')
  t.equal((await ended).code, 0)
})

t.test('a setting that contradicts the network is a wrong call, and nobody was admitted', async t => {
  const first = launch(t, anywhere)
  const url = await first.url()
  const folder = t.testdir({ there: {} })
  for (const place of ['there', 'missing']) {
    const data = join(folder, place)
    const { code, err } = await launch(t, ['-p', '0', '-b', url, '--data', data, '-k', '5']).ended
    t.equal(code, 2)
    t.match(err, /^error: The settings contradict: replicas is 3 in this network, not 5\.\n$/)
  }
  t.same(readdirSync(folder), ['there'], 'a folder that was not there is not there again')
  t.same(readdirSync(join(folder, 'there')), [])
  const network = (await (await fetch(`${url}/network`)).json()) as { nodes: unknown[] }
  t.equal(network.nodes.length, 1)
})

t.test('a node that would found a network of contradicting settings leaves no folder', async t => {
  const data = join(t.testdir({}), 'd')
  const { code, err } = await launch(t, ['-p', '0', '--data', data, '-b', '0', '--min-replicas', '5']).ended
  t.equal(code, 2, err)
  t.notOk(existsSync(data))
})

t.test('a node that departs says so, ends with exit code 0 and leaves an empty folder', async t => {
  const data = join(t.testdir({}), 'd')
  const first = launch(t, anywhere)
  const second = launch(t, ['-p', '0', '-b', await first.url(), '--data', data])
  const url = await second.url()
  t.equal((await fetch(`${url}/depart`, { method: 'POST' })).status, 200)
  t.equal((await second.ended).code, 0)
  t.same(readdirSync(data), ['lock'])
})
