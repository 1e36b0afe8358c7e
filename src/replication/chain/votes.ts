/**
 * The nouns of CONFIRM (confirm.ts): an answer that waits for votes, and the round in which they are asked for.
 */
import type { NodeId, View } from '../../views/view.ts'
import type { Message, Tag } from './messages.ts'

/** An answer that leaves when its view is confirmed. */
export interface Unconfirmed {
  readonly to: NodeId
  readonly tag: Tag
  /** Undefined until the replica that has it was heard. */
  message: Message | undefined
  /** A vote that comes with the request or with the answer; it counts for this answer only. */
  vote: NodeId | undefined
  /** The round that asks for it, or did; undefined while it waits for one. */
  round: ViewRound | undefined
}

export interface ViewRound {
  readonly view: View
  readonly asked: Set<NodeId>
  /** This node's own included. */
  readonly votes: Set<NodeId>
  readonly pending: Set<Unconfirmed>
  /** Nobody's vote is waited for any more. */
  over: boolean
}
