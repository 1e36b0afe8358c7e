/**
 * What keeps the trash of a node within its bounds: its age, its share of the disk, and the room that a write needs.
 *
 * Nothing here drops anything: each version leaves the trash by a write at the head of its path, so that all replicas agree.
 * Clocks and sizes of this node only say when and for what it asks; how old a version is the head decides (docs/decisions/0340).
 */
import type { Env, Timer } from '../env.ts'
import type { NetworkView } from '../replication/chain/network-view.ts'
import type { Replication } from '../replication/replication.ts'
import { identifierOfPath } from '../ring/identifier.ts'
import type { PathName } from '../ring/path-name.ts'
import { TRASH_PREFIX, trashedAt } from '../ring/trash-path.ts'
import { INLINE_BYTES_MAX } from '../storage/record.ts'
import type { ListEntry, Storage } from '../storage/storage.ts'
import { isTrashName, type TrashName, trashFactsOf } from '../storage/trash-name.ts'
import { headOf } from '../views/view.ts'

/** How often the trash is looked over for what is too old, ms; nothing leaves this node when nothing is. */
const EXPIRE_MS = 60 * 60 * 1000

/** How often its size is looked at, ms: a number in memory. */
const MEASURE_MS = 60_000

/** Paths that are asked for at once. */
const AT_ONCE = 8

/** Lines that are looked over in one turn of the event loop: about 5 ms. */
const LINES_AT_ONCE = 500

/** Ages are summed up by this, ms, to find which versions are the oldest without holding all of them. */
const SLOT_MS = 10 * 60 * 1000

/** What is freed at a time when the disk is full, at the least: bytes, and a part of the disk where that is less. The next bodies need room too. */
const GIVE_WAY_BYTES = 64 * 1024 * 1024
const GIVE_WAY_PART = 1 / 50

/** What is freed goes from the disk a little later: so long room is waited for, ms, and between two looks. */
const ROOM_WAIT_MS = 5_000
const ROOM_LOOK_MS = 50

export interface TrashKeeperComponents {
  readonly env: Env
  readonly storage: Pick<Storage, 'list' | 'statistics' | 'disk' | 'whenFull'>
  readonly replication: Pick<Replication, 'forget'>
  readonly known: Pick<NetworkView, 'covering' | 'self'>
}

export interface TrashKeeperInit {
  /** How long a version is kept, ms. */
  readonly keptMs: number
  /** The part of the disk that the trash may take, 0 to 1. */
  readonly share: number
}

/** A version in the trash of this node. */
interface Line {
  readonly path: PathName
  readonly name: TrashName
  readonly atMs: number
  readonly bytes: number
}

export class TrashKeeper {
  readonly #components: TrashKeeperComponents
  readonly #init: TrashKeeperInit
  readonly #closing = new AbortController()
  #timers: Timer[] = []
  #giving: Promise<boolean> | undefined

  constructor(components: TrashKeeperComponents, init: TrashKeeperInit) {
    this.#components = components
    this.#init = init
    this.#start()
  }

