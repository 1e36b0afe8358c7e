/**
 * The way around a link that carries nothing. Of two nodes that do not reach each other, in one direction or in both, each
 * may be well and reached by all others; taking one of them for dead would only put the same link into the next view.
 * What the one has to say to the other goes through a third node then, beside the direct way (docs/decisions/0192).
 *
 * A node that reaches nobody, but is reached, can't do its part either: it is silent until it reaches somebody, so that the others go
 * on without it.
 */

import { FORWARDED_MAX, type Forwarded, type PeerAnswer, type PeerCall } from '../calls/calls.ts'
import { type Envelope, isEnvelope } from '../calls/envelope.ts'
import type { Env } from '../env.ts'
import { StoreError } from '../errors.ts'
import type { Members } from '../membership/members.ts'
import type { CallOptions, PeerIdentity } from '../peer/peers.ts'
import { type Credentials, decode, encode } from '../peer/wire.ts'
import type { Address, NodeId } from '../ring/identifier.ts'

/**
 * A link whose request under way has waited for so many round trips, and as long as the bounds say, ms, may carry nothing. On
 * a machine that is busy all answers are late, and ways round would make it busier.
 */
const STALL_ROUND_TRIPS = 4
const STALL_MS_MIN = 500
const STALL_MS_MAX = 2_000

/** The longest that the third node may take, ms, the way onward included. */
const DETOUR_TIMEOUT_MS = 1_000

/** Third nodes that are tried with the same messages: one of them may be cut off itself. */
const WAYS_MAX = 3

/** Nodes that are asked at once whether they reach one that refuses this one. */
const ASKED_MAX = 3

/**
 * A node that nobody reached is not asked about again for so long, ms, doubling up to the second: each question makes others meet its
 * refusal, and where one half of a network is gone each node would ask three others about each of the dead all the time.
 */
const UNREACHED_MS_MIN = 1_000
const UNREACHED_MS_MAX = 16_000

/** Messages that wait for their way round to one node; the oldest go first, as they would on the direct way. */
const WAITING_MAX = 1_000

export interface DetoursComponents {
  readonly env: Env
  readonly members: Pick<Members, 'others' | 'there'>
  readonly call: (to: Address, call: PeerCall, options: CallOptions) => Promise<PeerAnswer>
  readonly peers: {
    /** How long the messages under way to a node have waited for its answer, ms; 0 when none are. */
    waitsMs(to: Address): number
  }
  /** What one round trip to a node hardly ever takes longer than, ms. */
  readonly roundTrips: { limitMs(to: Address): number }
  readonly credentials: Pick<Credentials, 'self' | 'versions'>
  /** Is told of a node that refuses connections, and that no other node reaches either. */
  readonly driver: { dispatch(event: { readonly kind: 'unreachable'; readonly node: NodeId }): void }
  /** Is told of a node that refuses this one and is reached by another: it may live somewhere else by now. */
  readonly reached: { meet(node: NodeId): Promise<boolean> }
  /** Takes in what a node has said. */
  readonly messages: (from: PeerIdentity, messages: readonly Envelope[]) => void
  /** Aborts when the node stops. */
  readonly signal: AbortSignal
}

/**
 * Nodes to which messages go round at a time. Where more of them are silent it is the machine that is slow and no link, and all that goes
 * round makes it slower (docs/decisions/0467). The direct way goes on carrying.
 */
const GOING_ROUND_MAX = 8

interface Peer {
  readonly nodeId: NodeId
  readonly address: Address
}

export class Detours {
  readonly #components: DetoursComponents
  /** Nodes that have refused this one, or have left its messages without an answer, and have taken nothing since. */
  readonly #unreached = new Set<Address>()
  readonly #waiting = new Map<NodeId, Uint8Array[]>()
  readonly #checking = new Set<NodeId>()
  /** The third node by which another one was reached last. */
  readonly #ways = new Map<Address, NodeId>()
  /** Of whom it was found that nobody reaches them: when that was, and for how long it counts. */
  readonly #unreachedByAll = new Map<Address, { readonly atMs: number; readonly forMs: number }>()
  #turn = 0
  #reachesNobody = false

