/**
 * Buffers of one size that are used again and again, so that a stream of any length leaves the memory of the
 * process where it was: freshly allocated ones would pile up until the garbage collector looks at them.
 */
import { Buffer } from 'node:buffer'

export class BufferPool {
  readonly #free: Buffer[] = []
  readonly bufferBytes: number
  readonly #freeMax: number
  readonly #takenMax: number
  #taken = 0

  /**
   * Keeps up to `freeMax` unused buffers of `bufferBytes` bytes each; more are left to the garbage collector. `tryTake` lends up
   * to `takenMax`.
   */
  constructor(init: { readonly bufferBytes: number; readonly freeMax: number; readonly takenMax?: number }) {
    this.bufferBytes = init.bufferBytes
    this.#freeMax = init.freeMax
    this.#takenMax = init.takenMax ?? Number.POSITIVE_INFINITY
  }

  /** A buffer with arbitrary content. */
  take(): Buffer {
    this.#taken++
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.bufferBytes)
  }

  /** So many buffers, or none when that would be too many. */
  tryTake(count: number): Buffer[] {
    if (this.#taken + count > this.#takenMax) return []
    return Array.from({ length: count }, () => this.take())
  }

  /** Gives a buffer back; the caller does not touch it again. */
  give(buffer: Buffer): void {
    this.#taken--
    if (this.#free.length < this.#freeMax) this.#free.push(buffer)
  }
}
