/**
 * The simulated disk: one node's stable store, and all that a disk may do to it.
 *
 * It is a log of commits over a map, as LMDB's transactions appear to their user: a commit is atomic, commits become
 * durable in their order, and what has been written can be read at once but survives a crash only after a sync. Damage
 * is modelled by its effect, which is that a checksum does not match: the disk refuses, it never returns wrong values. Only
 * what `spoil` is called for is given as it is: the bodies, whose readers check them.
 */
import type { Timer, Timers } from '../../env.ts'
import { StoreError } from '../../errors.ts'
import type { SeededRandom } from './seeded-random.ts'

/** One change of a commit: `undefined` removes the key. */
export type DiskChange<Value> = readonly [key: string, value: Value | undefined]

/** All that is on a disk at one moment, as a backup program copies it. */
export interface DiskImage<Value> {
  readonly entries: ReadonlyMap<string, Value>
  readonly rotten: ReadonlySet<string>
}

export interface DiskInit<Value> {
  /** Virtual ms that a sync takes, drawn evenly between the two. */
  readonly syncMinMs: number
  readonly syncMaxMs: number
  /** That a crash tears the commit it interrupts (a torn one is found by its checksum and dropped). From 0 to 1. */
  readonly tear: number
  /** A copy that later changes of `value` don't touch. By default the value itself, which then has to be immutable. */
  readonly copy?: (value: Value) => Value
}

/** What a crash did to a disk. */
export interface CrashLoss {
  /** Commits that were written and not synced, and that are gone. */
  readonly lostCommits: number
  /** That the first of them was half on the disk. */
  readonly torn: boolean
}

/** What the disk can do at the moment: with `full` writes fail, with `broken` writes and syncs do. */
export type DiskFault = 'none' | 'full' | 'broken'

/** How many commits may wait for a sync; a node that writes on and never syncs is a defect. */
export const UNSYNCED_COMMITS_MAX = 100_000

/** The disk of one node. It outlives the node's crashes. */
export class SimulatedDisk<Value> {
  readonly #timers: Timers
  readonly #random: SeededRandom
  readonly #init: DiskInit<Value>
  readonly #copy: (value: Value) => Value
  /** What survives a crash. */
  #durable = new Map<string, Value>()
  /** What can be read: the durable part with the unsynced commits on top. */
  #visible = new Map<string, Value>()
  #unsynced: (readonly DiskChange<Value>[])[] = []
  /** Number of commits that are durable, over the disk's whole life. */
  #durableCommits = 0
  #version = 0
  /** Keys whose durable value is damaged, and keys that can't be read: a new write heals the one before the other. */
  #durableRot = new Set<string>()
  #visibleRot = new Set<string>()
  readonly #syncs = new Set<Timer>()
  #fault: DiskFault = 'none'
  #slowMs = 0

  /** `timers` are the node's own, so that a sync of a paused node is not seen to end. */
  constructor(components: { readonly timers: Timers; readonly random: SeededRandom }, init: DiskInit<Value>) {
    this.#timers = components.timers
    this.#random = components.random
    this.#init = init
    this.#copy = init.copy ?? (value => value)
  }

  /** Commits that a crash now could take. */
  get unsyncedCommits(): number {
    return this.#unsynced.length
  }

  /** Grows with each change of what is durable. */
  get version(): number {
    return this.#version
  }

  get fault(): DiskFault {
    return this.#fault
  }

