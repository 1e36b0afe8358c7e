/**
 * What a node does so that it knows what Kelips has it know, and no more: it asks its neighbours for what it lacks when it begins, sees in
 * each round of gossip how far its arcs go, and forgets views and nodes that it does not need.
 */
import type { PeerAnswer, PeerCall, PeerCalls } from '../calls/calls.ts'
import type { Env } from '../env.ts'
import type { Gossip } from '../membership/gossip/gossip.ts'
import type { Members, MembersComponents } from '../membership/members.ts'
import type { CallOptions } from '../peer/peers.ts'
import type { RoundTrips } from '../peer/round-trips.ts'
import type { ChainDriver } from '../replication/chain/driver.ts'
import type { Message } from '../replication/chain/messages.ts'
import type { Address, NodeId } from '../ring/identifier.ts'
import { GroupViews } from '../routing/kelips/group-views.ts'
import { Kelips } from '../routing/kelips/kelips.ts'
import type { MapRecord } from '../routing/map-record.ts'
import { serves } from '../views/install.ts'
import { headOf, type View, type ViewId } from '../views/view.ts'

/** Views and nodes of elsewhere are kept for so long since they were heard of, or used, ms, and so many of each that were used. */
const USED_MS = 30_000
const USED_MAX = 512

/** Rounds of questions after a start; in a network that is quiet three of them tell everything. */
const QUESTION_ROUNDS_MAX = 8

/** Between two questions that come of questions of others, ms: nobody asks in a circle. */
const ASKED_AGAIN_MS = 100

/** One question, ms. */
const ASK_TIMEOUT_MS = 2_000

type LearnAnswer = PeerCalls['learn']['answer']

export interface KelipsUpkeepComponents {
  readonly kelips: Kelips
  readonly members: Members
  readonly driver: ChainDriver
  readonly call: (to: Address, call: PeerCall, options: CallOptions) => Promise<PeerAnswer>
  readonly env: Pick<Env, 'clock'>
  /** Aborts when the node stops. */
  readonly signal: AbortSignal
}

interface RoutingWays {
  /** The node; it begins to gossip when it knows the others. */
  readonly ring: { readonly driver: ChainDriver; readonly gossip?: Pick<Gossip, 'isFailed'> | undefined }
  readonly network: { readonly now: { readonly replicas: number } }
  readonly roundTrips: Pick<RoundTrips, 'meanMs'>
}

/** The way of routing that was chosen; undefined for path learning, which every node can do. */
export function routingOf(
  name: 'path' | 'kelips' | undefined,
  { ring, network, roundTrips }: RoutingWays,
): MembersComponents['routing'] {
  const isThere = (node: NodeId) => ring.driver.known.isAlive(node) && ring.gossip?.isFailed(node) !== true
  const ways = { isThere, roundTripMs: (to: Address) => roundTrips.meanMs(to) }
  const init = { copies: () => network.now.replicas }
  return name === 'kelips' ? parts => new Kelips({ ...parts, ...ways }, init) : undefined
}

/** Undefined where the node does not route by Kelips. */
export function upkeepOf(components: Omit<KelipsUpkeepComponents, 'kelips'>): KelipsUpkeep | undefined {
  const { routing } = components.members
  return routing instanceof Kelips ? new KelipsUpkeep({ ...components, kelips: routing }) : undefined
}

export class KelipsUpkeep {
  readonly views: GroupViews
  readonly #components: KelipsUpkeepComponents
  #turn = 0
  /** When each view that is known was first seen, ms. */
  #heardMs: ReadonlyMap<ViewId, number> = new Map()
  #askedMs = Number.NEGATIVE_INFINITY
  readonly #usedViews = new Used<ViewId>()
  readonly #usedNodes = new Used<NodeId>()

  constructor(components: KelipsUpkeepComponents) {
    this.#components = components
    const { kelips, driver } = components
    this.views = new GroupViews({
      cut: kelips,
      newest: () => driver.known.newest(),
      headed: () => headedBy(driver),
    })
  }

  /** A lookup has brought a view. */
  keep({ id }: View): void {
    this.#usedViews.note(id, this.#nowMs())
  }

  /** The address of a node that keeps a body which somebody reads or writes here. */
  addressOf(node: NodeId): Address | undefined {
    this.#usedNodes.note(node, this.#nowMs())
    return this.#components.members.addressOf(node)
  }

