/**
 * The messages that wait for one peer. They leave in order, all that wait in one request, with one request under
 * way at a time: under load many small writes share a request, and an idle link costs a message nothing but its own.
 */
import type { Unreachable } from './peers.ts'

/** Messages that may wait for one peer. A peer that is this far behind is as good as silent; the oldest go first. */
export const OUTBOX_MESSAGES_MAX = 10_000

/** Bytes put into one request; a message that is larger alone travels alone. */
export const BATCH_BYTES_MAX = 1024 * 1024

export type Delivery = 'delivered' | Unreachable

export interface OutboxInit {
  /** Sends one batch of encoded messages. Never rejects. */
  readonly deliver: (batch: readonly Uint8Array[]) => Promise<Delivery>
  /** Called once for each batch that was lost. */
  readonly lost: (how: Unreachable, messages: number) => void
}

export class Outbox {
  readonly #init: OutboxInit
  #waiting: Uint8Array[] = []
  #sending = false

  constructor(init: OutboxInit) {
    this.#init = init
  }

  get waiting(): number {
    return this.#waiting.length
  }

  add(message: Uint8Array): void {
    if (this.#waiting.length >= OUTBOX_MESSAGES_MAX) this.#waiting.shift()
    this.#waiting.push(message)
    if (this.#sending) return
    this.#sending = true
    // After the current turn: what one event causes leaves together.
    queueMicrotask(() => void this.#drain())
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#takeBatch()
      const delivery = await this.#init.deliver(batch)
      if (delivery !== 'delivered') this.#init.lost(delivery, batch.length)
    }
    this.#sending = false
  }

  #takeBatch(): Uint8Array[] {
    let bytes = 0
    let count = 0
    for (const message of this.#waiting) {
      bytes += message.byteLength
      if (count > 0 && bytes > BATCH_BYTES_MAX) break
      count++
    }
    return this.#waiting.splice(0, count)
  }
}
