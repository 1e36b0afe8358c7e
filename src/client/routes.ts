/**
 * Where a request goes: straight to a node that keeps its path as far as replies have told which one that is, else
 * to the node that the user named, and to another that answers when one does not (docs/decisions/0075-clients-learn-ranges.md).
 */
import type { Env } from '../env.ts'
import { identifierOfPath } from '../ring/identifier.ts'
import type { PathName } from '../ring/path-name.ts'
import { type KnownRange, RangeTable, toldRange } from './range-table.ts'
import { Reachability } from './reachability.ts'

/** What a request is about: one path; or nothing that a certain node keeps, so that any node may be asked. */
export type Goal = { readonly path: PathName; readonly writes: boolean } | 'any'

export interface Route {
  /** `http://host:port`. */
  readonly origin: string
  /** It is the node that the user named. */
  readonly named: boolean
  /** The range because of which the request goes there. */
  readonly range: KnownRange | undefined
  /** Headers about the ring. */
  readonly headers: Readonly<Record<string, string>>
  /** There may be others to go to when this one is silent. */
  readonly others: boolean
  /** When it was chosen, ms of the monotonic clock. */
  readonly beganMs: number
}

/** What a reply says about the ring, by lower-case names. */
export type RingHeaders = Readonly<Record<string, string | string[] | undefined>>

/** Nodes that one try of a request goes to before it pauses; more would knock at a whole network that is down. */
const ROUTES_MAX = 5

export class Routes {
  readonly #named: URL
  readonly #direct: boolean
  readonly #clock: Env['clock']
  readonly #ranges = new RangeTable()
  readonly #reachability: Reachability
  #networkId: string | undefined
  /** Counts reads, so that they take turns. Begins somewhere, so that clients do not begin with the same replica. */
  #turn: number

  /** `named`: the URL of the user's node. Without `direct`, every request goes there. */
  constructor({ clock, randomness }: Pick<Env, 'clock' | 'randomness'>, named: string, direct: boolean) {
    this.#named = new URL(named)
    this.#direct = direct
    this.#clock = clock
    this.#reachability = new Reachability({ clock })
    this.#turn = randomness.bytes(1)[0] ?? 0
  }

  /**
   * The nodes to go to, one after the other, each chosen when it is asked for. What became of a request must be told
   * with `answered`, `failed` or `unknown` before the next. The node that the user named is always among them.
   */
  *to(goal: Goal | undefined): Generator<Route> {
    const named = this.#named.origin
    if (goal === undefined || !this.#direct) {
      yield this.#route(named, undefined)
      return
    }
    const tried = new Set<string>()
    for (const origin of this.#inOrder(goal)) {
      if (tried.size === ROUTES_MAX) break
      if (tried.has(origin) || !this.#reachability.claim(origin)) continue
      tried.add(origin)
      yield this.#route(origin, goal)
    }
    // Rather than nobody, those that did not answer a moment ago.
    for (const origin of [named, ...this.#reachability.suspects()]) {
      if (tried.size >= ROUTES_MAX && origin !== named) return
      if (tried.has(origin)) continue
      tried.add(origin)
      yield this.#route(origin, goal)
    }
  }

  /** A node answered, whatever it said, unless it did not let the request in: then it is no source. */
  answered({ origin, named, range }: Route, headers: RingHeaders): void {
    this.#reachability.answered(origin)
    if (!this.#direct) return
    const { 'ring-range': field, 'ring-network': network, 'ring-hops': hops } = headers
    if (typeof field !== 'string' || typeof network !== 'string') {
      // Who was believed to keep the path had to ask another, and knows no more: the next request finds out.
      if (range !== undefined && Number(hops) > 0) this.#ranges.forget(range)
      return
    }
    if (network !== this.#networkId) {
      // The node that the user named decides which network is meant.
      if (!named) return
      this.#ranges.clear()
      this.#networkId = network
    }
    const told = toldRange(field, this.#named)
    if (told !== undefined) this.#ranges.learn(told)
  }

  /** A node did not answer, or not as one of this network that serves this client. */
  failed({ origin, range, beganMs }: Route): void {
    this.#reachability.failed(origin, beganMs)
    if (range !== undefined) this.#ranges.forget(range)
  }

  /** The request was given up before it could tell anything. */
  unknown({ origin }: Route): void {
    this.#reachability.unknown(origin)
  }

  *#inOrder(goal: Goal): Generator<string> {
    const range = this.#rangeOf(goal)
    if (range !== undefined && goal !== 'any') {
      // The head begins every write; any replica answers a read.
      const first = goal.writes ? 0 : this.#turn++ % range.origins.length
      yield* range.origins.slice(first)
      yield* range.origins.slice(0, first)
    }
    yield this.#named.origin
    yield* this.#reachability.good()
  }

  #route(origin: string, goal: Goal | undefined): Route {
    const named = origin === this.#named.origin
    const beganMs = this.#clock.monotonicMs()
    const others = this.#reachability.size > 1
    if (goal === undefined || !this.#direct)
      return { origin, named, range: undefined, headers: {}, others: false, beganMs }
    const known = this.#rangeOf(goal)
    const range = known?.origins.includes(origin) ? known : undefined
    const headers: Record<string, string> = {}
    if (goal !== 'any') headers['ring-epoch'] = String(known?.epoch ?? 0)
    if (!named && this.#networkId !== undefined) headers['ring-network'] = this.#networkId
    return { origin, named, range, headers, others, beganMs }
  }

  #rangeOf(goal: Goal): KnownRange | undefined {
    return goal === 'any' ? undefined : this.#ranges.covering(identifierOfPath(goal.path))
  }
}
