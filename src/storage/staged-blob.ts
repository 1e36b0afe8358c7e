/**
 * One new blob from its mark in the index to its final name: whatever happens on the way, its file either gets
 * its name or is accounted for.
 */
import { Buffer } from 'node:buffer'
import type { Env } from '../env.ts'
import type { BlobFiles, StagingFile } from './blob-files.ts'
import { GrowingFile } from './growing-file.ts'
import type { BodySink } from './intake.ts'
import type { LmdbIndex } from './lmdb-index.ts'
import type { BlobId } from './record.ts'
import type { GrowingBody } from './storage.ts'

export interface StagedBlobComponents {
  readonly env: Env
  readonly files: BlobFiles
  readonly index: LmdbIndex
}

export class StagedBlob {
  readonly #components: StagedBlobComponents
  #blobId: BlobId | undefined
  #marked: Promise<void> | undefined
  #file: StagingFile | undefined
  #growing: GrowingFile | undefined

  /** @param init.blobId of a body that another node has named; else a new name is drawn. */
  constructor(components: StagedBlobComponents, init: { readonly blobId?: BlobId } = {}) {
    this.#components = components
    this.#blobId = init.blobId
  }

  /** Opens its temporary file; the mark becomes durable while the bytes come in. */
  async begin(onGrowing?: (body: GrowingBody) => void): Promise<BodySink> {
    const { blobId } = this.#mark()
    this.#file = await this.#components.files.begin(blobId)
    if (onGrowing === undefined) return this.#file
    this.#growing = new GrowingFile(this.#file, { blobId, onGrowing })
    return this.#growing
  }

  /** Makes the bytes durable under the blob's name. Only after `begin`, and the last byte. */
  async finish(sha256: string): Promise<BlobId> {
    if (!this.#blobId || !this.#marked || !this.#file) throw new TypeError('a blob that was not begun')
    this.#growing?.complete(sha256)
    await this.#file.finish(this.#marked)
    return this.#blobId
  }

  /** Drops what there is, wherever `fault` came between, and gives the blob whose mark and file are left to remove. */
  async abandon(fault: unknown): Promise<BlobId[]> {
    this.#growing?.fail(fault)
    await this.#file?.abandon()
    if (!this.#blobId || !this.#marked) return []
    const blobId = this.#blobId
    return this.#marked.then(
      () => [blobId],
      () => [],
    )
  }

  #mark(): { readonly blobId: BlobId; readonly marked: Promise<void> } {
    const { env, index } = this.#components
    const blobId = this.#blobId ?? (Buffer.from(env.randomness.bytes(16)).toString('hex') as BlobId)
    const marked = index.write({ unsettle: [blobId] })
    // It is awaited later on; a failure before that must not count as unhandled.
    marked.catch(() => undefined)
    this.#blobId = blobId
    this.#marked = marked
    return { blobId, marked }
  }
}
