/**
 * Nodes that crash, pause, come back and leave the others alone for a while, under load: nothing answered is lost, and
 * the store goes on. How long it stood still is told, not judged: the machines that run tests are shared.
 */
import t, { type Test } from 'tap'
import { urlPath } from './client.ts'
import { CLUSTER_TIMEOUT_MS, Cluster, type ClusterNode, replicasOf } from './cluster.ts'
import { waitFor } from './harness.ts'
import { type LoadResult, startLoad } from './load.ts'

// Processes that start, settle and come back take their time on a machine that is shared.
t.setTimeout(600_000)

// The five nodes take as long as all others together.
t.jobs = 2

t.test('five nodes bear every crash that leaves a way', { buffered: true }, async t => {
  const cluster = await Cluster.start({ nodes: 5 })
  t.teardown(() => cluster.close())
  await putFiles(cluster, 'first', 40)

  await t.test('two crash, one after the other', async t => {
    for (const index of [1, 3]) {
      await cluster.kill(index)
      await cluster.settled()
    }
    await sameAtEveryNode(t, cluster, 'first', 40)
    for (const node of cluster.running) {
      const reply = await node.client.put('first/7', 'another')
      t.match(reply.json(), { error: { code: 'FILE_EXISTS' } }, 'create-only is exact')
    }
    await putFiles(cluster, 'with three', 20)
    await sameAtEveryNode(t, cluster, 'with three', 20)
    await cluster.restart(1)
    await cluster.restart(3)
    await cluster.settled()
    await sameAtEveryNode(t, cluster, 'with three', 20)
  })

  await t.test('all are killed at once under load and come back in another order', async t => {
    await putFiles(cluster, 'second', 20)
    const load = startLoad(addressesOf(cluster), 'killed')
    await load.underWay()
    await Promise.all(cluster.nodes.map((_, index) => cluster.kill(index)))
    for (const index of [3, 0, 4, 2, 1]) await cluster.restart(index)
    const { written } = await load.end()
    await cluster.settled()
    await sameAtEveryNode(t, cluster, 'first', 40)
    await sameAtEveryNode(t, cluster, 'second', 20)
    t.equal((await cluster.node(2).client.list('second')).length, 20)
    const listed = new Set((await cluster.node(2).client.list('killed')).map(({ path }) => path))
    t.same(
      written.filter(path => !listed.has(path)),
      [],
      `each of ${written.length} answered writes is there`,
    )
  })

  await t.test('the head crashes under load, refused or silent', async t => {
    for (const how of ['kill', 'pause'] as const) {
      const path = `head/${how}`
      const head = cluster.nodes.findIndex(
        ({ address }) => address === replicasOf(path, addressesOf(cluster))[0],
      )
      const others = cluster.nodes.filter((_, index) => index !== head)
      await cluster.node(head).client.put(path, 'before')
      const { process } = cluster.node(head)
      if (how === 'kill') await cluster.kill(head)
      else process.pause()
      const began = performance.now()
      await waitFor(() => overwrite(others[0] as ClusterNode, path), {
        what: 'the range takes writes again',
        timeoutMs: CLUSTER_TIMEOUT_MS,
        pauseMs: 10,
      })
      t.comment(
        `${how}: writes to the range of a lost head after ${Math.round(performance.now() - began)} ms`,
      )
      if (how === 'kill') await cluster.restart(head)
      else process.resume()
      await cluster.settled()
      for (const node of cluster.nodes) t.equal(await textAt(node, path), 'after', `${how}, ${node.name}`)
    }
  })

  await t.test('a rolling restart under load fails no request', async t => {
    const load = startLoad(addressesOf(cluster), 'rolling')
    await load.underWay()
    for (const index of cluster.nodes.keys()) {
      await cluster.stop(index)
      await cluster.restart(index)
    }
    const result = await load.end()
    t.comment(describeLoad(result))
    t.same(result.failures, [])
    await cluster.settled()
    t.equal((await cluster.node(0).client.list('rolling')).length, result.written.length)
  })
})

t.test('two nodes: the second one crashes, the first goes on', { buffered: true }, async t => {
  const cluster = await Cluster.start({ nodes: 2 })
  t.teardown(() => cluster.close())
  await putFiles(cluster, 'before', 20)
  await cluster.kill(1)
  await cluster.settled()
  await sameAtEveryNode(t, cluster, 'before', 20)
  t.match((await cluster.node(0).client.put('before/0', 'x')).json(), { error: { code: 'FILE_EXISTS' } })
  await putFiles(cluster, 'alone', 10)
  await cluster.restart(1)
  await cluster.settled()
  await sameAtEveryNode(t, cluster, 'alone', 10)
})

t.test('three nodes: one crashes, the others go on', { buffered: true }, async t => {
  const cluster = await Cluster.start({ nodes: 3 })
  t.teardown(() => cluster.close())
  await putFiles(cluster, 'before', 20)
  await cluster.kill(1)
  await cluster.settled()
  await sameAtEveryNode(t, cluster, 'before', 20)
  await putFiles(cluster, 'with two', 10)
  t.match((await cluster.node(2).client.put('with two/3', 'x')).json(), { error: { code: 'FILE_EXISTS' } })
})

t.test('a node joins under load: no read fails, no write is refused', { buffered: true }, async t => {
  const cluster = await Cluster.start({ nodes: 2 })
  t.teardown(() => cluster.close())
  await putFiles(cluster, 'before', 200)
  const load = startLoad(addressesOf(cluster), 'joining')
  await cluster.add()
  await cluster.add()
  await cluster.replicated()
  const result = await load.end()
  t.comment(describeLoad(result))
  t.same(result.failures, [])
  await sameAtEveryNode(t, cluster, 'before', 200)
})

async function putFiles(cluster: Cluster, folder: string, count: number): Promise<void> {
  const { running } = cluster
  for (let number = 0; number < count; number++) {
    const { client } = running[number % running.length] as ClusterNode
    const reply = await client.put(`${folder}/${number}`, `bytes ${number}`)
    if (reply.status !== 201) throw new Error(`${folder}/${number}: ${reply.status} ${reply.body}`)
  }
}

async function sameAtEveryNode(t: Test, cluster: Cluster, folder: string, count: number): Promise<void> {
  for (const node of cluster.running) {
    const wrong: string[] = []
    for (let number = 0; number < count; number++) {
      const text = await textAt(node, `${folder}/${number}`)
      if (text !== `bytes ${number}`) wrong.push(`${folder}/${number}: ${text}`)
    }
    t.same(wrong, [], `${node.name} has all of ${folder}`)
  }
}

async function overwrite({ client }: ClusterNode, path: string): Promise<boolean> {
  return (await client.put(path, 'after', { query: '?overwrite=true' })).status < 300
}

async function textAt({ client }: ClusterNode, path: string): Promise<string | number> {
  const got = await client.send('GET', `/get/${urlPath(path)}`)
  return got.status === 200 ? got.body.toString() : got.status
}

function addressesOf(cluster: Cluster): string[] {
  return cluster.nodes.map(({ address }) => address)
}

function describeLoad({ written, longestWriteMs, longestReadMs }: LoadResult): string {
  const [write, read] = [longestWriteMs, longestReadMs].map(Math.round)
  return `${written.length} writes and as many reads; the longest write ${write} ms, the longest read ${read} ms`
}
