/**
 * The requests of clients to the machine, and ranges that nobody can serve, because no majority of their acceptors is there, or no replica: whoever asks for something
 * in one is refused soon and told which nodes are missing, rather than kept waiting for a node that may be gone for hours.
 */
import type { Env, Timer } from '../../env.ts'
import { StoreError } from '../../errors.ts'
import { type Address, type Identifier, identifierOfPath } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import { majority, type NodeId, type View, type ViewId } from '../../views/view.ts'
import type { ClientRequest } from '../entry/requests.ts'
import type { ChainDriver } from './driver.ts'
import type { Outcome } from './machine-state.ts'
import type { NetworkView } from './network-view.ts'

/**
 * How long a range may look lost until whoever waits for it is refused, ms: a node that was only paused, or that restarts,
 * is asked at once whether it is back, and people are told within two seconds.
 */
const PATIENCE_MS = 1_000

/** How often it is looked at what those wait for who wait, ms. */
const LOOK_MS = 100

/** A range that nobody has asked for so long may have been there in between, ms: patience begins anew. */
const REMEMBERED_MS = 5_000

export interface LostRangesComponents {
  readonly env: Env
  readonly driver: Pick<ChainDriver, 'known' | 'tellMyself' | 'request'>
  readonly addressOf: (node: NodeId) => Address | undefined
}

interface Waiting {
  readonly positions: readonly Identifier[]
  readonly onLost: () => void
  lostSinceMs: number | undefined
}

export class LostRanges {
  readonly #components: LostRangesComponents
  readonly #waiting = new Set<Waiting>()
  /** Views that look lost, since when, and when that was last seen. */
  readonly #lost = new Map<ViewId, { readonly sinceMs: number; seenMs: number }>()
  #looking: Timer | undefined

  constructor(components: LostRangesComponents) {
    this.#components = components
  }

