/**
 * Whether a tar archive has come to its end: 1,024 zero bytes behind the last entry (POSIX.1-2017, pax, "ustar Interchange
 * Format"). A program that dies while it writes one closes its pipe as one that is done; only the missing end tells.
 */

const BLOCK_BYTES = 512
const END_BYTES = 2 * BLOCK_BYTES

export class ArchiveEnd {
  #read = 0
  /** Behind the last byte that is not zero. */
  #content = 0
  /** Behind the last entry, as its header says. */
  #entries = 0

  /** The same bytes. */
  async *watching(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      let last = chunk.length - 1
      while (last >= 0 && chunk[last] === 0) last--
      if (last >= 0) this.#content = this.#read + last + 1
      this.#read += chunk.length
      yield chunk
    }
  }

  /** Notes an entry whose bytes begin at `offset`. */
  entry(offset: number, size: number): void {
    this.#entries = offset + wholeBlocks(size)
  }

  get isReached(): boolean {
    return this.#read - Math.max(this.#entries, wholeBlocks(this.#content)) >= END_BYTES
  }
}

function wholeBlocks(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES
}
