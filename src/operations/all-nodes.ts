/**
 * What one node asks of all the others: its news, the list, the picture of the ring, whether they answer at all,
 * and that they take over everything when it departs.
 */

import {
  isRecovery,
  type ListAsk,
  ONWARD_MAX,
  type PeerAnswer,
  type PeerCall,
  type PeerStream,
  type RangeReport,
  type RangesAnswer,
  type Recovery,
} from '../calls/calls.ts'
import { type Vitals, vitalsIn } from '../calls/vitals.ts'
import type { Env } from '../env.ts'
import { errorCode, StoreError } from '../errors.ts'
import { handOver } from '../membership/departure.ts'
import type { Members } from '../membership/members.ts'
import type { CallOptions, PeerIdentity } from '../peer/peers.ts'
import type { ChainRecord } from '../replication/chain/chain-record.ts'
import type { ChainDriver } from '../replication/chain/driver.ts'
import { isRecord } from '../replication/chain/messages.ts'
import type { CheckWord } from '../replication/chain/range-check.ts'
import { overlaps } from '../ring/arc.ts'
import type { Address, Identifier } from '../ring/identifier.ts'
import type { PathName } from '../ring/path-name.ts'
import type { MapRecord } from '../routing/map-record.ts'
import type { NodeId, View } from '../views/view.ts'
import type { AskedNode, Asking } from './asking.ts'
import { Copies, type CopiesComponents, type Learnt } from './copies.ts'
import { listedParts } from './listed-parts.ts'
import { NetworkCheck, type NetworkCheckWord } from './network-check.ts'
import type { ListedParts } from './network-list.ts'
import { isFreeOf, mergeRanges, type OverlayRange, ownRanges } from './overlay.ts'
import { proveReady } from './readiness.ts'
import type { Recoveries } from './recoveries.ts'
import { carryOut, planRecovery, type RecoveryComponents, type RecoveryPlan } from './recovery.ts'
import { RingWalk } from './ring-walk.ts'

/** One question to a node that was named for a resuming one, and the pauses between two rounds of them, ms. */
const MEET_TIMEOUT_MS = 2_000
const MEET_PAUSE_MS = 200
const MEET_PAUSE_MS_MAX = 5_000

/** Until a node that comes back has heard what was recovered, ms: it starts that much later when others are silent. */
const RECOVERIES_TIMEOUT_MS = 1_000

/** Nodes that are asked to tell those that this one does not reach: a third may not reach them either. */
const THIRDS = 2

/** What this node answers; it is asked as the others are. */
interface OwnAnswers {
  readonly recoveries: Recoveries
  answer(from: PeerIdentity, call: PeerCall, signal: AbortSignal): Promise<PeerAnswer>
  stream(call: PeerStream): AsyncIterable<CheckWord>
}

export interface AllNodesComponents {
  readonly env: Env
  readonly members: Members
  readonly driver: ChainDriver
  /** One call to one node. */
  readonly call: (to: Address, call: PeerCall, options: CallOptions) => Promise<PeerAnswer>
  /** The same with patience for those alone that are there. */
  readonly asking: Asking
  /** What this node answers itself. */
  readonly own: OwnAnswers
  /** Finds the view of a position. @throws StoreError UNAVAILABLE. */
  readonly lookup: (key: Identifier) => Promise<{ readonly view: View }>
  /** Where a node knows a part of the network only: it asks those near it whom it has to know. */
  readonly learnNeighbours: () => Promise<void> | undefined
  readonly network: CopiesComponents['network']
  readonly versions: CopiesComponents['versions']
  /** How this node is doing. */
  readonly vitals: (() => Vitals) | undefined
  /** Files that this node keeps. */
  readonly files: () => number
  /** Whether nothing that lies here is still to be told to others; for networks with eventual consistency. */
  readonly isHandedOver: () => boolean
  /** Aborts when the node stops. */
  readonly signal: AbortSignal
}

