/**
 * Two nodes that keep the same range find what differs between them, by digests of the records from the whole range downward (Meyer, *Range-Based Set
 * Reconciliation*, 2023), and each merges what the other has. It happens after each change of a view, after each start, and when an operator asks
 * for it; nothing is ever replaced. What a node keeps outside of its ranges it owes to those who are responsible.
 */
import type { Env, Timer } from '../../env.ts'
import { errorCode } from '../../errors.ts'
import { type Arc, arcContains, WHOLE_RING } from '../../ring/arc.ts'
import type { NodeId } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { Body } from '../../storage/record.ts'
import { DIGITS, type Digest, PREFIX_DIGITS } from '../chain/digest-tree.ts'
import { hasSeenAll } from './dot.ts'
import type { EventualPeers, Responsibility } from './eventual-calls.ts'
import { type EventualRecord, isTombstone, stateOf } from './eventual-record.ts'
import type { EventualReplica, Told } from './eventual-replica.ts'
import type { HeldRecord } from './kept-record.ts'

/** Records of a part that are compared one by one. */
const PART_RECORDS_MAX = 32

/** The first wait before a comparison is tried again, ms; it doubles up to the second. */
const RETRY_MS_MIN = 250
const RETRY_MS_MAX = 30_000

/** For how many paths of one look it is found out who keeps them. */
const LOOKS_MAX = 16

/** After a change of views, ms: several come together. */
const SETTLE_MS = 50

interface Task extends Arc {
  /** Of the view. */
  readonly id: string
  readonly node: NodeId
  retries: number
}

export interface SyncingComponents {
  readonly env: Env
  readonly replica: EventualReplica
  readonly peers: EventualPeers
  readonly responsibility: Responsibility
  readonly hurry: () => void
  /** Finds out who keeps a path. @throws StoreError. */
  readonly lookUp: (path: PathName) => Promise<unknown>
}

export class Syncing {
  readonly #components: SyncingComponents
  /** By range, view and node; those that are done stay as long as the view does. */
  readonly #tasks = new Map<string, Task>()
  #done = new Set<string>()
  /** Paths of which it was tried to find out who keeps them, in the last look that had some. */
  #lookedUp: ReadonlySet<PathName> = new Set()
  #own: ReturnType<Responsibility['ownRanges']> = []
  #looking: { readonly timer: Timer; readonly atMs: number } | undefined
  #watching: Timer | undefined
  #running = false
  #hasLooked = false
  /** All that lies here is to be looked at again: the disk took nothing the last time, or it is known by now who keeps something. */
  #missed = false
  #retrying: Timer | undefined
  #merged = 0
  #closed = false

  constructor(components: SyncingComponents) {
    this.#components = components
  }

