/**
 * Owns buffers of one size that are used again and again, so that a stream of any length leaves the memory of the
 * process where it was: freshly allocated ones would pile up until the garbage collector looks at them.
 */
import { Buffer } from 'node:buffer'

export class BufferPool {
  readonly #free: Buffer[] = []
  readonly bufferBytes: number
  readonly #freeMax: number

  /** Keeps up to `freeMax` unused buffers of `bufferBytes` bytes each; more are left to the garbage collector. */
  constructor(init: { readonly bufferBytes: number; readonly freeMax: number }) {
    this.bufferBytes = init.bufferBytes
    this.#freeMax = init.freeMax
  }

  /** A buffer with arbitrary content. */
  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.bufferBytes)
  }

  /** Gives a buffer back; the caller does not touch it again. */
  give(buffer: Buffer): void {
    if (this.#free.length < this.#freeMax) this.#free.push(buffer)
  }
}
