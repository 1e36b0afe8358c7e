/**
 * A network with eventual consistency of real processes: halves that can't talk, and a clock that is hours ahead.
 */
import t from 'tap'
import type { Client } from './client.ts'
import { Cluster } from './cluster.ts'
import { atRest, cutHalves, EVENTUAL, read, versionsAt, write } from './models.ts'

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
