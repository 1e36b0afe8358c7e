/**
 * What this node says of itself to whoever looks at the network.
 */
import { statfs } from 'node:fs/promises'
import type { Vitals } from '../calls/vitals.ts'
import type { Clock } from '../env.ts'
import type { StorageStatistics } from '../storage/storage.ts'

export class OwnVitals {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #init: { readonly version: string; readonly directory: string | undefined }
  readonly #beganMs: number
  #requests = 0
  #disk: Vitals['disk']

  /** `directory`: where the files are; undefined for memory. */
  constructor(
    { clock }: { readonly clock: Pick<Clock, 'monotonicMs'> },
    init: { readonly version: string; readonly directory: string | undefined },
  ) {
    this.#clock = clock
    this.#init = init
    this.#beganMs = clock.monotonicMs()
  }

  /** A request of a client was answered. */
  answered(): void {
    this.#requests += 1
  }

  of({ files, bytes }: Pick<StorageStatistics, 'files' | 'bytes'>): Vitals {
    const { version, directory } = this.#init
    if (directory !== undefined) void this.#lookAt(directory)
    return {
      version,
      uptimeSeconds: Math.round((this.#clock.monotonicMs() - this.#beganMs) / 1000),
      files,
      bytes,
      memoryBytes: process.memoryUsage.rss(),
      requests: this.#requests,
      disk: this.#disk,
    }
  }

  /** A disk that hangs keeps nobody waiting: what it said last is told, and this is told the next time. */
  async #lookAt(directory: string): Promise<void> {
    try {
      const { bavail, blocks, bsize } = await statfs(directory)
      this.#disk = { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
    } catch {
      this.#disk = undefined
    }
  }
}
