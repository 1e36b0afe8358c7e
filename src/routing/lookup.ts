/**
 * The recursive lookup: from node to node towards whoever is responsible for a key, bringing back the chain of
 * nodes it visited, which improves the map of every node on the way.
 *
 *     lookup(n, k):
 *       if n is a replica of the view that covers k:  chain = []
 *       else: chain = lookup(next(n, k), k); improve(n, chain)
 *       return chain + [n]
 *
 * The lookup is Chord's recursive one (Stoica et al., SIGCOMM 2001, section 4.3) with maps of any size instead of finger
 * tables. Time and other nodes come in through ports; nothing else happens here.
 */
import type { Clock } from '../env.ts'
import { errorCode, StoreError } from '../errors.ts'
import type { Identifier, NodeId } from '../ring/identifier.ts'
import type { MapRecord } from './map-record.ts'
import type { NetworkMap } from './network-map.ts'
import type { Piggyback, Routing } from './routing.ts'
import type { Suspects } from './suspects.ts'

/** Messages that one lookup may send in all. Chord needs log2 N at worst, which is 14 at 10,000 nodes. */
export const HOPS_MAX = 32

/** Suspects and notices that one message names. A lookup that met more than this has worse trouble. */
export const NOTICES_MAX = 8

/**
 * Share of the time left that one try may take. The rest is for the next best node; the more is kept back, the less a
 * node far down the chain has (with 10 s in all, the fourth one still has 1.3 s).
 */
const TRY_SHARE = 2 / 3

/** Share of a try's time kept back for the way of the answer: whoever is asked gives up before the asker does. */
const RETURN_SHARE = 0.1

/** A try with less time than this would fail for want of time and make a suspect of a good node, ms. */
const TRY_MS_MIN = 5

/** What this node knows about who is responsible for a key; views decide it. */
export type Responsible<View> =
  | { readonly here: true; readonly view: View }
  /** A view (or the child of a superseded one) names its replicas: they are asked before anybody from the map. */
  | { readonly here: false; readonly replicas: readonly MapRecord[] }

/** A node that could not be reached, and by whom. */
export interface Suspicion {
  readonly suspect: MapRecord
  readonly observer: NodeId
}

export interface LookupRequest {
  readonly key: Identifier
  /** Every node that was tried for this lookup, the entry node first. None is asked twice. */
  readonly visited: readonly NodeId[]
  /** Messages that may still be sent. */
  readonly hopsLeft: number
  /** From receiving to answering, ms. */
  readonly budgetMs: number
  /** Nodes that could not be reached on the way here. */
  readonly suspects: readonly Suspicion[]
  readonly piggyback?: Piggyback
}

export interface LookupReply<View> {
  /** The view that covers the key; undefined when no node that could be reached leads to it. */
  readonly view: View | undefined
  /** The records of the nodes on the way, this one first, the responsible one last. */
  readonly chain: readonly MapRecord[]
  /**
   * For each step along the chain, from asking the next node to its answer, ms: all that is behind it is in it. Absent from nodes
   * of before it was said.
   */
  readonly hopMs?: readonly number[] | undefined
  /** Every node that was tried since the request, in addition to its own list. */
  readonly tried: readonly NodeId[]
  /** Of `tried`, those that could not be reached. */
  readonly failed: number
  /** What is known better about nodes that were suspected, or found dead on the way. */
  readonly notices: readonly MapRecord[]
  readonly piggyback?: Piggyback
}

export interface LookupResult<View> {
  readonly view: View
  /** The visited nodes in order, this one first, the responsible one last. */
  readonly chain: readonly MapRecord[]
  /** As in LookupReply; shorter than the way where a node of before it answered. */
  readonly hopMs: readonly number[]
  /** Messages from node to node, those to nodes that could not be reached included; 0 when this node answers. */
  readonly hops: number
  /** Of `hops`, those that could not be reached. */
  readonly failed: number
}

export interface LookupPeers<View> {
  /**
   * Asks another node.
   * @throws StoreError UNAVAILABLE when it can't be reached or does not answer within `request.budgetMs` plus the way;
   * any other code when it refuses.
   */
  lookup(to: MapRecord, request: LookupRequest, signal: AbortSignal): Promise<LookupReply<View>>
}

