/**
 * One node's part in keeping files with eventual consistency: it accepts writes, takes in what others have accepted, and answers what it has.
 * Whatever it says is durable here.
 */
import type { Env } from '../../env.ts'
import { type Identifier, identifierOfPath, type NodeId } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { BlobId, Version } from '../../storage/record.ts'
import type { ReplicaStore } from '../../storage/replica-store.ts'
import type { Condition } from '../replication.ts'
import { type Actor, type Dot, joinSeen, type Seen, sameDot } from './dot.ts'
import type { Acceptance, Accepted, EventualAsks, Memory, Responsibility, Taken } from './eventual-calls.ts'
import {
  type EventualRecord,
  emptyRecord,
  etagOfSibling,
  isTombstone,
  joinHolders,
  merge,
  type RequestOutcome,
  type Sibling,
  stateOf,
  versionOf,
  withoutReplaced,
  written,
} from './eventual-record.ts'
import { EventualTable, type EventualTableInit } from './eventual-table.ts'
import { HybridClock, type Stamp } from './hybrid-clock.ts'
import type { Custody, HeldRecord } from './kept-record.ts'

/** What was done here since the start. */
export interface ReplicaCounts {
  /** Writes accepted. */
  accepted: number
  /** Those of them that this node is no replica for. */
  hinted: number
  /** Versions that went because a path had too many beside each other. */
  siblingsDropped: number
  /** Tombstones that all have had, and that are gone. */
  collected: number
}

/** Who has a record already, or is told of it by somebody else. */
export type Told = readonly NodeId[] | 'all'

/**
 * What was sent to this node counts for so long and no longer than twice that, ms by its own clock: what a node has sent whose disk was lost since can't arrive after what
 * it did not know of was forgotten (GONE_MS in collecting.ts).
 */
export const MEMORY_MS = 15_000

export interface EventualReplicaComponents {
  readonly env: Env
  readonly store: ReplicaStore
  readonly responsibility: Responsibility
  /** As EventualTable. */
  readonly changed: (path: PathName, held: HeldRecord | undefined) => void
}

export class EventualReplica {
  readonly table: EventualTable
  readonly counts: ReplicaCounts = { accepted: 0, hinted: 0, siblingsDropped: 0, collected: 0 }
  readonly #components: EventualReplicaComponents
  readonly #actor: Actor
  readonly #clock = new HybridClock()
  #forgotten = 0

  constructor(components: EventualReplicaComponents, init: EventualTableInit) {
    this.#components = components
    this.#actor = init.actor
    this.table = new EventualTable(components, init)
  }

  /** Grows with each tombstone that was forgotten, with each start, and with time. */
  get memory(): Memory {
    return this.#memoryOf(this.#period)
  }

  get #period(): number {
    return Math.floor(this.#components.env.clock.monotonicMs() / MEMORY_MS)
  }

