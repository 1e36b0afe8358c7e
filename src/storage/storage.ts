/**
 * The contract of storage: bodies on their way in, and files as readers see them. What stands at a path is changed
 * by replication alone, through the batches of replica-store.ts. lmdb-storage.ts keeps it on disk, memory-storage.ts in
 * memory; both pass the conformance suite in test/storage/conformance.ts.
 *
 * Durable means: on stable storage, so that a crash of the process or of the machine does not undo it. Nothing that is
 * not durable yet is ever shown: a reader of a path with a batch under way sees what stood there before.
 */
import type { Readable } from 'node:stream'
import type { StoreError } from '../errors.ts'
import type { Delimiter, PathName } from '../ring/path-name.ts'
import type { WholeBody } from '../whole-body.ts'
import type { BlobId, Body, ETag, FileRecord, UserMeta } from './record.ts'

/** A body that was received, hashed and made durable, and that no record names yet. */
export interface StagedBody extends Body {
  /** Names the staging; it means something only to the storage that made it, and only until that is closed. */
  readonly stageId: string
}

/** One line of a list: what an index entry holds, so that a list reads no records. */
export interface ListEntry {
  readonly path: PathName
  readonly size: number
  readonly etag: ETag
  readonly mediaType: string
  readonly writtenAtMs: number
  /** Of the whole body; absent in what a program before format 2 of the data directory has written. */
  readonly sha256?: string
  readonly user?: UserMeta
}

/** What a list shows: a file, or (as a string that ends with the delimiter) the common prefix of several. */
export type Listed = ListEntry | string

/** The path or common prefix of a line of a list: what `after` continues from. */
export function placeOf(listed: Listed): string {
  return typeof listed === 'string' ? listed : listed.path
}

export interface ListQuery {
  /** Empty, or the beginning of a path. */
  readonly prefix: string
  /** With a delimiter, what lies behind the first `/` after the prefix is summed up as one common prefix. */
  readonly delimiter?: Delimiter | undefined
  /** Only what comes after this path or common prefix. */
  readonly after?: string | undefined
  /** Entries and common prefixes together. */
  readonly limit: number
}

/** The first and the last byte wanted, both included, both within the body. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

/** A large body that is being received, for those who read it before it has wholly come. */
export interface GrowingBody {
  readonly blobId: BlobId
  /** Of the whole body: resolves with the last byte, before the body is durable; rejects when the receipt fails. */
  readonly sha256: Promise<string>
  /**
   * The bytes from the first on, each as soon as it is there; a slow reader holds nobody up. May be begun as long as
   * the body is staged.
   * @throws as the receipt; the signal's reason.
   */
  follow(signal: AbortSignal): AsyncIterable<Uint8Array>
}

export interface StageOptions {
  /** Bytes; a longer body is refused with FILE_TOO_LARGE. */
  readonly sizeMax: number
  /** Ends the staging and drops what was received. */
  readonly signal?: AbortSignal
  /** Told as soon as a body is larger than a block: up to there it is sent sooner whole. Storage in memory tells nobody. */
  readonly onGrowing?: (body: GrowingBody) => void
}

export interface TrashTotals {
  readonly versions: number
  readonly bytes: number
}

export interface StorageStatistics {
  readonly files: number
  /** Sum of the sizes of all files. */
  readonly bytes: number
  /** Trashed versions, which are no files, and the sum of their sizes. */
  readonly trash: TrashTotals
  /** Bodies that are being received or wait for their batch. */
  readonly staged: number
  /** True when writes are kept on stable storage. */
  readonly durable: boolean
}

export interface DiskRoom {
  readonly bytes: number
  readonly freeBytes: number
}

/** Makes room for about so many bytes; resolves to whether there is some. */
export type GiveWay = (bytes: number) => Promise<boolean>

export interface Storage {
  /**
   * Receives a body: hashes it as it passes, and resolves when it is durable (one that is small enough to be inline
   * becomes durable with its record). Nothing is visible before a batch names it. Memory stays at half a block whatever the
   * size. A body that is not read to its end (too long, aborted, disk full) is told so by its iterator's `return`,
   * which destroys a Readable unless the caller passes `readable.iterator({ destroyOnReturn: false })`.
   * @throws StoreError FILE_TOO_LARGE, DISK_FULL; an error of `body`, or the signal's reason. Nothing stays behind.
   */
  stage(body: AsyncIterable<Uint8Array>, options: StageOptions): Promise<StagedBody>

  /** As stage, of a body that is here already; undefined where it takes a wait, or is refused: stage says why. */
  stageAtOnce?(body: WholeBody, options: Pick<StageOptions, 'sizeMax'>): StagedBody | undefined

  /**
   * Drops a staged body that no record will name. Again, it does nothing; dropping one that was handed over is a
   * TypeError.
   */
  discard(staged: StagedBody): Promise<void>

  /** Leaves the blob of a staged body to the replica store, a batch of which keeps it. Once; else a TypeError. */
  handOver(staged: StagedBody): void

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

  /** The files under a prefix in the byte order of their paths, from after `after` on. A live view, not a snapshot. */
  list(prefix: string, after?: string): Iterable<ListEntry>

  statistics(): StorageStatistics

  /** Of the disk that holds everything; storage in memory has none. */
  disk?(): Promise<DiskRoom>

  /** Says who may make room when the disk is full, before anything is refused for it. */
  whenFull?(giveWay: GiveWay): void

  /** Says whom to tell when the disk hangs: what waits for it then has been refused, and goes on by itself when the disk does. */
  whenHanging?(tell: (fault: StoreError) => void): void

  /**
   * Ends stagings under way with UNAVAILABLE, waits for batches under way and lets go of the data directory. Bodies
   * that are staged and not handed over are dropped. Every later call is refused with UNAVAILABLE; streams that `read`
   * gave out go on.
   */
  close(): Promise<void>
}
