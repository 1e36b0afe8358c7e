/**
 * What users feel while a network changes, measured on real processes: each measure breaks or moves nodes under load
 * and gives rows of what was seen. Nothing is judged here but what must never be: an answered write that is gone.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { openClient } from './client.ts'
import { Cluster, type ClusterNode, peerRequestsOf, replicasOf } from './cluster.ts'
import { type MemoryShare, memoryShareOf, waitFor } from './harness.ts'
import { type LoadResult, startLoad } from './load.ts'

export interface Row {
  readonly what: string
  readonly value: string
}

export interface OperationsOptions {
  /** Small files that are stored before a node joins or departs. */
  readonly files: number
  /** Nodes of the measures `many` and `together`. */
  readonly nodes: number
  readonly say: (line: string) => void
}

export const OPERATIONS = { move, head, many, together, rolling, idle, crash } as const

/** Writes under way while a network is filled. */
const FILLERS = 64

/** Longest wait for a network of many nodes or files, ms. */
const LONG_MS = 30 * 60 * 1000

/** How long an idle network is listened to, ms. */
const IDLE_MS = 60_000

const ms = (value: number) => `${Math.round(value)} ms`

/** A node joins and one departs, with so many files stored. */
async function move({ files, say }: OperationsOptions): Promise<Row[]> {
  const cluster = await Cluster.start({ nodes: 1 })
  try {
    // A network of one takes files fastest; those that join then copy them.
    const fillMs = await fill(cluster.node(0), files)
    say(`${files} files stored in ${ms(fillMs)}`)
    for (let count = 0; count < 2; count++) await cluster.add()
    await cluster.settled(LONG_MS)
    say('three nodes keep them')
    const joining = startLoad(addressesOf(cluster), 'while joining')
    const began = performance.now()
    const added = await cluster.add()
    await cluster.replicated(LONG_MS)
    const joinMs = performance.now() - began
    const joined = await joining.end()
    say('a fourth has joined')
    const others = addressesOf(cluster).filter(address => address !== added.address)
    const departing = startLoad(others, 'while departing')
    const left = performance.now()
    const reply = await added.client.send('POST', '/depart')
    if (reply.status !== 200) throw new Error(`depart: ${reply.status} ${reply.body}`)
    const departMs = performance.now() - left
    const departed = await departing.end()
    return [
      { what: 'files stored, 100 bytes each', value: `${files}` },
      { what: 'a fourth node joins, until every range has its replicas', value: ms(joinMs) },
      ...rowsOf('while it joins', joined),
      { what: 'it departs, until it has handed over everything', value: ms(departMs) },
      ...rowsOf('while it departs', departed),
    ]
  } finally {
    await cluster.close()
  }
}

/** The head of ranges crashes, refusing or silent, while clients write. */
async function head({ say }: OperationsOptions): Promise<Row[]> {
  const cluster = await Cluster.start({ nodes: 5 })
  try {
    const rows: Row[] = []
    for (const how of ['refused', 'silent'] as const) {
      const first: number[] = []
      const all: number[] = []
      for (let round = 0; round < 3; round++) {
        const gone = round
        const { address, process } = cluster.node(gone)
        const others = cluster.nodes.filter(node => node.address !== address)
        const paths = pathsOf(address, cluster, 8)
        for (const path of paths) await overwrite(others[0] as ClusterNode, path)
        const load = startLoad(
          others.map(node => node.address),
          `head/${how}/${round}`,
        )
        await delay(1_000)
        if (how === 'refused') await cluster.kill(gone)
        else process.pause()
        const began = performance.now()
        const times = await Promise.all(
          paths.map(async (path, index) => {
            const entry = others[index % others.length] as ClusterNode
            await waitFor(() => overwrite(entry, path), {
              what: `${path} takes writes again`,
              timeoutMs: 120_000,
              pauseMs: 10,
            })
            return performance.now() - began
          }),
        )
        await load.end()
        first.push(Math.min(...times))
        all.push(Math.max(...times))
        if (how === 'refused') await cluster.restart(gone)
        else process.resume()
        await cluster.settled()
        say(`${how}: ${times.map(ms).join(', ')}`)
      }
      rows.push({
        what: `head ${how}: writes to one of its ranges succeed again after`,
        value: first.map(ms).join(', '),
      })
      rows.push({ what: `head ${how}: writes to eight of its paths after`, value: all.map(ms).join(', ') })
    }
    return rows
  } finally {
    await cluster.close()
  }
}

