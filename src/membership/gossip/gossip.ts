/**
 * Gossip of a node that runs: in each round it tells some others what it has heard, and takes in what they answer. Who does not
 * gossip has none of this: no message and no timer.
 *
 * What is believed of a node goes to the core as a belief and no more: the core asks the node once before it goes on without
 * it, and whoever speaks is there. The map of the network never learns of it that a disk is lost.
 */

import type { PeerAnswer, PeerCall, PeerCalls } from '../../calls/calls.ts'
import { type Beat, type GossipMessage, type Pair, UNKNOWN_CALL } from '../../calls/gossip-message.ts'
import type { Env, Timer } from '../../env.ts'
import { errorCode } from '../../errors.ts'
import { nobodyListens } from '../../peer/peer-errors.ts'
import type { CallOptions, PeerIdentity } from '../../peer/peers.ts'
import { RoundTrips } from '../../peer/round-trips.ts'
import type { ChainDriver } from '../../replication/chain/driver.ts'
import type { Address, NodeId } from '../../ring/identifier.ts'
import type { GossipOfKelips } from '../../routing/kelips/group-views.ts'
import type { MapRecord } from '../../routing/map-record.ts'
import type { Members } from '../members.ts'
import { type Belief, Beliefs, type Opinion } from './beliefs.ts'
import { LocalHealth } from './local-health.ts'
import { Pairs } from './pairs.ts'
import { failMsFor, failMsNeeded, type GossipSettings } from './settings.ts'
import { chooseTargets, watchedBy } from './targets.ts'

/** Rounds are so much shorter or longer than the period, in shares of it, so that nodes do not all speak in the same moment. */
const JITTER = 0.1

/** Rounds after which one of those that have failed is told, too: a cut may be over. */
const ROUNDS_PER_RETRY = 5

/** Rounds for which a node that does not gossip is left alone. */
const ROUNDS_OF_REST = 60

/** Nodes that are asked whether they reach one that does not answer (SWIM, section 3.1: k). */
const INDIRECT_PROBES = 3

/** Nodes that are tried at once; a cut may silence half of the network. */
const PROBES_MAX = 16

/** One exchange and one probe, in T_fail, and within bounds, ms. */
const EXCHANGE_SHARE = 1 / 4
const PROBE_SHARE = 1 / 8
const TIMEOUT_MS = [250, 5_000] as const

export interface GossipComponents {
  readonly env: Env
  readonly members: Members
  readonly driver: Pick<ChainDriver, 'known' | 'dispatch' | 'deliver' | 'tellMyself'>
  readonly call: (to: Address, call: PeerCall, options: CallOptions) => Promise<PeerAnswer>
  /** What a node that routes by Kelips does besides. */
  readonly kelips?: GossipOfKelips | undefined
  /** Aborts when the node stops. */
  readonly signal: AbortSignal
}

type GossipAnswer = PeerCalls['gossip']['answer']
type ProbeAnswer = PeerCalls['gossip-probe']['answer']

export class Gossip {
  readonly settings: GossipSettings
  readonly health = new LocalHealth()
  /** Changes of belief since the start, by what is believed then. */
  readonly changes: Record<Belief, number> = { alive: 0, suspect: 0, failed: 0 }
  /** Messages sent since the start. */
  messages = 0
  readonly #components: GossipComponents
  readonly #self: NodeId
  readonly #beliefs: Beliefs
  readonly #pairs: Pairs
  readonly #roundTrips = new RoundTrips()
  /** Nodes that do not gossip, and until which round they are left alone. */
  readonly #quiet = new Map<NodeId, number>()
  readonly #probing = new Set<NodeId>()
  readonly #asking = new Map<Address, number>()
  /** When the core was last told that a node is there after all, ms. */
  readonly #saidAliveMs = new Map<NodeId, number>()
  #others: readonly MapRecord[] = []
  #watched: ReadonlySet<NodeId> = new Set()
  #round = 0
  #dueMs = 0
  #timer: Timer | undefined
  #isRefuting = false
  #warnedOfNodes = 0

