/**
 * How whole simulated nodes reach each other: which of them lives at an address, what they send over the simulated network, and
 * that nothing listens where nobody is.
 */

import type { Member } from '../../replication/chain/machine-state.ts'
import type { Envelope } from '../../replication/chain/messages.ts'
import { isMessage } from '../../replication/chain/messages.ts'
import { type Address, identifiersOfAddress, type NodeId } from '../../ring/identifier.ts'
import type { ChainNode } from './chain-node.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { NodeName, SimulatedNetwork } from './simulated-network.ts'
import type { Frame, SimulatedWire } from './simulated-peers.ts'

/** What travels between nodes: messages of replication, and what whole nodes ask each other besides. */
export type Packet =
  | (Envelope & {
      /** Where its sender says that it lives, and where it was sent to. */
      readonly address?: Address
      readonly at?: Address
      /** It came on the answer to messages of its receiver. */
      readonly answers?: boolean
    })
  | { readonly frame: Frame; readonly at: Address }

/** Ms until it is known that nothing listens. */
const REFUSED_MS = [0.3, 4] as const

export interface WholeNetworkComponents {
  readonly random: SeededRandom
  readonly network: () => SimulatedNetwork<Packet>
  readonly node: (name: NodeName) => ChainNode
}

export class WholeNetwork {
  readonly #components: WholeNetworkComponents
  readonly #homes = new Map<Address, NodeName>()
  /** Addresses where somebody lived. */
  readonly #left: Address[] = []
  #moves = 0

  constructor(components: WholeNetworkComponents) {
    this.#components = components
  }

  /** From now on the node lives there, and nowhere else. */
  settle(name: NodeName, address: Address): void {
    const old = this.addressOf(name)
    if (old !== undefined) this.#homes.delete(old)
    if (old !== undefined) this.#left.push(old)
    this.#homes.set(address, name)
  }

  /** An address for a node that moves: one that another has left, every other time, or a new one. */
  freeAddress(name: NodeName): Address {
    this.#moves++
    const left = this.#left.find(address => !this.#homes.has(address))
    if (left !== undefined && this.#moves % 2 === 0) return left
    return `${name}:${5000 + this.#moves}` as Address
  }

  /** A node has begun, at the place that it was given when it joined. */
  place({ id, whole }: ChainNode, members: Map<NodeId, Member>): void {
    const [member, ring] = [members.get(id), whole?.ring]
    if (member === undefined || ring === undefined) return
    members.set(id, { ...member, identifiers: identifiersOfAddress(ring.members.self.ringAddress, 1) })
  }

  addressOf(name: NodeName): Address | undefined {
    return [...this.#homes].find(([, resident]) => resident === name)?.[0]
  }

  /** All of these run and know where the others are. */
  areAcquainted(nodes: readonly ChainNode[]): boolean {
    const isKnown = (by: ChainNode, { id, name }: ChainNode) =>
      by.whole?.ring?.members.addressOf(id) === this.addressOf(name)
    return nodes.every(by => by.running && nodes.every(node => isKnown(by, node)))
  }

  wireOf(from: NodeName): SimulatedWire {
    return {
      message: (at, [to, message], { nodeId, boot, address }, answers) => {
        if (!isMessage(message)) throw new TypeError(`Malformed: ${JSON.stringify(message)}`)
        this.#carry(from, { from: nodeId, boot, to, message, address, at, answers }, answers)
      },
      frame: (at, frame, answers) => this.#carry(from, { frame, at }, answers),
    }
  }

  deliver(from: NodeName, to: NodeName, packet: Packet): void {
    const { whole } = this.#components.node(to)
    if (!whole?.listens) return this.dropped(from, packet)
    if ('frame' in packet) return whole.frame(packet.frame)
    const { address, at } = packet as { readonly address: Address; readonly at: Address }
    const sender = { nodeId: packet.from, boot: packet.boot, address }
    // What this node has to say to that goes its own way, on a connection that it opens itself (http-peers.ts).
    if (packet.answers === true) return whole.answered(sender, packet)
    const replies = whole.message(sender, packet)
    if (replies === undefined) return this.dropped(from, packet)
    this.#components.node(from).whole?.took(at)
    for (const reply of replies) whole.reply(address, reply)
  }

  /** It has come to where nobody listens. */
  dropped(from: NodeName, packet: Packet): void {
    const { at } = packet
    const isAnswer = 'answers' in packet && packet.answers === true
    if (at !== undefined && !isAnswer) this.#refuse(from, at)
  }

  #carry(from: NodeName, packet: Packet & { readonly at: Address }, answers: boolean): void {
    const to = this.#homes.get(packet.at)
    if (to === undefined) this.#refuse(from, packet.at)
    else this.#components.network().send(from, to, packet, answers)
  }

  #refuse(from: NodeName, at: Address): void {
    const { random, node } = this.#components
    const { whole } = node(from)
    node(from).timers.after(random.between(REFUSED_MS[0], REFUSED_MS[1]), () => whole?.refused(at))
  }
}