/** Many nodes on one machine: they start one after the other, find each other, answer; what idle ones hold and say. */
async function many({ nodes, say }: OperationsOptions): Promise<Row[]> {
  const began = performance.now()
  const cluster = await Cluster.start({ nodes: 1 })
  try {
    while (cluster.nodes.length < nodes) {
      await cluster.add()
      if (cluster.nodes.length % 5 === 0) say(`${cluster.nodes.length} nodes`)
    }
    await cluster.settled(LONG_MS)
    const what = `${nodes} nodes started one after the other, every range with its replicas`
    const started = { what, value: ms(performance.now() - began) }
    await assertAnswering(cluster)
    const hops = { what: 'mean hops of a lookup, by lookups per node so far', value: await hopsOf(cluster) }
    await cluster.quiet(LONG_MS)
    return [started, hops, ...(await memoryRows(cluster)), await silenceRow(cluster, say)]
  } finally {
    await cluster.close()
  }
}

/** As many nodes, all but the first started at the same moment. */
async function together({ nodes, say }: OperationsOptions): Promise<Row[]> {
  const cluster = await Cluster.start({ nodes: 1 })
  try {
    const began = performance.now()
    await cluster.addTogether(nodes - 1, LONG_MS)
    const readyMs = performance.now() - began
    say('all are ready')
    await cluster.settled(LONG_MS)
    const settledMs = performance.now() - began
    await assertAnswering(cluster)
    return [
      { what: `${nodes - 1} nodes started at the same moment beside one: all are ready`, value: ms(readyMs) },
      { what: 'the same: every range with its replicas', value: ms(settledMs) },
    ]
  } finally {
    await cluster.close()
  }
}

/** @throws Error when what one node was given is not there at another. */
async function assertAnswering({ nodes }: Cluster): Promise<void> {
  for (const [index, node] of nodes.entries()) {
    const reply = await node.client.put(`many/${index}`, `bytes ${index}`)
    if (reply.status !== 201) throw new Error(`${node.name}: ${reply.status} ${reply.body}`)
    const reader = nodes[(index * 7 + 3) % nodes.length] as ClusterNode
    const got = await reader.client.send('GET', `/get/many/${index}`)
    if (got.body.toString() !== `bytes ${index}`)
      throw new Error(`${reader.name} gave ${got.status} ${got.body}`)
  }
}

async function memoryRows({ nodes }: Cluster): Promise<Row[]> {
  const shares = await Promise.all(nodes.map(({ process }) => memoryShareOf(process.pid)))
  const row = (name: string, bytesOf: (share: MemoryShare) => number): Row => {
    const sorted = shares.map(share => bytesOf(share) / 2 ** 20).sort((a, b) => a - b)
    const [least, middle, most] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)].map(one =>
      one?.toFixed(0),
    )
    return {
      what: `${name} of an idle node: median (least, most)`,
      value: `${middle} MiB (${least}, ${most})`,
    }
  }
  return [
    row('anonymous memory', ({ anonymous }) => anonymous),
    row('memory with its part of what is shared (PSS)', ({ proportional }) => proportional),
    row('memory with all that is shared (RSS)', ({ resident }) => resident),
  ]
}

/** What nodes say to each other when nobody asks them anything. */
async function silenceRow({ nodes }: Cluster, say: OperationsOptions['say']): Promise<Row> {
  const before = await Promise.all(nodes.map(({ client }) => peerRequestsOf(client)))
  say(`silent for ${ms(IDLE_MS)}`)
  await delay(IDLE_MS)
  const after = await Promise.all(nodes.map(({ client }) => peerRequestsOf(client)))
  const heard = after.map((count, index) => count - (before[index] as number))
  return {
    what: `requests of other nodes in ${ms(IDLE_MS)}, at each of ${nodes.length}`,
    value: heard.join(', '),
  }
}

/** Mean hops of rounds of lookups, each round one lookup of another key at every node. */
async function hopsOf(cluster: Cluster): Promise<string> {
  const rounds: string[] = []
  for (let round = 1; round <= 10; round++) {
    let hops = 0
    for (const [index, { client }] of cluster.nodes.entries()) {
      const reply = await client.send('GET', `/lookup/hops/${round}/${index}`)
      hops += (reply.json() as { hops: number }).hops
    }
    const mean = hops / cluster.nodes.length
    if (round === 1 || round === 3 || round === 10) rounds.push(`${round}: ${mean.toFixed(2)}`)
  }
  return rounds.join(', ')
}

