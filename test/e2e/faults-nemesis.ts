/**
 * What is done to a network in a run of faults: a plan that follows from the seed alone, and the faults themselves.
 * One fault after the other, each healed before the next: never more is away at once than five nodes with k = 3 bear.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { SeededRandom } from '../../src/lab/simulator/seeded-random.ts'
import type { Client } from './client.ts'
import { CLUSTER_TIMEOUT_MS, type Cluster } from './cluster.ts'
import type { ForcedRanges, RecoveredRange } from './faults-eras.ts'
import { waitFor } from './harness.ts'
import type { Cut } from './links.ts'
import type { SmallDisk } from './small-disk.ts'

export const FAULT_KINDS = [
  'kill',
  'kill two',
  'kill all',
  'pause',
  'wipe',
  'cut',
  'isolate',
  'full disk',
  'copied disk',
  'restored disk',
  'force',
] as const

export type FaultKind = (typeof FAULT_KINDS)[number]

/** One fault as it was planned. */
export interface Fault {
  readonly kind: FaultKind
  /** Before it, ms after the end of the one before. */
  readonly afterMs: number
  /** From the fault to its healing, ms. */
  readonly lastsMs: number
  /** All nodes in some order; a fault takes as many as it needs from the front. */
  readonly nodes: readonly number[]
  /** Of links. */
  readonly how: Cut
  readonly bothWays: boolean
}

/** How long a fault of each kind lasts, ms. */
const LASTS_MS: Readonly<Record<FaultKind, readonly [min: number, max: number]>> = {
  kill: [0, 4_000],
  'kill two': [0, 4_000],
  'kill all': [0, 0],
  pause: [5_000, 30_000],
  wipe: [0, 2_000],
  cut: [2_000, 12_000],
  isolate: [2_000, 12_000],
  'full disk': [2_000, 8_000],
  'copied disk': [0, 2_000],
  'restored disk': [0, 4_000],
  force: [4_000, 12_000],
}

/** What does not fit on a full disk, bytes. */
const TOO_MUCH_BYTES = 4 * 1024 * 1024

export interface PlanInit {
  readonly kinds: readonly FaultKind[]
  readonly nodes: number
  /** No fault lasts longer, ms. */
  readonly lastsMsMax: number
}

/** What may happen to two parts of a network at once: each takes back what it did itself, and needs no whole network for it. */
export const OVERLAPPING_KINDS: readonly FaultKind[] = ['kill', 'pause', 'cut', 'isolate']

/** Faults without end. Each kind comes once before any comes again. */
export function* planOf(random: SeededRandom, { kinds, nodes, lastsMsMax }: PlanInit): Generator<Fault> {
  for (;;) {
    for (const kind of random.shuffle(kinds)) {
      const [min, max] = LASTS_MS[kind].map(ms => Math.min(ms, lastsMsMax)) as [number, number]
      yield {
        kind,
        afterMs: random.int(500, 2_000),
        lastsMs: random.int(min, max),
        nodes: random.shuffle(Array.from({ length: nodes }, (_, index) => index)),
        how: random.pick(['refuse', 'silence']),
        bothWays: random.int(0, 1) === 1,
      }
    }
  }
}

/** What faults are done to. */
export interface Target {
  readonly cluster: Cluster
  /** The disk of one node, where small disks can be mounted. */
  readonly small: { readonly node: number; readonly disk: SmallDisk } | undefined
  /** What recoveries by force make of the histories. */
  readonly forced: ForcedRanges
}

