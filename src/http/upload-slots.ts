/**
 * Owns how many bodies are received at once: a bounded number goes ahead, a bounded queue waits its turn for a bounded
 * time, and the rest is told to come back.
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
    return this.#taken
  }

  /** Uploads waiting for their turn. */
  get waiting(): number {
    return this.#queue.size
  }

  /**
   * Does `work` when a place is free. A client that goes away (`close` of its response) leaves the queue.
   * @throws StoreError OVERLOADED when the queue is full or the wait too long; what `work` throws.
   */
  async run<T>(response: EventEmitter, work: () => Promise<T>): Promise<T> {
    if (this.#taken < this.#uploadsMax) this.#taken++
    else await this.#turn(response)
    try {
      return await work()
    } finally {
      this.#leave()
    }
  }

  #turn(response: EventEmitter): Promise<void> {
    if (this.#queue.size >= this.#queueMax) throw overloaded('Too many uploads are waiting already.')
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
