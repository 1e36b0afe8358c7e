/**
 * A network whose secret is replaced node by node while files are put and read (docs/guide/security.md has the steps).
 */
import { join } from 'node:path'
import t from 'tap'
import { type RunningNode, runningNode, settled } from '../running-node.ts'
import { freePort } from './harness.ts'
import { rollingLoad } from './rolling-load.ts'

// Longer than any wait for a node below: a machine that is shared takes its time.
t.setTimeout(600_000)

t.test('the secret of three nodes is replaced one by one while files are put and read', async t => {
  const folder = t.testdir({})
  const ports = [await freePort(), await freePort(), await freePort()]
  const nodes: RunningNode[] = []
  const start = async (index: number, secret: string) => {
    // A node that comes back finds its network by what its disk remembers.
    const flags = { port: `${ports[index]}`, boot: `${ports[0]}`, data: join(folder, `${index}`), secret }
    nodes[index] = await runningNode(t, flags)
  }
  for (const index of ports.keys()) await start(index, 'old')
  const urls = () => nodes.map(({ url }) => url)
  await settled(urls())
  let down = -1
  const client = rollingLoad(() => urls().filter((_, index) => index !== down))
  await client.progress()
  for (const secret of ['old,new', 'new,old', 'new']) {
    for (const index of ports.keys()) {
      down = index
      await nodes[index]?.node.stop()
      await start(index, secret)
      await settled(urls())
      down = -1
      await client.progress()
    }
  }
  await client.end()
  for (const path of client.written)
    for (const url of urls()) t.equal(await (await fetch(`${url}/get/${path}`)).text(), path)
  for (const { node } of nodes) t.equal(node.ringForTests?.credentials.secret, 'new')
})