/** A fault as a line for people. */
export function describeFault({ kind, nodes, how, bothWays, lastsMs }: Fault): string {
  const [first, second] = nodes
  const words = {
    kill: `kill node ${first}`,
    'kill two': `kill nodes ${first} and ${second}`,
    'kill all': `kill all, restart ${nodes.join(', ')}`,
    pause: `pause node ${first}`,
    wipe: `wipe node ${first}`,
    cut: `cut ${first} ${bothWays ? 'and' : 'to'} ${second}, ${how}`,
    isolate: `isolate node ${first} ${bothWays ? 'both ways' : 'from asking'}, ${how}`,
    'full disk': 'fill the small disk',
    'copied disk': `start a copy of the disk of node ${first} beside it`,
    'restored disk': `start node ${first} on an older copy of its disk`,
    force: `cut off nodes ${first} and ${second}, recover by force there`,
  }[kind]
  return `${words}, ${(lastsMs / 1000).toFixed(1)} s`
}

/** Does one fault and takes it back. True when it was seen to act. */
export function suffer(target: Target, fault: Fault): Promise<boolean> {
  return FAULTS[fault.kind](target, fault)
}

type Act = (target: Target, fault: Fault) => Promise<boolean>

const FAULTS: Readonly<Record<FaultKind, Act>> = {
  kill: (target, fault) => killSome(target, fault, 1),
  'kill two': (target, fault) => killSome(target, fault, 2),
  'kill all': (target, fault) => killSome(target, fault, fault.nodes.length),
  async pause({ cluster }, { nodes, lastsMs }) {
    const { process } = cluster.node(nodes[0] as number)
    process.pause()
    const stood = await isStopped(process.pid)
    await delay(lastsMs)
    process.resume()
    return stood
  },
  /** The disk is lost for good, so what it held must be on the others before: the network is whole when it happens. */
  async wipe({ cluster }, { nodes: [node = 0], lastsMs }) {
    await cluster.replicated()
    await cluster.kill(node)
    await delay(lastsMs)
    await cluster.restartWiped(node)
    await cluster.replicated()
    return true
  },
  async cut({ cluster }, { nodes: [first = 0, second = 1], how, bothWays, lastsMs }) {
    const [from, to] = [cluster.node(first).address, cluster.node(second).address]
    return cutWhile(
      cluster,
      lastsMs,
      how,
      bothWays
        ? [
            [from, to],
            [to, from],
          ]
        : [[from, to]],
    )
  },
  async isolate({ cluster }, { nodes: [node = 0], how, bothWays, lastsMs }) {
    const { address } = cluster.node(node)
    const others = cluster.nodes.map(other => other.address).filter(other => other !== address)
    const away = others.map(other => [address, other] as const)
    const back = others.map(other => [other, address] as const)
    return cutWhile(cluster, lastsMs, how, bothWays ? [...away, ...back] : away)
  },
  async 'full disk'({ cluster, small }, { lastsMs }) {
    if (small === undefined) return false
    await small.disk.fill()
    const healed = delay(lastsMs)
    // Larger than what may still be free within the index.
    const reply = await cluster
      .node(small.node)
      .client.put('settled/too much', Buffer.alloc(TOO_MUCH_BYTES), { query: '?overwrite=true' })
    await healed
    await small.disk.clear()
    // It is refused, or the trash makes room for it.
    return reply.status === 507 || cluster.output().includes('the disk is full')
  },
  /** Two disks of one name: the second one ends, and the first one goes on. */
  async 'copied disk'({ cluster }, { nodes: [node = 0], lastsMs }) {
    await cluster.kill(node)
    const copy = await cluster.copyDisk(node)
    await cluster.restart(node)
    // The others know the start of the original before its copy speaks to them.
    await cluster.replicated()
    await delay(lastsMs)
    const exit = await cluster.startCopy(node, copy)
    return exit.code !== 0
  },
  /** A disk that forgot promises and writes ends, and a new disk takes its place. */
  async 'restored disk'({ cluster }, { nodes: [node = 0], lastsMs }) {
    await cluster.kill(node)
    const copy = await cluster.copyDisk(node)
    await cluster.restart(node)
    await cluster.replicated()
    await delay(lastsMs)
    await cluster.replicated()
    await cluster.kill(node)
    const exit = await cluster.startRestored(node, copy)
    await cluster.restartWiped(node)
    await cluster.replicated()
    return exit.code !== 0
  },
  /**
   * Two of five nodes are cut off, and an operator recovers by force there, although the others go on. Those writes of
   * theirs are lost; nothing else is.
   */
  async force({ cluster, forced }, { nodes, how, lastsMs }) {
    const [first = 0, second = 1] = nodes
    const near = [first, second].map(node => cluster.node(node).address)
    const far = cluster.nodes.map(({ address }) => address).filter(address => !near.includes(address))
    forced.begin()
    for (const a of near) {
      for (const b of far) {
        cluster.links.cut(a, b, how)
        cluster.links.cut(b, a, how)
      }
    }
    const ranges = await recoverByForce(cluster.node(first).client)
    await delay(lastsMs)
    cluster.links.restore()
    await cluster.replicated()
    await waitFor(() => everybodyKnows(cluster, ranges), {
      what: 'every node knows of the recovery',
      timeoutMs: CLUSTER_TIMEOUT_MS,
      pauseMs: 200,
    })
    forced.end(ranges)
    return ranges.length > 0
  },
}

