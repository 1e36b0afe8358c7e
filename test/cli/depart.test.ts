import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { runningNetwork, runningNode } from '../running-node.ts'
import { scriptedSession } from './scripted-session.ts'

async function depart(url: string, ...args: string[]) {
  const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url } })
  const code = await runCli(['depart', ...args], session)
  return { code, out: session.out(), err: session.err() }
}

t.test('a node leaves for good, or stays up alone', async t => {
  const [first, second] = await runningNetwork(t, 2)
  if (first === undefined || second === undefined) throw new Error('two nodes')
  t.same(await depart(second.url, '--stay'), { code: 0, out: 'departed: alone and empty now\n', err: '' })
  t.equal((await fetch(`${second.url}/ready`)).status, 200)
  t.same(await depart(second.url), { code: 0, out: 'departed\n', err: '' })
  t.equal(await second.node.ended, 'departed')
})

t.test('the last node with files is refused', async t => {
  const { url } = await runningNode(t)
  await fetch(`${url}/put/a`, { method: 'PUT', body: 'x' })
  t.match(await depart(url), { code: 1, out: '', err: /^No other node .*\(UNAVAILABLE\)\n$/ })
})
