/**
 * What this node still has to tell others: records that it has accepted, and those that it keeps though others are responsible by now (hints, and
 * what a former replica has). It goes out in the background, to each node by itself and in the order in which it came, again and again
 * until the node says that it has it durably. Whether somebody believes that node dead changes nothing about that.
 *
 * The queue is what the records note themselves (Custody), so that it survives a restart; here it is only kept at hand.
 */
import type { Env, Timer } from '../../env.ts'
import { errorCode, StoreError } from '../../errors.ts'
import type { Identifier, NodeId } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { Version } from '../../storage/record.ts'
import type { EventualPeers, Memory, Responsibility, Taken } from './eventual-calls.ts'
import { type EventualRecord, isTombstone, stateOf } from './eventual-record.ts'
import type { EventualReplica } from './eventual-replica.ts'
import type { HeldRecord } from './kept-record.ts'

/** Paths that wait; while there are so many, no write is accepted. About 300 bytes of memory each. */
const PATHS_MAX = 200_000

/** Of one call: records, and bytes of their small bodies. */
const RECORDS_AT_ONCE = 64
const BYTES_AT_ONCE = 1024 * 1024

/** The first wait after a node has not taken what it was sent, ms; it doubles up to the second. */
const RETRY_MS_MIN = 100
const RETRY_MS_MAX = 5_000

/** Between two looks at files that are kept for others and owed to nobody, ms; and for how many paths at the most it is found out who keeps them. */
const KEPT_MS = 30_000
const KEPT_LOOKS_MAX = 16

/** How often one call is made anew at once because the receiver had forgotten something meanwhile. */
const TURNS_MAX = 4

interface Entry {
  readonly position: Identifier
  readonly state: Version
  /** How many holders the record has: they only become more. */
  readonly holders: number
  /** It has a version that stands: it is no tombstone. */
  readonly isFile: boolean
  /** Who is owed it, and who of them has not said that it is there. */
  readonly told: ReadonlySet<NodeId>
  readonly left: Set<NodeId>
}

export interface PassingComponents {
  readonly env: Env
  readonly replica: () => EventualReplica
  readonly peers: EventualPeers
  readonly responsibility: Responsibility
  /** Syncing.looksAfter. */
  readonly looksAfter: (position: Identifier) => boolean
  /** Finds out who keeps a path. @throws StoreError. */
  readonly lookUp: (path: PathName) => Promise<unknown>
}

export class Passing {
  readonly #components: PassingComponents
  readonly #entries = new Map<PathName, Entry>()
  readonly #queues = new Map<NodeId, Set<PathName>>()
  readonly #sending = new Map<NodeId, { retries: number; timer: Timer | undefined }>()
  readonly #memories = new Map<NodeId, Memory>()
  /** Nodes to which large bodies did not get. */
  readonly #unreached = new Set<NodeId>()
  /** The disk did not take that something was settled: it is tried again. */
  #settling: Timer | undefined
  /**
   * Files that are owed to nobody, and that no look at the ranges of this node will find. Their replicas are too few, or not known here; or this node is one
   * since its last look, and may cease to be one before the next. Nobody tells it when that changes.
   */
  readonly #kept = new Map<PathName, Identifier>()
  #keeping: Timer | undefined
  #passed = 0
  #closed = false

  constructor(components: PassingComponents) {
    this.#components = components
  }

