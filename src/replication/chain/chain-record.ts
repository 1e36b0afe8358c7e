/**
 * The record as chain replication keeps it: what is at a path, and what has been decided there of late.
 *
 * A removed file leaves a tombstone (no body). A path without a record stands for a tombstone at the floor of its view.
 */
import type { Identifier } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import {
  type BlobId,
  type Body,
  type ETag,
  etagOf,
  type FileMeta,
  type Version,
} from '../../storage/record.ts'
import type { TrashName } from '../../storage/trash-name.ts'
import type { Condition } from '../replication.ts'

/** Names one write of one client, whatever the number of its tries. */
export type RequestId = string & { readonly brand: 'RequestId' }

export interface Decided {
  readonly version: Version
  readonly requestId: RequestId
}

/** A write that a record remembers. */
export interface Remembered extends Decided {
  /** Whether a file stood there before; absent in what an older program has written. */
  readonly replaced?: boolean
}

/** A move that has begun: whoever touches the record settles it first. */
export interface Intent {
  readonly moveId: RequestId
  readonly destination: PathName
  /** The version at which the destination was seen before the move began: no copy is made below `movesFloor` there. */
  readonly destinationVersion: Version
  /** What must hold of the destination when the copy is made; absent in what a node of protocol 2 has written. */
  readonly condition?: Condition
  /** Of the client: its outcome is kept at the destination, whoever brings the move to its end. */
  readonly key?: IdempotencyKey
}

/** The name that a client gives a request, so that its retries are the same request. */
export interface IdempotencyKey {
  readonly key: string
  /** Stands for everything that decides what the request does. */
  readonly fingerprint: string
  /** Wall clock, ms since 1970; what decides is `decidedAtMs`, except where a node of protocol 2 wrote the outcome. */
  readonly expiresAtMs: number
}

/** The outcome of a write under an Idempotency-Key: what a retry has to be told, though the file be gone by then. */
export interface KeyOutcome extends IdempotencyKey {
  readonly version: Version
  /** The condition did not hold: nothing was written, and nothing will be under this key. */
  readonly refused: boolean
  /** Something stood at the path before. */
  readonly replaced: boolean
  /** Of a put; a removal has none. */
  readonly file: { readonly size: number; readonly sha256: string } | undefined
  /** The time of the range when this was decided (range-time.ts), ms. */
  readonly decidedAtMs?: number
  /** Of a refused move: there was no file to move. */
  readonly noSource?: boolean
  /** What was decided of a move whose destination this is; its key is the move's own and no client's. */
  readonly move?: MoveDecision
}

/** Why a copy that a move needs will never be made. `yielded`: something else was in the way, and it may begin again. */
export type MoveRefusal = 'condition' | 'yielded' | 'key-reused' | 'too-many-keys'

export interface MoveDecision {
  readonly moveId: RequestId
  readonly source: PathName
  readonly refusal?: MoveRefusal
  /** The source holds the intent no more: nobody needs to be told the decision again, except the mover perhaps. */
  readonly settled?: boolean
}

export interface ChainRecord {
  readonly path: PathName
  readonly position: Identifier
  readonly version: Version
  /** Undefined in a tombstone. */
  readonly body: Body | undefined
  readonly meta: FileMeta | undefined
  /** The write that put the body there, which the ETag names: an intent changes the version and not the file. */
  readonly written: Decided | undefined
  /** Wall clock of the node that took the write, ms since 1970. */
  readonly writtenAtMs: number
  /** The latest writes, oldest first; at most HISTORY_MAX. */
  readonly history: readonly Remembered[]
  /** Writes up to here may be missing from the history. */
  readonly historyFloor: Version
  readonly intent: Intent | undefined
  readonly outcomes: readonly KeyOutcome[]
  /**
   * A move that saw the path before this version is decided in `outcomes`, or never will be done. Absent in what a node of
   * protocol 2 has written, which forgets such decisions: there it is the version of the record.
   */
  readonly movesFloor?: Version
  /** What was replaced or removed here and is kept, the oldest first; each lies at its trashPathOf. Absent: nothing is. */
  readonly trash?: readonly TrashName[]
}

