/**
 * Finding out who a node is that a message or a view names and nobody has told this one of: two nodes that join at
 * the same moment are each told of those before them, and neither of the other. A node that is no member here would be
 * taken out of the ranges that its other replicas put it into, again and again. The same goes for one that is said to be
 * dead and speaks: it is told, and refutes it.
 */

import type { PeerAnswer, PeerCall, PeerCalls } from '../calls/calls.ts'
import type { Env } from '../env.ts'
import type { CallOptions, PeerIdentity } from '../peer/peers.ts'
import type { ChainDriver } from '../replication/chain/driver.ts'
import type { Address, NodeId } from '../ring/identifier.ts'
import type { MapRecord } from '../routing/map-record.ts'
import type { Gossip } from './gossip/gossip.ts'
import type { Members } from './members.ts'

/** Strangers asked about at once, which bounds what made-up names can cause. */
const STRANGERS_MAX = 64

/** Nodes asked about one stranger; those who share ranges with it know it. */
const ASKED_MAX = 16

/** Nodes asked about one that speaks and can't be asked itself: on a machine that is busy that may be many. */
const ABOUT_SPEAKER_MAX = 3

/** One question, ms. */
const ASK_TIMEOUT_MS = 2_000

/** How often it is looked whether a node counts as there again, ms. */
const LOOK_MS = 20

/** Until a node that somebody else could not reach has answered this one, ms: it may be busy. */
const OBSERVE_TIMEOUT_MS = 5_000

/** A stranger whom nobody knew is not asked about again for so long, ms. */
const REST_MS = 1_000

/** Nodes that leave and were asked; one that is asked again loses nothing. */
const LEAVING_MAX = 1_024

type LearnAnswer = PeerCalls['learn']['answer']

export interface StrangersComponents {
  readonly env: Env
  readonly members: Members
  readonly call: (to: Address, call: PeerCall, options: CallOptions) => Promise<PeerAnswer>
  /** Nodes that share a view with it, who are asked first. */
  readonly sharers: (node: NodeId) => ReadonlySet<NodeId>
  /** A node stays unknown: these have answered, and do not know it either. */
  readonly unknown: (node: NodeId, by: readonly NodeId[]) => void
  /** A node has answered: until it counts as there again, or has not answered its question in time. Never rejects. */
  readonly isBack: (node: NodeId) => Promise<void>
  /** Aborts when the node stops. */
  readonly signal: AbortSignal
}

/** What the machine of this node, and its gossip where it has one, have to do with those whom it does not know. */
export function strangersTo(
  driver: ChainDriver,
  timers: Env['timers'],
  gossip: () => Pick<Gossip, 'meet'> | undefined,
): Pick<StrangersComponents, 'sharers' | 'unknown' | 'isBack'> {
  return {
    sharers: node => driver.known.sharersOf(node),
    unknown: (node, by) => driver.dispatch({ kind: 'unknown', node, by }),
    async isBack(node) {
      await gossip()?.meet(node)
      driver.dispatch({ kind: 'belief', node, belief: 'alive' })
      for (let waitedMs = 0; driver.known.isSuspect(node) && waitedMs < ASK_TIMEOUT_MS; waitedMs += LOOK_MS)
        await timers.sleep(LOOK_MS)
    },
  }
}

export class Strangers {
  readonly #components: StrangersComponents
  readonly #asked = new Map<NodeId, Promise<boolean>>()

  /** Which start of a node that leaves was asked whether it does: another one is a member again. */
  readonly #leaving = new Map<NodeId, number>()

  constructor(components: StrangersComponents) {
    this.#components = components
  }

  /**
   * A node has said something: so it is there, whatever is known of it. Where that is something else, it may have missed what
   * this node was told, or the other way around: it is asked, and told of this one.
   */
  heardFrom({
    nodeId,
    address,
    boot,
  }: Pick<PeerIdentity, 'nodeId' | 'address'> & Partial<PeerIdentity>): void {
    const known = this.#components.members.map.record(nodeId)
    if (known?.status === 'left' && boot !== undefined && this.#leaving.get(nodeId) !== boot.counter) {
      this.#noteLeaving(nodeId, boot.counter)
      void this.#meet(nodeId, () => this.#askSpeaker(nodeId, address))
    } else if (known === undefined || known.status === 'dead' || known.address !== address)
      void this.#meet(nodeId, () => this.#askSpeaker(nodeId, address))
  }

  /**
   * Learns the record of a node, from itself where its address is known, else from others. One that is said to be dead
   * here is told so. True when it is a member now; false when nobody who was asked knows it. Never rejects.
   */
  meet(node: NodeId, address?: Address): Promise<boolean> {
    return this.#meet(node, async () => (await this.#ask(node, address)) > 0)
  }

