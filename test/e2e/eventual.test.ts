/**
 * A network with eventual consistency of real processes: halves that can't talk, removals that a node misses, and a clock that is hours ahead.
 */
import t from 'tap'
import type { Client } from './client.ts'
import { Cluster, type ClusterNode } from './cluster.ts'
import { runNode, waitFor } from './harness.ts'
import { atRest, cutHalves, EVENTUAL, inParallel, read, statusOf, versionsAt, write } from './models.ts'

t.test('both halves of a network that is cut take writes, and agree when they meet', async t => {
  const cluster = await Cluster.start({ nodes: 5, linked: true, flags: EVENTUAL })
  t.teardown(() => cluster.close())
  const [a, b] = [cluster.node(0).client, cluster.node(4).client]
  t.equal((await write(a, 'before', 'before')).status, 201)
  await atRest(cluster.nodes)
  cutHalves(cluster, [0, 1])
  const paths = Array.from({ length: 20 }, (_, index) => `both/${index}`)
  for (const path of paths) {
    const [first, second] = await Promise.all([
      write(a, path, `${path} of a`),
      write(b, path, `${path} of b, longer`),
    ])
    t.equal(first.status, 201)
    t.equal(second.status, 201)
    t.equal(second.json().consistency, 'eventual')
    t.equal(await read(a, path), `${path} of a`)
    t.equal(await read(b, path), `${path} of b, longer`)
  }
  // Where none of its replicas is in this half, the node that takes it does not know that there was something before.
  const { status } = await write(a, 'before', 'later')
  t.ok(status === 200 || status === 201, `it was taken with ${status}`)
  cluster.links.restore()
  // One half may have gone on without the other in some ranges; until those are whole again it gives what it had.
  await cluster.replicated()
  await atRest(cluster.nodes)
  for (const { client, name } of cluster.nodes) {
    for (const path of paths) t.equal((await versionsAt(client, path)).length, 2, `${path} at ${name}`)
    t.equal(await read(client, 'before'), 'later')
  }
  const shown = await a.send('GET', `/get/${paths[0]}`)
  t.equal(shown.headers.conflicts, '1')
  for (const { etag } of await versionsAt(b, paths[0] as string)) {
    const one = await b.send('GET', `/get/${paths[0]}?version=${encodeURIComponent(etag)}`)
    t.match(one.body.toString(), /^both\/0 of (a|b, longer)$/, `the bytes of ${etag}`)
    t.equal(one.headers.etag, etag)
  }
  for (const path of paths) {
    const etags = (await versionsAt(b, path)).map(({ etag }) => etag).join(', ')
    const settled = await write(b, path, `${path} settled`, { 'if-match': etags })
    t.equal(settled.status, 200)
    t.equal(settled.json().conditional, 'local')
  }
  await atRest(cluster.nodes)
  for (const { client, name } of cluster.nodes)
    for (const path of paths) {
      t.equal(await read(client, path), `${path} settled`, `${path} at ${name}`)
      t.equal((await versionsAt(client, path)).length, 1)
    }
})

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

t.test('a node whose clock is six hours ahead hides and loses nothing', async t => {
  const ahead = 6 * 60 * 60 * 1000
  const cluster = await Cluster.start({
    nodes: 3,
    flags: EVENTUAL,
    clockOffsetMs: index => (index === 1 ? ahead : 0),
  })
  t.teardown(() => cluster.close())
  const [a, fast, c] = cluster.nodes.map(({ client }) => client) as [Client, Client, Client]
  const paths = Array.from({ length: 60 }, (_, index) => `clock/${index}`)
  for (const path of paths) t.equal((await write(fast, path, 'fast')).status, 201)
  await atRest(cluster.nodes)
  for (const [index, path] of paths.entries())
    t.equal((await write(index % 2 === 0 ? a : c, path, 'later')).status, 200)
  await atRest(cluster.nodes)
  for (const { client, name } of cluster.nodes)
    for (const path of paths) {
      const found = await read(client, path)
      if (found !== 'later') t.equal(found, 'later', `${path} at ${name}`)
    }
  for (const path of paths.slice(0, 20)) t.equal((await c.send('DELETE', `/remove/${path}`)).status, 204)
  await atRest(cluster.nodes)
  for (const path of paths.slice(0, 20)) t.equal(await read(fast, path), undefined)
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