export class AllNodes {
  readonly copies: Copies
  readonly #components: AllNodesComponents
  readonly #walk: RingWalk
  /** Nodes that were met on the latest way around the ring, and that this node need not know for good. */
  #met: ReadonlyMap<NodeId, Address> = new Map()
  #verifying = false
  /** Whose turn it is to pass something on. */
  #turn = 0

  constructor(components: AllNodesComponents) {
    this.#components = components
    const askEach: CopiesComponents['askEach'] = async (asked, nodes) =>
      this.#askEach(asked, { dead: true }, nodes ?? (await this.#everybody()))
    this.#walk = new RingWalk({
      ...components,
      known: components.driver.known,
      askEach: (nodes, asked) => this.#askEach(asked, { dead: false }, nodes),
    })
    this.copies = new Copies({ ...components, askEach })
  }

  /** Tells every node that this one knows its own record: it has come, has another address, or leaves. */
  async announce(): Promise<void> {
    const { members, learnNeighbours } = this.#components
    const learning = learnNeighbours()
    if (learning !== undefined) await learning
    const call = { kind: 'learn', records: [members.self] } as const
    const { answers, silent } = await this.#askEach<Learnt>(call, { dead: true })
    members.learn(answers.map(([, { record }]) => record))
    await this.copies.agree(answers)
    if (silent.length === 0) return
    // A link may carry nothing, and whoever is not told plans against all others for good (docs/decisions/0301).
    const onward = silent.slice(0, ONWARD_MAX).map(({ nodeId }) => nodeId)
    const turn = this.#turn++ % Math.max(1, answers.length)
    const thirds = [...answers.slice(turn), ...answers.slice(0, turn)].slice(0, THIRDS)
    await this.#askEach(
      { ...call, onward },
      { dead: true },
      thirds.map(([, { record }]) => record),
    )
  }

  /**
   * A node that resumes may remember addresses at which nobody lives any more: it makes itself known to those whom somebody has named for
   * it, again and again until one of them, or somebody else, has answered.
   * @throws StoreError WRONG_NETWORK when one of them belongs to another network and nobody who is remembered answers; UNAVAILABLE.
   */
  async meetNamed(boots: readonly Address[], timeoutMs: number): Promise<void> {
    const { env, members, call, signal } = this.#components
    const deadline = env.clock.monotonicMs() + timeoutMs
    for (let pauseMs = MEET_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MEET_PAUSE_MS_MAX)) {
      for (const boot of boots) {
        try {
          const learn = { kind: 'learn', records: [members.self] } as const
          const options = { timeoutMs: MEET_TIMEOUT_MS, signal }
          const { record } = (await call(boot, learn, options)) as { record: MapRecord }
          members.learn([record])
          return await this.announce()
        } catch (error) {
          signal.throwIfAborted()
          const isForeign = errorCode(error) === 'WRONG_NETWORK'
          if (isForeign && !(await this.#reachesSomebody())) throw error
        }
      }
      if ((await this.#reachesSomebody()) || env.clock.monotonicMs() > deadline) return
      await env.timers.sleep(pauseMs, signal)
    }
  }

  async #reachesSomebody(): Promise<boolean> {
    const asked = { kind: 'recoveries' } as const
    const { answers } = await this.#askEach<object>(asked, { dead: true, timeoutMs: MEET_TIMEOUT_MS })
    return answers.length > 0
  }

  /** The parts of a list, and who gave none; whether one is missed shows when the ranges do not cover the ring. */
  async list(ask: ListAsk): Promise<ListedParts> {
    const { self } = this.#components.driver.known
    const own = (call: PeerCall) => this.ask(self, call)
    return listedParts({ ...this.#components, walk: this.#walk, own }, ask)
  }

  /** The ring as all nodes that can be reached see it, and what each of them says of itself. */
  async overlay(): Promise<{ ranges: OverlayRange[]; vitals: ReadonlyMap<NodeId, Vitals> }> {
    const { members, vitals } = this.#components
    const own: RangesAnswer = { ranges: await this.#ownRanges(), vitals: vitals?.() }
    const words = [[members.self.nodeId, own] as const, ...(await this.#allRanges()).answers]
    const said = words.map(([node, answer]) => [node, vitalsIn(answer.vitals)] as const)
    return {
      ranges: mergeRanges(words.map(([node, { ranges }]) => [node, ranges])),
      vitals: new Map(said.flatMap(([node, known]) => (known ? [[node, known]] : []))),
    }
  }

  /**
   * Checks every range of the network, heals what can be healed, and tells what was wrong. One at a time.
   * @throws StoreError OVERLOADED.
   */
  async *verify(): AsyncGenerator<NetworkCheckWord> {
    const { env, members, network, asking, signal } = this.#components
    if (this.#verifying)
      throw new StoreError('OVERLOADED', 'A check is under way at this node.', { retryAfterSeconds: 10 })
    this.#verifying = true
    try {
      const met = members.routing.isPartial ? await this.#everybody() : []
      yield* new NetworkCheck({
        env,
        members: () => [...new Set([...members.alive(), ...met].map(({ nodeId }) => nodeId))],
        nameOf: node => members.addressOf(node) ?? node,
        ask: (node, call) => this.ask(node, call),
        hangs: node => asking.hangs(node, 'ranges'),
        stream: (node, call) => this.#stream(node, call),
        copies: network.now.replicas,
        signal,
      }).run()
    } finally {
      this.#verifying = false
    }
  }

  /** What an operator could recover by force; changes nothing. */
  async planRecovery(): Promise<RecoveryPlan> {
    return planRecovery(await this.#recovery())
  }

  /** Recovers by force what that plan says. @throws StoreError PRECONDITION_FAILED. */
  async recover(planId: string): Promise<readonly View[]> {
    return carryOut(await this.#recovery(), planId)
  }

  /** What was recovered by force, as far as this node knows. */
  recoveries(): Recovery[] {
    return this.#components.own.recoveries.all()
  }

  /**
   * Asks other nodes what was recovered while this node was away or cut off: views that it holds may be over by no decision
   * of theirs.
   * @param from whom to ask; without, all that are believed alive.
   */
  async learnRecoveries(from?: readonly NodeId[]): Promise<void> {
    const { own, members } = this.#components
    const asked = members.others().filter(({ nodeId }) => from === undefined || from.includes(nodeId))
    const { answers } = await this.#askEach<{ recoveries: readonly unknown[] }>(
      { kind: 'recoveries' },
      { dead: true, timeoutMs: RECOVERIES_TIMEOUT_MS },
      asked,
    )
    const known = new Map<string, Recovery>()
    for (const [, { recoveries }] of answers) {
      for (const one of recoveries) if (isRecovery(one)) known.set(one.view.id, one)
    }
    for (const recovery of known.values()) await own.recoveries.note(recovery, 'long ago')
  }

  /**
   * Others believed this node to be dead, or it believed that of `node`: either may have gone on by force without the other. All
   * are told that this node is there, when it was the one.
   */
  meetAgain(node?: NodeId): void {
    if (node === undefined) void this.announce()
    this.learnRecoveries(node && [node]).catch((error: unknown) => {
      const { log } = this.#components.env
      log.warn({ op: 'recoveries', err: error }, 'what was recovered by force was not learnt')
    })
  }

  async #recovery(): Promise<RecoveryComponents> {
    const { env, members } = this.#components
    const met = (await this.#everybody()).map(({ nodeId }) => nodeId)
    const records = () => [...members.map.records()].filter(({ status }) => status !== 'left')
    return {
      env,
      members: () => [...new Set([...records().map(({ nodeId }) => nodeId), ...met])],
      // Of a part of the network only the views name those who are gone.
      namesOthers: members.routing.isPartial,
      ask: (node, call) => this.ask(node, call),
    }
  }

  /** One call to one node, this one included. @throws StoreError. */
  async ask(node: NodeId, asked: PeerCall): Promise<PeerAnswer> {
    const { members, own, asking, signal, driver } = this.#components
    const { self, boot } = driver.known
    if (node === self) return own.answer({ ...members.self, boot }, asked, signal)
    return asking.ask({ nodeId: node, address: this.#addressOf(node) }, asked)
  }

  /** What another replica has at a path; undefined when it has nothing. @throws StoreError. */
  async record(node: NodeId, path: PathName): Promise<ChainRecord | undefined> {
    if (this.#components.members.addressOf(node) === undefined) return undefined
    const { record } = (await this.ask(node, { kind: 'record', path })) as { record?: unknown }
    return isRecord(record) && record.path === path ? record : undefined
  }

  #stream(node: NodeId, asked: PeerStream): AsyncIterable<CheckWord> {
    const { own, asking, driver } = this.#components
    if (node === driver.known.self) return own.stream(asked)
    return asking.stream({ nodeId: node, address: this.#addressOf(node) }, asked) as AsyncIterable<CheckWord>
  }

  #addressOf(node: NodeId): Address {
    const address = this.#components.members.addressOf(node) ?? this.#met.get(node)
    if (address === undefined)
      throw new StoreError('UNAVAILABLE', `The address of the node ${node} is not known.`)
    return address
  }

  /** @throws StoreError UNAVAILABLE, as proveReady. */
  proveReady(): Promise<void> {
    return proveReady(this.#components)
  }

  /**
   * Hands everything over to the others; afterwards nothing here is needed by anybody.
   * @throws StoreError UNAVAILABLE when there is nobody to take the files, or they could not do so in time; this node is
   *   then a member as before.
   */
  async depart(signal: AbortSignal): Promise<void> {
    const { env, members, driver, files, isHandedOver } = this.#components
    const arcs = driver.known.held().map(({ view }) => view)
    await handOver({
      env,
      signal,
      hasOthers: members.others().length > 0,
      files: files(),
      become: async status => {
        members.changeSelf({ status })
        await this.announce()
      },
      isFree: async () => {
        const words = (await this.#ranges()).map(([node, { ranges }]) => [node, ranges] as const)
        // Who knows a part of the network only asks those who have to do with its ranges, and they do not speak for all.
        const isSpokenFor = (range: OverlayRange) =>
          range.state !== 'unknown' || arcs.some(arc => overlaps(arc, range))
        const ranges = mergeRanges(words)
        const asked = members.routing.isPartial ? ranges.filter(isSpokenFor) : ranges
        return isFreeOf(asked, members.self.nodeId) && isHandedOver()
      },
      remind: () => {
        driver.dispatch({ kind: 'verify' })
        // Whoever has missed the news goes on placing ranges here, against those who have it (docs/decisions/0251).
        void this.announce()
      },
    })
    // Nobody waits for the word of a disk that is emptied.
    if (this.#components.network.now.consistency === 'eventual')
      await this.copies.retire(members.self.nodeId, 'others')
  }

  /** A node whose disk fails says nothing, as to the others. */
  async #ownRanges(): Promise<readonly RangeReport[]> {
    const { driver } = this.#components
    const ranges = ownRanges(driver.known)
    return driver.durable().then(
      () => ranges,
      () => [],
    )
  }

  /** All other nodes that are alive; where this one knows a part of them only, those that are met on the way around the ring. */
  async #everybody(): Promise<readonly AskedNode[]> {
    const { members } = this.#components
    return members.routing.isPartial ? (await this.#allRanges()).nodes : members.others()
  }

  async #allRanges() {
    const { driver } = this.#components
    const own = ownRanges(driver.known)
    const walked = await this.#walk.ask<RangesAnswer>({ kind: 'ranges' }, own, ({ ranges }) => ranges)
    this.#met = new Map(walked.nodes.map(({ nodeId, address }) => [nodeId, address]))
    return walked
  }

  async #ranges(): Promise<readonly (readonly [NodeId, RangesAnswer])[]> {
    return (await this.#askEach<RangesAnswer>({ kind: 'ranges' })).answers
  }

  /** One call to each of some nodes, or of all others that live. */
  #askEach<Answer>(
    asked: PeerCall,
    options: { readonly dead: boolean; readonly timeoutMs?: number } = { dead: false },
    others: readonly AskedNode[] = this.#components.members.others(),
  ) {
    return this.#components.asking.askEach<Answer>(others, asked, options)
  }
}