  /**
   * To whom a message goes. Where the view of a position is, the core asks whoever it has heard of: here those are asked who should know it,
   * each time the next one.
   */
  receiverOf(node: NodeId, message: Message): NodeId {
    if (message.kind === 'read' || message.kind === 'write') this.#usedNodes.note(node, this.#nowMs())
    if (message.kind !== 'where') return node
    const knowing = this.#components.kelips.knowing(message.position)
    return knowing[this.#turn++ % Math.max(1, knowing.length)]?.nodeId ?? node
  }

  /** Whether a node that nobody knows is looked for, to be told that: one that counts as dead and was forgotten for it is not. */
  isSought({ kind }: Message): boolean {
    return kind !== 'ping'
  }

  /** Somebody asks for a view that this node is to know for its group: what it knows may be over, so it asks the owner itself. */
  heard(message: Message): void {
    if (message.kind !== 'where') return
    const { position } = message
    const { kelips, driver } = this.#components
    const view = driver.known.covering(position)
    const isHeld = view !== undefined && driver.known.state(view.id) !== undefined
    if (isHeld || !kelips.answersFor(position) || this.#nowMs() - this.#askedMs < ASKED_AGAIN_MS) return
    this.#askedMs = this.#nowMs()
    driver.tellMyself({ kind: 'where', position })
  }

  /** A round of gossip begins. */
  round(): void {
    const { kelips } = this.#components
    kelips.lookAround()
    this.#usedViews.expire(this.#nowMs())
    this.#usedNodes.expire(this.#nowMs())
    this.#forgetViews()
    this.#forgetNodes()
  }

  /** Asks the nearest nodes that are known, until they have nothing more to tell. Never rejects. */
  async learnNeighbours(): Promise<void> {
    const { kelips, members, signal } = this.#components
    for (let round = 0; round < QUESTION_ROUNDS_MAX && !signal.aborted; round++) {
      kelips.lookAround()
      const before = members.map.knownCount
      const asked = kelips
        .questions()
        .flatMap(({ digest, asked }) => asked.map(one => this.#ask(one, digest)))
      await Promise.all(asked)
      if (members.map.knownCount === before) return
    }
  }

  async #ask({ address, nodeId }: MapRecord, digest: Parameters<Kelips['lackedBy']>[0]): Promise<void> {
    const { members, call, signal } = this.#components
    try {
      const ask = { kind: 'learn', records: [members.self], digest } as const
      const options = { timeoutMs: ASK_TIMEOUT_MS, signal, node: nodeId }
      const { record, records = [] } = (await call(address, ask, options)) as LearnAnswer
      members.learn([record, ...records])
    } catch {
      // Who does not answer tells nothing; others do.
    }
  }

  /** Views of elsewhere, that nobody has asked for lately. */
  #forgetViews(): void {
    const { driver } = this.#components
    const isNeeded = (view: View) =>
      driver.known.state(view.id) !== undefined || this.#usedViews.has(view.id) || this.views.isKept(view)
    const newest = driver.known.newest()
    const nowMs = this.#nowMs()
    const heard = new Map(newest.map(({ id }) => [id, this.#heardMs.get(id) ?? nowMs]))
    this.#heardMs = heard
    // What has just been told may be what a request waits for.
    const isOld = ({ id }: View) => {
      return nowMs - (heard.get(id) ?? nowMs) > USED_MS
    }
    const views = newest.filter(view => isOld(view) && !isNeeded(view))
    if (views.length > 0) driver.dispatch({ kind: 'forget-views', views: views.map(({ id }) => id) })
  }

  #forgetNodes(): void {
    const { kelips, members, driver } = this.#components
    const named = new Set<NodeId>()
    const views = [...driver.known.newest(), ...driver.known.held().map(({ view }) => view)]
    for (const { replicas, acceptors, sources } of views) {
      for (const node of [...replicas, ...acceptors]) named.add(node)
      for (const source of sources) for (const node of source.replicas) named.add(node)
    }
    const nowMs = this.#nowMs()
    const { map } = members
    const isNew = (node: NodeId) => {
      const member = map.roster.numberOf(node)
      return member !== undefined && nowMs - map.learnedAtMs(member) < USED_MS
    }
    const isNeeded = (node: NodeId) => named.has(node) || this.#usedNodes.has(node) || isNew(node)
    if (kelips.forget(isNeeded, nowMs).length > 0) members.notice()
  }

  #nowMs(): number {
    return this.#components.env.clock.monotonicMs()
  }
}

function headedBy({ known }: ChainDriver): View[] {
  return known
    .held()
    .filter(state => serves(state) && headOf(state.view) === known.self)
    .map(({ view }) => view)
}

/** What was used lately, the latest last. */
class Used<Item> {
  readonly #atMs = new Map<Item, number>()

  has(item: Item): boolean {
    return this.#atMs.has(item)
  }

  note(item: Item, nowMs: number): void {
    this.#atMs.delete(item)
    this.#atMs.set(item, nowMs)
    if (this.#atMs.size > USED_MAX) this.#atMs.delete(this.#atMs.keys().next().value as Item)
  }

  expire(nowMs: number): void {
    for (const [item, atMs] of this.#atMs) {
      if (nowMs - atMs < USED_MS) return
      this.#atMs.delete(item)
    }
  }
}