  #meet(node: NodeId, ask: () => Promise<boolean>): Promise<boolean> {
    const known = this.#asked.get(node)
    if (known !== undefined) return known
    if (this.#asked.size >= STRANGERS_MAX) return Promise.resolve(false)
    const asked = ask().then(isAnswered => isAnswered && this.#components.members.isThere(node))
    this.#asked.set(node, asked)
    void asked.then(met => {
      if (met) this.#asked.delete(node)
      else this.#components.env.timers.after(REST_MS, () => this.#asked.delete(node))
    })
    return asked
  }

  /**
   * Makes this node and the one at an address known to each other: a disk that had that address before is not there any more.
   * A node that counted as dead counts as there again, once it has answered.
   * @throws StoreError UNAVAILABLE when nobody answers there, else as that node refuses.
   */
  async introduce(address: Address): Promise<void> {
    const { members, call, signal } = this.#components
    if (address === members.self.address) return members.learn(members.replacedBy(members.self))
    const ask = { kind: 'learn', records: [members.self] } as const
    const { record } = (await call(address, ask, { timeoutMs: ASK_TIMEOUT_MS, signal })) as LearnAnswer
    members.learn([record, ...members.replacedBy(record)])
    await this.#components.isBack(record.nodeId)
  }

  /** The same. Never rejects: of two that may live there neither does any harm, and whoever comes back says who it is. */
  async askWhoLivesAt(address: Address): Promise<void> {
    await this.introduce(address).catch(() => undefined)
  }

  /** Tries a node that somebody else could not reach. */
  observe(suspect: MapRecord): void {
    const { env, members, call, signal } = this.#components
    const { suspects, self } = members
    const options = { timeoutMs: OBSERVE_TIMEOUT_MS, signal, node: suspect.nodeId }
    call(suspect.address, { kind: 'learn', records: [] }, options).then(
      () => suspects.clear(suspect.nodeId),
      () => {
        const outcome = suspects.observe(suspect, self.nodeId, env.clock.monotonicMs())
        if (outcome === 'dead') members.learn([{ ...suspect, status: 'dead' }])
      },
    )
  }

  #noteLeaving(node: NodeId, counter: number): void {
    this.#leaving.delete(node)
    const oldest = this.#leaving.size < LEAVING_MAX ? undefined : this.#leaving.keys().next().value
    if (oldest !== undefined) this.#leaving.delete(oldest)
    this.#leaving.set(node, counter)
  }

  /**
   * Whoever has spoken is there, also when it can't be asked: what it says may have come round (detours.ts). Then the others know
   * of it; and when this node alone takes it for dead, one of them tells it so (docs/decisions/0301).
   */
  async #askSpeaker(node: NodeId, address: Address): Promise<boolean> {
    const { members, call, signal } = this.#components
    if ((await this.#ask(node, address)) > 0) return true
    const thirds = this.#thoseWhoKnow(node).slice(0, ABOUT_SPEAKER_MAX)
    const isAnswered = (await this.#askAt(thirds, node, [members.self])) > 0
    const obituary = members.map.record(node)
    const [third] = thirds
    if (!isAnswered || obituary?.status !== 'dead' || third === undefined) return isAnswered
    const ask = { kind: 'learn', records: [members.self, obituary] } as const
    await call(third.address, ask, { timeoutMs: ASK_TIMEOUT_MS, signal }).catch(() => undefined)
    return true
  }

  /** The others, those first that share a range with it. */
  #thoseWhoKnow(node: NodeId): MapRecord[] {
    const { members } = this.#components
    const sharers = this.#components.sharers(node)
    return members
      .others()
      .filter(({ nodeId }) => nodeId !== node)
      .sort((a, b) => Number(sharers.has(b.nodeId)) - Number(sharers.has(a.nodeId)))
      .slice(0, ASKED_MAX)
  }

  /** Asks a node who it is, or others. Gives how many have answered. */
  #ask(node: NodeId, address: Address | undefined): Promise<number> {
    const asked = address === undefined ? this.#thoseWhoKnow(node) : [{ address }]
    return this.#askAt(asked, node, this.#whatIsSaid(node))
  }

  async #askAt(
    asked: readonly Pick<MapRecord, 'address'>[],
    node: NodeId,
    records: readonly MapRecord[],
  ): Promise<number> {
    const { members, call, signal } = this.#components
    const by: NodeId[] = []
    const ask = { kind: 'learn', records, about: [node] } as const
    const answers = await Promise.allSettled(
      asked.map(async ({ address: to }) => {
        const answer = await call(to, ask, { timeoutMs: ASK_TIMEOUT_MS, signal })
        const { record, records } = answer as LearnAnswer
        const news = [record, ...(records ?? [])].filter(({ nodeId }) => nodeId === node)
        if (news.length === 0) by.push(record.nodeId)
        members.learn(news)
      }),
    )
    if (members.map.record(node) === undefined && by.length > 0) this.#components.unknown(node, by)
    return answers.filter(({ status }) => status === 'fulfilled').length
  }

  /** This node, and what is known of the one that is asked about: one that is said to be dead is told so. */
  #whatIsSaid(node: NodeId): MapRecord[] {
    const { members } = this.#components
    const known = members.map.record(node)
    return known === undefined ? [members.self] : [members.self, known]
  }
}
