/**
 * Five nodes under load, one of which stands still again and again: what repair copies for it, and how long a range has fewer living
 * replicas than it should have. Half of the files are never written again; each has a body of its own size, so that the bytes that
 * were copied tell whether one of them was.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from './client.ts'
import { CLUSTER_TIMEOUT_MS, Cluster, type ClusterNode } from './cluster.ts'
import { waitFor } from './harness.ts'

export interface PausesOptions {
  readonly times: number
  /** How long a node stands still, ms. */
  readonly pauseMs: number
  /** Files that are written once, before everything else. */
  readonly files: number
  readonly say?: (line: string) => void
}

export interface PausesResult {
  readonly pauses: number
  /** Writes of the load that were answered while nodes were paused, and refused ones. */
  readonly written: number
  readonly refused: number
  /** Records and bytes of bodies that all nodes together copied: while each stood still for the first time, and after that. */
  readonly first: Copied
  readonly later: Copied
  /** Bodies of files that are never written again among `later.bytes`, at most: what one pause copied has room for so many. */
  readonly copiedAgain: number
  /** From a pause to three living replicas of every range, ms. */
  readonly fewer: { readonly longest: number; readonly median: number }
  /** From a pause until another node counts it as silent, ms. */
  readonly noticed: { readonly longest: number; readonly median: number }
}

export interface Copied {
  readonly records: number
  readonly bytes: number
}

/** A body that is written once: small enough to lie in its record, and larger than all that the load writes to one path. */
const KEPT_BYTES = 8 * 1024

/** Paths that the load writes again and again. */
const BUSY_PATHS = 40

/** Between two writes of the load at one node, ms. */
const THINK_MS = 100

/** After a pause, until the next: the node has caught up on what it missed. */
const REST_MS = 4_000

const LOOK_MS = 100

export async function runPauses(options: PausesOptions): Promise<PausesResult> {
  const say = options.say ?? (() => undefined)
  const cluster = await Cluster.start({ nodes: 5 })
  try {
    const { client } = cluster.node(0)
    for (let number = 0; number < options.files; number++) {
      const reply = await client.put(`kept/${number}`, Buffer.alloc(KEPT_BYTES, `${number} `))
      if (reply.status !== 201) throw new Error(`kept/${number}: ${reply.status}`)
    }
    say(`${options.files} files of ${KEPT_BYTES} bytes are stored`)
    return await run(cluster, options, say)
  } finally {
    await cluster.close()
  }
}

async function run(
  cluster: Cluster,
  options: PausesOptions,
  say: (line: string) => void,
): Promise<PausesResult> {
  const load = new PauseLoad(cluster.nodes)
  const fewer: number[] = []
  const noticed: number[] = []
  const begin = await copiedBy(cluster)
  let after = begin
  let before = begin
  let copiedAgain = 0
  for (let time = 0; time < options.times; time++) {
    const paused = cluster.node(time % cluster.nodes.length)
    const seen = await pause(cluster, paused, options.pauseMs)
    fewer.push(seen.fewerMs)
    noticed.push(seen.noticedMs)
    await delay(REST_MS)
    const copied = await copiedBy(cluster)
    if (time < cluster.nodes.length) after = copied
    else copiedAgain += bodiesIn(minus(copied, before))
    before = copied
    const words = `noticed after ${seen.noticedMs} ms, three replicas again after ${seen.fewerMs} ms`
    say(
      `pause ${time + 1} of ${paused.name}: ${words}, copied so far ${JSON.stringify(minus(copied, begin))}`,
    )
  }
  await load.end()
  await cluster.settled()
  const end = await copiedBy(cluster)
  copiedAgain += bodiesIn(minus(end, before))
  return {
    pauses: options.times,
    written: load.written,
    refused: load.refused,
    first: minus(after, begin),
    later: minus(end, after),
    copiedAgain,
    fewer: summary(fewer),
    noticed: summary(noticed),
  }
}

function bodiesIn({ bytes }: Copied): number {
  return Math.floor(bytes / KEPT_BYTES)
}

/** One pause, looked at through the node that follows the paused one. */
async function pause(
  cluster: Cluster,
  paused: ClusterNode,
  pauseMs: number,
): Promise<{ noticedMs: number; fewerMs: number }> {
  const others = cluster.nodes.filter(node => node !== paused)
  const { client } = others[cluster.nodes.indexOf(paused) % others.length] as ClusterNode
  const began = performance.now()
  const sinceMs = () => Math.round(performance.now() - began)
  paused.process.pause()
  try {
    await waitFor(() => isSuspect(client, paused.address), {
      what: `${paused.name} counts as silent`,
      timeoutMs: CLUSTER_TIMEOUT_MS,
      pauseMs: LOOK_MS,
    })
    const noticedMs = sinceMs()
    await waitFor(() => haveReplicas(client, paused.address), {
      what: 'every range has three living replicas',
      timeoutMs: CLUSTER_TIMEOUT_MS,
      pauseMs: LOOK_MS,
    })
    const fewerMs = sinceMs()
    await delay(Math.max(0, pauseMs - sinceMs()))
    return { noticedMs, fewerMs }
  } finally {
    paused.process.resume()
  }
}

async function isSuspect(client: Client, address: string): Promise<boolean> {
  const { nodes } = (await client.send('GET', '/network')).json() as {
    nodes: readonly { address: string; suspect?: boolean; status: string }[]
  }
  const node = nodes.find(one => one.address === address)
  return node === undefined || node.suspect === true || node.status !== 'alive'
}

async function haveReplicas(client: Client, without: string): Promise<boolean> {
  const reply = await client.send('GET', '/overlay')
  if (reply.status !== 200) return false
  const { ranges } = reply.json() as {
    ranges: readonly { replicas: readonly string[]; state: string }[]
  }
  return ranges.every(
    ({ replicas, state }) =>
      state === 'serving' && replicas.filter(address => address !== without).length >= 3,
  )
}

/** What all nodes have copied since they started. */
export async function copiedBy(cluster: Cluster): Promise<Copied> {
  const texts = await Promise.all(
    cluster.nodes.map(async ({ client }) => (await client.send('GET', '/metrics')).body.toString()),
  )
  const sum = (what: string) =>
    texts.reduce(
      (total, text) =>
        total + Number(new RegExp(`^altered_chord_copied_${what}_total (\\d+)$`, 'm').exec(text)?.[1]),
      0,
    )
  return { records: sum('records'), bytes: sum('bytes') }
}

function minus(a: Copied, b: Copied): Copied {
  return { records: a.records - b.records, bytes: a.bytes - b.bytes }
}

function summary(values: readonly number[]): { longest: number; median: number } {
  const sorted = [...values].sort((a, b) => a - b)
  return { longest: sorted.at(-1) ?? 0, median: sorted[sorted.length >> 1] ?? 0 }
}

/** Somebody at each node who writes small files, again and again at the same few paths. */
class PauseLoad {
  written = 0
  refused = 0
  #running = true
  readonly #ended: Promise<unknown>

  constructor(nodes: readonly ClusterNode[]) {
    this.#ended = Promise.all(nodes.map((node, index) => this.#write(node, index)))
  }

  async end(): Promise<void> {
    this.#running = false
    await this.#ended
  }

  async #write({ client }: ClusterNode, index: number): Promise<void> {
    for (let number = index; this.#running; number += 5) {
      const reply = await client
        .put(`busy/${number % BUSY_PATHS}`, `${number}`, { query: '?overwrite=true' })
        .catch(() => ({ status: 0 }))
      if (reply.status >= 200 && reply.status < 300) this.written++
      else this.refused++
      await delay(THINK_MS)
    }
  }
}
