/**
 * Virtual time: a queue of events, each due at a moment, worked off one after the other without waiting.
 *
 * Two events that are due at the same moment happen in the order in which they were asked for, so that a run is the
 * same each time. The clock is also a Clock and Timers of src/env.ts: ordinary async code runs in it, too.
 */
import { setImmediate } from 'node:timers/promises'
import type { Clock, Env, Log, Randomness, Timer, Timers } from '../../env.ts'

interface Event {
  readonly atMs: number
  readonly order: number
  act: (() => void) | undefined
}

/** Wall clock at the start of every run, ms since 1970: an arbitrary but recognisable moment (2030-01-01). */
export const VIRTUAL_START_MS = 1_893_456_000_000

/** How many events may wait. A world of ten nodes has some hundreds; more than this is a loop that feeds itself. */
export const WAITING_EVENTS_MAX = 1_000_000

/** What an Env of the simulator may differ in from the clock itself. */
export interface VirtualEnvInit {
  readonly randomness: Randomness
  readonly log: Log
  /** This node's wall clock. The virtual one by default. */
  readonly clock?: Clock
  /** Where its timers run. The clock itself by default. */
  readonly timers?: Timers
}

/** A clock that moves only when `step` is called. */
export class VirtualClock implements Clock, Timers {
  readonly #settled: () => Promise<unknown>
  #nowMs = 0
  #order = 0
  #waiting = 0
  #steps = 0
  #fault: { readonly error: unknown } | undefined
  readonly #heap: Event[] = []
  readonly #cancelled = () => {
    this.#waiting--
  }

  /** @param init.hasStreams streams run in this world, which come to rest only after many ticks. */
  constructor(init: { readonly hasStreams?: boolean } = {}) {
    this.#settled = init.hasStreams === true ? setImmediate : settled
  }

  /** Virtual ms since the start of the run. */
  monotonicMs(): number {
    return this.#nowMs
  }

  nowMs(): number {
    return VIRTUAL_START_MS + Math.floor(this.#nowMs)
  }

  /** Events that were worked off. */
  get steps(): number {
    return this.#steps
  }

  /** Events that are still to come; those that were cancelled do not count. */
  get waiting(): number {
    return this.#waiting
  }

  after(delayMs: number, then: () => void): Timer {
    if (!(delayMs >= 0) || delayMs === Number.POSITIVE_INFINITY)
      throw new TypeError(`No delay: ${delayMs} ms.`)
    if (this.#waiting >= WAITING_EVENTS_MAX) throw new TypeError(`${WAITING_EVENTS_MAX} events are waiting.`)
    const event: Event = { atMs: this.#nowMs + delayMs, order: this.#order++, act: then }
    this.#waiting++
    push(this.#heap, event)
    return new EventTimer(event, this.#cancelled)
  }

  soon(then: () => void): void {
    this.after(0, then)
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal)
  }

  /** When the next event is due, virtual ms since the start; undefined when none waits. */
  nextMs(): number | undefined {
    while (this.#heap[0] !== undefined && this.#heap[0].act === undefined) pop(this.#heap)
    return this.#heap[0]?.atMs
  }

  /** Moves to the next event and lets it happen. False when none waits. What the event throws is thrown here. */
  step(): boolean {
    if (this.nextMs() === undefined) return false
    const event = pop(this.#heap) as Event
    const act = event.act as () => void
    event.act = undefined
    this.#waiting--
    this.#nowMs = event.atMs
    this.#steps++
    act()
    return true
  }

  /** Lets everything happen that is due up to `untilMs` (included) and moves there. */
  runUntil(untilMs: number): void {
    for (let dueMs = this.nextMs(); dueMs !== undefined && dueMs <= untilMs; dueMs = this.nextMs())
      this.step()
    this.#nowMs = Math.max(this.#nowMs, untilMs)
  }

  /**
   * As `runUntil`, for worlds in which async code runs: after each event, everything that it has set going in promises
   * comes to rest before time moves on. Throws what `fail` was told of.
   */
  async runSettled(untilMs: number): Promise<void> {
    await this.#settled()
    for (let dueMs = this.nextMs(); dueMs !== undefined && dueMs <= untilMs; dueMs = this.nextMs()) {
      this.#throwFault()
      this.step()
      await this.#settled()
    }
    this.#throwFault()
    this.#nowMs = Math.max(this.#nowMs, untilMs)
  }

  /** For what nobody hears who throws, or somebody else would catch: the event under way was the last of the run. */
  fail(error: unknown): void {
    this.#fault ??= { error }
  }

  /** Carries something out; what it throws ends the run. */
  attempt(act: () => void): void {
    try {
      act()
    } catch (error) {
      this.fail(error)
    }
  }

  #throwFault(): void {
    if (this.#fault !== undefined) throw this.#fault.error
  }

  /**
   * Runs async code: after each event, everything that it has set going in promises comes to rest before time moves on.
   * Resolves with what `work` resolves with. When nothing is due and `work` still waits, it waits for nothing that
   * can come, and that is a TypeError.
   */
  async runAsync<T>(work: Promise<T>): Promise<T> {
    let settled = false
    const done = () => {
      settled = true
    }
    work.then(done, done)
    for (;;) {
      await setImmediate()
      if (settled) return await work
      if (!this.step()) throw new TypeError('The work waits for something that no event will bring.')
    }
  }

  /** The ports of src/env.ts for one simulated node. */
  env(init: VirtualEnvInit): Env {
    return {
      clock: init.clock ?? this,
      randomness: init.randomness,
      timers: init.timers ?? this,
      log: init.log,
    }
  }
}

/** A class, because a run makes thousands of these and named functions cost more than objects. */
class EventTimer implements Timer {
  readonly #event: Event
  readonly #cancelled: () => void

  constructor(event: Event, cancelled: () => void) {
    this.#event = event
    this.#cancelled = cancelled
  }

  cancel(): void {
    if (this.#event.act === undefined) return
    this.#event.act = undefined
    this.#cancelled()
  }
}

/** `Timers.sleep` made from `Timers.after`: rejects with the signal's reason when it aborts first. */
export function sleepOn(timers: Pick<Timers, 'after'>, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = () => {
      timer.cancel()
      reject(signal?.reason)
    }
    const timer = timers.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** Resolves when all that promises have set going is at rest: a tick comes after the last of them. */
function settled(): Promise<void> {
  return new Promise(resolve => process.nextTick(resolve))
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}

/** A binary heap in an array: the parent of `i` is `(i - 1) >> 1`, and no event is before its parent. */
function push(heap: Event[], event: Event): void {
  let index = heap.length
  heap.push(event)
  while (index > 0) {
    const parentIndex = (index - 1) >> 1
    const parent = heap[parentIndex] as Event
    if (!isBefore(event, parent)) break
    heap[index] = parent
    index = parentIndex
  }
  heap[index] = event
}

function pop(heap: Event[]): Event | undefined {
  const first = heap[0]
  const moved = heap.pop()
  if (first === undefined || moved === undefined || heap.length === 0) return first
  let index = 0
  for (;;) {
    const left = 2 * index + 1
    if (left >= heap.length) break
    const right = left + 1
    const child = right < heap.length && isBefore(heap[right] as Event, heap[left] as Event) ? right : left
    if (!isBefore(heap[child] as Event, moved)) break
    heap[index] = heap[child] as Event
    index = child
  }
  heap[index] = moved
  return first
}
