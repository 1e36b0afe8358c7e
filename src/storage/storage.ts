/**
 * Owns the contract of storage: what one node keeps, and what "kept" means. lmdb-storage.ts keeps it on disk,
 * memory-storage.ts in memory; both pass the conformance suite in test/storage/conformance.ts.
 *
 * Durable means: on stable storage, so that a crash of the process or of the machine does not undo it. Nothing that is
 * not durable yet is ever shown: a reader of a path with a commit under way sees what stood there before.
 */
import type { Readable } from 'node:stream'
import type { Identifier } from '../ring/identifier.ts'
import type { PathName } from '../ring/path-name.ts'
import type { Body, ETag, FileMeta, FileRecord } from './record.ts'

/** What must hold of a path for a change to be made. `etags`: the file exists in one of these versions. */
export type Condition = 'none' | 'absent' | 'exists' | { readonly etags: readonly ETag[] }

/** A body that was received, hashed and made durable, and that no record names yet. */
export interface StagedBody extends Body {
  /** Names the staging; it means something only to the storage that made it, and only until that is closed. */
  readonly stageId: string
}

/** One step of a commit. A `put` takes the staged body over; a `move` gives the record of `from` a new path. */
export type Change =
  | {
      readonly kind: 'put'
      readonly path: PathName
      readonly condition: Condition
      readonly body: StagedBody
      readonly meta: FileMeta
    }
  | { readonly kind: 'remove'; readonly path: PathName; readonly condition: Condition }
  | { readonly kind: 'move'; readonly from: PathName; readonly path: PathName; readonly condition: Condition }

/** The outcome of a write under an Idempotency-Key; it becomes durable with the write itself. */
export interface Outcome {
  /** What the request was (method, path, body): the same key with another fingerprint is refused. */
  readonly fingerprint: string
  /** What was answered, as the layer above wants to see it again. Up to 4 KiB of text. */
  readonly answer: string
}

/** What a commit did. */
export interface Committed {
  /** The record as it is now; undefined after a `remove`. */
  readonly record: FileRecord | undefined
  /** What stood at the path before; undefined when nothing did. */
  readonly previous: FileRecord | undefined
  /**
   * Set when an earlier commit was made under the same Idempotency-Key and fingerprint: what it answered. This one
   * then changed nothing, its staged body has been discarded, and `record` and `previous` are undefined.
   */
  readonly replayed?: string
}

export interface CommitOptions {
  /**
   * Makes the commit exactly-once: the outcome is kept with it, `answer` being computed from what it did (before it is
   * durable). Of many with one key, whatever their paths, one is made and the others replay it. A refused commit
   * leaves no outcome.
   */
  readonly idempotency?: {
    /** 1 to 255 bytes. */
    readonly key: string
    readonly fingerprint: string
    readonly answer: (committed: Committed) => string
  }
}

/** One line of a list: what an index entry holds, so that a list reads no records. */
export interface ListEntry {
  readonly path: PathName
  readonly size: number
  readonly etag: ETag
  readonly mediaType: string
  readonly writtenAtMs: number
}

/** The first and the last byte wanted, both included, both within the body. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

export interface StageOptions {
  /** Bytes; a longer body is refused with FILE_TOO_LARGE. */
  readonly sizeMax: number
  /** Ends the staging and drops what was received. */
  readonly signal?: AbortSignal
}

export interface StorageStatistics {
  readonly files: number
  /** Sum of the sizes of all files. */
  readonly bytes: number
  /** Bodies that are being received or wait for their commit. */
  readonly staged: number
  /** True when writes are kept on stable storage. */
  readonly durable: boolean
}

export interface Storage {
  /**
   * Receives a body: hashes it as it passes, and resolves when it is durable (one that is small enough to be inline
   * becomes durable with its commit). Nothing is visible before a commit. Memory stays at half a block whatever the
   * size. A body that is not read to its end (too long, aborted, disk full) is told so by its iterator's `return`,
   * which destroys a Readable unless the caller passes `readable.iterator({ destroyOnReturn: false })`.
   * @throws StoreError FILE_TOO_LARGE, DISK_FULL; an error of `body`, or the signal's reason. Nothing stays behind.
   */
  stage(body: AsyncIterable<Uint8Array>, options: StageOptions): Promise<StagedBody>

  /**
   * Stages the bytes of a record again, without passing them through memory where the disk can share them.
   * @throws StoreError FILE_NOT_FOUND when the version has been replaced and its bytes are gone; DISK_FULL.
   */
  stageCopy(record: FileRecord): Promise<StagedBody>

  /**
   * Drops a staged body that will not be committed. Again, or after a commit that threw, it does nothing; dropping one
   * that was committed is a TypeError.
   */
  discard(staged: StagedBody): Promise<void>

  /** Leaves the blob of a staged body to the replica store, a batch of which keeps it. */
  handOver(staged: StagedBody): void

  /**
   * Makes one change under its condition, atomically and durably; of many racing on one path exactly one goes first.
   * Resolves when durable. When it throws, nothing has changed and a staged body has been discarded.
   * Every change, a move too, stamps the record with a new version and the present time. A move's condition and
   * `previous` are about its destination.
   * @throws StoreError FILE_EXISTS (absent), FILE_NOT_FOUND (exists, remove, move without source),
   *   PRECONDITION_FAILED (etags), INVALID_REQUEST (a move onto itself), IDEMPOTENCY_KEY_REUSED (kept with another
   *   fingerprint), DISK_FULL, OVERLOADED (too many kept outcomes or waiting writes), INDETERMINATE when the disk failed
   *   half-way (then it may have changed after all). TypeError for a staged body that is not staged
   *   here any more.
   */
  commit(change: Change, options?: CommitOptions): Promise<Committed>

  /**
   * The file at a path, or undefined.
   * @throws StoreError CORRUPT when its stored record is damaged.
   */
  find(path: PathName): Promise<FileRecord | undefined>

  /**
   * The bytes of a record: at once when they are inline, else as a stream. Every block is checked before any byte of
   * it is handed out, the first one before this resolves; a body that is replaced while it is read stays whole. The
   * caller reads the stream to its end or destroys it.
   * @throws StoreError CORRUPT for a block that fails its checksum (the stream is destroyed with it later on);
   *   FILE_NOT_FOUND when the version has been replaced and its bytes are gone.
   */
  read(record: FileRecord, range?: ByteRange): Promise<Uint8Array | Readable>

  /** The records whose keys lie in (lo, hi], clockwise from lo; lo = hi is the whole ring. A live view. */
  scan(lo: Identifier, hi: Identifier): AsyncIterable<FileRecord>

  /** The files under a prefix in the byte order of their paths, from after `after` on. A live view, not a snapshot. */
  list(prefix: string, after?: string): Iterable<ListEntry>

  /** The outcome kept for an Idempotency-Key, for 24 hours. Waits for a commit under way with this key. */
  outcome(key: string): Promise<Outcome | undefined>

  statistics(): StorageStatistics

  /**
   * Ends stagings under way with UNAVAILABLE, waits for commits under way and lets go of the data directory. Bodies
   * that are staged and not committed are dropped. Every later call is refused with UNAVAILABLE; streams that `read`
   * gave out go on.
   */
  close(): Promise<void>
}

/** How long the outcome of an Idempotency-Key is kept, in ms: 24 hours, the usual promise for retries of a client. */
export const OUTCOME_KEPT_MS = 24 * 60 * 60 * 1000

/** How many outcomes are kept at the most; one more is refused with OVERLOADED. About 1 KiB each on disk. */
export const OUTCOMES_MAX = 1_000_000