  #memoryOf(period: number): Memory {
    return `${this.#actor}:${this.#forgotten}:${period}` as Memory
  }

  /** Whether nothing was forgotten here since, and it was not long ago. */
  #isCurrent(memory: Memory): boolean {
    return memory === this.memory || memory === this.#memoryOf(this.#period - 1)
  }

  /**
   * Takes a write or a removal; it is durable here when this resolves.
   * @param told what others have of the path: the change is judged by that, too, and may take the place of it. Nothing else of it comes to be here.
   * @throws StoreError DISK_FULL and others of the store.
   */
  async accept(
    { path, condition, request, file }: Acceptance,
    told?: EventualRecord,
  ): Promise<Accepted & { kind: 'done' | 'refused' | 'no-body' }> {
    const { env, store } = this.#components
    const position = identifierOfPath(path)
    const blob = file && blobOf(file.body.content)
    if (blob !== undefined && !(await store.hasBlob(blob))) return { kind: 'no-body' }
    const others = told && this.#heard(told)
    let accepted: Accepted & { kind: 'done' | 'refused' } = { kind: 'refused', because: 'condition' }
    await this.table.change(path, position, now => {
      const record = now?.record ?? emptyRecord(path, position)
      const known = others ? merge(record, others) : record
      const before = known.outcomes.find(one => sameKey(one.request, request))
      if (before !== undefined) {
        accepted =
          before.request === request
            ? { kind: 'done', file: before.file, replaced: before.replaced }
            : { kind: 'refused', because: 'key-reused' }
        return now
      }
      const replaced = replacedBy(known.siblings, condition)
      if (replaced === undefined) return now
      const nowMs = env.clock.nowMs()
      // Later than everything that it has seen, wherever the clock was when that was written.
      const stamp = Math.max(this.#clock.next(nowMs), ...known.siblings.map(one => one.stamp + 1))
      const custody = this.#custodyOf(now, this.#othersOf(position))
      const outcome = {
        request,
        stamp: stampOfOutcome(known.outcomes, stamp),
        replaced: known.siblings.length > 0,
      }
      // What lies elsewhere and is replaced is seen; who has it takes it away by that.
      const context = seenOf(record, replaced)
      const holders = others ? joinHolders(record.holders, others.holders) : record.holders
      const own = {
        ...record,
        siblings: record.siblings.filter(({ dot }) => !isAmong(replaced, dot)),
        holders,
      }
      if (file === undefined) {
        accepted = { kind: 'done', file: undefined, replaced: outcome.replaced }
        return this.#held(written(own, { replaced: [], seen: context, outcome }), custody)
      }
      const { dot, seen } = this.table.minting.mint(context, this.#sinceOf(custody))
      const added: Sibling = { dot, stamp, request, ...file, writtenAtMs: nowMs }
      const { size, sha256 } = file.body
      const done: RequestOutcome = { ...outcome, file: { version: versionOf(dot), size, sha256 } }
      accepted = { kind: 'done', file: done.file, replaced: done.replaced }
      return this.#held(written(own, { replaced: [], added, seen, outcome: done }), custody)
    })
    this.#countAccepted(accepted, position)
    return accepted
  }

  /** Takes in what others have. @throws StoreError of the store. */
  async take({ records, memory, told = [] }: EventualAsks['take']['ask']): Promise<Taken> {
    const lacking: (readonly [PathName, { blobId: BlobId; sha256: string }])[] = []
    const stale: PathName[] = []
    // What a forgotten tombstone stood against may still be under way, also where a file stands again; who knows of the forgetting has nothing older.
    if (!this.#isCurrent(memory))
      return { memory: this.memory, lacking, stale: records.map(({ path }) => path) }
    const takeOne = async (record: EventualRecord, index: number) => {
      const blobs = await this.#lacking(record)
      if (blobs.length > 0) {
        lacking.push(...blobs.map(blob => [record.path, blob] as const))
        return
      }
      const mayMerge = () => this.#isCurrent(memory)
      const merged = await this.#merge(record, mayMerge, told[index] ?? [])
      if (merged === undefined) stale.push(record.path)
    }
    await Promise.all(records.map(takeOne))
    return { memory: this.memory, lacking, stale }
  }

  /**
   * Takes in what this node has asked another for, unless it has forgotten something since it asked.
   * @param told who has it already, or is told of it without this node.
   * @returns whether there was something new in it.
   */
  async takeAnswer(record: EventualRecord, asked: Memory, told: Told): Promise<boolean> {
    const merged = await this.#merge(record, () => this.#isCurrent(asked), told)
    return merged?.isNew ?? false
  }

  fetch(path: PathName): EventualRecord | undefined {
    return this.table.get(path)?.record
  }

  /**
   * Notes who is going to keep a record that is here, before they have it: what replaces it waits for them (docs/decisions/0482).
   * @returns the record that names them. @throws StoreError of the store.
   */
  async admit(path: PathName, keepers: readonly NodeId[]): Promise<EventualRecord | undefined> {
    const held = await this.table.change(path, identifierOfPath(path), now => {
      if (now === undefined) return now
      const holders = joinHolders(now.record.holders, keepers)
      return holders === now.record.holders ? now : { ...now, record: { ...now.record, holders } }
    })
    return held?.record
  }

  /** Notes who is to be told of a record that is here. */
  async owe(path: PathName, nodes: readonly NodeId[]): Promise<void> {
    await this.table.change(path, identifierOfPath(path), now => {
      if (now === undefined) return now
      const owed = joinHolders([...now.custody.owed].sort(), nodes)
      return this.#held(now.record, { ...now.custody, owed })
    })
  }

  /** Keeps tombstones of others until all have them; says in which state the records of these paths are here then. */
  async confirm({ records }: EventualAsks['confirm']['ask']): Promise<EventualAsks['confirm']['answer']> {
    const clean: (readonly [PathName, Version, readonly NodeId[]])[] = []
    const confirmOne = async (record: EventualRecord) => {
      // Whoever asks this asks all who have something of the path.
      const held = (await this.#merge(record, () => true, 'all'))?.held
      if (held !== undefined) clean.push([record.path, stateOf(held.record), held.record.holders])
    }
    await Promise.all(records.map(confirmOne))
    return { clean }
  }

  /** All who ever had something of these paths have seen the same: a tombstone may be forgotten, and so may what was replaced in a file. */
  async collected({ collected }: EventualAsks['collected']['ask']): Promise<object> {
    const forgetOne = ([path, { epoch, seq }]: readonly [PathName, Version]) =>
      this.table.change(path, identifierOfPath(path), now => {
        if (now === undefined) return now
        const state = stateOf(now.record)
        if (state.epoch !== epoch || state.seq !== seq) return now
        if (!isTombstone(now.record)) return { ...now, record: withoutReplaced(now.record) }
        this.counts.collected++
        return undefined
      })
    // Nothing that was said before comes in after the first is gone.
    this.#forgotten++
    await Promise.all(collected.map(forgetOne))
    return {}
  }

  /**
   * Forgets a record that others keep, if it is as it was when they had it.
   * @param holders how many holders it had then: one that came since is known here alone.
   */
  async giveUp(path: PathName, state: Version, holders: number): Promise<boolean> {
    const left = await this.table.change(path, identifierOfPath(path), now => {
      if (now === undefined) return now
      const is = stateOf(now.record)
      if (is.epoch !== state.epoch || is.seq !== state.seq || now.record.holders.length !== holders)
        return now
      if (isTombstone(now.record)) this.#forgotten++
      return undefined
    })
    return left === undefined
  }

  /** Nobody is owed anything of a record any more, if it is as it was when the last one had it. */
  async settle(path: PathName, state: Version): Promise<void> {
    await this.table.change(path, identifierOfPath(path), now => {
      if (now === undefined || now.custody.owed.length === 0) return now
      const is = stateOf(now.record)
      if (is.epoch !== state.epoch || is.seq !== state.seq) return now
      return { record: now.record, custody: { ...now.custody, owed: [] } }
    })
  }

  /**
   * Undefined when it may not be merged.
   *
   * What is new here goes on to those of whom its sender does not know that they keep the path, too: views change while records are under way. A node that keeps the
   * path for others owes what it has to all of them.
   */
  async #merge(
    record: EventualRecord,
    mayMerge: () => boolean,
    told: Told,
  ): Promise<{ readonly held: HeldRecord | undefined; readonly isNew: boolean } | undefined> {
    const { path, position } = record
    const heard = this.#heard(record)
    // A stamp that was bounded here is news to everybody.
    const isBounded = !sameState(heard, record)
    let isRefused = false
    let isNew = false
    const held = await this.table.change(path, position, now => {
      isRefused = !mayMerge()
      if (isRefused) return now
      const merged = now ? merge(now.record, heard, gone => this.#tooMany(path, gone)) : heard
      isNew = now === undefined || !sameState(merged, now.record)
      if (now !== undefined && !isNew && merged.holders.length === now.record.holders.length) return now
      return this.#held(
        merged,
        this.#custodyOf(now, isNew ? this.#untold(merged, isBounded ? [] : told) : []),
      )
    })
    return isRefused ? undefined : { held, isNew }
  }

  /** Who is to be told of a record that came in. A tombstone that is kept for others is asked for when it is collected. */
  #untold(record: EventualRecord, told: Told): readonly NodeId[] {
    const others = this.#othersOf(record.position)
    if (!this.#isOwn(record.position)) return isTombstone(record) ? [] : others
    return told === 'all' ? [] : others.filter(node => !told.includes(node))
  }

  #heard(record: EventualRecord): EventualRecord {
    const nowMs = this.#components.env.clock.nowMs()
    const siblings = record.siblings.map(one => ({ ...one, stamp: this.#clock.hear(one.stamp, nowMs) }))
    return { ...record, siblings }
  }

  /** Whoever is to have the record, or may come to have it, is one of its holders before anything of it leaves. */
  #held(record: EventualRecord, custody: Custody): HeldRecord {
    const holders = joinHolders(record.holders, [this.#components.responsibility.self, ...custody.owed])
    return { record: { ...record, holders }, custody }
  }

  #custodyOf(now: HeldRecord | undefined, owed: readonly NodeId[]): Custody {
    if (now !== undefined) return { ...now.custody, owed: joinHolders([...now.custody.owed].sort(), owed) }
    return { actor: this.#actor, since: this.table.minting.last, owed }
  }

  /** A record from before this start was kept all the time. */
  #sinceOf({ actor, since }: Custody): number {
    return actor === this.#actor ? since : 0
  }

  #othersOf(position: Identifier): readonly NodeId[] {
    const { responsibility } = this.#components
    return responsibility
      .replicasOf(position)
      .filter(node => node !== responsibility.self)
      .sort()
  }

  #isOwn(position: Identifier): boolean {
    const { responsibility } = this.#components
    return responsibility.replicasOf(position).includes(responsibility.self)
  }

  async #lacking({ siblings }: EventualRecord): Promise<readonly { blobId: BlobId; sha256: string }[]> {
    const { store } = this.#components
    const lacking: { blobId: BlobId; sha256: string }[] = []
    for (const { body } of siblings) {
      const blobId = blobOf(body.content)
      if (blobId !== undefined && !(await store.hasBlob(blobId)))
        lacking.push({ blobId, sha256: body.sha256 })
    }
    return lacking
  }

  #countAccepted(accepted: Accepted, position: Identifier): void {
    if (accepted.kind !== 'done') return
    this.counts.accepted++
    if (!this.#isOwn(position)) this.counts.hinted++
  }

  #tooMany(path: PathName, gone: number): void {
    this.counts.siblingsDropped += gone
    this.#components.env.log.warn(
      { op: 'eventual.siblings', path, gone },
      'a path has too many versions; the oldest goes',
    )
  }
}

