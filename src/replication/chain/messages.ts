/**
 * What nodes say to each other about views and records. One message, one handler (machine.ts).
 *
 * Every message travels in an Envelope that names sender and receiver by their disks, and the sender's boot.
 */
import type { Identifier } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { BlobId, Version } from '../../storage/record.ts'
import type { Accepted, Ballot, Boot, NodeId, Source, View, ViewId } from '../../views/view.ts'
import type { Condition } from '../replication.ts'
import type { ChainRecord, IdempotencyKey, Operation, RequestId } from './chain-record.ts'
import type { Digest } from './digest-tree.ts'

export interface Envelope {
  readonly from: NodeId
  readonly boot: Boot
  readonly to: NodeId
  readonly message: Message
}

/** Matches an answer with its question; it names one start of one node. */
export type Tag = string & { readonly brand: 'Tag' }

export interface BlobRef {
  readonly blobId: BlobId
  readonly sha256: string
}

/** A sealed view, with the value that was accepted there, so that whoever meets it can finish the Paxos. */
export interface SealedView {
  readonly view: View
  readonly accepted: readonly View[] | undefined
  readonly next: readonly View[] | undefined
}

/** RECONFIGURE. */
export type PaxosMessage =
  | { readonly kind: 'prepare'; readonly view: View; readonly ballot: Ballot }
  | {
      readonly kind: 'promise'
      readonly viewId: ViewId
      readonly ballot: Ballot
      readonly accepted: Accepted | undefined
    }
  | {
      readonly kind: 'accept'
      readonly view: View
      readonly ballot: Ballot
      readonly children: readonly View[]
    }
  | { readonly kind: 'accepted'; readonly viewId: ViewId; readonly ballot: Ballot }
  | {
      readonly kind: 'outbid'
      readonly viewId: ViewId
      readonly ballot: Ballot
      /** Undefined when the acceptor does not hold the view. */
      readonly promised: Ballot | undefined
    }
  | { readonly kind: 'decided'; readonly view: View; readonly children: readonly View[] }

/** Views that are decided: their members take them in, the others keep them as hints. */
export interface TeachMessage {
  readonly kind: 'teach'
  readonly views: readonly View[]
}

/** INSTALL. */
export type InstallMessage =
  | { readonly kind: 'install'; readonly view: View }
  | { readonly kind: 'installed'; readonly viewId: ViewId }
  | { readonly kind: 'active'; readonly viewId: ViewId }
  | { readonly kind: 'pre-copy'; readonly view: View }
  | { readonly kind: 'pre-copied'; readonly viewId: ViewId }
  /** This replica has every body of the view. */
  | { readonly kind: 'back-filled'; readonly viewId: ViewId }
  /** Every replica has: what parents keep for the view may go. */
  | { readonly kind: 'complete'; readonly view: View }
  /** Answered with `complete` by the head of each complete view that overlaps this one and is newer. */
  | { readonly kind: 'ask-complete'; readonly view: View }

/** One part of a range to compare: by its digest, or by all its versions when they are few. */
export interface Comparison {
  readonly prefix: string
  readonly digest: Digest
  readonly versions: readonly (readonly [path: PathName, version: Version])[] | undefined
}

export type DifferenceMessage =
  | {
      readonly kind: 'compare'
      readonly tag: Tag
      /** Counts the questions of one transfer: a repeated answer must not pass for the answer to a later one. */
      readonly step: number
      /** Whose state is wanted. */
      readonly source: Source
      /** The view that will start from it; its range is what is compared. */
      readonly view: View
      /** `parent` seals the source; `upstream` and `pre-copy` don't. */
      readonly purpose: TransferPurpose
      readonly comparisons: readonly Comparison[]
    }
  | {
      readonly kind: 'difference'
      readonly tag: Tag
      readonly step: number
      readonly floor: Version
      readonly seq: number
      readonly active: boolean
      /** For how long the range has been served, ms; absent from a node of protocol 2. */
      readonly timeMs?: number | undefined
      /** Prefixes whose parts have to be compared one by one. */
      readonly descend: readonly string[]
      /** Prefixes that this answer had no room for. */
      readonly again: readonly string[]
      readonly records: readonly ChainRecord[]
      readonly missing: readonly PathName[]
    }
  | { readonly kind: 'no-difference'; readonly tag: Tag; readonly reason: 'not-installed' | 'elsewhere' }

export type TransferPurpose = 'parent' | 'upstream' | 'pre-copy'

/** Chain replication. */
export type ChainMessage =
  | {
      readonly kind: 'pass'
      readonly viewId: ViewId
      readonly record: ChainRecord
      /** Every write of the view up to this number is acknowledged. */
      readonly cleanSeq: number
      /** For how long the range has been served, ms; absent from a node of protocol 2. */
      readonly timeMs?: number | undefined
    }
  | {
      readonly kind: 'acknowledge'
      readonly viewId: ViewId
      readonly path: PathName
      readonly version: Version
    }
  /**
   * Tombstones at or below the floor go, unless they hold outcomes that are kept: the head tells both of its times, and a
   * node of protocol 2 knows only `nowMs`.
   */
  | {
      readonly kind: 'floor'
      readonly viewId: ViewId
      readonly floor: Version
      readonly nowMs: number
      readonly timeMs?: number | undefined
    }
  /** The source of a move holds its intent no more: its destination need not keep what was decided. */
  | {
      readonly kind: 'settled'
      readonly viewId: ViewId
      readonly path: PathName
      readonly position: Identifier
      readonly moveId: RequestId
    }