  #start(): void {
    this.#components.storage.whenFull?.(bytes => this.giveWay(bytes))
    this.#every(EXPIRE_MS, () => this.expire())
    this.#every(MEASURE_MS, () => this.shrink())
  }

  /** Ends the looks; what is asked for is not taken back. */
  close(): void {
    this.#closing.abort()
    for (const timer of this.#timers) timer.cancel()
  }

  /** Asks for what is too old to be forgotten, in the ranges whose head this node is. */
  async expire(): Promise<void> {
    const nowMs = this.#components.env.clock.nowMs()
    const { keptMs } = this.#init
    // By a clock that was wrong when it was trashed, or is now, it may be of the future: the head knows better.
    const isDue = ({ atMs }: Line) => nowMs - atMs >= keptMs || atMs > nowMs
    await this.#forget(line => isDue(line) && this.#isHeadOf(line), keptMs)
  }

  /** Keeps the trash within its share of the disk: the oldest versions go. */
  async shrink(): Promise<void> {
    const { storage } = this.#components
    if (storage.disk === undefined || storage.statistics().trash.bytes === 0) return
    const { bytes } = await storage.disk()
    const over = storage.statistics().trash.bytes - bytes * this.#init.share
    if (over > 0) await this.#forgetOldest(over, () => true)
  }

  /**
   * Makes room on a full disk for `bytes` more; resolves to whether there is some. What lies in the index is left: that does not
   * shrink when something in it goes.
   */
  giveWay(bytes: number): Promise<boolean> {
    this.#giving ??= this.#giveWay(bytes).finally(() => {
      this.#giving = undefined
    })
    return this.#giving
  }

  async #giveWay(bytes: number): Promise<boolean> {
    const { env, storage } = this.#components
    if (storage.disk === undefined || storage.statistics().trash.bytes === 0) return false
    const disk = await storage.disk()
    const before = disk.freeBytes
    const wanted = Math.max(bytes, Math.min(GIVE_WAY_BYTES, disk.bytes * GIVE_WAY_PART))
    const freed = await this.#forgetOldest(wanted, line => line.bytes > INLINE_BYTES_MAX)
    if (freed === 0) return false
    env.log.warn({ op: 'trash', freedBytes: freed }, 'the disk is full: the oldest of the trash goes')
    for (let waitedMs = 0; waitedMs < ROOM_WAIT_MS; waitedMs += ROOM_LOOK_MS) {
      if ((await storage.disk()).freeBytes >= before + Math.min(bytes, freed)) return true
      await env.timers.sleep(ROOM_LOOK_MS, this.#closing.signal)
    }
    return (await storage.disk()).freeBytes > before
  }

  /** Gives how many bytes have left the trash. */
  async #forgetOldest(bytes: number, isOne: (line: Line) => boolean): Promise<number> {
    const slots = new Map<number, number>()
    const slotOf = ({ atMs }: Line) => Math.floor(atMs / SLOT_MS)
    for await (const line of this.#lines()) {
      if (isOne(line)) slots.set(slotOf(line), (slots.get(slotOf(line)) ?? 0) + line.bytes)
    }
    let left = bytes
    let last = Number.NEGATIVE_INFINITY
    for (const [slot, sum] of [...slots].sort(([a], [b]) => a - b)) {
      if (left <= 0) break
      last = slot
      left -= sum
    }
    return this.#forget(line => isOne(line) && slotOf(line) <= last, undefined, bytes)
  }

  /** Asks the heads, a few paths at a time, until so many bytes are forgotten; gives how many were. One that can't be asked is left for the next time. */
  async #forget(
    isOne: (line: Line) => boolean,
    agedMs: number | undefined,
    bytes = Number.POSITIVE_INFINITY,
  ): Promise<number> {
    const { env, replication } = this.#components
    let forgotten = 0
    const running = new Set<Promise<void>>()
    const ask = async (path: PathName, lines: readonly Line[]) => {
      try {
        const names = lines.map(({ name }) => name)
        await replication.forget(path, names, agedMs)
        forgotten += lines.reduce((sum, line) => sum + line.bytes, 0)
      } catch (error) {
        env.log.debug({ op: 'trash', path, err: error }, 'a version stays in the trash')
      }
    }
    let asked = 0
    let gathered: Line[] = []
    const flush = async () => {
      const [first] = gathered
      if (first === undefined) return
      const one = ask(first.path, gathered).finally(() => running.delete(one))
      running.add(one)
      asked += gathered.reduce((sum, line) => sum + line.bytes, 0)
      gathered = []
      if (running.size >= AT_ONCE) await Promise.race(running)
    }
    for await (const line of this.#lines()) {
      if (!isOne(line)) continue
      if (gathered[0]?.path !== line.path) await flush()
      if (asked >= bytes || this.#closing.signal.aborted) break
      gathered.push(line)
    }
    if (asked < bytes) await flush()
    await Promise.all(running)
    return forgotten
  }

  async *#lines(): AsyncGenerator<Line> {
    const { env, storage } = this.#components
    let looked = 0
    for (const entry of storage.list(TRASH_PREFIX)) {
      const line = lineOf(entry)
      if (line !== undefined) yield line
      if (++looked % LINES_AT_ONCE === 0) await new Promise<void>(resolve => env.timers.soon(resolve))
    }
  }

  #isHeadOf({ path }: Line): boolean {
    const { known } = this.#components
    const view = known.covering(identifierOfPath(path))
    return view !== undefined && headOf(view) === known.self
  }

  #every(ms: number, act: () => Promise<void>): void {
    const { env } = this.#components
    const index = this.#timers.length
    const again = () => {
      this.#timers[index] = env.timers.after(ms, async () => {
        // A node that stops, or a disk that fails: the next look is the next try.
        await act().catch(error =>
          env.log.debug({ op: 'trash', err: error }, 'the trash was not looked over'),
        )
        if (!this.#closing.signal.aborted) again()
      })
    }
    again()
  }
}

function lineOf({ path, size }: ListEntry): Line | undefined {
  const trashed = trashedAt(path)
  if (trashed === undefined || !isTrashName(trashed.name)) return undefined
  return { path: trashed.path, name: trashed.name, atMs: trashFactsOf(trashed.name).atMs, bytes: size }
}

/** Keeps the trash of a node within its bounds until the signal aborts. */
export function keepTrash(
  components: ConstructorParameters<typeof TrashKeeper>[0],
  init: TrashKeeperInit,
  signal: AbortSignal,
): void {
  const keeper = new TrashKeeper(components, init)
  signal.addEventListener('abort', () => keeper.close())
}