export interface LookupComponents<View> {
  readonly map: NetworkMap
  readonly routing: Routing
  readonly suspects: Suspects
  readonly peers: LookupPeers<View>
  readonly clock: Pick<Clock, 'monotonicMs'>
  responsible(key: Identifier): Responsible<View> | undefined
  /** A reply brought the view that covers a key: it is kept for the next lookup. */
  keepView(view: View): void
  /** Called on the responsible node: find out, apart from this lookup, whether the suspect can be reached from here. */
  observe(suspect: MapRecord): void
}

/** One lookup on its way through this node. */
interface Walk {
  readonly key: Identifier
  readonly deadlineMs: number
  hopsLeft: number
  failed: number
  readonly before: readonly NodeId[]
  readonly tried: NodeId[]
  readonly suspects: Map<NodeId, Suspicion>
  readonly notices: Map<NodeId, MapRecord>
}

export class Lookups<View> {
  readonly #components: LookupComponents<View>

  constructor(components: LookupComponents<View>) {
    this.#components = components
  }

  /**
   * Finds the view that covers a key.
   * @param options.budgetMs from now until the answer.
   * @throws StoreError UNAVAILABLE when no node that can be reached leads there; the signal's reason when it aborts.
   */
  async lookup(
    key: Identifier,
    options: { readonly budgetMs: number; readonly signal: AbortSignal },
  ): Promise<LookupResult<View>> {
    const self = this.#self()
    const walk: Walk = {
      key,
      deadlineMs: this.#now() + options.budgetMs,
      hopsLeft: HOPS_MAX,
      failed: 0,
      before: [self.nodeId],
      tried: [],
      suspects: new Map(),
      notices: new Map(),
    }
    const { view, chain, hopMs } = await this.#walk(walk, options.signal)
    if (view === undefined) {
      const tried = walk.tried.length
      throw new StoreError('UNAVAILABLE', `No way to the key ${key} was found; ${tried} nodes were tried.`)
    }
    return { view, chain: [self, ...chain], hopMs, hops: walk.tried.length, failed: walk.failed }
  }

  /** Answers the request of another node. */
  async answer(request: LookupRequest, signal: AbortSignal): Promise<LookupReply<View>> {
    const { routing } = this.#components
    routing.absorb(request.piggyback, this.#now())
    const walk: Walk = {
      key: request.key,
      deadlineMs: this.#now() + request.budgetMs,
      hopsLeft: Math.min(request.hopsLeft, HOPS_MAX),
      failed: 0,
      before: [...request.visited, this.#self().nodeId],
      tried: [],
      suspects: new Map(),
      notices: new Map(),
    }
    this.#takeSuspects(walk, request)
    const { view, chain, hopMs } = await this.#walk(walk, signal)
    const piggyback = routing.forReply(request.piggyback)
    return {
      view,
      chain: [this.#self(), ...chain],
      hopMs,
      tried: walk.tried,
      failed: walk.failed,
      notices: [...walk.notices.values()].slice(0, NOTICES_MAX),
      ...(piggyback !== undefined && { piggyback }),
    }
  }

  async #walk(
    walk: Walk,
    signal: AbortSignal,
  ): Promise<{ view: View | undefined; chain: readonly MapRecord[]; hopMs: readonly number[] }> {
    const here = this.#components.responsible(walk.key)
    if (here?.here) {
      for (const { suspect } of walk.suspects.values()) this.#components.observe(suspect)
      return { view: here.view, chain: [], hopMs: [] }
    }
    while (walk.hopsLeft > 0 && walk.deadlineMs - this.#now() >= TRY_MS_MIN) {
      const target = this.#next(walk, here?.replicas ?? [])
      if (target === undefined) break
      walk.tried.push(target.nodeId)
      walk.hopsLeft--
      const askedMs = this.#now()
      const reply = await this.#ask(walk, target, signal)
      if (reply === undefined) continue
      const tookMs = this.#now() - askedMs
      this.#improve(walk, reply)
      if (reply.view === undefined) continue
      this.#components.keepView(reply.view)
      return { view: reply.view, chain: reply.chain, hopMs: [tookMs, ...(reply.hopMs ?? [])] }
    }
    return { view: undefined, chain: [], hopMs: [] }
  }

  /** The best node not tried yet: one that a view names, else one from the map; suspects only when none is left. */
  #next(walk: Walk, replicas: readonly MapRecord[]): MapRecord | undefined {
    const { routing, suspects } = this.#components
    const nowMs = this.#now()
    const isTried = (nodeId: NodeId) => walk.before.includes(nodeId) || walk.tried.includes(nodeId)
    const isDoubtful = (nodeId: NodeId) => walk.suspects.has(nodeId) || suspects.isSuspect(nodeId, nowMs)
    const named = replicas.filter(({ nodeId }) => !isTried(nodeId))
    return (
      named.find(({ nodeId }) => !isDoubtful(nodeId)) ??
      routing.next(walk.key, nodeId => isTried(nodeId) || isDoubtful(nodeId)) ??
      named[0] ??
      routing.next(walk.key, isTried)
    )
  }

  /** One hop. Undefined when it led nowhere; the target is then suspect, or known to refuse. */
  async #ask(walk: Walk, target: MapRecord, signal: AbortSignal): Promise<LookupReply<View> | undefined> {
    const { routing, peers } = this.#components
    const piggyback = routing.forRequest(target.nodeId)
    const tryMs = (walk.deadlineMs - this.#now()) * TRY_SHARE
    const request: LookupRequest = {
      key: walk.key,
      visited: [...walk.before, ...walk.tried.filter(nodeId => nodeId !== target.nodeId)],
      hopsLeft: walk.hopsLeft,
      budgetMs: tryMs * (1 - RETURN_SHARE),
      suspects: [...walk.suspects.values()].slice(0, NOTICES_MAX),
      ...(piggyback !== undefined && { piggyback }),
    }
    try {
      return await peers.lookup(target, request, signal)
    } catch (error) {
      if (signal.aborted) throw error
      const code = errorCode(error)
      if (code === undefined) throw error
      if (code === 'UNAVAILABLE') this.#hopFailed(walk, target)
      return undefined
    }
  }

  #hopFailed(walk: Walk, target: MapRecord): void {
    walk.failed++
    this.#suspect(walk, { suspect: target, observer: this.#self().nodeId })
  }

