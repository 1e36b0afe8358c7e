import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { watchOverlay } from '../../src/cli/overlay-watch.ts'
import { StoreClient } from '../../src/client/client.ts'
import { runningNetwork, runningNode } from '../running-node.ts'
import { scriptedSession } from './scripted-session.ts'

t.setTimeout(300_000)

t.test('the picture, and who believes what', async t => {
  const [first, second] = await runningNetwork(t, 2, undefined, { gossip: true })
  const { url } = first as { url: string }
  const hosts = [url, (second as { url: string }).url].map(one => new URL(one).host).sort()
  const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url } })
  t.equal(await runCli(['overlay', '--watch', '1'], session), 0)
  const lines = session.out().split('\n')
  t.match(lines[0], /head of/)
  for (const host of hosts) t.match(session.out(), `${host} believes `)
  const active = scriptedSession({ environment: { ALTERED_CHORD_NODE: url } })
  t.equal(await runCli(['overlay', '--active'], active), 0)
  t.equal(active.out(), `${hosts.join('\n')}\n`)
  const wrong = scriptedSession({ environment: { ALTERED_CHORD_NODE: url } })
  t.equal(await runCli(['overlay', '--watch', 'long'], wrong), 2)
})

t.test('nodes that do not gossip, and who is in doubt', async t => {
  const { url } = await runningNode(t)
  const address = new URL(url).host
  const session = scriptedSession({})
  const client = new StoreClient({ node: url })
  t.teardown(() => client.close())
  await watchOverlay(session, { node: url }, client, { picture: async () => ['picture'], times: 1 })
  t.equal(session.out(), `picture\n\n${address} does not gossip\n`)
})
