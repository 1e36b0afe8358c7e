/**
 * A network of real processes of which three route by Kelips and two by path learning: each answers for all files, also when one is gone.
 */
import t from 'tap'
import { Cluster, type ClusterNode } from './cluster.ts'
import { waitFor } from './harness.ts'

const KELIPS = { ALTERED_CHORD_ROUTING: 'kelips' }
const paths = Array.from({ length: 12 }, (_, index) => `files/${index}`)

async function wrongAt({ client, address }: ClusterNode): Promise<string[]> {
  const replies = await Promise.all(paths.map(path => client.send('GET', `/get/${path}`)))
  const wrong = paths.filter((path, index) => replies[index]?.body.toString() !== `This is ${path}.`)
  const list = (await client.send('GET', '/list/files/')).json() as { readonly files?: readonly unknown[] }
  return [...wrong, ...(list.files?.length === paths.length ? [] : ['list'])].map(
    what => `${address}: ${what}`,
  )
}

t.test('nodes that route by Kelips and nodes that learn paths answer each other', async t => {
  const cluster = await Cluster.start({
    nodes: 5,
    flags: ['--gossip'],
    environments: { 0: KELIPS, 2: KELIPS, 4: KELIPS },
  })
  t.teardown(() => cluster.close())
  await cluster.settled()
  const routings = await Promise.all(
    cluster.nodes.map(async ({ client }) => (await client.send('GET', '/status')).json().routing),
  )
  t.match(routings[0], { name: 'kelips', nodes: 5, groups: 2, group: Number, near: 5, contacts: Number })
  t.match(routings[1], { name: 'path', nodes: 5, views: Number })
  for (const [index, path] of paths.entries()) {
    const { status } = await cluster.node(index % 5).client.put(path, `This is ${path}.`)
    t.equal(status, 201)
  }
  for (const node of cluster.nodes) t.same(await wrongAt(node), [])

  await cluster.kill(2)
  const isWhole = async () => (await Promise.all(cluster.running.map(wrongAt))).flat().length === 0
  await waitFor(isWhole, { what: 'every file and the whole list at every node', timeoutMs: 60_000 })
  await cluster.restart(2)
  await cluster.settled()
  for (const node of cluster.nodes) t.same(await wrongAt(node), [])
})