  constructor(components: DetoursComponents) {
    this.#components = components
  }

  /** Whether this node reaches none of the others. */
  get isCutOff(): boolean {
    return this.#reachesNobody
  }

  /** A message was given to the direct way; when that may carry nothing, it goes round as well. */
  sent(to: Peer, message: Envelope): void {
    if (!this.#unreached.has(to.address) && !this.#isStalled(to.address)) return
    if (this.#isReachedByNobody(to.address)) return
    const waiting = this.#waiting.get(to.nodeId)
    if (waiting === undefined) {
      if (this.#waiting.size >= GOING_ROUND_MAX) return
      this.#waiting.set(to.nodeId, [encode(message)])
      void this.#goRound(to)
    } else {
      if (waiting.length >= WAITING_MAX) waiting.shift()
      waiting.push(encode(message))
    }
  }

  /** A node has taken what it was sent, or has answered. */
  took(address: Address): void {
    this.#unreached.delete(address)
    this.#ways.delete(address)
    this.#reachesNobody = false
    this.#unreachedByAll.delete(address)
  }

  /** A node has said something: somebody may reach it, too. */
  heardFrom(address: Address): void {
    this.#unreachedByAll.delete(address)
  }

  /**
   * What was sent to a node had no answer in time. Until it takes something, all goes round as well: of one message a minute
   * each would be the first that waits, and lost (docs/decisions/0300).
   */
  silent({ address }: Pick<Peer, 'address'>): void {
    this.#unreached.add(address)
  }

  /** A node refuses connections of this one: it is gone, unless another node reaches it. */
  refused({ nodeId, address }: Peer): void {
    this.#unreached.add(address)
    const { env, driver, signal } = this.#components
    const gone = () => driver.dispatch({ kind: 'unreachable', node: nodeId })
    if (this.#isReachedByNobody(address)) return gone()
    if (this.#checking.has(nodeId)) return
    this.#checking.add(nodeId)
    void this.#check({ nodeId, address }).then(isReached => {
      this.#checking.delete(nodeId)
      if (isReached) void this.#components.reached.meet(nodeId)
      if (isReached || signal.aborted) return
      const lastMs = this.#unreachedByAll.get(address)?.forMs
      const forMs = lastMs === undefined ? UNREACHED_MS_MIN : Math.min(UNREACHED_MS_MAX, 2 * lastMs)
      this.#unreachedByAll.set(address, { atMs: env.clock.monotonicMs(), forMs })
      gone()
    })
  }

  /** Passes on what a node has to say to another one. Answered with whether that took it. */
  async passOn({ to, from, messages }: Forwarded & { readonly to: NodeId }): Promise<{ reached: boolean }> {
    const { members, call, signal } = this.#components
    const node = members.there().find(({ nodeId }) => nodeId === to)
    if (node === undefined) return { reached: false }
    try {
      // Less than the one that asks waits for all of it.
      const options = { timeoutMs: (DETOUR_TIMEOUT_MS * 3) / 4, signal, node: to }
      await call(node.address, { kind: 'forwarded', from, messages }, options)
      return { reached: true }
    } catch {
      return { reached: false }
    }
  }

  /** Tells these nodes what another one has to say, which does not reach them. */
  tell(news: PeerCall, nodes: readonly NodeId[]): void {
    const { members, call, signal } = this.#components
    for (const { nodeId: node, address } of members.there()) {
      if (!nodes.includes(node)) continue
      const options = { timeoutMs: DETOUR_TIMEOUT_MS, signal, node }
      call(address, news, options).catch(() => undefined)
    }
  }

  /** Messages have come round. @throws StoreError INVALID_REQUEST. */
  arrived({ from, messages }: Forwarded): void {
    const { newest } = this.#components.credentials.versions
    const decoded = messages.map(message => decode(message))
    if (!decoded.every(message => isEnvelope(message, newest)))
      throw new StoreError('INVALID_REQUEST', 'What was passed on is not as the peer protocol has it.')
    // As what comes straight: it is silent until it has reached somebody.
    if (!this.#reachesNobody) this.#components.messages(from, decoded as Envelope[])
  }

  async #check(node: Peer): Promise<boolean> {
    const asked = this.#thirdNodes(node).slice(0, ASKED_MAX)
    if (asked.length === 0) return false
    return new Promise(resolve => {
      let left = asked.length
      let answers = 0
      for (const third of asked) {
        void this.#forward(third, node, []).then(isReached => {
          if (isReached !== undefined) answers++
          if (isReached) resolve(true)
          if (--left > 0) return
          if (answers === 0) this.#reachesNobody = true
          resolve(false)
        })
      }
    })
  }

  async #goRound(to: Peer): Promise<void> {
    for (;;) {
      const messages = this.#waiting.get(to.nodeId)?.splice(0, FORWARDED_MAX) ?? []
      const ways = this.#thirdNodes(to)
      if (messages.length === 0 || ways.length === 0) break
      await this.#forwardBy(ways.slice(0, WAYS_MAX), to, messages)
    }
    this.#waiting.delete(to.nodeId)
  }