/** Five nodes are stopped and started again, one by one. */
async function rolling({ say }: OperationsOptions): Promise<Row[]> {
  const cluster = await Cluster.start({ nodes: 5 })
  try {
    const load = startLoad(addressesOf(cluster), 'rolling')
    await load.underWay()
    for (const index of cluster.nodes.keys()) {
      await cluster.stop(index)
      await cluster.restart(index)
      say(`node ${index} is back`)
    }
    const result = await load.end()
    for (const failure of new Set(result.failures)) say(failure)
    await cluster.settled()
    await assertThere(cluster, 'rolling', result)
    return rowsOf('five nodes restarted one by one', result)
  } finally {
    await cluster.close()
  }
}

/** What five nodes say to each other when nobody asks them anything. */
async function idle({ say }: OperationsOptions): Promise<Row[]> {
  const cluster = await Cluster.start({ nodes: 5 })
  try {
    return [await silenceRow(cluster, say)]
  } finally {
    await cluster.close()
  }
}

/** All nodes are killed at once under load, and come back in another order. */
async function crash({ say }: OperationsOptions): Promise<Row[]> {
  const cluster = await Cluster.start({ nodes: 5 })
  try {
    const load = startLoad(addressesOf(cluster), 'crash')
    await load.underWay()
    await Promise.all(cluster.nodes.map((_, index) => cluster.kill(index)))
    say('all are gone')
    const began = performance.now()
    for (const index of [3, 0, 4, 2, 1]) await cluster.restart(index)
    const startMs = performance.now() - began
    const result = await load.end()
    await cluster.settled()
    await assertThere(cluster, 'crash', result)
    return [
      { what: 'five killed at once, until all have started again', value: ms(startMs) },
      { what: 'answered writes, all of them there', value: `${result.written.length}` },
      { what: 'requests that failed meanwhile', value: `${result.failures.length}` },
    ]
  } finally {
    await cluster.close()
  }
}

function rowsOf(when: string, { written, failures, longestWriteMs, longestReadMs }: LoadResult): Row[] {
  return [
    { what: `${when}: writes, and as many reads (failed)`, value: `${written.length} (${failures.length})` },
    { what: `${when}: longest write, longest read`, value: `${ms(longestWriteMs)}, ${ms(longestReadMs)}` },
  ]
}

/** Paths whose range has a certain head, each of another key. */
function pathsOf(address: string, cluster: Cluster, count: number): string[] {
  const paths: string[] = []
  for (let number = 0; paths.length < count; number++) {
    const path = `head/of/${address}/${number}`
    if (replicasOf(path, addressesOf(cluster))[0] === address) paths.push(path)
  }
  return paths
}

async function overwrite({ client }: ClusterNode, path: string): Promise<boolean> {
  return (await client.put(path, 'again', { query: '?overwrite=true' })).status < 300
}

/** @returns how long it took, ms. */
async function fill({ address }: ClusterNode, files: number): Promise<number> {
  const began = performance.now()
  const client = openClient(`http://${address}`)
  let next = 0
  const one = async () => {
    while (next < files) {
      const number = next++
      const reply = await client.put(`stored/${number}`, Buffer.alloc(100, String(number)))
      if (reply.status !== 201) throw new Error(`stored/${number}: ${reply.status} ${reply.body}`)
    }
  }
  await Promise.all(Array.from({ length: FILLERS }, one))
  await client.close()
  return performance.now() - began
}

/** @throws Error when a write that was answered is gone. */
async function assertThere(cluster: Cluster, folder: string, { written }: LoadResult): Promise<void> {
  for (const { name, client } of cluster.nodes) {
    const listed = new Set((await client.list(folder)).map(({ path }) => path))
    const lost = written.filter(path => !listed.has(path))
    if (lost.length > 0) throw new Error(`${name} lacks ${lost.length} answered writes, such as ${lost[0]}`)
  }
}

function addressesOf(cluster: Cluster): string[] {
  return cluster.nodes.map(({ address }) => address)
}
