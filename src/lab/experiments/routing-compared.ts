/**
 * Ways of routing side by side, in simulated networks of the same sizes, with the same seeds and the same churn: what a lookup takes, what a node
 * remembers, and what it costs when nobody asks for anything.
 */
import { SeededRandom } from '../simulator/seeded-random.ts'
import { SimulatedChord } from './simulated-chord.ts'
import { type SimulatedLookup, SimulatedRing } from './simulated-ring.ts'

export const SYSTEMS = ['path learning', 'Kelips', 'Chord'] as const
export type System = (typeof SYSTEMS)[number]

export interface RoutingScenario {
  readonly system: System
  readonly nodes: number
  readonly seed: number
  /** Mean lifetime of a node, exponentially distributed; who crashes is replaced by a new node. Undefined: no churn. */
  readonly lifetimeSeconds: number | undefined
  /** Seconds before anything is measured, and in which it is. Each node starts one lookup a second, on average. */
  readonly warmSeconds: number
  readonly measuredSeconds: number
}

export interface RoutingFigure {
  /** Messages from node to node of a lookup that succeeds, those to nodes that are gone included. */
  readonly hops: number
  /** Share of the lookups that end at the owner of the key. */
  readonly success: number
  /** Messages to nodes that are gone, a lookup. */
  readonly timeouts: number
  /** Nodes that a node remembers, itself among them. */
  readonly remembered: number
  /** Share of them that are gone. */
  readonly stale: number
  /** Of a node in a second: what lookups carry besides their question and its answer. */
  readonly carriedBytes: number
  /** Of a node in a second: all messages that no lookup of a client needs, joins among them. */
  readonly backgroundBytes: number
}

/** What a network has to be able to do for this. */
interface Network {
  nowMs: number
  readonly aliveCount: number
  join(): Promise<void>
  crash(): void
  lookup(): Promise<SimulatedLookup>
  /** Does what is due by now. */
  pass(): void
  readonly memory: { readonly entries: number; readonly stale: number }
  /** Bytes so far. */
  readonly cost: { readonly carried: number; readonly background: number }
}

/** Chord's list of successors has O(log N) nodes: 2 log2 N is what its authors simulate. */
const CHORD_STABILIZE_MS = 30_000

/** Nodes that a node tells in each second: the default of gossip. */
const GOSSIP_FAN_OUT = 2

/** While a network grows there is a round of gossip for each growth by this, as a logarithm. */
const GROWTH = Math.log(1.1)

/** Maps that are looked into to judge all of them. */
const MAP_SAMPLE = 50

/** A network is moved on in steps of this, ms. */
const STEP_MS = 1_000

/** @param onSecond called after each second of the network. */
export async function runRouting(
  scenario: RoutingScenario,
  onSecond: () => Promise<void> = async () => {},
): Promise<RoutingFigure> {
  const { nodes, seed, lifetimeSeconds, warmSeconds, measuredSeconds } = scenario
  const random = new SeededRandom(seed)
  const network = await networkOf(scenario, random.fork('network'))
  const churn = random.fork('churn')
  const total = { lookups: 0, found: 0, hops: 0, failed: 0 }
  const crashes = lifetimeSeconds === undefined ? 0 : nodes / lifetimeSeconds
  let due = 0
  let before = network.cost
  for (let second = 0; second < warmSeconds + measuredSeconds; second++) {
    if (second === warmSeconds) before = network.cost
    due += crashes
    for (let lookup = 0; lookup < nodes; lookup++) {
      network.nowMs = second * STEP_MS + (lookup * STEP_MS) / nodes
      // Evenly drawn within the second.
      while (due >= 1 || (due > 0 && lookup === nodes - 1 && churn.fraction() < due)) {
        network.crash()
        await network.join()
        due = Math.max(0, due - 1)
      }
      const { hops, failed, lost } = await network.lookup()
      if (second < warmSeconds) continue
      total.lookups++
      total.failed += failed
      if (lost) continue
      total.found++
      total.hops += hops
    }
    network.pass()
    await onSecond()
  }
  const { carried, background } = network.cost
  const perSecond = nodes * measuredSeconds
  const { entries, stale } = network.memory
  return {
    hops: total.hops / total.found,
    success: total.found / total.lookups,
    timeouts: total.failed / total.lookups,
    remembered: entries,
    stale,
    carriedBytes: (carried - before.carried) / perSecond,
    backgroundBytes: (background - before.background) / perSecond,
  }
}

/** Nodes that a run needs in all: crashes are drawn one by one, so that their number is known. */
function membersMax({ nodes, lifetimeSeconds, warmSeconds, measuredSeconds }: RoutingScenario): number {
  const crashes =
    lifetimeSeconds === undefined ? 0 : (nodes * (warmSeconds + measuredSeconds)) / lifetimeSeconds
  return Math.ceil(nodes + 2 * crashes + 2)
}

async function networkOf(scenario: RoutingScenario, random: SeededRandom): Promise<Network> {
  switch (scenario.system) {
    case 'Chord':
      return chordOf(scenario, random)
    case 'path learning':
    case 'Kelips':
      return ringOf(scenario, random)
  }
}

async function ringOf(scenario: RoutingScenario, random: SeededRandom): Promise<Network> {
  const ring = new SimulatedRing(
    { random },
    {
      ...{ mode: 'path', virtualNodes: 1, replicas: 3, answering: 1, wholeMap: true },
      kelips: scenario.system === 'Kelips',
      membersMax: membersMax(scenario),
    },
  )
  const isKelips = scenario.system === 'Kelips'
  for (let joined = 0; joined < scenario.nodes; joined++) {
    await ring.join()
    // As many rounds of gossip as there would be in a network that grows by a tenth in each.
    if (
      isKelips &&
      joined > 0 &&
      Math.floor(Math.log(joined) / GROWTH) > Math.floor(Math.log(joined - 1) / GROWTH)
    )
      ring.gossip(GOSSIP_FAN_OUT)
  }
  return {
    get nowMs() {
      return ring.nowMs
    },
    set nowMs(value: number) {
      ring.nowMs = value
    },
    get aliveCount() {
      return ring.aliveCount
    },
    join: () => ring.join(),
    crash: () => ring.crash(),
    lookup: () => ring.lookup(),
    pass: () => {
      if (isKelips) ring.gossip(GOSSIP_FAN_OUT)
    },
    get memory() {
      return ring.mapQuality(MAP_SAMPLE)
    },
    get cost() {
      return {
        carried: ring.traffic.piggybackBytes,
        background: ring.traffic.wholeMapBytes + ring.traffic.gossipBytes,
      }
    },
  }
}

function chordOf({ nodes }: RoutingScenario, random: SeededRandom): Network {
  const successors = Math.ceil(2 * Math.log2(nodes))
  const chord = new SimulatedChord({ random }, { successors, stabilizeMs: CHORD_STABILIZE_MS })
  chord.found(nodes)
  return {
    get nowMs() {
      return chord.nowMs
    },
    set nowMs(value: number) {
      chord.nowMs = value
    },
    get aliveCount() {
      return chord.aliveCount
    },
    join: async () => chord.join(),
    crash: () => chord.crash(),
    lookup: async () => chord.lookup(),
    pass: () => chord.pass(),
    get memory() {
      return chord.memory
    },
    get cost() {
      return { carried: 0, background: chord.traffic.backgroundBytes }
    },
  }
}