  /** By the first of these that reaches the other one; that one is the first to be asked from then on. */
  async #forwardBy(ways: readonly Peer[], to: Peer, messages: readonly Uint8Array[]): Promise<void> {
    for (const third of ways) {
      if (await this.#forward(third, to, messages)) {
        this.#ways.set(to.address, third.nodeId)
        return
      }
    }
    this.#ways.delete(to.address)
  }

  /**
   * Those who may reach a node that this one does not: the one that did last, then the others, another one first each time; those that
   * this one does not reach either come last.
   */
  #thirdNodes({ nodeId, address: to }: Peer): Peer[] {
    const others = this.#components.members.others().filter(other => other.nodeId !== nodeId)
    const turn = others.length === 0 ? 0 : this.#turn++ % others.length
    const inTurn = [...others.slice(turn), ...others.slice(0, turn)]
    const isReached = ({ address }: Peer) => !this.#unreached.has(address) && !this.#isStalled(address)
    const known = this.#ways.get(to)
    const rankOf = (other: Peer) => (isReached(other) ? (other.nodeId === known ? 0 : 1) : 2)
    return inTurn.sort((a, b) => rankOf(a) - rankOf(b))
  }

  /** Others were asked a moment ago, and none of them reaches that node: to go round is in vain, too. */
  #isReachedByNobody(address: Address): boolean {
    const found = this.#unreachedByAll.get(address)
    return found !== undefined && this.#components.env.clock.monotonicMs() - found.atMs < found.forMs
  }

  #isStalled(address: Address): boolean {
    const { peers, roundTrips } = this.#components
    const usualMs = STALL_ROUND_TRIPS * roundTrips.limitMs(address)
    return peers.waitsMs(address) >= Math.min(STALL_MS_MAX, Math.max(STALL_MS_MIN, usualMs))
  }

  /** Whether the third node has reached the other one; undefined when it has not answered itself. */
  async #forward(
    third: Peer,
    { nodeId: to }: Peer,
    messages: readonly Uint8Array[],
  ): Promise<boolean | undefined> {
    const { call, credentials, signal } = this.#components
    try {
      const ask = { kind: 'forward', to, from: credentials.self(), messages } as const
      const options = { timeoutMs: DETOUR_TIMEOUT_MS, signal, node: third.nodeId }
      const { reached } = (await call(third.address, ask, options)) as { reached: boolean }
      this.took(third.address)
      return reached
    } catch {
      return undefined
    }
  }
}