  /** Ranges that are to be compared with another node yet, and records that were taken over so since the start. */
  get counts(): { readonly ranges: number; readonly merged: number } {
    return { ranges: this.#tasks.size, merged: this.#merged }
  }

  /** Whether this node may lack what others have of a position: it has not compared the range with one of them yet. */
  isBehind(position: EventualRecord['position']): boolean {
    for (const task of this.#tasks.values())
      if (task.retries === 0 && arcContains(task, position)) return true
    return !this.looksAfter(position)
  }

  /** Whether this node kept a position when it last looked. Once others keep it, the next look hands over all that lies here of it. */
  looksAfter(position: EventualRecord['position']): boolean {
    return this.#own.some(range => arcContains(range, position))
  }

  /** Who is responsible may have changed. */
  viewsChanged(): void {
    this.#lookAfter(SETTLE_MS)
  }

  /** A look that is to come sooner stays. */
  #lookAfter(ms: number): void {
    if (this.#closed) return
    const { clock, timers } = this.#components.env
    const atMs = clock.monotonicMs() + ms
    if (this.#looking !== undefined && this.#looking.atMs <= atMs) return
    this.#looking?.timer.cancel()
    const timer = timers.after(ms, () => {
      this.#looking = undefined
      void this.#look()
    })
    this.#looking = { timer, atMs }
  }

  /** Compares everything anew; resolves when that was tried once with each node that is there. */
  async compareAll(): Promise<void> {
    this.#done = new Set()
    await this.#look('all')
    const { env } = this.#components
    while (this.#running && !this.#closed) await env.timers.sleep(SETTLE_MS)
  }

  close(): void {
    this.#closed = true
    this.#looking?.timer.cancel()
    this.#watching?.cancel()
    this.#retrying?.cancel()
  }

  /** Compares everything anew, and looks at tombstones that lie here for others. */
  async remind(): Promise<void> {
    this.#done = new Set()
    await this.#look('tombstones')
  }

  /** @param scope what is looked at of that which lies here for others: all, or what this node has lost just now, or tombstones, too. */
  async #look(
    scope: 'all' | 'lost' | 'tombstones' = !this.#hasLooked || this.#missed ? 'all' : 'lost',
  ): Promise<void> {
    const { env, replica, responsibility, hurry } = this.#components
    const own = responsibility.ownRanges()
    const before = this.#own
    this.#own = own
    this.#hasLooked = true
    this.#watch()
    const wanted = new Map<string, Task>()
    let isMissing = false
    for (const { id, lo, hi, nodes } of own)
      for (const node of nodes) {
        if (node === responsibility.self) continue
        if (!responsibility.isAlive(node)) {
          if (!responsibility.isGone(node) && !this.#done.has(`${id} ${node}`)) isMissing = true
          continue
        }
        wanted.set(`${id} ${node}`, { id, lo, hi, node, retries: 0 })
      }
    for (const name of this.#tasks.keys()) if (!wanted.has(name)) this.#tasks.delete(name)
    for (const [name, task] of wanted)
      if (!this.#done.has(name) && !this.#tasks.has(name)) this.#tasks.set(name, task)
    const ids = new Set(own.map(({ id }) => id))
    this.#done = new Set([...this.#done].filter(name => ids.has(name.slice(0, name.lastIndexOf(' ')))))
    const lost = scope === 'all' ? [WHOLE_RING] : before.filter(({ id }) => !ids.has(id))
    // Nobody tells when a node is back that has kept its ranges.
    if (isMissing) this.#lookAfter(RETRY_MS_MAX)
    const unknown: EventualRecord[] = []
    try {
      for (const range of lost) await this.#handOver(replica.table.within(range), unknown)
      if (scope === 'tombstones') await this.#handOver(replica.table.tombstones(WHOLE_RING), unknown)
      if (scope === 'all') this.#missed = false
    } catch (error) {
      if (errorCode(error) === undefined) throw error
      env.log.warn({ op: 'eventual.sync', err: error }, 'what lies here for others is looked at again later')
      this.#missed = true
      this.#lookAfter(RETRY_MS_MAX)
    }
    hurry()
    this.#retrying?.cancel()
    this.#retrying = undefined
    void this.#run()
    await this.#findOut(unknown)
  }

  /** Nobody tells a node that has only heard of a view without it. */
  #watch(): void {
    if (this.#closed) return
    this.#watching ??= this.#components.env.timers.after(RETRY_MS_MAX, () => {
      this.#watching = undefined
      if (this.#hasOtherRanges) void this.#look()
      else this.#watch()
    })
  }

  get #hasOtherRanges(): boolean {
    const names = (ranges: ReturnType<Responsibility['ownRanges']>) => ranges.map(({ id }) => id).join()
    return names(this.#own) !== names(this.#components.responsibility.ownRanges())
  }

  /** What lies here and is kept by others is owed to them. @param unknown gets records of which this node does not know who keeps them. */
  async #handOver(kept: Iterable<HeldRecord>, unknown: EventualRecord[]): Promise<void> {
    const { replica, responsibility } = this.#components
    const foreign: EventualRecord[] = []
    for (const { record, custody } of kept) {
      const replicas = responsibility.replicasOf(record.position)
      const isUnknown = replicas.length === 0 && !this.#lookedUp.has(record.path)
      if (isUnknown && unknown.length < LOOKS_MAX) unknown.push(record)
      if (replicas.includes(responsibility.self)) continue
      if (replicas.some(node => !custody.owed.includes(node))) foreign.push(record)
    }
    for (const record of foreign) {
      if (isTombstone(record) && (await this.#isOutlived(record)))
        await replica.giveUp(record.path, stateOf(record), record.holders.length)
      else await replica.owe(record.path, responsibility.replicasOf(record.position))
    }
  }

  /** Who keeps these records; the next look hands them over. */
  async #findOut(unknown: readonly EventualRecord[]): Promise<void> {
    const { lookUp, responsibility } = this.#components
    // The next time it is the turn of others.
    this.#lookedUp = new Set(unknown.map(({ path }) => path))
    let isFound = false
    for (const { path, position } of unknown) {
      try {
        await lookUp(path)
      } catch (error) {
        if (errorCode(error) === undefined) throw error
      }
      if (responsibility.replicasOf(position).length > 0) isFound = true
    }
    if (!isFound) return
    this.#missed = true
    this.#lookAfter(SETTLE_MS)
  }

  /**
   * Whether those who are responsible have a file again, and have seen all that a tombstone here stands against, and know all who may bring that back. Then
   * nobody collects it any more, and nothing that it stands against can come back by way of them.
   */
  async #isOutlived({ path, position, seen, holders }: EventualRecord): Promise<boolean> {
    const { peers, responsibility } = this.#components
    const head = responsibility.replicasOf(position).find(node => responsibility.isAlive(node))
    if (head === undefined) return false
    try {
      const { record } = await peers.ask(head, 'fetch', { path })
      if (record === undefined || isTombstone(record) || !hasSeenAll(record.seen, seen)) return false
      return holders.every(node => record.holders.includes(node))
    } catch (error) {
      if (errorCode(error) === undefined) throw error
      return false
    }
  }

  async #run(): Promise<void> {
    if (this.#running || this.#closed) return
    this.#running = true
    const { env } = this.#components
    let failed = Number.POSITIVE_INFINITY
    const tried = new Set<Task>()
    for (let next = this.#untried(tried); next !== undefined && !this.#closed; next = this.#untried(tried)) {
      const [name, task] = next
      tried.add(task)
      try {
        const isNew = await this.#compare(task, [''])
        if (this.#tasks.get(name) === task) this.#tasks.delete(name)
        this.#done.add(name)
        if (isNew) this.#compareAgain(task)
      } catch (error) {
        if (errorCode(error) === undefined) throw error
        env.log.debug({ op: 'eventual.sync', peer: task.node, err: error }, 'a range was not compared')
        failed = Math.min(failed, RETRY_MS_MIN * 2 ** Math.min(task.retries++, 10))
      }
    }
    this.#running = false
    if (this.#closed || failed === Number.POSITIVE_INFINITY) return
    this.#retrying = env.timers.after(Math.min(failed, RETRY_MS_MAX), () => void this.#run())
  }

  /** More may come while one is compared. */
  #untried(tried: ReadonlySet<Task>): readonly [string, Task] | undefined {
    for (const [name, task] of this.#tasks) if (!tried.has(task)) return [name, task]
    return undefined
  }

  /** @returns whether something was new here. */
  async #compare(task: Task, prefixes: readonly string[]): Promise<boolean> {
    const { replica, peers } = this.#components
    const { lo, hi, node } = task
    const { digests } = await peers.ask(node, 'digests', { lo, hi, prefixes })
    const deeper: string[] = []
    let isNew = false
    for (const [at, prefix] of prefixes.entries()) {
      const there = digests[at] as Digest
      const here = replica.table.digest(task, prefix)
      if (there.count === here.count && there.hash === here.hash) continue
      const isSmall = Math.max(there.count, here.count) <= PART_RECORDS_MAX
      if (isSmall || prefix.length === PREFIX_DIGITS) {
        if (await this.#comparePart(task, prefix)) isNew = true
      } else deeper.push(...DIGITS.map(digit => prefix + digit))
    }
    if (deeper.length > 0 && (await this.#compare(task, deeper))) isNew = true
    return isNew
  }

  async #comparePart({ lo, hi, node }: Task, prefix: string): Promise<boolean> {
    const { replica, peers } = this.#components
    const { versions } = await peers.ask(node, 'versions', { lo, hi, prefix })
    const there = new Map(versions.map(([path, epoch, seq]) => [path, { epoch, seq }]))
    const here = new Set<PathName>()
    for (const { record } of replica.table.within({ lo, hi }, prefix)) {
      here.add(record.path)
      const other = there.get(record.path)
      const own = stateOf(record)
      if (other?.epoch === own.epoch && other.seq === own.seq) there.delete(record.path)
    }
    let isNew = false
    // The others of the range are compared with again: that is less than to tell them of each record.
    for (const path of there.keys()) if (await this.exchange(node, path, 'all')) isNew = true
    const others = new Set(versions.map(([path]) => path))
    for (const path of here) if (!others.has(path)) await replica.owe(path, [node])
    return isNew
  }

  /** What was new here may be new to the others of the range, too. */
  #compareAgain({ id, node, lo, hi }: Task): void {
    const { responsibility } = this.#components
    for (const other of this.#own.find(range => range.id === id)?.nodes ?? []) {
      const name = `${id} ${other}`
      if (other === node || other === responsibility.self || !this.#done.delete(name)) continue
      this.#tasks.set(name, { id, lo, hi, node: other, retries: 1 })
    }
  }

  /** Whether another node has the same of a path; if not, each gets what the other has. @throws StoreError. */
  async compareOne(node: NodeId, path: PathName): Promise<void> {
    const { replica, peers } = this.#components
    const { record } = await peers.ask(node, 'fetch', { path })
    const own = replica.table.get(path)
    if (own === undefined || own.custody.owed.includes(node)) return
    if (record === undefined) return replica.owe(path, [node])
    const [is, theirs] = [stateOf(own.record), stateOf(record)]
    if (record.path === path && (is.epoch !== theirs.epoch || is.seq !== theirs.seq))
      await this.exchange(node, path)
  }

  /** Takes in what another node has of a path, and owes it what comes of that. @throws StoreError. */
  async exchange(node: NodeId, path: PathName, told: Told = [node]): Promise<boolean> {
    let answer = await this.#fetch(node, path)
    // Large bodies take their time: what the node has after that counts.
    if (answer.record?.siblings.some(({ body }) => this.#isLacking(body))) {
      await this.#pullBodies(node, answer.record)
      answer = await this.#fetch(node, path)
    }
    const { record, asked } = answer
    return record?.path === path && (await this.takeIn(node, record, asked, told))
  }

  async #fetch(node: NodeId, path: PathName) {
    const { replica, peers, responsibility } = this.#components
    const asked = replica.memory
    return { ...(await peers.ask(node, 'fetch', { path, keepers: [responsibility.self] })), asked }
  }

  #isLacking({ content }: Body): boolean {
    return 'blobId' in content && !this.#components.replica.table.hasBody(content.blobId)
  }

  async #pullBodies(node: NodeId, { path, siblings }: EventualRecord): Promise<void> {
    const { peers } = this.#components
    for (const { body } of siblings) {
      if (!('blobId' in body.content) || !this.#isLacking(body)) continue
      await peers.pullBody(node, path, { blobId: body.content.blobId, sha256: body.sha256 })
    }
  }

  /**
   * The bodies of a record come before it.
   * @param told who is not told of it by this node. @returns whether something in it was new.
   */
  async takeIn(
    node: NodeId,
    record: EventualRecord,
    asked: EventualReplica['memory'],
    told: Told = [node],
  ): Promise<boolean> {
    const { replica } = this.#components
    await this.#pullBodies(node, record)
    const isNew = await replica.takeAnswer(record, asked, told)
    const after = replica.table.get(record.path, record.position)?.record
    if (after === undefined) return isNew
    this.#merged++
    const [is, theirs] = [stateOf(after), stateOf(record)]
    if (theirs.epoch !== is.epoch || theirs.seq !== is.seq) await replica.owe(record.path, [node])
    return isNew
  }
}