  /** Records that somebody does not have yet, how many of them for each node, and how many were passed on since the start. */
  get counts(): {
    readonly paths: number
    readonly byNode: ReadonlyMap<NodeId, number>
    readonly passed: number
  } {
    const byNode = new Map<NodeId, number>()
    for (const [node, paths] of this.#queues) if (paths.size > 0) byNode.set(node, paths.size)
    return { paths: this.#entries.size, byNode, passed: this.#passed }
  }

  /** Whether a node has still to be told of a record. */
  lacks(node: NodeId, path: PathName): boolean {
    return this.#queues.get(node)?.has(path) ?? false
  }

  /** @throws StoreError OVERLOADED when too much waits already. */
  assertRoom(): void {
    if (this.#entries.size < PATHS_MAX) return
    const message = 'Too much waits here to be passed on to other nodes.'
    throw new StoreError('OVERLOADED', message, { retryAfterSeconds: 5 })
  }

  /** A record is durable as it is now. */
  noticed(path: PathName, held: HeldRecord | undefined): void {
    const before = this.#entries.get(path)
    const owed = held?.custody.owed ?? []
    for (const node of before?.left ?? []) if (!owed.includes(node)) this.#queues.get(node)?.delete(path)
    this.#kept.delete(path)
    if (held === undefined || owed.length === 0) {
      this.#entries.delete(path)
      if (held !== undefined && !isTombstone(held.record)) this.#keep(path, held.record.position)
      return
    }
    const { record } = held
    const left = new Set(owed)
    const isFile = !isTombstone(record)
    const { position, holders } = record
    const entry = { position, state: stateOf(record), holders: holders.length, isFile }
    this.#entries.set(path, { ...entry, told: new Set(owed), left })
    for (const node of left) {
      const queue = this.#queues.get(node) ?? new Set()
      queue.add(path)
      this.#queues.set(node, queue)
      this.#start(node)
    }
  }

  /** Who is responsible has changed, or somebody is back: what waits is tried now. */
  hurry(): void {
    this.#settleAgain()
    for (const [node, sending] of this.#sending) {
      if (sending.timer === undefined) continue
      sending.timer.cancel()
      this.#sending.delete(node)
      this.#start(node)
    }
  }

  close(): void {
    this.#closed = true
    this.#settling?.cancel()
    this.#keeping?.cancel()
    for (const { timer } of this.#sending.values()) timer?.cancel()
  }

  #start(node: NodeId): void {
    if (this.#closed || this.#sending.has(node)) return
    this.#sending.set(node, { retries: 0, timer: undefined })
    // What is written in one turn goes out together.
    this.#components.env.timers.soon(() => void this.#send(node))
  }

  async #send(node: NodeId): Promise<void> {
    const { env } = this.#components
    const sending = this.#sending.get(node) as { retries: number; timer: Timer | undefined }
    while (!this.#closed) {
      const paths = this.#queues.get(node)
      if (paths === undefined || paths.size === 0) break
      if (this.#components.responsibility.isGone(node)) {
        this.#settleAll(node, paths)
        continue
      }
      try {
        await this.#sendSome(node, paths)
        sending.retries = 0
      } catch (error) {
        if (errorCode(error) === undefined) throw error
        env.log.debug({ op: 'eventual.pass', peer: node, err: error }, 'records wait for a node')
        const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(sending.retries++, 10))
        if (this.#closed) return
        sending.timer = env.timers.after(waitMs, () => {
          sending.timer = undefined
          void this.#send(node)
        })
        return
      }
    }
    this.#sending.delete(node)
  }

  /** @throws StoreError when the node has taken nothing. */
  async #sendSome(node: NodeId, paths: Set<PathName>): Promise<void> {
    const { peers } = this.#components
    const before = this.#passed
    let some = this.#some(paths)
    // What is not here any more is not owed.
    if (some.length === 0) paths.clear()
    for (let turn = 1; some.length > 0; turn++) {
      const records = some.map(([record]) => record)
      const memory = this.#memories.get(node) ?? ('' as Memory)
      const told = some.map(([{ path, position }]) => this.#toldOf(path, position))
      const pulls = this.#unreached.has(node)
      const taken = await peers.ask(node, 'take', { records, memory, told, ...(pulls && { pulls }) })
      this.#memories.set(node, taken.memory)
      const { missing, fault } = await this.#push(node, taken)
      const again = new Set([...taken.stale, ...taken.lacking.map(([path]) => path)])
      for (const [record, state] of some) if (!again.has(record.path)) this.#acknowledged(node, record, state)
      // Nobody shall wait for a body that does not come.
      for (const path of fault === undefined ? missing : again) if (paths.delete(path)) paths.add(path)
      for (const path of missing) again.delete(path)
      if (fault !== undefined) throw fault
      // What was read before the other forgot something may be older than that: it is read again.
      some = turn === TURNS_MAX ? [] : this.#some(again)
    }
    if (this.#passed === before && paths.size > 0)
      throw new StoreError('UNAVAILABLE', 'The other node has taken nothing of what it was sent.')
  }

  /** Whom this node tells of a record; and a replica sees to it that all of its view have what it has. */
  #toldOf(path: PathName, position: Identifier): readonly NodeId[] {
    const { responsibility } = this.#components
    const replicas = responsibility.replicasOf(position)
    return [...new Set([responsibility.self, ...(this.#entries.get(path)?.told ?? []), ...replicas])]
  }

  /** Gives the paths whose bodies are not here, though they should be; and why the other bodies did not get there. */
  async #push(
    node: NodeId,
    { lacking }: Taken,
  ): Promise<{ readonly missing: ReadonlySet<PathName>; readonly fault?: unknown }> {
    const missing = new Set<PathName>()
    for (const [path, blob] of lacking) {
      try {
        await this.#components.peers.pushBody(node, blob)
        this.#unreached.delete(node)
      } catch (error) {
        if (errorCode(error) === undefined) throw error
        if (errorCode(error) === 'UNAVAILABLE') this.#unreached.add(node)
        if (errorCode(error) !== 'FILE_NOT_FOUND' && errorCode(error) !== 'CORRUPT')
          return { missing, fault: error }
        missing.add(path)
      }
    }
    return { missing }
  }

  /** The first of these records as they are now. */
  #some(paths: ReadonlySet<PathName>): (readonly [EventualRecord, Version])[] {
    const some: (readonly [EventualRecord, Version])[] = []
    let bytes = 0
    for (const path of paths) {
      const entry = this.#entries.get(path)
      const record = entry && this.#components.replica().table.get(path, entry.position)?.record
      if (record === undefined) continue
      some.push([record, stateOf(record)])
      bytes += inlineBytesOf(record)
      if (some.length >= RECORDS_AT_ONCE || bytes >= BYTES_AT_ONCE) break
    }
    return some
  }

  #acknowledged(node: NodeId, { path, holders }: EventualRecord, state: Version): void {
    const entry = this.#entries.get(path)
    if (entry === undefined || !isSame(entry.state, state) || entry.holders !== holders.length) return
    this.#passed++
    this.#queues.get(node)?.delete(path)
    entry.left.delete(node)
    if (entry.left.size === 0) void this.#settled(path, entry)
  }

  #settleAll(node: NodeId, paths: ReadonlySet<PathName>): void {
    for (const path of [...paths]) {
      const entry = this.#entries.get(path)
      this.#queues.get(node)?.delete(path)
      entry?.left.delete(node)
      if (entry?.left.size === 0) void this.#settled(path, entry)
    }
  }

  /** All who were owed the record have it. Of a file that others keep this node keeps nothing more, once enough of them do. */
  async #settled(path: PathName, { position, state, holders, isFile, told }: Entry): Promise<void> {
    const { env, replica, responsibility } = this.#components
    const replicas = responsibility.replicasOf(position)
    const isOwn = replicas.includes(responsibility.self)
    const others = replicas.filter(node => !told.has(node))
    try {
      if (isOwn || replicas.length === 0) await replica().settle(path, state)
      else if (others.length > 0) await replica().owe(path, others)
      else if (isFile && replicas.length >= responsibility.copiesWanted())
        await replica().giveUp(path, state, holders)
      else await replica().settle(path, state)
    } catch (error) {
      if (errorCode(error) === undefined) throw error
      env.log.warn({ op: 'eventual.pass', err: error }, 'what was passed on is noted as owed still')
      if (this.#closed) return
      this.#settling ??= env.timers.after(RETRY_MS_MAX, () => {
        this.#settling = undefined
        this.#settleAgain()
      })
    }
  }

  /** Of a file that is here, and owed to nobody. */
  #keep(path: PathName, position: Identifier): void {
    const { env, looksAfter, responsibility } = this.#components
    const isOwn = responsibility.replicasOf(position).includes(responsibility.self)
    if (this.#closed || (isOwn && looksAfter(position))) return
    this.#kept.set(path, position)
    this.#keeping ??= env.timers.after(KEPT_MS, () => {
      this.#keeping = undefined
      void this.#giveUpKept()
    })
  }

  /** Those who have come to keep such a file are owed it, and then this node keeps it no longer. */
  async #giveUpKept(): Promise<void> {
    const { env, replica, responsibility, lookUp } = this.#components
    const { self, replicasOf } = responsibility
    const kept = [...this.#kept]
    this.#kept.clear()
    const wanted = responsibility.copiesWanted()
    let looks = 0
    const lookedUp: [PathName, Identifier][] = []
    for (const [path, position] of kept) {
      const isOwn = () => replicasOf(position).includes(self)
      const isShort = () => replicasOf(position).length < wanted
      try {
        // Too few, as this node knows: it may not have heard of the others.
        const mayLookUp = !isOwn() && isShort() && looks++ < KEPT_LOOKS_MAX
        if (mayLookUp) await lookUp(path)
        if (!isOwn() && !isShort()) await replica().owe(path, replicasOf(position))
        else if (mayLookUp) lookedUp.push([path, position])
        else this.#keep(path, position)
      } catch (error) {
        if (errorCode(error) === undefined) throw error
        env.log.warn({ op: 'eventual.pass', err: error }, 'what is kept for others is looked at again later')
        this.#keep(path, position)
      }
    }
    // The next time it is the turn of others.
    for (const [path, position] of lookedUp) this.#keep(path, position)
  }

  /** What all have who are owed it is noted as that. */
  #settleAgain(): void {
    for (const [path, entry] of this.#entries) if (entry.left.size === 0) void this.#settled(path, entry)
  }
}

function isSame(a: Version, b: Version): boolean {
  return a.epoch === b.epoch && a.seq === b.seq
}

function inlineBytesOf({ siblings }: EventualRecord): number {
  return siblings.reduce((sum, { body }) => sum + ('inline' in body.content ? body.size : 0), 0)
}
