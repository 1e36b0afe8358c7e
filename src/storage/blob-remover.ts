/**
 * The removal of blobs that no record names any more: in the background, because unlinking a large file takes
 * long, and in the order that a crash needs (file gone durably first, its mark in the index after that).
 */
import type { Log } from '../env.ts'
import type { BlobFiles } from './blob-files.ts'
import type { LmdbIndex } from './lmdb-index.ts'
import type { BlobId } from './record.ts'

/** Blobs waiting for their removal; with more, whoever adds one waits, so that removal keeps up with replacement. */
const WAITING_MAX = 1024

export class BlobRemover {
  readonly #files: BlobFiles
  readonly #index: LmdbIndex
  readonly #log: Log
  #waiting: BlobId[] = []
  #running: Promise<void> | undefined

  constructor(components: { readonly files: BlobFiles; readonly index: LmdbIndex; readonly log: Log }) {
    this.#files = components.files
    this.#index = components.index
    this.#log = components.log
  }

  /** Takes blobs that are marked as unsettled; resolves at once unless many are waiting. */
  async add(blobIds: readonly BlobId[]): Promise<void> {
    if (blobIds.length === 0) return
    this.#waiting.push(...blobIds)
    this.#running ??= this.#run()
    if (this.#waiting.length > WAITING_MAX) await this.#running
  }

  /** Resolves when nothing is left to remove. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const blobIds = this.#waiting.splice(0, WAITING_MAX)
      try {
        await this.#files.remove(blobIds)
        await this.#index.write({ settle: blobIds })
      } catch (error) {
        // Their marks stay: the next start removes them.
        this.#log.warn(
          { op: 'remove-blobs', count: blobIds.length, err: error },
          'blobs are left for the next start',
        )
      }
    }
    this.#running = undefined
  }
}
