/**
 * The entry node: the node that a client has asked. It is a machine of its own, which may run where nothing of the file is kept: its
 * state is the requests under way here, and what it needs of its node goes through one port. It never looks into the state of a replica.
 *
 * A request is a flow (flows.ts, moves.ts) of reads and writes of one path each; each of those is a task, which is
 * asked again until it has an answer (asking.ts).
 */
import type { Identifier } from '../../ring/identifier.ts'
import type { Boot, NodeId, View } from '../../views/view.ts'
import type { RequestId } from '../chain/chain-record.ts'
import type { Fact } from '../chain/facts.ts'
import type { ChainSettings, Outcome, TimerEvent } from '../chain/machine-state.ts'
import type { Message, Tag } from '../chain/messages.ts'
import type { Unconfirmed } from '../chain/votes.ts'
import type { Flow, Task } from './requests.ts'

/** What the entry node needs of the node that it runs on; all of it happens within the step under way. */
export interface EntryHost {
  readonly self: NodeId
  readonly settings: ChainSettings

  /** The newest view known that a position lies in. */
  covering(position: Identifier): View | undefined
  /** Those of the other members that have not left. */
  others(): readonly NodeId[]
  /** The start of a node that was last heard of, this node's own included. */
  bootOf(node: NodeId): Boot | undefined

  /** Whether a node is believed to be there; asks it; asks it last for a while. */
  isAlive(node: NodeId): boolean
  probe(node: NodeId): void
  avoid(node: NodeId): void
  /** Those of `nodes` that are there and not slow, the one to ask first in front. */
  preferred(view: View, nodes: readonly NodeId[]): readonly NodeId[]
  /** A number that grows by one with each task. */
  nextTurn(): number

  /** Whether this node's own vote may confirm the view. */
  mayVote(view: View): boolean
  /** Begins to confirm a view while a replica is asked for a record, which `answered` hands in (confirm.ts). */
  confirmMeanwhile(view: View, tag: Tag, replica: NodeId): Unconfirmed
  answered(view: View, answer: Unconfirmed, message: Message, vote: NodeId | undefined): void

  /** Names that nothing else of any start of this node has. */
  newTag(): Tag
  newRequestId(): RequestId
  newCounter(): number
  send(to: NodeId, message: Message): void
  setTimer(afterMs: number, timer: TimerEvent): void
  tell(fact: Fact): void
  /** Answers a client; `request` is what `startRequest` was given. */
  answer(request: string, outcome: Outcome): void
}

export interface Entry {
  readonly host: EntryHost
  readonly flows: Map<string, Flow>
  /** By the name of the try under way. */
  readonly tasks: Map<Tag, Task>
}

export function newEntry(host: EntryHost): Entry {
  return { host, flows: new Map(), tasks: new Map() }
}
