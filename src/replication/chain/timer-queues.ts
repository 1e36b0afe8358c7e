/**
 * The machine's timers in a real node. Every request sets some that hardly ever have to fire (its deadline, its
 * tries), and none is taken back; so all timers of one length wait in one queue, in which the first is the next due,
 * with one timer of the system for each queue, and those that have become pointless are dropped on the way.
 */

import type { Clock, Timer, Timers } from '../../env.ts'
import type { Entry as EntryNode } from '../entry/entry.ts'
import type { Confirming } from './confirm.ts'
import type { TimerEvent } from './machine-state.ts'

export interface TimerQueuesInit {
  readonly fire: (timer: TimerEvent) => void
  /** True when the timer would do nothing any more. */
  readonly isMoot: (timer: TimerEvent) => boolean
}

interface Entry {
  readonly dueMs: number
  readonly timer: TimerEvent
}

interface Queue {
  entries: Entry[]
  /** Entries before this index have fired. */
  first: number
  /** Length at which it is worth while to look for pointless ones. */
  sweepAt: number
  waiting: Timer | undefined
  /** The system was late, and what came meanwhile had time to be looked at. */
  graced: boolean
}

/** Entries of a queue that are not worth a sweep: about 100 KiB. */
const SWEEP_MIN = 1024

/**
 * A timer that fires later than this, ms, says that this process did not run: answers that it waits for may have come
 * and not been read. Less is what a turn of a busy loop takes.
 */
const LATE_MS = 100

/** What a late process gets to read what has come, ms. */
const GRACE_MS = 50

export class TimerQueues {
  readonly #components: { readonly clock: Clock; readonly timers: Timers }
  readonly #init: TimerQueuesInit
  readonly #queues = new Map<number, Queue>()

  constructor(components: { readonly clock: Clock; readonly timers: Timers }, init: TimerQueuesInit) {
    this.#components = components
    this.#init = init
  }

  /** Timers that wait, the pointless ones that have not been swept out included. */
  get size(): number {
    let size = 0
    for (const { entries, first } of this.#queues.values()) size += entries.length - first
    return size
  }

  set(afterMs: number, timer: TimerEvent): void {
    let queue = this.#queues.get(afterMs)
    if (queue === undefined) {
      queue = { entries: [], first: 0, sweepAt: SWEEP_MIN, waiting: undefined, graced: false }
      this.#queues.set(afterMs, queue)
    }
    if (queue.entries.length >= queue.sweepAt) this.#sweep(queue)
    queue.entries.push({ dueMs: this.#components.clock.monotonicMs() + afterMs, timer })
    if (queue.waiting === undefined) this.#arm(afterMs, queue)
  }

  /** None of them fires. */
  clear(): void {
    for (const { waiting } of this.#queues.values()) waiting?.cancel()
    this.#queues.clear()
  }

  #sweep(queue: Queue): void {
    queue.entries = queue.entries.slice(queue.first).filter(({ timer }) => !this.#init.isMoot(timer))
    queue.first = 0
    queue.sweepAt = Math.max(SWEEP_MIN, 2 * queue.entries.length)
  }

  #arm(afterMs: number, queue: Queue): void {
    const { clock, timers } = this.#components
    const next = queue.entries[queue.first]
    if (next === undefined) {
      queue.waiting = undefined
      this.#queues.delete(afterMs)
      return
    }
    // Timers of the system count whole ms and may be early by a part of one.
    const leftMs = Math.max(0, Math.ceil(next.dueMs - clock.monotonicMs()))
    queue.waiting = timers.after(leftMs, () => this.#fire(afterMs, queue))
  }

  #fire(afterMs: number, queue: Queue): void {
    const { clock, timers } = this.#components
    const nowMs = clock.monotonicMs()
    const due = queue.entries[queue.first]
    if (!queue.graced && due !== undefined && nowMs - due.dueMs > LATE_MS) {
      queue.graced = true
      queue.waiting = timers.after(GRACE_MS, () => this.#fire(afterMs, queue))
      return
    }
    queue.graced = false
    for (;;) {
      const entry = queue.entries[queue.first]
      if (entry === undefined || entry.dueMs > nowMs) break
      queue.first++
      this.#init.fire(entry.timer)
      // What fired may have cleared all queues.
      if (this.#queues.get(afterMs) !== queue) return
    }
    if (queue.first > queue.entries.length / 2) this.#sweep(queue)
    this.#arm(afterMs, queue)
  }
}

interface Asking extends Pick<Confirming, 'questions' | 'confirms'> {
  readonly entry: Pick<EntryNode, 'flows' | 'tasks'>
}

/** The timers that requests leave behind; the others are few. */
export function isMoot(machine: Asking, timer: TimerEvent): boolean {
  if (timer.kind === 'deadline') return !machine.entry.flows.has(timer.flow)
  if (timer.kind === 'question') return machine.questions.get(timer.node) !== timer.tag
  if (timer.kind === 'confirm') return !machine.confirms.rounds.has(timer.tag)
  if (timer.kind === 'task' || timer.kind === 'retry') return !machine.entry.tasks.has(timer.tag)
  return false
}
