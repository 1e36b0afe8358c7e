/**
 * A client that learns, at five processes: warm, it needs no step from node to node; a node that crashes, be it the one
 * that it was given, fails none of its requests, and no write happens twice.
 */
import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { StoreClient } from '../../src/client/client.ts'
import { CLUSTER_TIMEOUT_MS, Cluster } from './cluster.ts'
import { waitFor } from './harness.ts'

// Processes that start, settle and crash take their time on a machine that is shared.
t.setTimeout(600_000)

const FILES = 60
const LARGE_BYTES = 24 * 1024 * 1024

t.test('a learning client at five nodes', async t => {
  const cluster = await Cluster.start({ nodes: 5 })
  t.teardown(() => cluster.close())
  const url = `http://${cluster.node(0).address}`
  const client = new StoreClient({ node: url })
  t.teardown(() => client.close())
  for (let number = 0; number < FILES; number++) await client.put(`warm/${number}`, `bytes ${number}`)

  await t.test('warm, it goes straight to a replica', async t => {
    const plain = new StoreClient({ node: url, direct: false })
    t.ok((await hopsOf(plain)) > 0, 'the node that it was given does not keep everything')
    await plain.close()
    await waitFor(async () => (await hopsOf(client)) === 0, {
      what: 'no request takes a step from node to node',
      timeoutMs: CLUSTER_TIMEOUT_MS,
    })
    const visited = new Set<string>()
    for (let turn = 0; turn < 3; turn++) {
      for (let number = 0; number < FILES; number++) visited.add(await servedBy(client, number))
    }
    t.equal(visited.size, 5, 'reads are spread')
    const receipt = await client.put('warm/0', 'again', { overwrite: true })
    t.equal(receipt.chain[0], receipt.replicas[0], 'a write goes to the head')
  })

  await t.test('a read goes on when the node that sends it crashes', async t => {
    const large = Buffer.alloc(LARGE_BYTES, 'large ')
    await client.put('large', large)
    const { body, chain } = await client.get('large')
    const sender = cluster.nodes.findIndex(({ address }) => address === chain[0])
    const hash = createHash('sha256')
    let killed: Promise<unknown> | undefined
    for await (const chunk of body) {
      killed ??= cluster.kill(sender)
      await killed
      hash.update(chunk)
    }
    t.equal(hash.digest('hex'), createHash('sha256').update(large).digest('hex'))
    await cluster.restart(sender)
    await cluster.settled()
  })

  await t.test('a crash under load fails no request, and no write happens twice', async t => {
    const load = startLoad(client)
    t.teardown(() => load.end())
    await load.proceed(20)
    // The node that it was given.
    await cluster.kill(0)
    await load.proceed(20)
    const { written, failures, longestMs } = await load.end()
    t.comment(`${written} writes and as many reads, the longest ${Math.round(longestMs)} ms`)
    t.same(failures, [])
    const other = new StoreClient({ node: `http://${cluster.node(1).address}` })
    t.teardown(() => other.close())
    let listed = 0
    for await (const _file of other.list('load/')) listed++
    t.equal(listed, written)
  })
})

/** Steps from node to node of a read of every file. */
async function hopsOf(client: StoreClient): Promise<number> {
  let hops = 0
  for (let number = 0; number < FILES; number++) {
    const { chain, body } = await client.get(`warm/${number}`)
    for await (const _chunk of body);
    hops += chain.length - 1
  }
  return hops
}

async function servedBy(client: StoreClient, number: number): Promise<string> {
  const { chain, body } = await client.get(`warm/${number}`)
  for await (const _chunk of body);
  return chain[0] as string
}

/** Creates files, two at a time, and reads each back: a create that happened twice would be refused. */
function startLoad(client: StoreClient) {
  const failures: string[] = []
  let written = 0
  let longestMs = 0
  let running = true
  const one = async (worker: number) => {
    for (let number = 0; running; number++) {
      const path = `load/${worker}/${number}`
      const began = performance.now()
      try {
        await client.put(path, `bytes of ${path}`)
        const chunks: Uint8Array[] = []
        for await (const chunk of (await client.get(path)).body) chunks.push(chunk as Uint8Array)
        const text = Buffer.concat(chunks).toString()
        if (text !== `bytes of ${path}`) throw new Error(`it reads ${text}`)
        written++
      } catch (error) {
        failures.push(`${path}: ${String(error)}`)
      }
      longestMs = Math.max(longestMs, performance.now() - began)
      await delay(5)
    }
  }
  const workers = Promise.all([0, 1].map(one))
  return {
    /** Waits for that many more files. */
    proceed: (more: number) => {
      const goal = written + failures.length + more
      const what = `${more} more requests have ended`
      return waitFor(() => written + failures.length >= goal, { what, timeoutMs: 2 * CLUSTER_TIMEOUT_MS })
    },
    async end() {
      running = false
      await workers
      return { written, failures, longestMs }
    },
  }
}
