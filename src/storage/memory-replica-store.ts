/**
 * What a replica keeps when nothing is to last: for `--memory` and tests.
 */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { StoreError } from '../errors.ts'
import { arcContains } from '../ring/arc.ts'
import type { Identifier } from '../ring/identifier.ts'
import type { PathName } from '../ring/path-name.ts'
import type { BlobId, Body } from './record.ts'
import type { InspectedRecord, KeptRecord, RecordWrite, ReplicaBatch, ReplicaStore } from './replica-store.ts'
import type { StageOptions } from './storage.ts'

/** The parts of memory storage that a replica shares with it. */
export interface MemoryParts {
  putFile(write: RecordWrite): void
  receiveBlob(blobId: BlobId, body: AsyncIterable<Uint8Array>, options: StageOptions): Promise<Body>
  hasBlob(blobId: BlobId): boolean
  dropBlob(blobId: BlobId): void
  /** Its blocks. */
  openBlob(blobId: BlobId): readonly Uint8Array[] | undefined
}

export class MemoryReplicaStore implements ReplicaStore {
  readonly #parts: MemoryParts
  readonly #records = new Map<PathName, KeptRecord>()
  readonly #values = new Map<string, Uint8Array>()

  constructor(parts: MemoryParts) {
    this.#parts = parts
  }

  record(path: PathName): KeptRecord | undefined {
    return this.#records.get(path)
  }

  *records(lo: Identifier, hi: Identifier): Iterable<KeptRecord> {
    for (const record of this.#records.values()) {
      if (arcContains({ lo, hi }, record.position)) yield record
    }
  }

  *tombstones(lo: Identifier, hi: Identifier, withTrash = false): Iterable<KeptRecord> {
    for (const record of this.records(lo, hi))
      if (record.file === undefined && (withTrash || record.hasTrash !== true)) yield record
  }

  *inspect(lo: Identifier, hi: Identifier): Iterable<InspectedRecord> {
    const files = [...this.records(lo, hi)].filter(({ file }) => file !== undefined)
    const distance = ({ position }: KeptRecord) => (position > lo ? `0${position}` : `1${position}`)
    files.sort((a, b) => (distance(a) < distance(b) ? -1 : 1))
    for (const kept of files) yield { path: kept.path, kept, listed: undefined }
  }

  *values(prefix: string): Iterable<readonly [string, Uint8Array]> {
    for (const entry of this.#values) if (entry[0].startsWith(prefix)) yield entry
  }

  async apply(batch: ReplicaBatch): Promise<void> {
    for (const write of batch.records) {
      if (write.isNew && this.#records.has(write.path)) throw new TypeError(`${write.path} is not new`)
      if (write.record === undefined) this.#records.delete(write.path)
      else this.#records.set(write.path, write.record)
      this.#parts.putFile(write)
    }
    for (const [key, value] of batch.values) {
      if (value === undefined) this.#values.delete(key)
      else this.#values.set(key, value)
    }
    for (const blobId of batch.dropBlobs) this.#parts.dropBlob(blobId)
  }

  receive(blobId: BlobId, body: AsyncIterable<Uint8Array>, options: StageOptions): Promise<Body> {
    return this.#parts.receiveBlob(blobId, body, options)
  }

  async replaceBlob(blobId: BlobId, sha256: string, body: AsyncIterable<Uint8Array>): Promise<void> {
    const bytes = await buffer(body)
    if (createHash('sha256').update(bytes).digest('hex') !== sha256)
      throw new StoreError('CORRUPT', 'The bytes do not have the SHA-256 of the body.')
    await this.#parts.receiveBlob(blobId, Readable.from([bytes]), { sizeMax: bytes.length })
  }

  async openBlob(blobId: BlobId, first: number): Promise<Readable> {
    const blocks = this.#parts.openBlob(blobId)
    if (blocks === undefined) throw new StoreError('FILE_NOT_FOUND', 'The body is not here.')
    return Readable.from(from(blocks, first), { objectMode: false })
  }

  async hasBlob(blobId: BlobId): Promise<boolean> {
    return this.#parts.hasBlob(blobId)
  }

  async tryBody(): Promise<void> {}
}

/** The bytes from `first` on. */
function* from(blocks: readonly Uint8Array[], first: number): Generator<Uint8Array> {
  let left = first
  for (const block of blocks) {
    if (left < block.length) yield block.subarray(left)
    left = Math.max(0, left - block.length)
  }
}
