/**
 * The experiments with the two models of consistency, over real processes: how many inserts and queries a network does in a second, how long each
 * takes, and how many queries do not see what was written before them.
 */
import { availableParallelism, totalmem } from 'node:os'
import type { StoreClient } from '../../client/client.ts'
import type { Env } from '../../env.ts'
import { errorCode, StoreError } from '../../errors.ts'
import { SeededRandom } from '../simulator/seeded-random.ts'
import { type Estimate, estimateOf } from './estimate.ts'
import type { ModelExperiment, PairRequest } from './models-requests.ts'
import { RealNetwork } from './real-network.ts'

export const CONSISTENCIES = ['chain', 'eventual'] as const

export interface ModelNetwork {
  readonly nodes: number
  readonly replicas: number
  readonly consistency: (typeof CONSISTENCIES)[number]
}

/** Times of the requests of one kind that were answered, ms. */
export interface Latency {
  readonly p50Ms: number
  readonly p99Ms: number
}

/** What one experiment came to in one network, with so many clients at once. */
export interface ModelFigure {
  readonly experiment: ModelExperiment
  readonly network: ModelNetwork
  readonly clients: number
  readonly requests: number
  /** Answered requests in a second: estimated over ROUNDS parts of the run. */
  readonly perSecond: Estimate
  readonly insert: Latency | undefined
  readonly query: Latency | undefined
  /** Requests that were refused, or whose outcome is not known. */
  readonly failed: number
  /** Of `consistency`: queries that were answered, and those of them that gave less than what had been acknowledged when they were sent. */
  readonly stale: StaleReads | undefined
  /** From the last answer until every replica has every write, ms. */
  readonly passedOnMs: number
}

export interface StaleReads {
  readonly queries: number
  readonly stale: number
  /** How long before the query the value that it should have seen was acknowledged at the most, ms. */
  readonly oldestMs: number
}

/** Parts of a run, of which each gives a throughput. */
export const ROUNDS = 5

/** Pairs that each node is asked to insert and to query before anything counts. */
const WARM_UP = 20
const WARM_UP_AT_ONCE = 10

/** Longest wait for writes to be everywhere, ms. */
const PASSED_ON_TIMEOUT_MS = 120_000
const LOOK_MS = 20

export interface ModelRun {
  /** The experiments, in this order on one network. */
  readonly experiments: readonly (readonly [ModelExperiment, readonly PairRequest[]])[]
  /** How many clients there are at once: each experiment is made with each of these. */
  readonly clients: readonly number[]
  /** Of the nodes that the requests go to. */
  readonly seed: number
  readonly signal: AbortSignal
  /** Called for each node that has started and each request that is done. */
  readonly step: () => void
}

/** Steps that measureModels reports. */
export function stepsOf({ nodes }: ModelNetwork, { experiments, clients }: ModelRun): number {
  const requests = experiments.reduce((sum, [, { length }]) => sum + length, 0)
  return nodes + clients.length * requests
}

/** What kind of machine this is, for people. */
export function machineHere(): string {
  const gibibytes = Math.round(totalmem() / 2 ** 30)
  const { platform, arch, versions } = process
  return `${availableParallelism()} cores and ${gibibytes} GiB (${platform} ${arch} with Node.js ${versions.node})`
}

/** Starts a network, makes the experiments, and ends it. @throws as RealNetwork.start; the reason of the signal. */
export async function measureModels(
  components: { readonly env: Env },
  network: ModelNetwork,
  run: ModelRun,
): Promise<ModelFigure[]> {
  const { signal, step } = run
  const virtualNodes = 8
  const real = await RealNetwork.start(components, {
    ...{ ...network, virtualNodes, signal },
    ...{ learn: 'path', keep: 'disk', started: step },
  })
  try {
    const all = Array.from({ length: network.nodes }, (_, index) => real.client(index))
    const measuring = new Measuring(components.env, network, all, run)
    return await measuring.run()
  } finally {
    await real.close()
  }
}

/** What was written under one key: the time when each write was acknowledged, in the order of the writes. */
type Acknowledged = (number | undefined)[]

class Measuring {
  readonly #env: Env
  readonly #network: ModelNetwork
  readonly #nodes: readonly StoreClient[]
  readonly #run: ModelRun
  readonly #random: SeededRandom

  constructor(env: Env, network: ModelNetwork, nodes: readonly StoreClient[], run: ModelRun) {
    this.#env = env
    this.#network = network
    this.#nodes = nodes
    this.#run = run
    this.#random = new SeededRandom(run.seed).fork('nodes')
  }

