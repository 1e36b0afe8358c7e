/**
 * The timers of one simulated node: they vanish when it crashes, and wait while it is paused (as with SIGSTOP).
 */
import type { Timer, Timers } from '../../env.ts'
import { sleepOn } from './virtual-clock.ts'

interface Pending {
  readonly act: () => void
  timer: Timer | undefined
}

/** Timers of one node over the timers of the world. */
export class TimerScope implements Timers {
  readonly #timers: Timers
  readonly #pending = new Set<Pending>()
  /** What fell due during a pause, in the order in which it fell due. */
  #overdue: Pending[] = []
  #paused = false

  constructor(components: { readonly timers: Timers }) {
    this.#timers = components.timers
  }

  get paused(): boolean {
    return this.#paused
  }

  after(delayMs: number, then: () => void): Timer {
    const pending: Pending = { act: then, timer: undefined }
    pending.timer = this.#timers.after(delayMs, () => this.#due(pending))
    this.#pending.add(pending)
    return { cancel: () => this.#cancel(pending) }
  }

  soon(then: () => void): void {
    this.after(0, then)
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal)
  }

  /** From now on nothing happens in this scope until `resume` or `clear`. */
  pause(): void {
    this.#paused = true
  }

  /** What fell due meanwhile happens now, each as an event of its own, in order. */
  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    const overdue = this.#overdue
    this.#overdue = []
    for (const pending of overdue) pending.timer = this.#timers.after(0, () => this.#due(pending))
  }

  /** Forgets everything, also the pause: the node has crashed. Sleepers never wake. */
  clear(): void {
    for (const pending of this.#pending) pending.timer?.cancel()
    this.#pending.clear()
    this.#overdue = []
    this.#paused = false
  }

  #due(pending: Pending): void {
    if (this.#paused) {
      this.#overdue.push(pending)
      return
    }
    this.#pending.delete(pending)
    pending.act()
  }

  #cancel(pending: Pending): void {
    pending.timer?.cancel()
    this.#pending.delete(pending)
    this.#overdue = this.#overdue.filter(other => other !== pending)
  }
}
