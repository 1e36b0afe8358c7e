/**
 * Removals in a network with eventual consistency of real processes: one that a node misses, and one that waits for a node which is gone for good.
 */
import t from 'tap'
import { Cluster, type ClusterNode } from './cluster.ts'
import { runNode, waitFor } from './harness.ts'
import { atRest, EVENTUAL, inParallel, read, statusOf, write } from './models.ts'

t.test('what was removed while a node was down does not come back with its disk', async t => {
  const cluster = await Cluster.start({ nodes: 4, flags: EVENTUAL })
  t.teardown(() => cluster.close())
  const { client } = cluster.node(0)
  const paths = Array.from({ length: 1_000 }, (_, index) => `gone/${index}`)
  await inParallel(paths, async path => t.equal((await write(client, path, path)).status, 201))
  await atRest(cluster.nodes)
  await cluster.kill(3)
  await inParallel(paths, async path => {
    const reply = await client.send('DELETE', `/remove/${path}`)
    if (reply.status !== 204) t.equal(reply.status, 204, `${path}: ${reply.body}`)
  })
  await cluster.restart(3)
  await atRest(cluster.nodes)
  await inParallel(paths, async path => t.equal(await read(cluster.node(3).client, path), undefined))
  const isCollected = async () => {
    await client.send('POST', '/verify')
    const all = await Promise.all(cluster.nodes.map(node => statusOf(node.client)))
    return all.every(({ tombstones }) => tombstones === 0)
  }
  await waitFor(isCollected, { what: 'the tombstones are collected', timeoutMs: 120_000, pauseMs: 1_000 })
  for (const node of cluster.nodes) {
    await inParallel(paths, async path => {
      const found = await read(node.client, path)
      if (found !== undefined) t.equal(found, undefined, `${path} at ${node.name}`)
    })
    t.same(await node.client.list('gone/'), [])
  }
})

t.test('a node that was retired is not waited for, and ends when it is started again', async t => {
  const cluster = await Cluster.start({ nodes: 3, flags: EVENTUAL })
  t.teardown(() => cluster.close())
  const [first, , third] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode]
  t.equal((await write(first.client, 'f', 'text')).status, 201)
  await atRest(cluster.nodes)
  const there = await first.client.send('POST', `/retire?node=${third.address}`)
  t.match(there.json(), { error: { code: 'INVALID_REQUEST', message: /The node is there/ } })
  await cluster.kill(2)
  t.equal((await first.client.send('DELETE', '/remove/f')).status, 204)
  const isRetired = async () =>
    (await first.client.send('POST', `/retire?node=${third.address}`)).status === 200
  await waitFor(isRetired, { what: 'the node counts as dead, and is retired', timeoutMs: 60_000 })
  const isForgotten = async () => {
    await first.client.send('POST', '/verify')
    const all = await Promise.all(cluster.running.map(({ client }) => statusOf(client)))
    return all.every(({ tombstones }) => tombstones === 0)
  }
  await waitFor(isForgotten, { what: 'the removal is forgotten', timeoutMs: 180_000, pauseMs: 500 })
  const { port, dataDirectory } = third
  const again = await runNode({ port, dataDirectory, boots: [first.port] }, 60_000)
  t.equal(again.code, 1)
  t.match(again.stdout + again.stderr, /This node was retired from its network/)
  for (const { client } of cluster.running) t.equal(await read(client, 'f'), undefined)
})