/** The ranges that a node has recovered, once it has seen that others are away. */
async function recoverByForce(client: Client): Promise<readonly RecoveredRange[]> {
  const headers = { 'content-type': 'application/json' }
  let recovered: readonly RecoveredRange[] = []
  const hasRecovered = async () => {
    const plan = (await client.send('POST', '/recover')).json() as { plan?: string; ranges?: unknown[] }
    if (plan.plan === undefined || plan.ranges?.length === 0) return false
    const body = JSON.stringify({ force: plan.plan })
    const reply = await client.send('POST', '/recover', { headers, body })
    if (reply.status !== 200) return false
    recovered = (reply.json() as { recovered: readonly RecoveredRange[] }).recovered
    return true
  }
  await waitFor(hasRecovered, {
    what: 'ranges are recovered by force',
    timeoutMs: CLUSTER_TIMEOUT_MS,
    pauseMs: 500,
  })
  return recovered
}

async function everybodyKnows(cluster: Cluster, ranges: readonly RecoveredRange[]): Promise<boolean> {
  for (const { client } of cluster.running) {
    const { recoveries } = (await client.send('GET', '/status')).json() as { recoveries: RecoveredRange[] }
    const knows = ({ hi, epoch }: RecoveredRange) =>
      recoveries.some(known => known.hi === hi && known.epoch >= epoch)
    if (!ranges.every(knows)) return false
  }
  return true
}

async function killSome({ cluster }: Target, { nodes, lastsMs }: Fault, count: number): Promise<boolean> {
  const killed = nodes.slice(0, count)
  const exits = await Promise.all(killed.map(node => cluster.kill(node)))
  await delay(lastsMs)
  for (const node of killed.reverse()) await cluster.restart(node)
  return exits.every(({ signal }) => signal === 'SIGKILL')
}

/** Cuts those links that nobody else has cut, and makes them whole again. */
async function cutWhile(
  { links }: Cluster,
  lastsMs: number,
  how: Cut,
  pairs: readonly (readonly [from: string, to: string])[],
): Promise<boolean> {
  const before = links.blocked
  const cut = pairs.filter(([from, to]) => links.isOpen(from, to))
  for (const [from, to] of cut) links.cut(from, to, how)
  await delay(lastsMs)
  for (const [from, to] of cut) links.mend(from, to)
  return links.blocked > before
}

/** True when the system says that the process is stopped; where it does not say so of processes, true. */
async function isStopped(pid: number): Promise<boolean> {
  const state = async () => /^State:\s+(\w)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]
  if ((await state().catch(() => undefined)) === undefined) return true
  await waitFor(async () => (await state()) === 'T', { what: 'the process is stopped' })
  return true
}
