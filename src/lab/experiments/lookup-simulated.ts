/**
 * The experiment on lookups in simulated networks: how many hops a lookup takes, how stale maps are and what the
 * teaching costs, depending on how many lookups the network has seen.
 */
import { SeededRandom } from '../simulator/seeded-random.ts'
import { type Estimate, estimateOf } from './estimate.ts'
import { SimulatedRing, type SimulatedRingInit, type Traffic } from './simulated-ring.ts'

/** One network that is measured at several moments. */
export interface LookupScenario
  extends Pick<SimulatedRingInit, 'mode' | 'virtualNodes' | 'replicas' | 'answering' | 'wholeMap'> {
  readonly nodes: number
  /** Mean lifetime of a node, exponentially distributed; who crashes is replaced by a new node. Undefined: no churn. */
  readonly lifetimeSeconds: number | undefined
  /** When to measure: lookups that each node has started so far, on average, rising. One a second and node. */
  readonly moments: readonly number[]
}

/** What was measured around one moment of one network, or of several small ones together. */
export interface LookupMeasurement {
  readonly hops: number
  /** Messages to nodes that could not be reached, a lookup. */
  readonly timeouts: number
  /** Share of the lookups that found no way. They are in no other figure. */
  readonly lost: number
  readonly stale: number
  readonly known: number
  /** Entries of all maps together, a network. */
  readonly entries: number
  readonly bytesPerMessage: number
  readonly recordsPerMessage: number
  /** Bytes of maps exchanged for one join. */
  readonly bytesPerJoin: number
}

/** The measurements of all seeds at one moment. */
export interface LookupFigure {
  readonly scenario: LookupScenario
  readonly moment: number
  readonly of: { readonly [name in keyof LookupMeasurement]: Estimate }
}

/** Networks of few nodes are repeated within a seed until about this many nodes were simulated. */
const NODES_PER_SEED = 1000

/** Maps that are looked into to judge all of them. */
const MAP_SAMPLE = 100

/** The measurements of a scenario at each of its moments, by seeds, as one figure a moment. */
export function figuresOf(
  scenario: LookupScenario,
  bySeed: readonly (readonly LookupMeasurement[])[],
): LookupFigure[] {
  return scenario.moments.map((moment, index) => {
    const at = bySeed.map(measurements => measurements[index] as LookupMeasurement)
    const estimate = (name: keyof LookupMeasurement) => estimateOf(at.map(measurement => measurement[name]))
    return {
      scenario,
      moment,
      of: {
        hops: estimate('hops'),
        timeouts: estimate('timeouts'),
        lost: estimate('lost'),
        stale: estimate('stale'),
        known: estimate('known'),
        entries: estimate('entries'),
        bytesPerMessage: estimate('bytesPerMessage'),
        recordsPerMessage: estimate('recordsPerMessage'),
        bytesPerJoin: estimate('bytesPerJoin'),
      },
    }
  })
}

/** Lookups that a scenario makes for one seed. */
export function lookupsPerSeed(scenario: LookupScenario): number {
  const { nodes, moments } = scenario
  return networksPerSeed(nodes) * Math.ceil(windowOf(moments.at(-1) as number).to * nodes)
}

function networksPerSeed(nodes: number): number {
  return Math.ceil(NODES_PER_SEED / nodes)
}

/** Around a moment, the lookups that count for it: enough to average over, few enough that the maps hardly change. */
function windowOf(moment: number): { from: number; to: number } {
  const half = Math.max(0.5, moment / 20)
  return { from: Math.max(0, moment - half), to: moment + half }
}

/**
 * Runs a scenario for one seed: the same seed gives the same measurements, one for each moment.
 * @param onLookups called now and then with the lookups done since the last time.
 */
export async function measureSeed(
  scenario: LookupScenario,
  seed: number,
  onLookups: (count: number) => void = () => {},
): Promise<LookupMeasurement[]> {
  const random = new SeededRandom(seed)
  const networks: LookupMeasurement[][] = []
  for (let index = 0; index < networksPerSeed(scenario.nodes); index++)
    networks.push(await measureNetwork(scenario, random.fork(`network ${index}`), onLookups))
  return scenario.moments.map((_, moment) =>
    average(networks.map(network => network[moment] as LookupMeasurement)),
  )
}

