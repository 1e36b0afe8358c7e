/**
 * The messages that wait for one peer. They leave in order, all that one turn of the event loop has brought in one batch.
 * How many batches may be under way is the carrier's to say: while it takes no more, messages gather.
 */
import type { Env } from '../env.ts'
import type { Unreachable } from './peers.ts'

/** Messages that may wait for one peer. A peer that is this far behind is as good as silent; the oldest go first. */
export const OUTBOX_MESSAGES_MAX = 10_000

/** Bytes put into one batch; a message that is larger alone travels alone. */
export const BATCH_BYTES_MAX = 1024 * 1024

export type Delivery = 'delivered' | Unreachable

export interface OutboxInit {
  readonly soon: Env['timers']['soon']
  /** Sends one batch of encoded messages. Never rejects. */
  readonly deliver: (batch: readonly Uint8Array[]) => Promise<Delivery>
  /** Whether another batch may leave while some are under way. With none under way, one always may. */
  readonly hasRoom: () => boolean
  /** Called once for each batch that was lost. */
  readonly lost: (how: Unreachable, messages: number) => void
}

export class Outbox {
  readonly #init: OutboxInit
  #waiting: Uint8Array[] = []
  #underWay = 0
  #isScheduled = false

  constructor(init: OutboxInit) {
    this.#init = init
  }

  get waiting(): number {
    return this.#waiting.length
  }

  add(message: Uint8Array): void {
    if (this.#waiting.length >= OUTBOX_MESSAGES_MAX) this.#waiting.shift()
    this.#waiting.push(message)
    if (this.#isScheduled || !this.#mayLeave()) return
    this.#isScheduled = true
    // After the current turn: what one event causes leaves together.
    this.#init.soon(() => {
      this.#isScheduled = false
      this.#drain()
    })
  }

  #mayLeave(): boolean {
    return this.#underWay === 0 || this.#init.hasRoom()
  }

  #drain(): void {
    while (this.#waiting.length > 0 && this.#mayLeave()) {
      const batch = this.#takeBatch()
      this.#underWay++
      void this.#init.deliver(batch).then(delivery => {
        this.#underWay--
        if (delivery !== 'delivered') this.#init.lost(delivery, batch.length)
        this.#drain()
      })
    }
  }

  #takeBatch(): Uint8Array[] {
    let bytes = 0
    let count = 0
    for (const message of this.#waiting) {
      bytes += message.byteLength
      if (count > 0 && bytes > BATCH_BYTES_MAX) break
      count++
    }
    return count === this.#waiting.length ? this.#takeAll() : this.#waiting.splice(0, count)
  }

  #takeAll(): Uint8Array[] {
    const all = this.#waiting
    this.#waiting = []
    return all
  }
}
