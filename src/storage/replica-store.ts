/**
 * The contract of what a replica keeps: for each path the file, or that it was removed; what replication notes
 * beside it; and replication's own values. Nothing is decided here: a batch is written as it comes.
 */
import type { Readable } from 'node:stream'
import type { Identifier } from '../ring/identifier.ts'
import type { PathName } from '../ring/path-name.ts'
import type { BlobId, Body, FileRecord } from './record.ts'
import type { ListEntry, StageOptions } from './storage.ts'

/** What a replica keeps at a path. `file` is undefined in a tombstone. */
export interface KeptRecord {
  readonly path: PathName
  /** Of the path. It is a part of the key, so that nobody need hash the path again. */
  readonly position: Identifier
  readonly file: FileRecord | undefined
  /** Replication's own, opaque here; up to 64 KiB. */
  readonly notes: Uint8Array
  /** Of a tombstone: it has a trash, and stays as long as that is there; not among `tombstones`. */
  readonly hasTrash?: boolean
}

/** A file as a check of the disk finds it. */
export interface InspectedRecord {
  readonly path: PathName
  /** Undefined when the record fails its checksum. */
  readonly kept: KeptRecord | undefined
  /** Of a damaged record: which version of the file it was, as the list says, if anything. */
  readonly listed: Pick<ListEntry, 'etag'> | undefined
}

/** One change of a path: from what is kept to what will be. */
export interface RecordWrite {
  readonly path: PathName
  /** Undefined forgets the path. */
  readonly record: KeptRecord | undefined
  /** The size of the file that is there now; undefined when there is none. Keeps the totals right. */
  readonly sizeBefore: number | undefined
  /** Nothing is kept at the path now, not even a tombstone; false when that is not known. */
  readonly isNew?: boolean | undefined
}

/** Written as one: after a crash all of it is there, or nothing. */
export interface ReplicaBatch {
  /** Each path once. */
  readonly records: readonly RecordWrite[]
  /** Values by key (1 to 200 bytes); undefined removes. Each key once. */
  readonly values: readonly (readonly [key: string, value: Uint8Array | undefined])[]
  /** Blobs that stay through the next start. */
  readonly keepBlobs: readonly BlobId[]
  /** Blobs whose files go. */
  readonly dropBlobs: readonly BlobId[]
}

export interface ReplicaStore {
  /** What is durable at a path; with `position`, which is that of the path, it need not be found out. */
  record(path: PathName, position?: Identifier): KeptRecord | undefined

  /** What is durable in (lo, hi], in any order. */
  records(lo: Identifier, hi: Identifier): Iterable<KeptRecord>

  /** Those of them that are tombstones, found without a look at the files; those with a trash only when they are asked for. */
  tombstones(lo: Identifier, hi: Identifier, withTrash?: boolean): Iterable<KeptRecord>

  /** The files in (lo, hi] in the order of their positions from `lo` on, as the disk has them now, damaged or not. */
  inspect(lo: Identifier, hi: Identifier): Iterable<InspectedRecord>

  /** All values whose keys begin with `prefix`. */
  values(prefix: string): Iterable<readonly [key: string, value: Uint8Array]>

  /**
   * Resolves when durable. Batches become durable in the order in which they were given. Of a blob that a batch drops,
   * `hasBlob` says at once that it is gone, so that it can be had again from elsewhere.
   * @throws StoreError DISK_FULL, OVERLOADED: nothing has changed; INDETERMINATE when the disk failed half-way.
   */
  apply(batch: ReplicaBatch): Promise<void>

  /**
   * Receives a body that has its name from another node; resolves with its digest when it is durable. Unless a batch
   * keeps it, the next start drops it. Two receipts of one name at once are one.
   * @throws StoreError as Storage.stage; CORRUPT for a body that is too small to have a name of its own.
   */
  receive(blobId: BlobId, body: AsyncIterable<Uint8Array>, options: StageOptions): Promise<Body>

  /**
   * Puts a good copy of a body in the place of a bad or a missing one, which a batch keeps; resolves when it is durable.
   * Until then whatever is there stays, and whoever reads it goes on reading that.
   * @throws StoreError CORRUPT when the bytes have another SHA-256; DISK_FULL; an error of `body`.
   */
  replaceBlob(blobId: BlobId, sha256: string, body: AsyncIterable<Uint8Array>): Promise<void>

  /** The bytes of a body from byte `first` to byte `last`, or to its end, not checked. @throws StoreError FILE_NOT_FOUND. */
  openBlob(blobId: BlobId, first: number, last?: number): Promise<Readable>

  hasBlob(blobId: BlobId): Promise<boolean>

  /** Does with a few bytes all that has to be done for a body. @throws StoreError UNAVAILABLE, DISK_FULL. */
  tryBody(): Promise<void>
}