/** What a write does. `intend` and `abandon` change only the intent of a move. */
export type Operation =
  | {
      readonly kind: 'put'
      readonly body: Body
      readonly meta: FileMeta
      readonly writtenAtMs: number
      /** The trashed version of this path that it brings back, which leaves the trash. */
      readonly restores?: TrashName
    }
  | { readonly kind: 'remove' }
  | { readonly kind: 'intend'; readonly intent: Intent }
  | { readonly kind: 'abandon' }
  /** Changes nothing but what is remembered: a write under a key was refused. */
  | { readonly kind: 'refuse'; readonly noSource?: boolean }
  /** These leave the trash; with `agedMs`, those of them that were in it for so long by the time of the range. */
  | { readonly kind: 'forget'; readonly names: readonly TrashName[]; readonly agedMs?: number }

/** Writes that a record remembers: enough for a retry that comes late among a handful of racing clients. */
export const HISTORY_MAX = 8

/** Outcomes that one path remembers. About 200 bytes each, and they travel with each write. */
export const OUTCOMES_PER_PATH_MAX = 256

/** Negative when `a` is the older one. */
export function compareVersions(a: Version, b: Version): number {
  return a.epoch - b.epoch || a.seq - b.seq
}

/** The record of a path that has none. */
export function absentRecord(path: PathName, position: Identifier, floor: Version): ChainRecord {
  return {
    path,
    position,
    version: floor,
    body: undefined,
    meta: undefined,
    written: undefined,
    writtenAtMs: 0,
    history: [],
    historyFloor: floor,
    intent: undefined,
    outcomes: [],
    movesFloor: floor,
  }
}

export function conditionHolds(condition: Condition, record: ChainRecord): boolean {
  if (condition === 'none') return true
  if (condition === 'absent') return record.body === undefined
  const etag = etagOfRecord(record)
  if (etag === undefined) return false
  return condition === 'exists' || condition.etags.includes(etag)
}

/** The ETag of the file, or undefined when there is none. */
export function etagOfRecord({ body, written }: ChainRecord): ETag | undefined {
  if (body === undefined || written === undefined) return undefined
  return etagOf({ version: written.version, body })
}

/** Below which no copy of a move is made here. */
export function movesFloorOf(record: ChainRecord): Version {
  return record.movesFloor ?? record.version
}

/** The record after a write; `outcomes` are those that it has from then on. */
export function applyOperation(
  record: ChainRecord,
  operation: Operation,
  decided: Decided,
  outcomes: readonly KeyOutcome[] = record.outcomes,
): ChainRecord {
  const all = [...record.history, { ...decided, replaced: record.body !== undefined }]
  const dropped = all.length > HISTORY_MAX ? all[0] : undefined
  const base = {
    ...record,
    version: decided.version,
    history: dropped === undefined ? all : all.slice(1),
    historyFloor: dropped?.version ?? record.historyFloor,
    outcomes,
    movesFloor: movesFloorOf(record),
    intent: undefined,
  }
  switch (operation.kind) {
    case 'put': {
      const { body, meta, writtenAtMs } = operation
      return {
        ...base,
        body,
        meta,
        writtenAtMs: notBefore(record.writtenAtMs, writtenAtMs),
        written: decided,
      }
    }
    case 'remove':
      return { ...base, body: undefined, meta: undefined, written: undefined }
    case 'intend':
      return { ...base, intent: operation.intent }
    case 'abandon':
      return base
    case 'refuse':
    case 'forget':
      return { ...base, history: record.history, historyFloor: record.historyFloor, intent: record.intent }
  }
}

/**
 * When a write counts as written, ms: never before what it replaces, by clocks that differ or for a move of an older file.
 * Clients see whole seconds, and one that has seen the former bytes has to see another second.
 */
function notBefore(beforeMs: number, atMs: number): number {
  if (beforeMs <= atMs) return atMs
  const second = Math.floor(beforeMs / 1000)
  return Math.floor(atMs / 1000) === second ? beforeMs : (second + 1) * 1000
}

/** The body that a write names, when it is not inline. */
export function blobOfOperation(operation: Operation): { blobId: BlobId; sha256: string } | undefined {
  if (operation.kind !== 'put' || !('blobId' in operation.body.content)) return undefined
  return { blobId: operation.body.content.blobId, sha256: operation.body.sha256 }
}

export function inHistory(record: ChainRecord, requestId: RequestId) {
  return remembered(record, requestId)?.version
}

/** The version of a write and what it replaced, as long as the record remembers it. */
export function remembered({ history }: ChainRecord, requestId: RequestId) {
  const known = history.find(decided => decided.requestId === requestId)
  return known && { version: known.version, replaced: known.replaced }
}
