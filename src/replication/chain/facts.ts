/**
 * What the modules of the machine tell each other: that something has happened, so that whoever has to act on it
 * does. Whoever tells a fact does not know who hears it; machine.ts says that, in one table. A fact is heard at once,
 * before the handler that tells it goes on, so that nobody ever sees what it tells of without what follows from it.
 */

import type { PathName } from '../../ring/path-name.ts'
import type { BlobId } from '../../storage/record.ts'
import type { NodeId, View, ViewId } from '../../views/view.ts'
import type { Flow, Task, TaskResult } from '../entry/requests.ts'
import type { RequestId } from './chain-record.ts'
import type { HandedOut, Transfer } from './copies.ts'

export type Fact =
  /** Nothing more is served in this view here. */
  | { readonly kind: 'sealed'; readonly viewId: ViewId }
  /** A decided view was taken in, in which this node has a part and which is the newest of its range. */
  | { readonly kind: 'taken-in'; readonly view: View }
  /** A view, and all that is remembered of it, was dropped. */
  | { readonly kind: 'dropped'; readonly viewId: ViewId }
  /** What was tried again and again for a range has had no success; it is not tried any more for now. */
  | { readonly kind: 'given-up' }
  /** A node counts as dead. */
  | { readonly kind: 'dead'; readonly node: NodeId }
  /** A node that counted as dead has spoken. */
  | { readonly kind: 'back'; readonly node: NodeId }
  /** Nodes were asked about this one, and do not know it. */
  | { readonly kind: 'unknown'; readonly node: NodeId }
  /** A range is here as its source has it. */
  | { readonly kind: 'copied'; readonly transfer: Transfer; readonly from: HandedOut }
  | {
      readonly kind: 'not-copied'
      readonly transfer: Transfer
      readonly reason: 'not-installed' | 'elsewhere' | 'silent'
    }
  /** The bytes of a body are on this disk. */
  | { readonly kind: 'body-here'; readonly blobId: BlobId }
  /** The last try of a read or write has ended. */
  | { readonly kind: 'task-done'; readonly task: Task; readonly result: TaskResult }
  /** A move that stood in the way of a request is settled. */
  | { readonly kind: 'way-free'; readonly flow: Flow }
  /** A path remembers so many moves that the oldest one has to be looked after. */
  | {
      readonly kind: 'move-unsettled'
      readonly path: PathName
      readonly moveId: RequestId
      readonly source: PathName
    }
