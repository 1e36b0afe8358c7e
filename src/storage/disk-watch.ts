/**
 * The suspicion that a disk hangs: what it was asked for neither ends nor fails. Nothing that waits for such a disk can be
 * taken back, so those who wait are told, and what was begun ends whenever the disk does.
 *
 * Time is counted in looks, one a second: a process that did not run for a while has not waited for its disk meanwhile. A slow disk is
 * none that hangs as long as anything gets done.
 */
import type { Timer, Timers } from '../env.ts'
import { StoreError } from '../errors.ts'

const LOOK_MS = 1_000

/** Looks at which something was under way and nothing got done: a disk that flushes 32 MiB at 6 MB/s is none that hangs. */
const STILL_LOOKS = 6

/** Looks that one operation may take though others get done: the longest flush of 32 MiB while many others write. */
const LONG_LOOKS = 60

export class DiskWatch {
  readonly #timers: Timers
  readonly #onHang: (fault: StoreError) => void
  /** Operations under way, the oldest first, with the look before each. */
  readonly #running = new Map<object, number>()
  readonly #waiting = new Set<(fault: StoreError) => void>()
  #looks = 0
  /** The look before anything got done last. */
  #doneAt = 0
  #looking: Timer | undefined
  #fault: StoreError | undefined

  constructor(
    components: { readonly timers: Timers },
    init: { readonly onHang: (fault: StoreError) => void },
  ) {
    this.#timers = components.timers
    this.#onHang = init.onHang
  }

  /** Watches one operation of the disk. */
  async during<Result>(operation: Promise<Result>): Promise<Result> {
    const one = {}
    // Between two looks nothing is under way: waiting begins now.
    if (this.#running.size === 0) this.#doneAt = this.#looks
    this.#running.set(one, this.#looks)
    this.#looking ??= this.#lookLater()
    try {
      return await operation
    } finally {
      this.#running.delete(one)
      this.#doneAt = this.#looks
      this.#fault = undefined
    }
  }

  /**
   * What `work` comes to, unless the disk hangs first; then it goes on by itself, and `late` takes what it comes to.
   * @throws StoreError UNAVAILABLE.
   */
  async unlessHanging<Result>(work: Promise<Result>, late?: (result: Result) => void): Promise<Result> {
    let fault: StoreError | undefined
    let told = (_: StoreError) => {}
    const hangs = new Promise<never>((_, reject) => {
      told = hung => {
        fault = hung
        reject(hung)
      }
    })
    if (this.#fault === undefined) this.#waiting.add(told)
    else told(this.#fault)
    try {
      return await Promise.race([work, hangs])
    } catch (error) {
      if (error === fault) work.then(late, () => undefined)
      throw error
    } finally {
      this.#waiting.delete(told)
    }
  }

  /** Looks no more. */
  close(): void {
    this.#looking?.cancel()
    this.#looking = undefined
  }

  #lookLater(): Timer {
    return this.#timers.after(LOOK_MS, () => this.#look())
  }

  #look(): void {
    this.#looking = undefined
    const [oldest] = this.#running.values()
    if (oldest === undefined) return
    this.#looks++
    const isStill = this.#looks - Math.max(oldest, this.#doneAt) >= STILL_LOOKS
    if ((isStill || this.#looks - oldest >= LONG_LOOKS) && this.#fault === undefined) this.#hangs()
    this.#looking = this.#lookLater()
  }

  #hangs(): void {
    const fault = new StoreError('UNAVAILABLE', 'The disk of this node does not answer.')
    this.#fault = fault
    for (const tell of this.#waiting) tell(fault)
    this.#waiting.clear()
    this.#onHang(fault)
  }
}

/** For what is used without a node around it: nobody would be told. */
export const UNWATCHED: Pick<DiskWatch, 'during'> = { during: operation => operation }
