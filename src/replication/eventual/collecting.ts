/**
 * Tombstones go when nothing can come back any more that they stand against. The head of a range asks everybody who ever held something of
 * these paths, and whom those name, to keep the tombstone and to say that they have nothing else (Responsibility of the holders is noted in the record
 * before anything of it leaves a node). When all of them have said so, all of them may forget it. One node that is away keeps it: until it is back,
 * or an operator says that it will never be.
 *
 * In the same way goes what was seen of a file and does not stand any more, when there is much of it: each start of a node that writes a path adds to that.
 */
import type { Env, Timer } from '../../env.ts'
import { errorCode, StoreError } from '../../errors.ts'
import { type Arc, WHOLE_RING } from '../../ring/arc.ts'
import type { NodeId } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { Version } from '../../storage/record.ts'
import { COLLECTED_MAX, type EventualPeers, RECORDS_MAX, type Responsibility } from './eventual-calls.ts'
import { type EventualRecord, isTombstone, replacedIn, stateOf } from './eventual-record.ts'
import { type EventualReplica, MEMORY_MS } from './eventual-replica.ts'
import type { HeldRecord } from './kept-record.ts'

/** Between two rounds, ms, while there are tombstones. */
export const COLLECT_MS = 30_000

/**
 * From when on a node that is gone is not waited for, ms after this node has heard that it is: longer than anything counts that it has sent before, to
 * whomever. Else that would come in where nobody was asked, since only the node that is gone knew whom it was telling.
 */
export const GONE_MS = 3 * MEMORY_MS

/** After so many rounds that left tombstones, all ranges are compared; after twice as many once more, and so on up to the second. */
const REMIND_ROUNDS_MIN = 2
const REMIND_ROUNDS_MAX = 64

/** Tombstones of one round of one range. */
const ROUND_MAX = 4 * RECORDS_MAX

/** Tombstones that are looked at to say who is going to be waited for. */
const EXPECTED_MAX = 1_000

/** How often those who were named by others are asked, too, before a round ends. */
const NAMED_MAX = 5

/** States of one path in which nobody has what is collected. */
const STATES_MAX = 2

/** What is to be forgotten of a path. */
interface Collected {
  /** All that is not to come back. */
  readonly tombstone: EventualRecord
  /** Who has the path in one of these has nothing of that: the replicas of a file have the file, and the other holders the tombstone. */
  readonly states: readonly Version[]
}

function collectedOf(record: EventualRecord): Collected {
  if (isTombstone(record)) return { tombstone: record, states: [stateOf(record)] }
  const tombstone = replacedIn(record)
  return { tombstone, states: [stateOf(record), stateOf(tombstone)] }
}

export interface CollectingComponents {
  readonly env: Env
  readonly replica: EventualReplica
  readonly peers: EventualPeers
  readonly responsibility: Responsibility
  /** Another node knows something of a path that this one does not. */
  readonly exchange: (node: NodeId, path: PathName) => Promise<unknown>
  /** Compares all ranges: who collects a tombstone has to have it. */
  readonly remind: () => Promise<void>
  /** Whether a node has still to be told of a record. */
  readonly lacks: (node: NodeId, path: PathName) => boolean
}

export class Collecting {
  readonly #components: CollectingComponents
  #timer: Timer | undefined
  #running: Promise<void> | undefined
  /** Who did not answer in the last round; undefined before the first. */
  #waitingFor: ReadonlySet<NodeId> | undefined
  /** Rounds until all ranges are compared, and how many there were before the last time. */
  #roundsLeft = REMIND_ROUNDS_MIN
  #roundsBefore = REMIND_ROUNDS_MIN
  /** Nodes that are gone, and when this one has found that; by its monotonic clock. */
  readonly #gone = new Map<NodeId, number>()
  #closed = false

  constructor(components: CollectingComponents) {
    this.#components = components
  }

