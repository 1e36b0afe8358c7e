/**
 * A staged file while its bytes still come in: it takes the pieces, and whoever follows it reads each one as soon as it
 * is in the file, at a pace of its own.
 */
import { Buffer } from 'node:buffer'
import { StoreError } from '../errors.ts'
import type { StagingFile } from './blob-files.ts'
import { type BodySink, PIECE_BYTES } from './intake.ts'
import { BLOCK_BYTES, type BlobId } from './record.ts'
import type { GrowingBody } from './storage.ts'

export class GrowingFile implements BodySink, GrowingBody {
  readonly blobId: BlobId
  readonly sha256: Promise<string>
  readonly #file: StagingFile
  readonly #onGrowing: (body: GrowingBody) => void
  readonly #followers = new Set<() => void>()
  #size = 0
  #isWhole = false
  #fault: unknown
  #told: { resolve(sha256: string): void; reject(fault: unknown): void } | undefined

  /** @param init.onGrowing is told once the body is larger than a block. */
  constructor(file: StagingFile, init: { readonly blobId: BlobId; onGrowing(body: GrowingBody): void }) {
    this.blobId = init.blobId
    this.#onGrowing = init.onGrowing
    this.#file = file
    this.sha256 = new Promise((resolve, reject) => {
      this.#told = { resolve, reject }
    })
    // Nobody may follow.
    this.sha256.catch(() => undefined)
  }

  async write(piece: Uint8Array): Promise<void> {
    await this.#file.write(piece)
    const isNews = this.#size <= BLOCK_BYTES
    this.#size += piece.length
    if (isNews && this.#size > BLOCK_BYTES) this.#onGrowing(this)
    this.#wake()
  }

  /** The last byte is in the file. */
  complete(sha256: string): void {
    this.#isWhole = true
    this.#told?.resolve(sha256)
    this.#wake()
  }

  /** No more bytes will come: whoever follows is told so. */
  fail(fault: unknown): void {
    this.#fault ??= fault
    this.#told?.reject(fault)
    this.#wake()
  }

  async *follow(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const file = await this.#file.openAgain()
    const wake = () => this.#wake()
    signal.addEventListener('abort', wake)
    try {
      for (let at = 0; ; ) {
        signal.throwIfAborted()
        if (this.#fault !== undefined) throw this.#fault
        if (at < this.#size) {
          const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, this.#size - at))
          const { bytesRead } = await file.read(piece, 0, piece.length, at)
          if (bytesRead === 0) throw new StoreError('CORRUPT', 'A body that was coming in has shrunk.')
          at += bytesRead
          yield piece.subarray(0, bytesRead)
        } else if (this.#isWhole) return
        else await new Promise<void>(resolve => this.#followers.add(resolve))
      }
    } finally {
      signal.removeEventListener('abort', wake)
      await file.close()
    }
  }

  #wake(): void {
    const followers = [...this.#followers]
    this.#followers.clear()
    for (const resume of followers) resume()
  }
}
