/**
 * The nouns of the entry node: what a client asks for, and the reads and writes that it is made of.
 */

import type { Identifier } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { Body, FileMeta, Version } from '../../storage/record.ts'
import type { TrashName } from '../../storage/trash-name.ts'
import type { NodeId, View } from '../../views/view.ts'
import type { ChainRecord, IdempotencyKey, MoveRefusal, RequestId } from '../chain/chain-record.ts'
import type { BlobRef, ReplyMessage, Tag, WriteRequest } from '../chain/messages.ts'
import type { Unconfirmed } from '../chain/votes.ts'
import type { Condition } from '../replication.ts'

/**
 * Is told how a request is given up before its deadline, with the outcome that it has then; what it gives is called when
 * the request is over.
 */
export type Ending = (giveUp: () => void) => (() => void) | undefined

/** What a client asks its entry node for. `position` is the key of the path, where whoever asks knows it already. */
export type ClientRequest =
  /** With a `position` that is not the path's own, all that counts is that the range of that position has answered. */
  | { readonly kind: 'get'; readonly path: PathName; readonly position?: Identifier }
  | {
      readonly kind: 'put'
      readonly path: PathName
      readonly position?: Identifier
      readonly body: Body
      readonly meta: FileMeta
      readonly writtenAtMs: number
      readonly condition: Condition
      readonly restores?: TrashName
      readonly key?: IdempotencyKey
    }
  | {
      readonly kind: 'remove'
      readonly path: PathName
      readonly position?: Identifier
      readonly condition: Condition
      readonly key?: IdempotencyKey
    }
  /** The change under this key can't be made, for what it would put at the path is not there. */
  | {
      readonly kind: 'refuse'
      readonly path: PathName
      readonly position?: Identifier
      readonly key?: IdempotencyKey
    }
  /** As the operation of that name. */
  | {
      readonly kind: 'forget'
      readonly path: PathName
      readonly position?: Identifier
      readonly names: readonly TrashName[]
      readonly agedMs?: number
    }
  | { readonly kind: 'copy'; readonly from: PathName; readonly to: PathName }
  /** `condition` is that of the destination. */
  | {
      readonly kind: 'move'
      readonly from: PathName
      readonly to: PathName
      readonly condition: Condition
      readonly key?: IdempotencyKey
    }

/** One read or write of one path, through all its tries. */
export interface Task {
  /** Of the try under way; each try has its own, so that the answer to an earlier one is not taken for its answer. */
  tag: Tag
  readonly flow: string
  readonly kind: 'read' | 'write'
  readonly path: PathName
  readonly position: Identifier
  tries: number
  /** Where the turns begin, when one node after the other is asked. */
  readonly turn: number
  /** Whom the try under way waits for. */
  target: NodeId | undefined
  /** Writes: how often it was asked who is the head, since one was last sent the write. */
  asked: number
  /** Reads: the replica asked had a dirty record. */
  atTail: boolean
  /** Reads: the view of the try under way, and its answer, which is confirmed meanwhile. */
  reading: { readonly view: View; readonly answer: Unconfirmed } | undefined
  readonly write: WriteTask | undefined
}

export interface WriteTask {
  readonly request: WriteRequest
  phase: 'first' | 'burn' | 'expected'
  /** Of the first try; another one each time that a head has refused it and used the counter up. */
  counter: number
  /** A try was sent that may still be written; as long as none is, the write has not happened and will not. */
  open: boolean
  /** No try of this request has a version at or below this one. */
  lower: Version | undefined
  expected: Version | undefined
  /** A version that has passed ends the task: another may have done what it wanted to do. */
  readonly once: boolean
  /** A body that has to be staged again before the next try. */
  staging: BlobRef | undefined
}

/** What a reply says beside whose it is. */
type Said<Reply> = Reply extends unknown ? Omit<Reply, 'tag'> : never

/** What came of a task: what a replica has replied, or that nobody has. */
export type TaskResult =
  | Said<Exclude<ReplyMessage, { readonly kind: 'staged' | 'refused' }>>
  | { readonly kind: 'indeterminate' }
  /** It has not been written and will not be. */
  | { readonly kind: 'unavailable' }
  /** Nor has this: nobody has the body that it names. */
  | { readonly kind: 'no-body' }

/** A client's request, or the settling of a move on its way. */
export interface Flow {
  readonly id: string
  readonly request: ClientRequest | undefined
  step: FlowStep
  /** The move that is being settled, and what it found. */
  settling: Settling | undefined
  /** The task under way. */
  task: Task | undefined
  /** A write that waits for a move to be settled. */
  held: Task | undefined
  /** A move: the names of its writes begin with this. Each attempt has its own. */
  moveId: WriteRequest['requestId']
  /** A move: how often it has begun again. */
  attempts: number
  /** A move: what was read at its source and at its destination. */
  source: ChainRecord | undefined
  destination: ChainRecord | undefined
  /** No client's request: the destination of a move that may be settled has begun it. */
  tidies: Tidying | undefined
}

/** Where a flow stands: which answer it waits for. */
export type FlowStep =
  | 'read'
  | 'write'
  | 'copy'
  | 'read-source'
  | 'read-destination'
  | 'intend'
  | 'read-intent'
  | 'read-outcome'
  | 'refuse'

export interface Settling {
  /** The source record with its intent. */
  record: ChainRecord
  step: 'copy' | 'refuse' | 'remove' | 'abandon'
  /** What was decided at the destination: the copy, or why there will be none. */
  copied: { readonly version: Version; readonly replaced?: boolean | undefined } | undefined
  refusal: MoveRefusal | undefined
  /** The flow's own move, whose end is the flow's answer; otherwise the flow goes on where it was. */
  readonly own: boolean
  /** The move that this one is in the way of. */
  readonly below: Settling | undefined
}

/** A move that a path remembers, and that may be settled. */
export interface Tidying {
  readonly path: PathName
  readonly moveId: RequestId
  readonly source: PathName
}
