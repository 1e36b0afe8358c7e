/**
 * Owns the contract of replication: files as one node sees the whole network's. chain/ keeps it; what it promises is in
 * statement.md.
 */
import type { Readable } from 'node:stream'
import type { Address } from '../ring/identifier.ts'
import type { PathName } from '../ring/path-name.ts'
import type { FileRecord } from '../storage/record.ts'
import type {
  ByteRange,
  Change,
  Committed,
  ListEntry,
  StagedBody,
  StageOptions,
  StorageStatistics,
} from '../storage/storage.ts'

/** Where a request went, and who keeps the file. */
export interface Placement {
  /** The nodes that the request visited, this one first. */
  readonly chain: readonly Address[]
  /** The nodes that hold the file, head first. */
  readonly replicas: readonly Address[]
}

export interface Found extends Placement {
  readonly record: FileRecord | undefined
}

export interface ChangeOptions {
  /** The same change again under the same key gives the first one's outcome, for 24 hours. */
  readonly idempotency?: { readonly key: string; readonly fingerprint: string }
}

export interface Replication {
  /** Receives a body on this node; nothing is visible before a commit. As Storage.stage. */
  stage(body: AsyncIterable<Uint8Array>, options: StageOptions): Promise<StagedBody>

  /** The bytes of a file as a staged body for another path. */
  stageCopy(record: FileRecord): Promise<StagedBody>

  discard(staged: StagedBody): Promise<void>

  /**
   * Makes one change, atomically, on every replica's stable storage. The staged body is used up, whatever happens.
   * @throws StoreError as Storage.commit; UNAVAILABLE: nothing has changed; INDETERMINATE: it may have, or may yet.
   */
  commit(change: Change, options?: ChangeOptions): Promise<Committed & Placement>

  /** The file at a path. Linearizable. @throws StoreError UNAVAILABLE. */
  find(path: PathName): Promise<Found>

  /** The bytes of a record, from here or from a replica. As Storage.read. */
  read(record: FileRecord, range?: ByteRange): Promise<Uint8Array | Readable>

  /**
   * Up to `limit` files of the whole network under a prefix, in byte order, from after `after` on.
   * @throws StoreError UNAVAILABLE when a part of the ring can't be reached: a list is complete or an error.
   */
  list(prefix: string, after: string | undefined, limit: number): Promise<readonly ListEntry[]>

  /** Of this node. */
  statistics(): StorageStatistics
}