  /** Takes in every visited node and everything the reply carried. */
  #improve(walk: Walk, reply: LookupReply<View>): void {
    const { routing, suspects } = this.#components
    const nowMs = this.#now()
    walk.hopsLeft -= reply.tried.length
    walk.failed += reply.failed
    walk.tried.push(...reply.tried)
    for (const record of reply.chain) {
      routing.learn(record, nowMs)
      suspects.clear(record.nodeId)
    }
    for (const notice of reply.notices) this.#notice(walk, notice)
    routing.absorb(reply.piggyback, nowMs)
  }

  /** What others could not reach on the way here: the second observer makes a death of it, who knows better says so. */
  #takeSuspects(walk: Walk, request: LookupRequest): void {
    const { map } = this.#components
    for (const suspicion of request.suspects.slice(0, NOTICES_MAX)) {
      const { suspect } = suspicion
      const known = map.record(suspect.nodeId)
      const isRefuted = known !== undefined && known.incarnation > suspect.incarnation
      if (known !== undefined && (isRefuted || known.status !== 'alive'))
        walk.notices.set(known.nodeId, known)
      else if (known?.nodeId === this.#self().nodeId) this.#refute(walk, suspect)
      else this.#suspect(walk, suspicion)
    }
  }

  #suspect(walk: Walk, suspicion: Suspicion): void {
    const { suspect, observer } = suspicion
    const outcome = this.#components.suspects.observe(suspect, observer, this.#now())
    if (outcome === 'dead') this.#notice(walk, { ...suspect, status: 'dead' })
    else walk.suspects.set(suspect.nodeId, suspicion)
  }

  /** This node is suspected and plainly here. Merging its own death makes the map raise its incarnation. */
  #refute(walk: Walk, suspect: MapRecord): void {
    this.#components.routing.learn({ ...suspect, status: 'dead' }, this.#now())
    const self = this.#self()
    walk.notices.set(self.nodeId, self)
  }

  #notice(walk: Walk, record: MapRecord): void {
    this.#components.routing.learnNews(record, this.#now())
    walk.suspects.delete(record.nodeId)
    walk.notices.set(record.nodeId, record)
  }

  #self(): MapRecord {
    const { map } = this.#components
    return map.recordOf(map.self)
  }

  #now(): number {
    return this.#components.clock.monotonicMs()
  }
}