  /**
   * The value of a key, synced or not; undefined when there is none.
   * @throws StoreError CORRUPT when its checksum does not match.
   */
  read(key: string): Value | undefined {
    if (this.#visibleRot.has(key)) throw new StoreError('CORRUPT', `The checksum of ${key} does not match.`)
    const value = this.#visible.get(key)
    return value === undefined ? undefined : this.#copy(value)
  }

  /** The same of what a crash would leave. */
  readDurable(key: string): Value | undefined {
    if (this.#durableRot.has(key)) throw new StoreError('CORRUPT', `The checksum of ${key} does not match.`)
    const value = this.#durable.get(key)
    return value === undefined ? undefined : this.#copy(value)
  }

  /** The durable keys that begin with `prefix`, in the order in which they were first written. */
  *durableKeys(prefix: string): Generator<string> {
    for (const key of this.#durable.keys()) if (key.startsWith(prefix)) yield key
  }

  /** The keys that begin with `prefix`, in the order of their UTF-16 units, whether their values are good or not. */
  keys(prefix = ''): string[] {
    return [...this.#visible.keys()].filter(key => key.startsWith(prefix)).sort()
  }

  /**
   * Makes all changes or none. They can be read at once, and survive a crash only after a `sync`.
   * @throws StoreError DISK_FULL (full; changes that only remove are taken) or INTERNAL (broken); nothing has changed.
   */
  write(changes: readonly DiskChange<Value>[]): void {
    if (this.#fault === 'broken') throw new StoreError('INTERNAL', 'The disk does not write any more.')
    if (this.#fault === 'full' && changes.some(([, value]) => value !== undefined)) {
      throw new StoreError('DISK_FULL', 'No space is left on the disk.')
    }
    if (this.#unsynced.length >= UNSYNCED_COMMITS_MAX)
      throw new TypeError('A disk is written and never synced.')
    const commit = changes.map(
      ([key, value]) => [key, value === undefined ? undefined : this.#copy(value)] as const,
    )
    this.#unsynced.push(commit)
    applyTo(this.#visible, commit)
    for (const [key] of commit) this.#visibleRot.delete(key)
  }

  /**
   * Calls `then` once all that was written before is durable. After a crash it is never called. With an error, nothing
   * is promised of what was written, not even after another sync: the node has to restart from its disk.
   */
  sync(then: (error?: StoreError) => void): void {
    const upTo = this.#durableCommits + this.#unsynced.length
    const { syncMinMs, syncMaxMs } = this.#init
    const slowMs = this.#slowMs === 0 ? 0 : this.#random.between(0, this.#slowMs)
    const timer = this.#timers.after(slowMs + this.#random.between(syncMinMs, syncMaxMs), () => {
      this.#syncs.delete(timer)
      if (this.#fault === 'broken')
        return then(new StoreError('INTERNAL', 'The disk does not sync any more.'))
      this.#makeDurable(upTo - this.#durableCommits)
      then()
    })
    this.#syncs.add(timer)
  }

  /** The node stops at this moment. Of the unsynced commits a random number of the first ones survives. */
  crash(): CrashLoss {
    for (const sync of this.#syncs) sync.cancel()
    this.#syncs.clear()
    const written = this.#unsynced.length
    const survivors = this.#random.int(0, written)
    const torn = this.#random.chance(this.#init.tear) && survivors < written
    this.#makeDurable(survivors)
    this.#unsynced = []
    this.#visible = new Map(this.#durable)
    this.#visibleRot = new Set(this.#durableRot)
    return { lostCommits: written - survivors, torn }
  }

  /** From now on a sync takes up to so many virtual ms longer; 0 ends that. */
  setSlow(mostMs: number): void {
    this.#slowMs = mostMs
  }

  setFault(fault: DiskFault): void {
    this.#fault = fault
  }

  /**
   * Damages the durable value of a key: reads refuse until the key is written anew, and again after a crash that takes
   * that write. False when nothing durable lies there.
   */
  rot(key: string): boolean {
    if (!this.#durable.has(key)) return false
    this.#durableRot.add(key)
    if (!this.#unsynced.some(commit => commit.some(([written]) => written === key))) this.#visibleRot.add(key)
    return true
  }

  /** Puts another value in the place of a durable one, without a commit. False when nothing durable lies there. */
  spoil(key: string, value: Value): boolean {
    if (!this.#durable.has(key)) return false
    this.#version++
    this.#durable.set(key, value)
    if (!this.#unsynced.some(commit => commit.some(([written]) => written === key)))
      this.#visible.set(key, value)
    return true
  }

  /** Empties the disk, as when it was replaced. Only for a node that is down: a running one would not notice. */
  wipe(): void {
    this.restore({ entries: new Map(), rotten: new Set() })
  }

  /** What is durable now. */
  snapshot(): DiskImage<Value> {
    return { entries: new Map(this.#durable), rotten: new Set(this.#durableRot) }
  }

  /** Puts an image in place of everything. Only for a node that is down. */
  restore(image: DiskImage<Value>): void {
    if (this.#unsynced.length > 0 || this.#syncs.size > 0)
      throw new TypeError('The disk of a running node is not replaced.')
    this.#version++
    this.#durable = new Map(image.entries)
    this.#visible = new Map(image.entries)
    this.#durableRot = new Set(image.rotten)
    this.#visibleRot = new Set(image.rotten)
  }

  #makeDurable(count: number): void {
    if (count <= 0) return
    this.#version++
    for (const commit of this.#unsynced.splice(0, count)) {
      applyTo(this.#durable, commit)
      for (const [key] of commit) this.#durableRot.delete(key)
    }
    this.#durableCommits += count
  }
}

function applyTo<Value>(map: Map<string, Value>, commit: readonly DiskChange<Value>[]): void {
  for (const [key, value] of commit) {
    if (value === undefined) map.delete(key)
    else map.set(key, value)
  }
}
