/**
 * What a way of routing has to be able to do: to name the next node for a key, and to learn from what messages carry. Path learning (learning.ts),
 * by which each node comes to know the whole network, stands behind this contract.
 */
import type { Identifier, NodeId } from '../ring/identifier.ts'
import type { Digest } from './digest.ts'
import type { MapRecord } from './map-record.ts'
import type { Merged } from './network-map.ts'

/** What a message carries beside its own content. */
export interface Piggyback {
  /** The sender's own record. */
  readonly from: MapRecord
  /** Events that just happened, and records learned lately: what the others probably lack. */
  readonly news: readonly MapRecord[]
  /** In replies: what the digest of the request lacks. */
  readonly records: readonly MapRecord[]
  /** In requests: what the sender knows of one sector. */
  readonly digest?: Digest
}

/** How it is called in settings and shown to people: `chain` and `path` are path learning by less and by more. */
export type RoutingName = 'chain' | 'path' | 'kelips'

/** `groups` that the ring is cut into; nodes of the `group`, `near` ones, and `contacts` in other groups. */
export interface RoutingSizes {
  readonly groups?: number
  readonly group?: number
  readonly near?: number
  readonly contacts?: number
}

export interface Routing {
  readonly name: RoutingName
  /** Whether a node knows a part of the network only. */
  readonly isPartial: boolean
  /**
   * The node that is asked for a key which this node does not answer itself; undefined when nobody is left.
   * @param except nodes that are not asked: visited before, or suspect.
   */
  next(key: Identifier, except: (nodeId: NodeId) => boolean): MapRecord | undefined
  /** What a request to a node carries; undefined when that is nothing. */
  forRequest(to: NodeId): Piggyback | undefined
  /** What the reply to a request that carried `heard` carries. */
  forReply(heard: Piggyback | undefined): Piggyback | undefined
  /** Takes in what a message carried. @param nowMs monotonic, as everywhere here. */
  absorb(heard: Piggyback | undefined, nowMs: number): void
  /** Takes in a record that is no news in itself, such as a visited node's. */
  learn(record: MapRecord, nowMs: number): Merged
  /** Takes in an event that just happened, or a record that somebody tells as news. */
  learnNews(record: MapRecord, nowMs: number): Merged
  /** What the sender of a digest lacks, as far as this node knows: so many records at the most. */
  lackedBy(digest: Digest, sender: MapRecord, count: number): MapRecord[]
  /** Whether a view that this node knows of a key is an answer, though it keeps nothing of that range itself. */
  answersFor(key: Identifier): boolean
  /** Whether everybody who has the place of this node on the ring, known or not by name, would be known here. */
  knowsPlaceOf(nodeId: NodeId): boolean
  /** How many of what a node keeps for this way of routing, for whoever looks at it; empty where it knows all. */
  sizes(): RoutingSizes
  /** Those of its acquaintances who know each other, too: heartbeats go among them. */
  peersAmong(others: readonly MapRecord[]): readonly MapRecord[]
}
