/**
 * The experiment of the original system with real processes: requests that a lookup takes in networks of growing
 * size, right after their start and warm, and how much the nodes know.
 */
import type { Env } from '../../env.ts'
import { errorCode } from '../../errors.ts'
import type { LearningMode } from '../../routing/learning.ts'
import { type Estimate, estimateOf } from './estimate.ts'
import { RealNetwork } from './real-network.ts'

export interface RealLookupScenario {
  readonly nodes: number
  readonly learn: LearningMode
  readonly virtualNodes: number
  readonly replicas: number
}

/** When: with the first lookups of a network, or after WARM_LOOKUPS of each node. */
export const MOMENTS = ['start', 'warm'] as const

export type Moment = (typeof MOMENTS)[number]

/** What was measured at one moment; estimates over runs, each with a network of its own. */
export interface RealLookupFigure {
  readonly scenario: RealLookupScenario
  readonly moment: Moment
  /** Lookups in each run. */
  readonly lookups: number
  /** Requests for one lookup, the one that is answered with the result counted, as the original system did. */
  readonly requests: Estimate
  /** Lookups that found no way while ranges changed hands; they are in no other figure. */
  readonly lost: Estimate
  /** Other nodes that each node knows, all nodes together, before the lookups. */
  readonly edgesBefore: Estimate
  /** The same after them. */
  readonly edgesAfter: Estimate
}

/** Lookups that each node starts before the network counts as warm. */
export const WARM_LOOKUPS = 10

export interface RealLookupInit {
  /** Networks for each scenario. */
  readonly runs: number
  /** Lookups that are measured at each moment, from random nodes for random paths. */
  readonly lookups: number
  readonly signal: AbortSignal
  /** Called for each node that has started and each lookup that is done. */
  readonly step: () => void
}

/** Steps that measureRealLookups reports for one scenario. */
export function stepsOf(
  { nodes }: RealLookupScenario,
  { runs, lookups }: Pick<RealLookupInit, 'runs' | 'lookups'>,
) {
  return runs * (nodes + MOMENTS.length * lookups + WARM_LOOKUPS * nodes)
}

interface Measured {
  readonly requests: number
  readonly lost: number
  readonly edgesBefore: number
  readonly edgesAfter: number
}

/** One figure for each moment. @throws as RealNetwork.start; the reason of the signal. */
export async function measureRealLookups(
  components: { readonly env: Env },
  scenario: RealLookupScenario,
  init: RealLookupInit,
): Promise<RealLookupFigure[]> {
  const measured: Record<Moment, Measured[]> = { start: [], warm: [] }
  for (let run = 0; run < init.runs; run++) {
    const { signal, step } = init
    const network = await RealNetwork.start(components, {
      ...scenario,
      keep: 'memory',
      signal,
      started: step,
    })
    try {
      measured.start.push(await measure(components.env, network, init))
      for (let number = 0; number < WARM_LOOKUPS * scenario.nodes; number++) {
        await hopsOf(network, number % scenario.nodes, randomPath(components.env))
        step()
      }
      measured.warm.push(await measure(components.env, network, init))
    } finally {
      await network.close()
    }
  }
  return MOMENTS.map(moment => {
    const of = (name: keyof Measured) => estimateOf(measured[moment].map(one => one[name]))
    return {
      scenario,
      moment,
      lookups: init.lookups,
      requests: of('requests'),
      lost: of('lost'),
      edgesBefore: of('edgesBefore'),
      edgesAfter: of('edgesAfter'),
    }
  })
}

async function measure(env: Env, network: RealNetwork, { lookups, step }: RealLookupInit): Promise<Measured> {
  const edgesBefore = sum(await network.mapSizes())
  const found: number[] = []
  for (let number = 0; number < lookups; number++) {
    const hops = await hopsOf(network, randomBelow(env, network.urls.length), randomPath(env))
    if (hops !== undefined) found.push(hops)
    step()
  }
  return {
    // The result itself comes with a request of its own in the original's count.
    requests: sum(found) / found.length + 1,
    lost: lookups - found.length,
    edgesBefore,
    edgesAfter: sum(await network.mapSizes()),
  }
}

/** Undefined when no way was found. */
async function hopsOf(network: RealNetwork, node: number, path: string): Promise<number | undefined> {
  try {
    return (await network.lookup(node, path)).hops
  } catch (error) {
    if (errorCode(error) !== 'UNAVAILABLE') throw error
    return undefined
  }
}

function randomPath({ randomness }: Env): string {
  return `experiment/${Buffer.from(randomness.bytes(8)).toString('hex')}`
}

function randomBelow({ randomness }: Env, limit: number): number {
  return Buffer.from(randomness.bytes(4)).readUInt32LE() % limit
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