  /** Asks the machine, and waits no longer than there is somebody who can do it. @throws StoreError UNAVAILABLE. */
  request(request: ClientRequest): Promise<Outcome> {
    const paths = 'from' in request ? [request.from, request.to] : [request.path]
    const known = 'from' in request ? undefined : request.position
    const positions = known === undefined ? paths.map(identifierOfPath) : [known]
    const ask = () => this.#components.driver.request(request, giveUp => this.watch(positions, giveUp))
    if (!this.#mayBeLost()) return ask()
    return this.whenLost(positions).then(missing => {
      // What was never begun is certainly not done.
      if (missing.length > 0) throw this.refusal(...paths)
      return ask()
    })
  }

  /** Why nothing can be done at a path; names the nodes without which it can't. */
  refusal(...paths: readonly PathName[]): StoreError {
    const path = paths[0]
    const message = 'Too few nodes that keep this path can be reached.'
    const missing = this.addresses(this.missingAt(paths.map(identifierOfPath)))
    const named = missing.length === 0 ? '' : ` Missing: ${missing.join(', ')}.`
    return new StoreError('UNAVAILABLE', message + named, {
      ...(path !== undefined && { path }),
      ...(missing.length > 0 && { missing }),
    })
  }

  addresses(nodes: readonly NodeId[]): Address[] {
    return nodes.flatMap(node => this.#components.addressOf(node) ?? [])
  }

  /** Nodes that count as dead here and without which one of these positions can't be served; none when all can be. */
  missingAt(positions: readonly Identifier[]): NodeId[] {
    const { known } = this.#components.driver
    if (known.suspects().length === 0) return []
    const views = positions.flatMap(position => known.covering(position) ?? [])
    return [...new Set(views.flatMap(view => missingOf(known, view)))]
  }

  /**
   * Resolves to those that are missing once positions have been lost for a while; at once to none when they are not. Whoever asks for
   * what others have waited for in vain waits for one look.
   */
  async whenLost(positions: readonly Identifier[]): Promise<NodeId[]> {
    const { env } = this.#components
    // Of most requests nothing is missing, and nothing was.
    if (!this.#mayBeLost()) return []
    let missing = this.missingAt(positions)
    const sinceMs = this.#noteLost(positions)
    if (missing.length === 0) return missing
    this.#seek(missing)
    do {
      // Others may have gone on long ago, and told nobody who was not there (docs/decisions/0244).
      for (const position of positions) this.#components.driver.tellMyself({ kind: 'where', position })
      await env.timers.sleep(LOOK_MS)
      missing = this.missingAt(positions)
    } while (missing.length > 0 && env.clock.monotonicMs() - sinceMs < PATIENCE_MS)
    this.#noteLost(positions)
    return missing
  }

  #mayBeLost(): boolean {
    return this.#lost.size > 0 || this.#components.driver.known.suspects().length > 0
  }

  /** Notes which of the positions look lost now; gives since when the latest of them does, as far as somebody has asked for it. */
  #noteLost(positions: readonly Identifier[]): number {
    const { env, driver } = this.#components
    const nowMs = env.clock.monotonicMs()
    for (const [id, { seenMs }] of this.#lost) if (nowMs - seenMs > REMEMBERED_MS) this.#lost.delete(id)
    let latestMs = Number.NEGATIVE_INFINITY
    for (const position of positions) {
      const view = driver.known.covering(position)
      if (view === undefined) continue
      if (missingOf(driver.known, view).length === 0) {
        this.#lost.delete(view.id)
        continue
      }
      const lost = this.#lost.get(view.id) ?? { sinceMs: nowMs, seenMs: nowMs }
      lost.seenMs = nowMs
      this.#lost.set(view.id, lost)
      latestMs = Math.max(latestMs, lost.sinceMs)
    }
    return latestMs
  }

  /** As whenLost, of every range that this node knows. */
  whenAnyLost(): Promise<NodeId[]> {
    const { known } = this.#components.driver
    if (known.suspects().length === 0) return Promise.resolve([])
    const lost = known.newest().filter(view => missingOf(known, view).length > 0)
    return this.whenLost(lost.map(({ hi }) => hi))
  }

  /** Calls `onLost` once when the positions are lost for a while before the returned function is called. */
  watch(positions: readonly Identifier[], onLost: () => void): () => void {
    const waiting: Waiting = { positions, onLost, lostSinceMs: undefined }
    this.#waiting.add(waiting)
    this.#lookLater()
    return () => {
      this.#waiting.delete(waiting)
    }
  }

  close(): void {
    this.#looking?.cancel()
    this.#waiting.clear()
  }

  #lookLater(): void {
    this.#looking ??= this.#components.env.timers.after(LOOK_MS, () => {
      this.#looking = undefined
      this.#look()
      if (this.#waiting.size > 0) this.#lookLater()
    })
  }

  #look(): void {
    const nowMs = this.#components.env.clock.monotonicMs()
    for (const waiting of this.#waiting) {
      if (this.missingAt(waiting.positions).length === 0) waiting.lostSinceMs = undefined
      else {
        waiting.lostSinceMs ??= nowMs
        if (nowMs - waiting.lostSinceMs < PATIENCE_MS) continue
        this.#waiting.delete(waiting)
        waiting.onLost()
      }
    }
  }

  /** Asks those that count as dead whether they are back. */
  #seek(nodes: readonly NodeId[]): void {
    for (const node of nodes) this.#components.driver.tellMyself({ kind: 'suspect', node })
  }
}

/** Members of a view that count as dead, when it can't go on without them. */
function missingOf(known: NetworkView, view: View): NodeId[] {
  // Of some views the replicas alone are known.
  if (view.acceptors.length === 0) return []
  const isThere = (node: NodeId) => node === known.self || known.isAlive(node)
  const votes = view.acceptors.filter(isThere).length
  if (votes >= majority(view.acceptors) && view.replicas.some(isThere)) return []
  return [...view.replicas, ...view.acceptors].filter(node => !isThere(node))
}