  constructor(components: GossipComponents, settings: GossipSettings) {
    this.#components = components
    this.settings = settings
    const { members, driver, signal } = components
    this.#self = members.self.nodeId
    const { counter: boot } = driver.known.boot
    const zoneOf = (node: NodeId) => members.map.record(node)?.zone
    this.#beliefs = new Beliefs({ self: this.#self, boot, zoneOf })
    this.#pairs = new Pairs({ self: this.#self })
    signal.addEventListener('abort', () => this.#timer?.cancel(), { once: true })
  }

  /** T_fail of a network of this size, ms. */
  get failMs(): number {
    return failMsFor(this.settings, this.#others.length + 1)
  }

  start(): void {
    this.#schedule(this.settings.periodMs * this.#draw())
  }

  /** Whether it is gossip that waits for an answer of that address: its refusal is no sign that a request has met. */
  isAsking(address: Address): boolean {
    return this.#asking.has(address)
  }

  /** What another node tells; it is told the same kind of thing. */
  answer(from: PeerIdentity, { said }: PeerCalls['gossip']['ask']): GossipAnswer {
    this.#quiet.delete(from.nodeId)
    this.#beliefs.beat()
    const { driver } = this.#components
    // Whoever speaks is there.
    if (driver.known.isSuspect(from.nodeId))
      driver.deliver({ from: from.nodeId, boot: from.boot, to: this.#self, message: { kind: 'pong' } })
    this.#hear(said, this.#roundTrips.meanMs(from.address))
    return { said: this.#say(from.nodeId, said) }
  }

  /** Tries a node that somebody says is there. */
  async meet(node: NodeId): Promise<void> {
    const record = this.#components.members.map.record(node)
    if (record !== undefined) await this.#exchange(record, this.#timeoutMs(PROBE_SHARE))
  }

  /** Tries a node on behalf of another one. */
  async probe(node: NodeId): Promise<ProbeAnswer> {
    const record = this.#components.members.map.record(node)
    return { beat: record && (await this.#exchange(record, this.#timeoutMs(PROBE_SHARE))) }
  }

  /** @throws StoreError, as Pairs.set. */
  set(key: string, value: string, ttlMs: number | undefined): Pair {
    return this.#pairs.set(key, value, ttlMs ?? this.settings.ttlMs, this.#nowMs())
  }

  get(key: string): Pair | undefined {
    return this.#pairs.get(key, this.#nowMs())
  }

  pairs(): Pair[] {
    return this.#pairs.all(this.#nowMs())
  }

  opinions(): Opinion[] {
    return this.#beliefs.all()
  }

  isFailed(node: NodeId): boolean {
    return this.#beliefs.isFailed(node)
  }

  #tick(): void {
    const nowMs = this.#nowMs()
    const { periodMs } = this.settings
    const lateMs = nowMs - this.#dueMs
    if (lateMs > periodMs) this.#beliefs.stoodStill(lateMs)
    this.health.late(lateMs, periodMs)
    this.#round++
    this.#components.kelips?.round()
    this.#lookAround(nowMs)
    this.#beliefs.beat()
    this.#pairs.expire(nowMs)
    const { failMs } = this
    for (const node of this.#beliefs.look(nowMs, failMs * this.health.factor, failMs)) void this.#probe(node)
    this.#publish()
    void this.#tellSome(lateMs <= periodMs / 2)
    this.#schedule(periodMs * (1 - JITTER + 2 * JITTER * this.#draw()))
  }

  /** Who is there to be told and watched. */
  #lookAround(nowMs: number): void {
    const { members, env } = this.#components
    this.#others = members.others()
    const names = (records: readonly MapRecord[]) => [this.#self, ...records.map(({ nodeId }) => nodeId)]
    const peers = names(members.routing.peersAmong(this.#others)).sort()
    this.#watched = new Set(watchedBy(this.#self, peers))
    const isMember = new Set(names(this.#others))
    const network = { nodes: isMember.size, nowMs }
    this.#beliefs.watch(this.#watched, node => isMember.has(node), network)
    for (const node of this.#quiet.keys()) if (!isMember.has(node)) this.#quiet.delete(node)
    for (const node of this.#saidAliveMs.keys())
      if (!this.#components.driver.known.isSuspect(node)) this.#saidAliveMs.delete(node)
    const neededMs = failMsNeeded(this.settings, isMember.size)
    // Once for each doubling, so that a network that grows says it now and then.
    if (neededMs <= this.settings.failMs || isMember.size < 2 * this.#warnedOfNodes) return
    this.#warnedOfNodes = isMember.size
    const { failMs } = this.settings
    const fields = { op: 'gossip.fail', nodes: isMember.size, failMs, neededMs }
    env.log.warn(fields, 't-fail is too short for a network of this size; the longer one is used')
  }

  async #tellSome(isInTime: boolean): Promise<void> {
    const isTold = ({ nodeId }: MapRecord) =>
      !this.#beliefs.isFailed(nodeId) && (this.#quiet.get(nodeId) ?? 0) <= this.#round
    const all = this.#others.filter(isTold)
    const targets = chooseTargets({
      watched: all.filter(({ nodeId }) => this.#watched.has(nodeId)),
      all,
      count: this.settings.fanOut,
      round: this.#round,
      roundTripMs: ({ address }) => this.#roundTrips.meanMs(address),
      draw: () => this.#draw(),
    })
    if (this.#round % ROUNDS_PER_RETRY === 0) void this.#retryOne()
    const timeoutMs = this.#timeoutMs(EXCHANGE_SHARE)
    // The silence of one that is suspected has been noticed.
    const expected = targets.filter(({ nodeId }) => this.#beliefs.of(nodeId)?.belief === 'alive')
    const heard = new Set<MapRecord>()
    await Promise.all(
      targets.map(async target => {
        if ((await this.#exchange(target, timeoutMs)) !== undefined) heard.add(target)
      }),
    )
    if (expected.length > 1 && expected.every(target => !heard.has(target))) this.health.heardNobody()
    else if (isInTime) this.health.well()
  }

  /** One of those that have failed may be back, or a cut may be over. */
  async #retryOne(): Promise<void> {
    const failed = this.#others.filter(({ nodeId }) => this.#beliefs.isFailed(nodeId))
    const one = failed[Math.floor(this.#draw() * failed.length)]
    if (one !== undefined) await this.#exchange(one, this.#timeoutMs(PROBE_SHARE))
  }

  /** Tries a node of which nothing is heard, and asks others to. Only when none of them reaches it this node says that it doubts it. */
  async #probe(node: NodeId): Promise<void> {
    const record = this.#components.members.map.record(node)
    if (record === undefined || this.#probing.has(node) || this.#probing.size >= PROBES_MAX) return
    this.#probing.add(node)
    const timeoutMs = this.#timeoutMs(PROBE_SHARE)
    const others = this.#others.filter(
      ({ nodeId }) => nodeId !== node && (this.#beliefs.of(nodeId)?.belief ?? 'failed') === 'alive',
    )
    const asked = chooseTargets({
      watched: others,
      all: others,
      count: INDIRECT_PROBES,
      round: this.#round,
      roundTripMs: ({ address }) => this.#roundTrips.meanMs(address),
      draw: () => this.#draw(),
    })
    const beats = await Promise.all([
      this.#exchange(record, timeoutMs),
      ...asked.map(other => this.#askToProbe(other, node, 2 * timeoutMs)),
    ])
    this.#probing.delete(node)
    for (const beat of beats) if (beat !== undefined) this.#beliefs.hear(beat, this.#nowMs())
    if (beats.every(beat => beat === undefined)) this.#beliefs.notReached(node)
    this.#publish()
  }

  async #askToProbe(
    { address, nodeId }: MapRecord,
    node: NodeId,
    timeoutMs: number,
  ): Promise<Beat | undefined> {
    const { call, signal } = this.#components
    try {
      this.messages++
      const options = { timeoutMs, signal, node: nodeId }
      return ((await call(address, { kind: 'gossip-probe', node }, options)) as ProbeAnswer).beat
    } catch {
      return undefined
    }
  }

  /** Tells a node something and hears its answer: its heartbeat, or undefined when it gave none. Never rejects. */
  async #exchange({ address, nodeId }: MapRecord, timeoutMs: number): Promise<Beat | undefined> {
    const { call, signal } = this.#components
    const beganMs = this.#nowMs()
    this.#asking.set(address, (this.#asking.get(address) ?? 0) + 1)
    try {
      this.messages++
      const options = { timeoutMs, signal, node: nodeId }
      const { said } = (await call(
        address,
        { kind: 'gossip', said: this.#say(nodeId) },
        options,
      )) as GossipAnswer
      if (said === undefined) return this.#leaveAlone(nodeId)
      const tookMs = this.#nowMs() - beganMs
      this.#roundTrips.took(address, tookMs)
      this.#hear(said, tookMs)
      return said.beats.find(beat => beat.node === nodeId)
    } catch (error) {
      const code = errorCode(error)
      if (code === undefined && !signal.aborted) throw error
      if (nobodyListens(error)) this.#beliefs.refused(nodeId, this.#nowMs())
      return code !== undefined && UNKNOWN_CALL.has(code) ? this.#leaveAlone(nodeId) : undefined
    } finally {
      const left = (this.#asking.get(address) ?? 1) - 1
      if (left > 0) this.#asking.set(address, left)
      else this.#asking.delete(address)
    }
  }

  /** It does not gossip: nobody may take its silence for anything. */
  #leaveAlone(node: NodeId): undefined {
    this.#quiet.set(node, this.#round + ROUNDS_OF_REST)
    this.#beliefs.forget(node)
  }

  #say(to: NodeId, heard?: GossipMessage): GossipMessage {
    const { members, kelips } = this.#components
    const home = members.homeOf(to)
    const views = home && kelips?.views.say(home, heard?.views)
    const times = Math.ceil(Math.log(this.#others.length + 2)) + 1
    const piggyback =
      heard === undefined ? members.routing.forRequest(to) : members.routing.forReply(heard.piggyback)
    return {
      ...this.#beliefs.tell(this.#watched.has(to), times),
      pairs: this.#pairs.tell(this.#nowMs(), times),
      ...(piggyback !== undefined && { piggyback }),
      ...(views !== undefined && { views }),
    }
  }

  #hear({ beats, doubts, pairs, piggyback, views }: GossipMessage, delayMs: number): void {
    const { members, driver, kelips } = this.#components
    if (kelips !== undefined && views !== undefined && views.views.length > 0)
      driver.tellMyself({ kind: 'teach', views: [...views.views] })
    const nowMs = this.#nowMs()
    members.routing.absorb(piggyback, nowMs)
    members.notice()
    const isKnown = (node: NodeId) => members.map.record(node)?.status === 'alive'
    for (const beat of beats)
      if (isKnown(beat.node) && this.#beliefs.hear(beat, nowMs)) this.#isThere(beat.node)
    for (const doubt of doubts) if (isKnown(doubt.node)) this.#doubted(doubt, nowMs)
    for (const pair of pairs) this.#pairs.hear(pair, nowMs, delayMs)
    this.#publish()
  }

  #doubted(doubt: GossipMessage['doubts'][number], nowMs: number): void {
    if (this.#beliefs.doubted(doubt, nowMs) !== 'refute') return
    this.health.wasDoubted()
    if (this.#isRefuting) return
    // Once for all that one message says, and at once.
    this.#isRefuting = true
    this.#components.env.timers.soon(() => {
      this.#isRefuting = false
      if (!this.#components.signal.aborted) void this.#tellSome(false)
    })
  }

  /** Its heartbeat grows: a core that believes it to be dead shall ask it. */
  #isThere(node: NodeId): void {
    const { driver } = this.#components
    if (!driver.known.isSuspect(node)) return
    const nowMs = this.#nowMs()
    const saidMs = this.#saidAliveMs.get(node) ?? Number.NEGATIVE_INFINITY
    if (nowMs - saidMs < this.failMs / 2) return
    this.#saidAliveMs.set(node, nowMs)
    driver.dispatch({ kind: 'belief', node, belief: 'alive' })
  }

  /** Each change of belief is a line for the operator, a count, and where it is grave the business of the core. */
  #publish(): void {
    const { env, members, driver } = this.#components
    for (const { node, belief, reason, by } of this.#beliefs.takeChanges()) {
      this.changes[belief]++
      const peer = members.addressOf(node) ?? node
      const fields = {
        op: 'gossip.belief',
        peer,
        belief,
        reason,
        by: by.map(one => members.addressOf(one) ?? one),
      }
      if (belief === 'alive') env.log.info(fields, 'a node is there again')
      else if (belief === 'suspect') env.log.info(fields, 'a node may have failed')
      else env.log.warn(fields, 'a node has failed')
      if (belief === 'failed') driver.dispatch({ kind: 'belief', node, belief })
    }
  }

  #timeoutMs(share: number): number {
    return Math.min(TIMEOUT_MS[1], Math.max(TIMEOUT_MS[0], this.failMs * share))
  }

  #schedule(afterMs: number): void {
    this.#dueMs = this.#nowMs() + afterMs
    this.#timer = this.#components.env.timers.after(afterMs, () => this.#tick())
  }

  #nowMs(): number {
    return this.#components.env.clock.monotonicMs()
  }

  /** A number from 0 to below 1. */
  #draw(): number {
    const [a = 0, b = 0, c = 0] = this.#components.env.randomness.bytes(3)
    return (a + 256 * (b + 256 * c)) / 2 ** 24
  }
}
