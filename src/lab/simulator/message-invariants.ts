/**
 * What has to be true of the messages that leave the nodes, whatever the nemesis does: a rule that is broken shows at
 * the first wrong word, and not only when some client is told what can't be.
 */
import type { Write } from '../../replication/chain/batch.ts'
import type { Envelope } from '../../replication/chain/messages.ts'
import {
  type Accepted,
  type Ballot,
  compareBallots,
  majority,
  type NodeId,
  type View,
  type ViewId,
} from '../../views/view.ts'
import { InvariantBroken } from './invariant-broken.ts'

export class MessageInvariants {
  /** The highest ballot that each node has promised or accepted for each view. */
  readonly #promised = new Map<string, Ballot>()
  /** What each ballot proposes, which is one value for good. */
  readonly #proposed = new Map<string, ViewId>()
  /** Who has accepted under each ballot. */
  readonly #votes = new Map<string, Set<NodeId>>()
  /** What a majority has accepted. */
  readonly #chosen = new Map<ViewId, ViewId>()
  /** What is sealed at each node, as far as its disk knows. */
  readonly #sealed = new Set<string>()
  /** What the latest step of each node has sealed. */
  readonly #sealing = new Map<NodeId, Set<string>>()

  /** A node has made another step: all that the one before had to say has left, if that was durable. */
  stepped(node: NodeId): void {
    for (const key of this.#sealing.get(node) ?? []) this.#sealed.add(key)
    this.#sealing.delete(node)
  }

  /** A step of a node whose identity is good is durable; what it says follows. */
  durable(node: NodeId, writes: readonly Write[]): void {
    this.stepped(node)
    // A step may vote first and seal then: its words leave after both, and the vote is good for the moment before.
    const sealing = new Set<string>()
    this.#sealing.set(node, sealing)
    for (const write of writes) {
      if (write.kind !== 'view') continue
      const key = `${node} ${write.id}`
      sealing.delete(key)
      if (!write.state?.sealed) this.#sealed.delete(key)
      else if (!this.#sealed.has(key)) sealing.add(key)
      if (write.state?.accepted !== undefined) this.#noteVote(node, write.state.view, write.state.accepted)
    }
  }

  /** A message leaves such a node. */
  sent({ from, message }: Envelope): void {
    if (message.kind === 'accept') this.#noteValue(message.view.id, message.ballot, message.children)
    if (message.kind === 'promise' || message.kind === 'accepted')
      this.#notePromise(from, message.viewId, message.ballot)
    if (message.kind !== 'confirmed') return
    for (const viewId of message.viewIds) {
      if (!this.#sealed.has(`${from} ${viewId}`)) continue
      throw new InvariantBroken(`${from} confirms view ${viewId}, which it has sealed`, [viewId])
    }
  }

  /** Who has promised to answer no ballot below one answers none (Paxos, P1a). */
  #notePromise(node: NodeId, viewId: ViewId, ballot: Ballot): void {
    const key = `${node} ${viewId}`
    const before = this.#promised.get(key)
    if (before !== undefined && compareBallots(ballot, before) < 0)
      throw new InvariantBroken(`${node} goes back on a promise for view ${viewId}`, [viewId])
    this.#promised.set(key, ballot)
  }

  /** A ballot has one value. */
  #noteValue(viewId: ViewId, ballot: Ballot, children: readonly View[]): void {
    const child = children[0]?.id as ViewId
    const key = `${viewId} ${nameOf(ballot)}`
    if ((this.#proposed.get(key) ?? child) !== child)
      throw new InvariantBroken(`Two values under one ballot of view ${viewId}`, [viewId])
    this.#proposed.set(key, child)
  }

  /** What a majority has accepted under one ballot is never another thing under a later one (Paxos, P2). */
  #noteVote(node: NodeId, { id, acceptors }: View, { ballot, children }: Accepted): void {
    this.#noteValue(id, ballot, children)
    if (!acceptors.includes(node)) return
    const key = `${id} ${nameOf(ballot)}`
    const votes = (this.#votes.get(key) ?? new Set()).add(node)
    this.#votes.set(key, votes)
    if (votes.size < majority(acceptors)) return
    const child = children[0]?.id as ViewId
    if ((this.#chosen.get(id) ?? child) !== child)
      throw new InvariantBroken(`A majority has accepted two values in view ${id}`, [id])
    this.#chosen.set(id, child)
  }
}

function nameOf({ round, node, boot }: Ballot): string {
  return `${round} ${node} ${boot}`
}
