/**
 * How many bodies are received at once: a bounded number in all, and the rest is told to come back. A body that goes to the
 * disk as it comes waits for nobody, so that clients that hardly send hold up nobody else. One that gathers its parts in
 * memory (a form) takes one of fewer places, or waits its turn in a bounded queue for a bounded time.
 */
import type { EventEmitter } from 'node:events'
import type { Timers } from '../env.ts'
import { StoreError } from '../errors.ts'

interface Waiting {
  readonly proceed: () => void
}

export class UploadSlots {
  readonly #timers: Timers
  readonly #uploadsMax: number
  readonly #queueMax: number
  readonly #waitMs: number
  readonly #queue = new Set<Waiting>()
  /** Bodies that go on as they come. */
  #streaming = 0
  /** Bodies that gather in memory. */
  #taken = 0

  constructor(
    components: { readonly timers: Timers },
    init: {
      readonly uploadsMax: number
      readonly uploadQueueMax: number
      /** The longest wait for a turn, ms. */
      readonly waitMs: number
    },
  ) {
    this.#timers = components.timers
    this.#uploadsMax = init.uploadsMax
    this.#queueMax = init.uploadQueueMax
    this.#waitMs = init.waitMs
  }

  /** Bodies being received now. */
  get taken(): number {
    return this.#streaming + this.#taken
  }

  /** Uploads waiting for their turn. */
  get waiting(): number {
    return this.#queue.size
  }

  /**
   * Does `work` at once, which receives a body and keeps little of it in memory.
   * @throws StoreError OVERLOADED when too many bodies are being received; what `work` throws.
   */
  async stream<T>(work: () => Promise<T>): Promise<T> {
    const leave = this.enter()
    try {
      return await work()
    } finally {
      leave()
    }
  }

  /** As `stream`, for work that ends by calling what this gives, once. @throws StoreError OVERLOADED. */
  enter(): () => void {
    this.#refuseBeyondAll()
    this.#streaming++
    return () => {
      this.#streaming--
    }
  }

  /**
   * Does `work` when a place is free, which gathers a body in memory. A client that goes away (`close` of its response) leaves
   * the queue.
   * @throws StoreError OVERLOADED when the queue is full or the wait too long; what `work` throws.
   */
  async gather<T>(response: EventEmitter, work: () => Promise<T>): Promise<T> {
    this.#refuseBeyondAll()
    if (this.#taken < this.#uploadsMax) this.#taken++
    else await this.#turn(response)
    try {
      return await work()
    } finally {
      this.#leave()
    }
  }

  #refuseBeyondAll(): void {
    if (this.taken + this.waiting < this.#uploadsMax + this.#queueMax) return
    throw overloaded('Too many uploads are under way already.')
  }

  #turn(response: EventEmitter): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (then: () => void) => () => {
        this.#queue.delete(waiting)
        timer.cancel()
        response.off('close', gone)
        then()
      }
      const waiting = { proceed: settle(resolve) }
      const gone = settle(() => reject(new StoreError('INVALID_REQUEST', 'The client went away.')))
      const timer = this.#timers.after(
        this.#waitMs,
        settle(() => reject(overloaded('No place for this upload became free in time.'))),
      )
      response.on('close', gone)
      this.#queue.add(waiting)
    })
  }

  /** Hands the place on to the one that waited longest. */
  #leave(): void {
    const [next] = this.#queue
    if (next) next.proceed()
    else this.#taken--
  }
}

function overloaded(message: string): StoreError {
  return new StoreError('OVERLOADED', message, { retryAfterSeconds: 2 })
}
