import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { json, scriptedServer } from '../client/scripted-server.ts'
import { runningNode } from '../running-node.ts'
import { scriptedSession } from './scripted-session.ts'

async function lookup(node: string, ...args: string[]) {
  const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: node } })
  const code = await runCli(['lookup', ...args], session)
  return { code, out: session.out(), err: session.err() }
}

t.test('who answers for a path, and who was asked', async t => {
  const { url } = await runningNode(t)
  const host = new URL(url).host
  const { code, out } = await lookup(url, 'a/b')
  t.equal(code, 0)
  t.match(
    out,
    new RegExp(
      `^key {7}[0-9a-f]{40}\nowner {5}${host}\nreplicas {2}${host}\nvisited {3}${host} {2}\\(0 hops, .* ms\\)\n$`,
    ),
  )
  t.match(JSON.parse((await lookup(url, '--json', 'a/b')).out), { path: 'a/b', owner: host, hops: 0 })
  t.match(await lookup(url, 'a//b'), { code: 1, out: '', err: /INVALID_PATH/ })
})

t.test('hops and failures are told', async t => {
  const answer = {
    key: 'k',
    owner: 'b:1',
    replicas: ['b:1', 'c:1'],
    chain: ['a:1', 'b:1'],
    hops: 2,
    failed: 1,
    ms: 1.5,
  }
  const { origin } = await scriptedServer(t, [
    json(200, answer),
    json(200, { ...answer, hops: 1, failed: 0 }),
  ])
  t.match((await lookup(origin, 'a')).out, 'visited   a:1 -> b:1  (2 hops, 1.5 ms, 1 failed)\n')
  t.match((await lookup(origin, 'a')).out, '(1 hop, 1.5 ms)\n')
})