  /** Nodes without which tombstones could not go. */
  get waitingFor(): readonly NodeId[] {
    return [...(this.#waitingFor ?? this.#expected())]
  }

  /** There may be tombstones. */
  notice(): void {
    if (this.#closed || this.#timer !== undefined) return
    this.#timer = this.#components.env.timers.after(COLLECT_MS, () => {
      this.#timer = undefined
      void this.#collectAndGoOn()
    })
  }

  async #collectAndGoOn(): Promise<void> {
    const { env, replica } = this.#components
    try {
      await this.collect()
      await this.#remind()
    } catch (error) {
      if (errorCode(error) === undefined) throw error
      env.log.warn({ op: 'eventual.collect', err: error }, 'tombstones wait for the next round')
    }
    if (replica.table.hasToCollect) this.notice()
  }

  /**
   * A late question may bring a tombstone back to a node when its head has forgotten it; and who keeps one for others may not know who they are now.
   * Nobody would ask for it any more.
   */
  async #remind(): Promise<void> {
    const { replica, remind } = this.#components
    if (replica.table.counts.tombstones === 0) {
      this.#roundsLeft = REMIND_ROUNDS_MIN
      this.#roundsBefore = REMIND_ROUNDS_MIN
    } else if (--this.#roundsLeft <= 0) {
      this.#roundsBefore = Math.min(REMIND_ROUNDS_MAX, 2 * this.#roundsBefore)
      this.#roundsLeft = this.#roundsBefore
      await remind()
    }
  }

  /** One round of each range that this node is the head of. */
  collect(): Promise<void> {
    this.#running ??= this.#collect().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  /** Before the first round: holders of the first tombstones who do not seem to be there. */
  #expected(): ReadonlySet<NodeId> {
    const { replica, responsibility } = this.#components
    const silent = new Set<NodeId>()
    let looked = 0
    for (const { record } of replica.table.tombstones(WHOLE_RING)) {
      if (++looked > EXPECTED_MAX) break
      for (const node of record.holders)
        if (node !== responsibility.self && !responsibility.isGone(node) && !responsibility.isAlive(node))
          silent.add(node)
    }
    return silent
  }

  async #collect(): Promise<void> {
    const { responsibility, lacks } = this.#components
    const silent = new Set<NodeId>()
    for (const range of responsibility.ownRanges()) {
      if (!range.isHead) continue
      let round: Collected[] = []
      for (const { record, custody } of this.#toCollect(range)) {
        // Whoever is owed it is told of it first.
        if (custody.owed.length > 0) {
          for (const node of custody.owed) if (lacks(node, record.path)) silent.add(node)
        } else round.push(collectedOf(record))
        if (round.length < ROUND_MAX) continue
        await this.#round(round, silent)
        round = []
      }
      if (round.length > 0) await this.#round(round, silent)
      if (this.#closed) return
    }
    this.#waitingFor = silent
  }

  *#toCollect(range: Arc): Generator<HeldRecord> {
    const { table } = this.#components.replica
    yield* table.tombstones(range)
    yield* table.long(range)
  }

  async #round(collected: readonly Collected[], silent: Set<NodeId>): Promise<void> {
    const { responsibility } = this.#components
    const tombstones = collected.map(({ tombstone }) => tombstone)
    const states = new Map(collected.map(({ tombstone, states }) => [tombstone.path, states]))
    const holders = new Map(tombstones.map(({ path, holders }) => [path, new Set(holders)]))
    const confirmed = new Map(tombstones.map(({ path }) => [path, new Set<NodeId>([responsibility.self])]))
    const lost = new Set<PathName>()
    for (let times = 1; times <= NAMED_MAX; times++) {
      const asked = this.#unasked(tombstones, holders, confirmed, lost)
      if (asked.size === 0) break
      await Promise.all(
        [...asked].map(([node, records]) =>
          this.#ask(node, records, { states, holders, confirmed, lost, silent }),
        ),
      )
    }
    const left = this.#unasked(tombstones, holders, confirmed, lost)
    const isLeft = (path: PathName) =>
      [...left.values()].some(records => records.some(one => one.path === path))
    const isClean = ({ path }: EventualRecord) => !lost.has(path) && !isLeft(path)
    await this.#forget(
      collected.filter(({ tombstone }) => isClean(tombstone)),
      holders,
    )
  }

  /** Holders who have not been asked about a tombstone yet. */
  #unasked(
    tombstones: readonly EventualRecord[],
    holders: ReadonlyMap<PathName, ReadonlySet<NodeId>>,
    confirmed: ReadonlyMap<PathName, ReadonlySet<NodeId>>,
    lost: ReadonlySet<PathName>,
  ): Map<NodeId, EventualRecord[]> {
    const asked = new Map<NodeId, EventualRecord[]>()
    for (const record of tombstones) {
      if (lost.has(record.path)) continue
      for (const node of holders.get(record.path) ?? []) {
        if (confirmed.get(record.path)?.has(node) || this.#isLongGone(node)) continue
        asked.set(node, [...(asked.get(node) ?? []), record])
      }
    }
    return asked
  }

  #isLongGone(node: NodeId): boolean {
    const { env, responsibility } = this.#components
    if (!responsibility.isGone(node)) return false
    const nowMs = env.clock.monotonicMs()
    const sinceMs = this.#gone.get(node) ?? nowMs
    this.#gone.set(node, sinceMs)
    return nowMs - sinceMs >= GONE_MS
  }

  async #ask(
    node: NodeId,
    records: readonly EventualRecord[],
    round: {
      readonly states: ReadonlyMap<PathName, readonly Version[]>
      readonly holders: ReadonlyMap<PathName, Set<NodeId>>
      readonly confirmed: ReadonlyMap<PathName, Set<NodeId>>
      readonly lost: Set<PathName>
      readonly silent: Set<NodeId>
    },
  ): Promise<void> {
    const { env, peers, responsibility, exchange } = this.#components
    try {
      if (responsibility.isGone(node))
        throw new StoreError('UNAVAILABLE', 'The node is gone, and has not been for long.')
      for (let from = 0; from < records.length; from += RECORDS_MAX) {
        const some = records.slice(from, from + RECORDS_MAX)
        const { clean } = await peers.ask(node, 'confirm', { records: some })
        const answers = new Map(clean.map(([path, state, holders]) => [path, { state, holders }]))
        for (const { path } of some) {
          const answer = answers.get(path)
          const isAsHere = ({ epoch, seq }: Version) =>
            answer?.state.epoch === epoch && answer.state.seq === seq
          if (!round.states.get(path)?.some(isAsHere)) {
            round.lost.add(path)
            await exchange(node, path)
          } else {
            round.confirmed.get(path)?.add(node)
            for (const holder of answer?.holders ?? []) round.holders.get(path)?.add(holder)
          }
        }
      }
    } catch (error) {
      if (errorCode(error) === undefined) throw error
      env.log.debug({ op: 'eventual.collect', peer: node, err: error }, 'tombstones wait for a node')
      round.silent.add(node)
      for (const { path } of records) if (!round.confirmed.get(path)?.has(node)) round.lost.add(path)
    }
  }

  async #forget(
    clean: readonly Collected[],
    holders: ReadonlyMap<PathName, ReadonlySet<NodeId>>,
  ): Promise<void> {
    const { replica, peers, responsibility } = this.#components
    const atOnce = COLLECTED_MAX / STATES_MAX
    for (let from = 0; from < clean.length; from += atOnce) {
      const some = clean.slice(from, from + atOnce)
      const collected = some.flatMap(({ tombstone: { path }, states }) =>
        states.map(state => [path, state] as const),
      )
      const nodes = new Set(some.flatMap(({ tombstone }) => [...(holders.get(tombstone.path) ?? [])]))
      await replica.collected({ collected })
      for (const node of nodes) {
        if (node === responsibility.self || responsibility.isGone(node)) continue
        // Whoever does not hear of it holds a tombstone longer, and brings about another round.
        await peers.ask(node, 'collected', { collected }).catch((error: unknown) => {
          if (errorCode(error) === undefined) throw error
        })
      }
    }
  }
}
