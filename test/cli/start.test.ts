import { spawn } from 'node:child_process'
import { once } from 'node:events'
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
  socket.write('PUT /put/never HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nhal')
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

t.test('an open door is refused with what to add, exit code 2', async t => {
  const { code, err } = await launch(t, ['--host', '0.0.0.0']).ended
  t.equal(code, 2)
  t.match(err, /add --secret and --token/)
})
