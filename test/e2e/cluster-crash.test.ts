/**
 * Nodes that crash, pause, come back and leave the others alone for a while, under load: nothing answered is lost, and
 * the store goes on. How long it stood still is told, not judged: the machines that run tests are shared.
 */
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { StoreClient } from '../../src/client/client.ts'
import { urlPath } from './client.ts'
import { CLUSTER_TIMEOUT_MS, Cluster, type ClusterNode, replicasOf } from './cluster.ts'
import { waitFor } from './harness.ts'

// Processes that start, settle and come back take their time on a machine that is shared.
t.setTimeout(600_000)

t.test('two nodes: the second one crashes, the first goes on', async t => {
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

t.test('five nodes bear every crash that leaves a way', async t => {
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

  await t.test('all are killed at once and come back in another order', async t => {
    await putFiles(cluster, 'second', 20)
    await Promise.all(cluster.nodes.map((_, index) => cluster.kill(index)))
    for (const index of [3, 0, 4, 2, 1]) await cluster.restart(index)
    await cluster.settled()
    await sameAtEveryNode(t, cluster, 'first', 40)
    await sameAtEveryNode(t, cluster, 'second', 20)
    t.equal((await cluster.node(2).client.list('second')).length, 20)
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
    const load = startLoad(cluster, 'rolling')
    for (const index of cluster.nodes.keys()) {
      await cluster.stop(index)
      await cluster.restart(index)
    }
    const { written, failures, longestMs } = await load.end()
    t.comment(`${written} writes and as many reads, the longest ${Math.round(longestMs)} ms`)
    t.same(failures, [])
    await cluster.settled()
    t.equal((await cluster.node(0).client.list('rolling')).length, written)
  })
})

t.test('a node joins under load: no read fails, no write is refused', async t => {
  const cluster = await Cluster.start({ nodes: 2 })
  t.teardown(() => cluster.close())
  await putFiles(cluster, 'before', 200)
  const load = startLoad(cluster, 'joining')
  await cluster.add()
  await cluster.add()
  await cluster.replicated()
  const { written, failures, longestMs } = await load.end()
  t.comment(`${written} writes and as many reads, the longest ${Math.round(longestMs)} ms`)
  t.same(failures, [])
  await sameAtEveryNode(t, cluster, 'before', 200)
})

/** Clients with their own retries, each at a node of its own: a create, then a read of it. */
function startLoad(cluster: Cluster, folder: string) {
  const failures: string[] = []
  let written = 0
  let longestMs = 0
  let running = true
  const one = async ({ address }: ClusterNode, index: number) => {
    // A node takes some seconds to come back on a loaded machine; the client's own waits between tries double.
    const client = new StoreClient({ node: `http://${address}`, attemptsMax: 10 })
    for (let number = 0; running; number++) {
      const path = `${folder}/${index}/${number}`
      const began = performance.now()
      try {
        await client.put(path, `bytes of ${path}`)
        written++
        const got = await client.get(path)
        for await (const _ of got.body);
      } catch (error) {
        failures.push(`${path}: ${String(error)}`)
      }
      longestMs = Math.max(longestMs, performance.now() - began)
      await delay(10)
    }
    await client.close()
  }
  const clients = Promise.all(cluster.nodes.map(one))
  return {
    async end() {
      running = false
      await clients
      return { written, failures, longestMs }
    },
  }
}

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