function blobOf(content: Sibling['body']['content']): BlobId | undefined {
  return 'blobId' in content ? content.blobId : undefined
}

function sameState(a: EventualRecord, b: EventualRecord): boolean {
  const [one, other] = [stateOf(a), stateOf(b)]
  return one.epoch === other.epoch && one.seq === other.seq
}

/** A request is a key and what it was used for, with a space between. */
function sameKey(a: string, b: string): boolean {
  const key = (request: string) => request.slice(0, request.indexOf(' ') + 1) || request
  return key(a) === key(b)
}

/** The siblings that a change takes the place of; undefined when its condition does not hold here. */
function replacedBy(siblings: readonly Sibling[], condition: Condition): readonly Sibling[] | undefined {
  if (condition === 'none') return siblings
  if (condition === 'absent') return siblings.length === 0 ? siblings : undefined
  if (condition === 'exists') return siblings.length > 0 ? siblings : undefined
  const named = siblings.filter(sibling => condition.etags.includes(etagOfSibling(sibling)))
  return named.length > 0 ? named : undefined
}

/** Later than the outcomes that are remembered, so that it is not the first to be forgotten. */
function stampOfOutcome(outcomes: readonly RequestOutcome[], now: Stamp): Stamp {
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(now, ...outcomes.map(({ stamp }) => stamp + 1)))
}

/** What was seen of a path when these versions are replaced. */
function seenOf({ seen }: EventualRecord, replaced: readonly Sibling[]): Seen {
  return replaced.reduce((all, { dot: { actor, n } }) => joinSeen(all, [[actor, [[n, n]]]]), seen)
}

function isAmong(siblings: readonly Sibling[], dot: Dot): boolean {
  return siblings.some(sibling => sameDot(sibling.dot, dot))
}
