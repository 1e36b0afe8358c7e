/**
 * Three nodes, as in the README: whatever is put at one is there at every other, whoever keeps it.
 */
import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { sha256Of, urlPath } from './client.ts'
import { Cluster, type ClusterNode, replicasOf } from './cluster.ts'

// Processes that start, settle and come back take their time on a machine that is shared.
t.setTimeout(600_000)

t.test('three nodes are one store', async t => {
  const cluster = await Cluster.start({ nodes: 3 })
  t.teardown(() => cluster.close())
  const { nodes } = cluster
  const entries = nodes.flatMap(here => nodes.map(there => ({ here, there })))

  await t.test('a file put here is there', async t => {
    for (const { here, there } of entries) {
      const path = `endpoints/${here.name}/${there.name}`
      const put = await here.client.put(path, `bytes of ${path}`)
      t.equal(put.status, 201, path)
      const replicas = replicasOf(
        path,
        nodes.map(({ address }) => address),
      )
      t.same(put.json().replicas, replicas, 'the receipt names the nodes that follow the path')
      t.equal(put.json().durable, true)
      const got = await there.client.send('GET', `/get/${urlPath(path)}`)
      t.equal(got.body.toString(), `bytes of ${path}`)
      t.equal(got.headers.etag, put.json().etag, 'one version, one ETag')
      t.match(got.headers['ring-chain'], there.address, 'the chain begins where it was asked')
      t.match(String(got.headers['ring-hops']), /^[012]$/)
      const again = await there.client.put(path, 'something else')
      t.match(again.json(), { error: { code: 'FILE_EXISTS' } }, 'create-only holds at every node')
    }
  })

  await t.test('copy, move and remove here are seen there', async t => {
    for (const { here, there } of entries) {
      const [a, b, c] = ['a', 'b', 'c'].map(name => `change/${here.port}/${there.port}/${name}`) as [
        string,
        string,
        string,
      ]
      await here.client.put(a, a)
      const copied = await there.client.send(
        'POST',
        `/copy/${encodeURIComponent(a)}/${encodeURIComponent(b)}`,
      )
      t.equal(copied.status, 201)
      t.equal(await textAt(here, b), a)
      const moved = await there.client.send('POST', `/move/${encodeURIComponent(b)}/${encodeURIComponent(c)}`)
      t.equal(moved.status, 201)
      t.equal(await textAt(here, b), 404)
      t.equal(await textAt(here, c), a)
      const removed = await there.client.send('DELETE', `/remove/${urlPath(a)}`)
      t.equal(removed.status, 204)
      t.equal(await textAt(here, a), 404)
      const exists = await here.client.send('GET', `/exists/${urlPath(a)}`)
      t.equal(exists.json(), false)
    }
  })

  await t.test('every node lists the same', async t => {
    const [first, ...others] = await Promise.all(nodes.map(({ client }) => client.list()))
    t.ok(first?.some(({ path }) => path.startsWith('endpoints/')))
    t.same(
      [...(first ?? [])].map(({ path }) => path).sort(),
      first?.map(({ path }) => path),
      'in byte order',
    )
    for (const other of others) t.same(other, first)
  })

  await t.test('of creates that race at all nodes one wins', async t => {
    for (let round = 0; round < 5; round++) {
      const racers = [...nodes, ...nodes, ...nodes]
      const replies = await Promise.all(
        racers.map(({ client }, i) => client.put(`race/${round}`, `racer ${i}`)),
      )
      const winners = replies.map(({ status }) => status).filter(status => status === 201)
      t.equal(winners.length, 1, replies.map(({ status }) => status).join())
      const winner = replies.findIndex(({ status }) => status === 201)
      for (const node of nodes) t.equal(await textAt(node, `race/${round}`), `racer ${winner}`)
    }
  })

  await t.test('nodes that are not asked anything do not speak', async t => {
    await cluster.quiet()
    const before = await cluster.peerRequests()
    t.ok(before > 0, `${before} requests between nodes so far`)
    await delay(Number(process.env.IDLE_MS ?? 5_000))
    t.equal(await cluster.peerRequests(), before)
  })
})

t.test('large bodies go through a node that does not keep them', async t => {
  const cluster = await Cluster.start({ nodes: 4 })
  t.teardown(() => cluster.close())
  const addresses = cluster.nodes.map(({ address }) => address)
  const path = 'large/100 MiB'
  const replicas = replicasOf(path, addresses)
  const outside = cluster.nodes.find(({ address }) => !replicas.includes(address)) as ClusterNode
  const body = randomBytes(100 * 1024 * 1024)
  const sha256 = createHash('sha256').update(body).digest('hex')

  const put = await outside.client.put(path, body)
  t.match(put.json(), { size: body.length, sha256, replicas })
  for (const node of cluster.nodes) {
    t.match(await node.client.digest(path), { status: 200, size: body.length, sha256 }, node.name)
  }
  const head = addresses.indexOf(replicas[0] as string)
  await cluster.kill(head)
  for (const node of cluster.running) {
    t.match(
      await node.client.digest(path),
      { status: 200, size: body.length, sha256 },
      `${node.name}, after a crash`,
    )
  }
  const more = randomBytes(3 * 1024 * 1024)
  const again = await outside.client.put(path, more, { query: '?overwrite=true' })
  t.match(again.json(), { sha256: sha256Of(more) }, 'and it can be replaced')
})

async function textAt(node: ClusterNode, path: string): Promise<string | number> {
  const got = await node.client.send('GET', `/get/${urlPath(path)}`)
  return got.status === 200 ? got.body.toString() : got.status
}
