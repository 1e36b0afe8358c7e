/**
 * How much memory the downloads from one source (this disk, the other nodes) hold together, and how many of them read at once. A few streams hold whole blocks and are the fastest.
 * The others hold no block while they wait for their readers, so that a crowd of readers that stand still costs little.
 */
import { Buffer } from 'node:buffer'
import { lend } from '../lent-memory.ts'
import { BufferPool } from './buffer-pool.ts'
import { BLOCK_BYTES } from './record.ts'

/** Downloads that hold whole blocks: more of them at once would not be faster, and each that stands still holds 4 MiB. */
const WHOLE_MAX = 16

/** Reads at once for all other downloads: as many as there are threads that read. More would hold up small requests. */
const READS_MAX = 4

/** Blocks that were given back and wait for the next reader: what a few downloads have under way. */
const LENT_FREE_MAX = 8

export class DownloadRoom {
  readonly #wholeMax: number
  readonly #readsMax: number
  readonly #blocks: BufferPool
  readonly #lent = new BufferPool({ bufferBytes: BLOCK_BYTES, freeMax: LENT_FREE_MAX })
  /** Waits in order of arrival; each is one open download, and none waits for a reader. */
  readonly #queue: (() => void)[] = []
  #whole = 0
  #reads = 0

  constructor(init: { readonly wholeMax?: number; readonly readsMax?: number } = {}) {
    this.#wholeMax = init.wholeMax ?? WHOLE_MAX
    this.#readsMax = init.readsMax ?? READS_MAX
    this.#blocks = new BufferPool({ bufferBytes: BLOCK_BYTES, freeMax: this.#readsMax })
  }

  /** Whether one more download may hold whole blocks. Who was told so calls `giveWhole` once. */
  tryTakeWhole(): boolean {
    if (this.#whole >= this.#wholeMax) return false
    this.#whole++
    return true
  }

  giveWhole(): void {
    this.#whole--
  }

  /** Memory for a block that goes to a reader, who may give it back. */
  lend(bytes: number): Buffer {
    if (bytes < BLOCK_BYTES) return Buffer.allocUnsafeSlow(bytes)
    return lend(this.#lent.take(), block => this.#lent.give(block))
  }

  /** Does `work` with a buffer for one block, in turn. `work` keeps nothing of the buffer. */
  withBlock<T>(work: (block: Buffer) => Promise<T>): Promise<T> {
    return this.inTurn(async () => {
      const block = this.#blocks.take()
      try {
        return await work(block)
      } finally {
        this.#blocks.give(block)
      }
    })
  }

  /** Does `work` when its turn has come. It waits for the source only, never for a reader. */
  async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#reads < this.#readsMax) this.#reads++
    else await new Promise<void>(resolve => this.#queue.push(resolve))
    try {
      return await work()
    } finally {
      const next = this.#queue.shift()
      if (next) next()
      else this.#reads--
    }
  }
}
