/**
 * What the two models of consistency do where they differ, with real processes: the minority of a cut, removals that a node misses, another number of
 * copies under load, versions of which only the newest is shown, and a disk that was restored.
 */
import t from 'tap'
import type { Client } from './client.ts'
import { Cluster, type ClusterNode, replicasOf } from './cluster.ts'
import { waitFor } from './harness.ts'
import { mixedBodyOf, startLoad } from './load.ts'
import { atRest, cutHalves, EVENTUAL, inParallel, read, statusOf, versionsAt, write } from './models.ts'

t.setTimeout(1_200_000)

const TIMEOUT_MS = 180_000

/** Clients at each node under whose load the number of copies changes. */
const CLIENTS_EACH = 4

/** Writes before each change of the number of copies, and after the last one. */
const WRITES_BETWEEN = 300

t.test('chain: the smaller half of a cut refuses and says why, the larger one goes on', async t => {
  const cluster = await Cluster.start({ nodes: 5, linked: true })
  t.teardown(() => cluster.close())
  const [a, b] = [cluster.node(0).client, cluster.node(4).client]
  const paths = Array.from({ length: 20 }, (_, index) => `both/${index}`)
  for (const path of paths) t.equal((await write(a, path, 'before')).status, 201)
  cutHalves(cluster, [0, 1])
  const others = cluster.nodes.slice(2).map(({ address }) => address)
  let longestMs = 0
  const refusals = async (act: (path: string) => Promise<{ status: number; json(): unknown }>) => {
    for (const path of paths) {
      const since = performance.now()
      const reply = await act(path)
      longestMs = Math.max(longestMs, performance.now() - since)
      const { error } = reply.json() as { error: { code: string; message: string } }
      t.equal(reply.status, 503, `${path}: ${JSON.stringify(error)}`)
      if (error.code === 'INDETERMINATE') continue
      t.equal(error.code, 'UNAVAILABLE')
      t.ok(
        others.some(address => error.message.includes(address)),
        `it names who is missing: ${error.message}`,
      )
    }
  }
  // Whoever meets the cut first finds it out.
  await inParallel(paths, path => read(a, path))
  await refusals(path => write(a, path, 'of the smaller half'))
  await refusals(path => a.send('GET', `/get/${path}`))
  t.comment(`the longest refusal took ${Math.round(longestMs)} ms`)
  for (const path of paths) {
    const isWritten = async () => (await write(b, path, 'of the larger half')).status === 200
    await waitFor(isWritten, { what: `${path} is written`, timeoutMs: TIMEOUT_MS })
    t.equal(await read(b, path), 'of the larger half')
  }
  cluster.links.restore()
  await cluster.replicated(TIMEOUT_MS)
  for (const { client, name } of cluster.nodes)
    for (const path of paths) t.equal(await read(client, path), 'of the larger half', `${path} at ${name}`)
})

t.test('chain: what was removed while a node was down does not come back with its disk', async t => {
  const cluster = await Cluster.start({ nodes: 4 })
  t.teardown(() => cluster.close())
  const { client } = cluster.node(0)
  const paths = Array.from({ length: 1_000 }, (_, index) => `gone/${index}`)
  await inParallel(paths, async path => t.equal((await write(client, path, path)).status, 201))
  await cluster.kill(3)
  await inParallel(paths, async path => {
    // A write whose head has just died is tried until somebody else has its range.
    const isRemoved = async () => {
      const { status } = await client.send('DELETE', `/remove/${path}`)
      return status === 204 || status === 404
    }
    await waitFor(isRemoved, { what: `${path} is removed`, timeoutMs: TIMEOUT_MS })
  })
  await cluster.restart(3)
  await cluster.replicated(TIMEOUT_MS)
  const nothingIsBack = async () => {
    for (const node of cluster.nodes) {
      await inParallel(paths, async path => {
        const found = await read(node.client, path)
        if (found !== undefined) t.equal(found, undefined, `${path} at ${node.name}`)
      })
      t.same(await node.client.list('gone/'), [], `nothing is listed at ${node.name}`)
    }
  }
  await nothingIsBack()
  t.equal((await client.send('POST', '/verify')).status, 200)
  await nothingIsBack()
})

for (const consistency of ['chain', 'eventual'] as const)
  t.test(`${consistency}: three copies become five and two under load`, async t => {
    const flags = consistency === 'eventual' ? EVENTUAL : []
    const cluster = await Cluster.start({ nodes: 5, flags })
    t.teardown(() => cluster.close())
    const addresses = cluster.nodes.map(({ address }) => address)
    const { client } = cluster.node(0)
    const clients = Array.from({ length: CLIENTS_EACH }, () => addresses).flat()
    const load = startLoad(clients, 'load', mixedBodyOf)
    await load.underWay()
    const beganMs = performance.now()
    for (const copies of [5, 2]) {
      await load.more(WRITES_BETWEEN)
      t.equal((await client.send('POST', `/replicas?count=${copies}`)).status, 200)
      const isDone = async () => {
        const { ranges } = (await client.send('GET', '/overlay')).json() as unknown as {
          ranges: readonly { readonly replicas: readonly string[]; readonly state: string }[]
        }
        return ranges.every(({ replicas, state }) => replicas.length === copies && state === 'serving')
      }
      await waitFor(isDone, { what: `every range has ${copies} copies`, timeoutMs: TIMEOUT_MS, pauseMs: 500 })
    }
    await load.more(WRITES_BETWEEN)
    const { written, failures, longestWriteMs, longestReadMs } = await load.end()
    t.same(failures, [], 'no read and no write was refused')
    const perSecond = Math.round((2_000 * written.length) / (performance.now() - beganMs))
    t.comment(
      `${consistency}: ${written.length} writes by ${clients.length} clients, ${perSecond} requests a second; the longest took ${Math.round(longestWriteMs)} ms, the longest read ${Math.round(longestReadMs)} ms`,
    )
    if (consistency === 'eventual') await atRest(cluster.nodes)
    await waitFor(async () => (await copiesCounted(client)) === 2, {
      what: 'verify reads two copies of each file',
      timeoutMs: TIMEOUT_MS,
      pauseMs: 1_000,
    })
    await inParallel(written, async path => {
      const found = await read(client, path)
      if (found !== mixedBodyOf(path)) t.equal(found, mixedBodyOf(path), path)
    })
  })