  async run(): Promise<ModelFigure[]> {
    await this.#warmUp()
    const figures: ModelFigure[] = []
    for (const clients of this.#run.clients)
      for (const [experiment, requests] of this.#run.experiments) {
        // Each run has keys of its own.
        const prefix = `${experiment} ${clients} `
        figures.push(await this.#measure(experiment, requests, clients, prefix))
      }
    return figures
  }

  async #warmUp(): Promise<void> {
    const { signal } = this.#run
    const nodes = Array.from({ length: WARM_UP }, () => this.#nodes).flat()
    await inParallel([...nodes.entries()], WARM_UP_AT_ONCE, async ([index, node]) => {
      await node.pairs.insert(`warm-up ${index}`, 'x', { signal })
      await foundOf(node.pairs.query(`warm-up ${index}`, { signal }))
    })
    await this.#passedOn()
  }

  async #measure(
    experiment: ModelExperiment,
    requests: readonly PairRequest[],
    clients: number,
    prefix: string,
  ): Promise<ModelFigure> {
    const { clock } = this.#env
    if (experiment === 'query') await this.#store(requests, prefix)
    const count = new Count()
    const acting = (request: PairRequest) =>
      experiment === 'consistency'
        ? this.#askNumbered(request, prefix, count)
        : this.#ask(request, prefix, count)
    const perSecond: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const part = requests.slice(
        Math.floor((round * requests.length) / ROUNDS),
        Math.floor(((round + 1) * requests.length) / ROUNDS),
      )
      if (part.length === 0) continue
      const [since, before] = [clock.monotonicMs(), count.answered]
      await inParallel(part, clients, async request => {
        await acting(request)
        this.#run.step()
      })
      perSecond.push(((count.answered - before) * 1000) / (clock.monotonicMs() - since))
    }
    const passedOnMs = await this.#passedOn()
    return {
      ...{ experiment, network: this.#network, clients, requests: requests.length },
      perSecond: estimateOf(perSecond),
      insert: latencyOf(count.times.insert),
      query: latencyOf(count.times.query),
      failed: count.failed,
      stale: experiment === 'consistency' ? count.stale : undefined,
      passedOnMs,
    }
  }

  /** Every key that is going to be queried has a pair, at all its replicas. */
  async #store(requests: readonly PairRequest[], prefix: string): Promise<void> {
    const keys = [...new Set(requests.map(({ key }) => key))]
    await inParallel(keys, WARM_UP_AT_ONCE, async key => {
      await this.#node().pairs.insert(prefix + key, 'stored', { signal: this.#run.signal })
    })
    await this.#passedOn()
  }

  async #ask(request: PairRequest, prefix: string, count: Count): Promise<unknown> {
    const { clock } = this.#env
    const { signal } = this.#run
    const { pairs } = this.#node()
    const key = prefix + request.key
    const since = clock.monotonicMs()
    try {
      const value =
        request.kind === 'insert'
          ? await pairs.insert(key, request.value, { signal })
          : await foundOf(pairs.query(key, { signal }))
      count.times[request.kind].push(clock.monotonicMs() - since)
      return value
    } catch (error) {
      signal.throwIfAborted()
      if (errorCode(error) === undefined) throw error
      count.failed++
      return FAILED
    }
  }

  /** Writes of one key go one after the other, each with its number, so that a query tells how much of them it has seen. */
  async #askNumbered(request: PairRequest, prefix: string, count: Count): Promise<void> {
    const { clock } = this.#env
    if (request.kind === 'insert') {
      const turn = (count.writing.get(request.key) ?? Promise.resolve()).then(async () => {
        const written = count.acknowledgedOf(request.key)
        const number = written.push(undefined)
        const value = JSON.stringify({ number, value: request.value })
        const answer = await this.#ask({ ...request, value }, prefix, count)
        if (answer !== FAILED) written[number - 1] = clock.monotonicMs()
      })
      count.writing.set(
        request.key,
        turn.catch(() => undefined),
      )
      return turn
    }
    const sentMs = clock.monotonicMs()
    const written = count.acknowledgedOf(request.key)
    const newest = written.findLastIndex(ms => ms !== undefined) + 1
    const value = await this.#ask(request, prefix, count)
    if (value === FAILED) return
    count.stale.queries++
    const seen = value === undefined ? 0 : JSON.parse(value as string).number
    if (seen >= newest) return
    count.stale.stale++
    const since = written.slice(seen).find(ms => ms !== undefined) as number
    count.stale.oldestMs = Math.max(count.stale.oldestMs, sentMs - since)
  }

  /** @returns how long it took until nobody owed anybody a write, ms. @throws StoreError UNAVAILABLE. */
  async #passedOn(): Promise<number> {
    const { clock, timers } = this.#env
    if (this.#network.consistency === 'chain') return 0
    const { signal } = this.#run
    const sinceMs = clock.monotonicMs()
    for (;;) {
      const all = await Promise.all(this.#nodes.map(node => node.status({ signal })))
      const ms = clock.monotonicMs() - sinceMs
      if (all.every(status => (status as { eventual: { owed: number } }).eventual.owed === 0)) return ms
      if (ms > PASSED_ON_TIMEOUT_MS)
        throw new StoreError('UNAVAILABLE', 'The nodes do not come to have all writes.')
      await timers.sleep(LOOK_MS, signal)
    }
  }

  #node(): StoreClient {
    return this.#random.pick(this.#nodes)
  }
}

/** Stands for the answer of a request that has none. */
const FAILED = Symbol('failed')

class Count {
  readonly times = { insert: [] as number[], query: [] as number[] }
  readonly stale = { queries: 0, stale: 0, oldestMs: 0 }
  readonly writing = new Map<string, Promise<void>>()
  failed = 0
  readonly #acknowledged = new Map<string, Acknowledged>()

  get answered(): number {
    return this.times.insert.length + this.times.query.length
  }

  acknowledgedOf(key: string): Acknowledged {
    const known = this.#acknowledged.get(key) ?? []
    this.#acknowledged.set(key, known)
    return known
  }
}

/** Undefined where the key has no pair: that is an answer, too. */
async function foundOf(asked: Promise<unknown>): Promise<unknown> {
  try {
    return await asked
  } catch (error) {
    if (errorCode(error) === 'FILE_NOT_FOUND') return undefined
    throw error
  }
}

export function latencyOf(timesMs: readonly number[]): Latency | undefined {
  if (timesMs.length === 0) return undefined
  const sorted = [...timesMs].sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number
  return { p50Ms: at(0.5), p99Ms: at(0.99) }
}

/** So many at once, in their order. */
async function inParallel<Item>(
  items: readonly Item[],
  atOnce: number,
  act: (item: Item) => Promise<unknown>,
): Promise<void> {
  let next = 0
  const one = async () => {
    while (next < items.length) await act(items[next++] as Item)
  }
  const ends = await Promise.allSettled(Array.from({ length: atOnce }, one))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}
