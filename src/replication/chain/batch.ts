/**
 * What one step of the machine asks for: what has to be on stable storage, and what may happen when it is there.
 */
import type { PathName } from '../../ring/path-name.ts'
import type { BlobId, Version } from '../../storage/record.ts'
import type { SealMark } from '../../views/range-table.ts'
import type { Boot, NodeId, View, ViewId, ViewMember, ViewState } from '../../views/view.ts'
import type { BlobState } from './blob-table.ts'
import type { ChainRecord, KeyOutcome } from './chain-record.ts'
import type { Message, Tag } from './messages.ts'

/** One change of stable storage; `undefined` removes. */
export type Write =
  | { readonly kind: 'boot'; readonly boot: Boot }
  | { readonly kind: 'view'; readonly id: ViewId; readonly state: ViewState | undefined }
  | { readonly kind: 'record'; readonly path: PathName; readonly record: ChainRecord | undefined }
  | { readonly kind: 'blob'; readonly id: BlobId; readonly blob: BlobState | undefined }
  | { readonly kind: 'marks'; readonly marks: readonly SealMark[] }
  /** The network that this node has founded has its first views. */
  | { readonly kind: 'founded' }
  | { readonly kind: 'peer'; readonly node: NodeId; readonly boot: Boot }

/** Why a timer was set; the driver hands it back. Timers die with the process. */
export type TimerEvent =
  | { readonly kind: 'confirm'; readonly tag: Tag; readonly last: boolean }
  | { readonly kind: 'proposal'; readonly viewId: ViewId; readonly round: number }
  | { readonly kind: 'finish'; readonly viewId: ViewId }
  | { readonly kind: 'watch'; readonly viewId: ViewId; readonly tries: number; readonly dueMs: number }
  | { readonly kind: 'transfer'; readonly tag: Tag; readonly steps: number }
  | { readonly kind: 'resend'; readonly viewId: ViewId }
  | { readonly kind: 'resume'; readonly viewId: ViewId }
  | { readonly kind: 'back-fill'; readonly viewId: ViewId; readonly tries: number; readonly dueMs: number }
  | { readonly kind: 'task'; readonly tag: Tag }
  | { readonly kind: 'retry'; readonly flow: string; readonly tag: Tag }
  | { readonly kind: 'deadline'; readonly flow: string }
  | { readonly kind: 'repair'; readonly viewId: ViewId; readonly tries: number; readonly dueMs: number }
  | { readonly kind: 'seek' }
  | { readonly kind: 'look'; readonly look: number; readonly tries: number }
  | { readonly kind: 'forget' }
  | { readonly kind: 'spare'; readonly viewId: ViewId; readonly tries: number }
  | { readonly kind: 'question'; readonly node: NodeId; readonly tag: Tag; readonly isFirst: boolean }

/** What a client is told. */
export type Outcome =
  | { readonly kind: 'value'; readonly record: ChainRecord }
  /** `replaced`: whether a file stood at the path before, where that is known. */
  | {
      readonly kind: 'done'
      readonly version: Version
      readonly replaced?: boolean | undefined
      /** Of a move: the file that it left at its destination in this version. */
      readonly file?: KeyOutcome['file']
    }
  /** The condition did not hold. */
  | {
      readonly kind: 'failed'
      readonly reason: 'condition' | 'no-source' | 'key-reused' | 'too-many-keys' | 'no-body'
    }
  /** It may have happened, or may still. */
  | { readonly kind: 'indeterminate' }
  /** It has not happened and will not. */
  | { readonly kind: 'unavailable' }

export type Effect =
  | { readonly kind: 'send'; readonly to: NodeId; readonly message: Message }
  | { readonly kind: 'answer'; readonly request: string; readonly outcome: Outcome }
  | { readonly kind: 'timer'; readonly afterMs: number; readonly timer: TimerEvent }
  /** This disk was copied or restored, and others remember another start of it: it may not serve, and joins anew. */
  | { readonly kind: 'halt' }
  /** A view names nodes that this one has not heard of. */
  | { readonly kind: 'meet'; readonly members: readonly ViewMember[] }
  /** A node counts as dead from now on, or as there again. A belief. */
  | { readonly kind: 'believed'; readonly node: NodeId; readonly isThere: boolean }
  /** A view that this node has served is given up for one of another recovery by force; `records` were kept in it. */
  | { readonly kind: 'overruled'; readonly view: View; readonly by: View; readonly records: number }

export interface Batch {
  readonly persist: readonly Write[]
  readonly effects: readonly Effect[]
}
