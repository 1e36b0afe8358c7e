/**
 * The contract of replication: files as one node sees the whole network's. chain/ keeps it; what it promises is in
 * statement.md.
 */
import type { Readable } from 'node:stream'
import { StoreError } from '../errors.ts'
import type { Address } from '../ring/identifier.ts'
import type { PathName } from '../ring/path-name.ts'
import type { Body, ETag, FileMeta, FileRecord } from '../storage/record.ts'
import type {
  ByteRange,
  Listed,
  ListQuery,
  StagedBody,
  StageOptions,
  StorageStatistics,
} from '../storage/storage.ts'
import type { TrashName } from '../storage/trash-name.ts'
import type { WholeBody } from '../whole-body.ts'

/** What must hold of a path for a change to be made. `etags`: the file exists in one of these versions. */
export type Condition = 'none' | 'absent' | 'exists' | { readonly etags: readonly ETag[] }

/** How a network keeps its files: by chains, or so that versions may stand beside each other for a while. */
export type Consistency = 'chain' | 'eventual'

/** What a network with eventual consistency does with versions that stand beside each other. */
export type Conflicts = 'keep' | 'newest'

/**
 * One change. A `put` takes the staged body over; a `move` gives the record of `from` a new path. A `refuse` says of a change that it can't
 * be made, since what it would put at the path is not there: under its key, it makes sure that an earlier try is not made later. Its condition is that of the change.
 */
export type Change =
  | {
      readonly kind: 'put'
      readonly path: PathName
      readonly condition: Condition
      readonly body: StagedBody
      readonly meta: FileMeta
      /** The trashed version of this path that it brings back, which leaves the trash. */
      readonly restores?: TrashName
    }
  | { readonly kind: 'remove'; readonly path: PathName; readonly condition: Condition }
  | { readonly kind: 'move'; readonly from: PathName; readonly path: PathName; readonly condition: Condition }
  | { readonly kind: 'refuse'; readonly path: PathName; readonly condition: Condition }

/** How long the outcome of an Idempotency-Key is kept at least, in ms: 24 hours, the usual promise for retries of a client. */
export const OUTCOME_KEPT_MS = 24 * 60 * 60 * 1000

/** Where a request went, and who keeps the file. */
export interface Placement {
  /** The nodes that the request visited, this one first. */
  readonly chain: readonly Address[]
  /** The nodes that hold the file, head first. */
  readonly replicas: readonly Address[]
}

export interface Found extends Placement {
  readonly record: FileRecord | undefined
  /** Versions that stand beside this one, in a network with eventual consistency; absent where there are none. */
  readonly conflicts?: number
}

export interface Idempotency {
  /** Of one path: the same key for another path is another key. */
  readonly key: string
  /** Stands for everything that decides what the change does. */
  readonly fingerprint: string
}

export interface ReceiveOptions extends Omit<StageOptions, 'onGrowing'> {
  /** What the body will be put at, as far as that is known: a large one goes to the replicas of the path while it comes in. */
  readonly path?: PathName
}

export interface ChangeOptions {
  /** The same change again under the same key gives the first one's outcome, for 24 hours. */
  readonly idempotency?: Idempotency
}

/** What a change did, and what it left where. */
export interface Written extends Placement {
  /** The file that it left at the path; undefined after a removal. */
  readonly record: WrittenFile | undefined
  /** Something stood at the path before. */
  readonly replaced: boolean
  /** The condition was judged by what one node has, in a network with eventual consistency. */
  readonly conditional?: 'local'
}

/** What a receipt says of a file; a FileRecord has it all. */
export type WrittenFile = Pick<FileRecord, 'path' | 'version'> & {
  readonly body: Pick<Body, 'size' | 'sha256'>
}

export interface Replication {
  /** Receives a body on this node; nothing is visible before a commit. As Storage.stage. */
  stage(body: AsyncIterable<Uint8Array>, options: ReceiveOptions): Promise<StagedBody>

  /** As stage, of a body that is here already; undefined where it takes a wait, or is refused: stage says why. */
  stageAtOnce?(body: WholeBody, options: Pick<ReceiveOptions, 'sizeMax'>): StagedBody | undefined

  /** The bytes of a file as a staged body for another path. */
  stageCopy(record: FileRecord): Promise<StagedBody>

  discard(staged: StagedBody): Promise<void>

  /**
   * Makes one change under its condition, atomically, on every replica's stable storage; of many racing on one path
   * exactly one goes first. Every change, a move too, gives the record a new version; a put gives it the present
   * time, a move leaves its time as it is. A move's condition and `replaced` are about its destination. The staged body is used up, whatever happens.
   * @throws StoreError FILE_EXISTS (absent), FILE_NOT_FOUND (exists, remove, move without source; refuse, unless the change has been made under its key), PRECONDITION_FAILED
   *   (etags), INVALID_REQUEST (a move onto itself), IDEMPOTENCY_KEY_REUSED, DISK_FULL, OVERLOADED (too many outcomes of
   *   one path); UNAVAILABLE: nothing has changed; INDETERMINATE: it may have, or may yet.
   */
  commit(change: Change, options?: ChangeOptions): Promise<Written>

  /** The file at a path. Linearizable. @throws StoreError UNAVAILABLE. */
  find(path: PathName): Promise<Found>

  /** As find, where that needs neither another node nor a wait; else undefined. Absent where every find does. */
  findAtOnce?(path: PathName): Found | undefined

  /** All versions of a path that stand beside each other, the one that `find` gives first; absent where there is never more than one. */
  versions?(path: PathName): Promise<readonly FileRecord[]>

  /** What is in the trash of a path, the oldest first. Linearizable. @throws StoreError UNAVAILABLE. */
  trash(path: PathName): Promise<readonly TrashName[]>

  /**
   * Takes versions out of the trash of a path; with `agedMs` those that were in it for so long, by the time of their range. What is not in it
   * (any more) is passed over. @throws StoreError UNAVAILABLE, INDETERMINATE, DISK_FULL.
   */
  forget(path: PathName, names: readonly TrashName[], agedMs?: number): Promise<void>

  /** The bytes of a record, from here or from a replica. As Storage.read. */
  read(record: FileRecord, range?: ByteRange): Promise<Uint8Array | Readable>

  /**
   * Up to `limit` lines of the whole network under a prefix, in byte order, from after `after` on.
   * @throws StoreError UNAVAILABLE when a part of the ring can't be reached: a list is complete or an error.
   */
  list(query: ListQuery): Promise<readonly Listed[]>

  /** Of this node. */
  statistics(): StorageStatistics
}

/** What a client is told whose condition does not hold. */
export function conditionFailed(condition: Condition, path: PathName): StoreError {
  if (condition === 'absent') return new StoreError('FILE_EXISTS', 'A file has this path already.', { path })
  if (condition === 'exists' || condition === 'none') {
    return new StoreError('FILE_NOT_FOUND', 'No file has this path.', { path })
  }
  return new StoreError('PRECONDITION_FAILED', 'The file is not in a version that If-Match names.', { path })
}