/** Bytes that a check of the whole network reads, for each byte of its files. */
async function copiesCounted(client: Client): Promise<number> {
  const words = (await client.send('POST', '/verify')).body.toString().trim().split('\n')
  const last = JSON.parse(words.at(-1) ?? '') as { bytes: number; underReplicated: number; damaged: number }
  const headers = { accept: 'application/x-ndjson' }
  const files = (await client.send('GET', '/list', { headers })).body.toString().trim().split('\n')
  const bytes = files.reduce((sum, line) => sum + (JSON.parse(line) as { size: number }).size, 0)
  return last.bytes / bytes
}

t.test(
  'eventual with --conflicts newest: the newest is shown alone, and nothing asks to be settled',
  async t => {
    const cluster = await Cluster.start({
      nodes: 4,
      linked: true,
      flags: [...EVENTUAL, '--conflicts', 'newest'],
    })
    t.teardown(() => cluster.close())
    const [a, b] = [cluster.node(0).client, cluster.node(3).client]
    cutHalves(cluster, [0, 1])
    const paths = Array.from({ length: 10 }, (_, index) => `both/${index}`)
    for (const path of paths) {
      t.equal((await write(a, path, 'first')).status, 201)
      t.equal((await write(b, path, 'second')).status, 201)
    }
    cluster.links.restore()
    // One half may have gone on without the other in some ranges; until those are whole again it gives what it had.
    await cluster.replicated()
    await atRest(cluster.nodes)
    for (const { client, name } of cluster.nodes)
      for (const path of paths) {
        const reply = await client.send('GET', `/get/${path}`)
        t.equal(reply.body.toString(), 'second', `${path} at ${name}`)
        t.equal(reply.headers.conflicts, undefined)
        t.equal((await versionsAt(client, path)).length, 1)
      }
    for (const path of paths) t.equal((await write(a, path, 'third')).status, 200)
    await atRest(cluster.nodes)
    for (const { client } of cluster.nodes) {
      for (const path of paths) t.equal(await read(client, path), 'third')
      // Also at the node that keeps nothing of some of these paths any more, once it has handed over what it had.
      const isSettled = async () =>
        ((await statusOf(client)) as unknown as { conflicts: number }).conflicts === 0
      await waitFor(isSettled, { what: 'what was not shown is gone', timeoutMs: TIMEOUT_MS, pauseMs: 200 })
    }
  },
)

t.test('eventual: a disk that was restored is refused, and nothing that was removed comes back', async t => {
  const cluster = await Cluster.start({ nodes: 4, flags: EVENTUAL })
  t.teardown(() => cluster.close())
  const { client } = cluster.node(0)
  const addresses = cluster.nodes.map(({ address }) => address)
  const third = cluster.node(3) as ClusterNode
  const paths = Array.from({ length: 200 }, (_, index) => `old/${index}`)
  const theirs = paths.filter(path => replicasOf(path, addresses).includes(third.address))
  t.ok(theirs.length > 50, 'the node keeps many of them')
  await inParallel(paths, async path => t.equal((await write(client, path, path)).status, 201))
  await atRest(cluster.nodes)
  await cluster.stop(3)
  const copy = await cluster.copyDisk(3)
  // It goes on meanwhile, which the others remember.
  await cluster.restart(3)
  await atRest(cluster.nodes)
  await inParallel(paths.slice(0, 100), async path => {
    t.equal((await client.send('DELETE', `/remove/${path}`)).status, 204)
  })
  await atRest(cluster.nodes)
  await cluster.stop(3)
  const { code } = await cluster.startRestored(3, copy)
  t.equal(code, 1, 'the restored disk is refused')
  await cluster.restart(3)
  await atRest(cluster.nodes)
  const isForgotten = async () => {
    await client.send('POST', '/verify')
    const all = await Promise.all(cluster.nodes.map(node => statusOf(node.client)))
    return all.every(({ tombstones }) => tombstones === 0)
  }
  await waitFor(isForgotten, { what: 'the removals are forgotten', timeoutMs: TIMEOUT_MS, pauseMs: 1_000 })
  for (const { client, name } of cluster.nodes)
    for (const [index, path] of paths.entries())
      t.equal(await read(client, path), index < 100 ? undefined : path, `${path} at ${name}`)
})