async function measureNetwork(
  scenario: LookupScenario,
  random: SeededRandom,
  onLookups: (count: number) => void,
): Promise<LookupMeasurement[]> {
  const { nodes, moments, lifetimeSeconds } = scenario
  const end = windowOf(moments.at(-1) as number).to
  const replaced = lifetimeSeconds === undefined ? 0 : (nodes * end) / lifetimeSeconds
  // Six standard deviations of a Poisson number above its mean.
  const membersMax = Math.ceil(nodes + replaced + 6 * Math.sqrt(replaced) + 1)
  const ring = new SimulatedRing({ random: random.fork('ring') }, { ...scenario, membersMax })
  for (let joined = 0; joined < nodes; joined++) await ring.join()
  const bytesPerJoin = ring.traffic.wholeMapBytes / nodes
  const churn = new Churn(
    random.fork('churn'),
    lifetimeSeconds === undefined ? undefined : (lifetimeSeconds * 1000) / nodes,
  )
  const measurements: LookupMeasurement[] = []
  let done = 0
  const run = async (until: number) => {
    const total = { lookups: 0, hops: 0, failed: 0, lost: 0 }
    for (; done < until * nodes; done++) {
      ring.nowMs = (done * 1000) / nodes
      for (let crashes = churn.crashesUntil(ring.nowMs); crashes > 0; crashes--) {
        ring.crash()
        await ring.join()
      }
      const lookup = await ring.lookup()
      total.lookups++
      total.hops += lookup.hops
      total.failed += lookup.failed
      if (lookup.lost) total.lost++
    }
    onLookups(total.lookups)
    return total
  }
  for (const moment of moments) {
    const { from, to } = windowOf(moment)
    await run(from)
    const before = { ...ring.traffic }
    const { lookups, hops, failed, lost } = await run(to)
    measurements.push({
      hops: hops / (lookups - lost),
      timeouts: failed / (lookups - lost),
      lost: lost / lookups,
      ...costs(before, ring.traffic),
      ...quality(ring),
      bytesPerJoin,
    })
  }
  return measurements
}

/** When nodes crash: a Poisson process. */
class Churn {
  readonly #random: SeededRandom
  readonly #meanMs: number | undefined
  #nextMs: number

  /** @param meanMs between two crashes in the network; undefined for none at all. */
  constructor(random: SeededRandom, meanMs: number | undefined) {
    this.#random = random
    this.#meanMs = meanMs
    this.#nextMs = this.#after(0)
  }

  crashesUntil(nowMs: number): number {
    let crashes = 0
    for (; this.#nextMs <= nowMs; crashes++) this.#nextMs = this.#after(this.#nextMs)
    return crashes
  }

  #after(ms: number): number {
    if (this.#meanMs === undefined) return Number.POSITIVE_INFINITY
    return ms - Math.log(1 - this.#random.fraction()) * this.#meanMs
  }
}

function costs(before: Traffic, after: Traffic) {
  const messages = after.messages - before.messages
  const per = (amount: number) => (messages === 0 ? 0 : amount / messages)
  return {
    bytesPerMessage: per(after.piggybackBytes - before.piggybackBytes),
    recordsPerMessage: per(after.records - before.records),
  }
}

function quality(ring: SimulatedRing) {
  const { stale, known, entries } = ring.mapQuality(MAP_SAMPLE)
  return { stale, known, entries: entries * ring.aliveCount }
}

function average(measurements: readonly LookupMeasurement[]): LookupMeasurement {
  const mean = (name: keyof LookupMeasurement) =>
    measurements.reduce((sum, measurement) => sum + measurement[name], 0) / measurements.length
  return {
    hops: mean('hops'),
    timeouts: mean('timeouts'),
    lost: mean('lost'),
    stale: mean('stale'),
    known: mean('known'),
    entries: mean('entries'),
    bytesPerMessage: mean('bytesPerMessage'),
    recordsPerMessage: mean('recordsPerMessage'),
    bytesPerJoin: mean('bytesPerJoin'),
  }
}