export type ConfirmMessage =
  | { readonly kind: 'confirm'; readonly tag: Tag; readonly views: readonly View[] }
  | {
      readonly kind: 'confirmed'
      readonly tag: Tag
      readonly viewIds: readonly ViewId[]
      readonly sealed: readonly SealedView[]
    }

/** What a write asks for, the same in all its tries. */
export interface WriteRequest {
  readonly path: PathName
  readonly position: Identifier
  readonly requestId: RequestId
  readonly operation: Operation
  readonly condition: Condition
  /** The move whose intent this write may touch. */
  readonly settles?: RequestId
  readonly key?: IdempotencyKey
  /** Of the copy that a move makes: a head of protocol 3 decides the move, once, whatever was written meanwhile. */
  readonly move?: { readonly source: PathName; readonly condition: Condition }
}

/** The first try is bound to one start of the head and one counter; every other names the version that it expects. */
export type WriteBinding =
  | { readonly kind: 'first'; readonly headBoot: string; readonly counter: number }
  | { readonly kind: 'expected'; readonly version: Version }

/** From an entry node to a replica, on behalf of a client. */
export type RequestMessage =
  | {
      readonly kind: 'read'
      readonly tag: Tag
      readonly viewId: ViewId
      readonly path: PathName
      readonly position: Identifier
      /** The entry node is an acceptor of the view and holds it unsealed. */
      readonly vote: boolean
      /** The entry node asks the acceptors: the answer need not wait for them, and brings the replica's own vote. */
      readonly unconfirmed?: boolean
    }
  | {
      readonly kind: 'write'
      readonly tag: Tag
      readonly viewId: ViewId
      readonly request: WriteRequest
      readonly binding: WriteBinding
    }
  | {
      readonly kind: 'burn'
      readonly tag: Tag
      readonly viewId: ViewId
      readonly path: PathName
      readonly position: Identifier
      readonly requestId: RequestId
      readonly counter: number
    }
  | { readonly kind: 'stage'; readonly tag: Tag; readonly viewId: ViewId; readonly blob: BlobRef }
  | { readonly kind: 'where'; readonly position: Identifier }

/** What an entry node is answered. */
export type ReplyMessage =
  | {
      readonly kind: 'value'
      readonly tag: Tag
      readonly record: ChainRecord
      /** Of an answer that is not confirmed: whether the replica is an acceptor of the view, which it has not sealed. */
      readonly vote?: boolean
    }
  /**
   * `current` is the version of the path when this was answered: a write that was decided earlier may be overwritten.
   * `replaced`: whether a file stood there before, where that is remembered.
   */
  | {
      readonly kind: 'written'
      readonly tag: Tag
      readonly version: Version
      readonly current: Version
      readonly replaced?: boolean | undefined
      /** Of the intent of a move: what it stands on. */
      readonly record?: ChainRecord | undefined
    }
  | { readonly kind: 'failed'; readonly tag: Tag; readonly record: ChainRecord }
  /** A key that was used before for something else, or one too many. */
  | { readonly kind: 'key-refused'; readonly tag: Tag; readonly reason: 'reused' | 'too-many' }
  /** The expected version is not the current one; also the answer to a burn. The request is not in the history. */
  | { readonly kind: 'stale'; readonly tag: Tag; readonly record: ChainRecord }
  /** The record carries the intent of a move, which has to be settled first. */
  | { readonly kind: 'unsettled'; readonly tag: Tag; readonly record: ChainRecord }
  | { readonly kind: 'staged'; readonly tag: Tag }
  | {
      readonly kind: 'refused'
      readonly tag: Tag
      readonly reason: RefusalReason
      /** Decided views that overlap the one asked for and are newer, or the one itself. */
      readonly teaches: readonly View[]
      readonly sealed: SealedView | undefined
    }

export type RefusalReason =
  | 'unknown-view'
  | 'not-active'
  | 'sealed'
  | 'not-head'
  | 'dirty'
  | 'unconfirmed'
  | 'burnt'
  | 'body-missing'
  | 'too-few-replicas'
  | 'overloaded'

/** Bodies. `blob` reaches the machine when the driver has the bytes, hashed and on stable storage. */
export type BlobMessage =
  | { readonly kind: 'blob-wanted'; readonly blobs: readonly BlobRef[] }
  | { readonly kind: 'blob'; readonly blob: BlobRef }
  | { readonly kind: 'blob-missing'; readonly blob: BlobRef }
  | {
      readonly kind: 'stage-on'
      readonly tag: Tag
      readonly entry: NodeId
      readonly viewId: ViewId
      readonly blob: BlobRef
    }

/** Is a node there? `suspect` asks the receiver to find out about another node. */
export type LivenessMessage =
  | { readonly kind: 'ping' }
  | { readonly kind: 'pong' }
  | { readonly kind: 'suspect'; readonly node: NodeId }
  /** The sender remembers another start of the receiver's disk than the one it shows. */
  | { readonly kind: 'impostor'; readonly remembered: Boot }

export type Message =
  | PaxosMessage
  | TeachMessage
  | InstallMessage
  | DifferenceMessage
  | ChainMessage
  | ConfirmMessage
  | RequestMessage
  | ReplyMessage
  | BlobMessage
  | LivenessMessage
