/**
 * This node's knowledge of the other nodes: the network map, what messages teach it, and whom it suspects. It
 * tells whoever needs to know (the machine that plans repair) when a record has changed, and keeps the map on the disk.
 */

import type { NetworkConfig } from '../calls/calls.ts'
import type { Env, Timer } from '../env.ts'
import type { Member as ChainMember, MembersChange } from '../replication/chain/machine-state.ts'
import { type Address, type Identifier, identifiersOfAddress, type NodeId } from '../ring/identifier.ts'
import { Learning, type LearningMode } from '../routing/learning.ts'
import type { MapRecord, NodeStatus } from '../routing/map-record.ts'
import { NetworkMap } from '../routing/network-map.ts'
import { Roster } from '../routing/roster.ts'
import type { Routing } from '../routing/routing.ts'
import { Suspects } from '../routing/suspects.ts'
import type { ReplicaStore } from '../storage/replica-store.ts'
import type { ViewMember } from '../views/view.ts'
import { keepMembers } from './network-config.ts'

export interface MembersComponents {
  readonly env: Env
  readonly store: ReplicaStore
  /** The map has changed; called once for the changes of one turn, with all of them. */
  readonly changed: (change: MembersChange) => void
  /** Others said of this node what is not so; its own record has been raised above that, for all to know. */
  readonly refuted: () => void
  /** It was learnt that a node died. */
  readonly died: (record: MapRecord) => void
  /** A node that was believed dead is not. */
  readonly returned: (record: MapRecord) => void
  /** Another way of routing than path learning. */
  readonly routing?: ((parts: Pick<Members, 'map' | 'suspects'>) => Routing) | undefined
  /** Of this address two nodes are believed to be alive there; whoever lives there can say who is not. */
  readonly contested: (address: Address) => void
}

export interface MembersInit {
  readonly network: NetworkConfig
  readonly self: MapRecord
  /** What is known from before. */
  readonly records: readonly MapRecord[]
  readonly learn: LearningMode
}

/** A node that left still serves until its ranges have moved; one that is dead counts as gone until it refutes that. */
const CHAIN_STATUS: Record<NodeStatus, ChainMember['status']> = {
  alive: 'member',
  left: 'leaving',
  dead: 'gone',
}

/** So long the core has to take a node for dead before the operator is told, ms: one that joins does not listen for a moment. */
const MISSED_MS = 3_000

/** The core believes a node to be dead, or to be back. */
interface Belief {
  readonly kind: 'believed'
  readonly node: NodeId
  readonly isThere: boolean
}

export class Members {
  readonly map: NetworkMap
  readonly routing: Routing
  readonly suspects = new Suspects()
  readonly #components: MembersComponents
  readonly #network: NetworkConfig
  readonly #known = new Map<NodeId, MapRecord>()
  /** Of whom the operator was told that they are believed to be gone; at most as many as the map has. */
  readonly #saidGone = new Set<NodeId>()
  /** Which nodes the core has just come to believe dead. */
  readonly #missed = new Map<NodeId, Timer>()
  #noticing = false
  /** Of whom something has changed since it was told last. */
  readonly #touched = new Set<NodeId>()
  /** The nodes as the machine has seen them. */
  readonly #chainMembers = new Map<NodeId, ChainMember>()
  /** Who is believed to be alive, by address. */
  readonly #living = new Map<Address, Set<NodeId>>()
  /** The last that this node gave itself; a higher one is a refutation. */
  #ownIncarnation: number

  constructor(components: MembersComponents, init: MembersInit) {
    this.#components = components
    this.#network = init.network
    this.#ownIncarnation = init.self.incarnation
    const roster = new Roster({ virtualNodes: init.network.virtualNodes })
    this.map = new NetworkMap({ roster, noted: node => this.#touched.add(node) }, { self: init.self })
    this.#touched.add(init.self.nodeId)
    const parts = { map: this.map, suspects: this.suspects }
    this.routing = components.routing?.(parts) ?? new Learning(parts, { mode: init.learn })
    const nowMs = components.env.clock.monotonicMs()
    for (const record of init.records) this.map.merge(record, nowMs)
    this.notice()
  }

  get self(): MapRecord {
    return this.map.recordOf(this.map.self)
  }

  addressOf(node: NodeId): Address | undefined {
    return this.map.record(node)?.address
  }

  /** The first identifier of a node. */
  homeOf(node: NodeId): Identifier | undefined {
    const member = this.map.roster.numberOf(node)
    return member === undefined ? undefined : this.map.roster.entry(member).identifiers[0]
  }

  /** True for a node that is known and not believed dead. */
  isThere(node: NodeId): boolean {
    const status = this.map.record(node)?.status
    return status !== undefined && status !== 'dead'
  }

  /** Records of all nodes that are believed alive, this one included. */
  alive(): MapRecord[] {
    return [...this.map.records()].filter(({ status }) => status === 'alive')
  }

  /** Records of all nodes that are not believed dead: whoever leaves still serves. */
  there(): MapRecord[] {
    return [...this.map.records()].filter(({ status }) => status !== 'dead')
  }

  /** Of those that are alive, all but this node. */
  others(): MapRecord[] {
    return this.alive().filter(({ nodeId }) => nodeId !== this.self.nodeId)
  }

  /**
   * News of the deaths that a node brings which speaks for itself: a disk that had its address before is not there any
   * more, or has another address by now and says so.
   */
  replacedBy({ nodeId, address }: Pick<MapRecord, 'nodeId' | 'address'>): MapRecord[] {
    return this.others()
      .filter(record => record.address === address && record.nodeId !== nodeId)
      .map(record => ({ ...record, status: 'dead' }))
  }

  /** Addresses at which somebody is alive by a record that has changed, and somebody else by another one. */
  #contested(changed: readonly MapRecord[]): Address[] {
    const news = changed.filter(({ status }) => status === 'alive').map(({ address }) => address)
    return [...new Set(news)].filter(address => (this.#living.get(address)?.size ?? 0) > 1)
  }

  /** Takes a record for what is known, or forgets the node. */
  #know(nodeId: NodeId, record: MapRecord | undefined): void {
    const before = this.#known.get(nodeId)
    if (before?.status === 'alive') {
      const there = this.#living.get(before.address)
      there?.delete(nodeId)
      if (there?.size === 0) this.#living.delete(before.address)
    }
    if (record === undefined) {
      this.#known.delete(nodeId)
      this.#chainMembers.delete(nodeId)
      this.#saidGone.delete(nodeId)
      return
    }
    this.#known.set(nodeId, record)
    if (record.status === 'alive')
      this.#living.set(record.address, (this.#living.get(record.address) ?? new Set()).add(nodeId))
  }

  /** Takes in records that somebody told as news. */
  learn(records: readonly MapRecord[]): void {
    const nowMs = this.#components.env.clock.monotonicMs()
    for (const record of records) this.routing.learnNews(record, nowMs)
    this.notice()
  }

  /** What the core has learned of nodes: where some are reached, or whether one is there. */
  taught(of: { readonly kind: 'meet'; readonly members: readonly ViewMember[] } | Belief): void {
    if (of.kind === 'meet') return this.meet(of.members)
    const { node } = of
    this.#missed.get(node)?.cancel()
    this.#missed.delete(node)
    if (of.isThere) return this.#sayBack(node)
    const say = () => {
      this.#missed.delete(node)
      this.#sayGone(node)
    }
    this.#missed.set(node, this.#components.env.timers.after(MISSED_MS, say))
  }

  /** Takes in those whom a view names; whatever is known of them already is newer, or the same. */
  meet(members: readonly ViewMember[]): void {
    const records = members.flatMap(({ node: nodeId, contact, zone }): MapRecord[] =>
      contact === undefined ? [] : [{ nodeId, ...contact, status: 'alive', zone }],
    )
    this.learn(records)
  }

  /** This node's own news. */
  changeSelf(change: Partial<Pick<MapRecord, 'address' | 'zone' | 'status'>>): MapRecord {
    const record = this.map.changeSelf(change, this.#components.env.clock.monotonicMs())
    this.#ownIncarnation = record.incarnation
    this.notice()
    return record
  }

  /** Looks for changes of the map after the current turn; call it after anything that may have taught something. */
  notice(): void {
    if (this.#noticing) return
    this.#noticing = true
    queueMicrotask(() => this.#notice())
  }

  /** The nodes as the machine sees them; the same object as long as nothing of it has changed. */
  chainMembers(): ChainMember[] {
    return [...this.map.records()].map(record => this.#chainMember(record))
  }

  #chainMember(record: MapRecord): ChainMember {
    const { nodeId, address, ringAddress, incarnation, status, zone } = record
    const before = this.#chainMembers.get(nodeId)
    if (before !== undefined && isOf(before, record)) return before
    const isPlaced = before?.contact?.ringAddress === ringAddress
    const member: ChainMember = {
      node: nodeId,
      contact: { address, ringAddress, incarnation },
      identifiers: isPlaced
        ? before.identifiers
        : identifiersOfAddress(ringAddress, this.#network.virtualNodes),
      status: CHAIN_STATUS[status],
      zone,
    }
    this.#chainMembers.set(nodeId, member)
    return member
  }

  /** For the operator: once when a node is believed gone, whether the core or the map says so first, and once when it is back. One that has left is not missed. */
  #sayGone(nodeId: NodeId): void {
    const record = this.map.record(nodeId)
    if (record === undefined || record.status === 'left' || this.#saidGone.has(nodeId)) return
    this.#saidGone.add(nodeId)
    const fields = { op: 'members.gone', peer: record.address, nodeId }
    this.#components.env.log.warn(fields, 'a node is believed to be gone')
  }

  #sayBack(nodeId: NodeId): void {
    if (!this.#saidGone.delete(nodeId)) return
    const fields = { op: 'members.back', peer: this.addressOf(nodeId), nodeId }
    this.#components.env.log.warn(fields, 'a node is back that was believed to be gone')
  }

  #notice(): void {
    this.#noticing = false
    const touched = [...this.#touched]
    this.#touched.clear()
    const records = touched.map(nodeId => this.map.record(nodeId))
    const forgotten = touched.filter(
      (nodeId, index) => records[index] === undefined && this.#known.has(nodeId),
    )
    const changed = records.filter(
      record => record !== undefined && !isSame(record, this.#known.get(record.nodeId)),
    ) as MapRecord[]
    if (changed.length === 0 && forgotten.length === 0) return
    // What a node starts with is history.
    const died = this.#known.size === 0 ? [] : changed.filter(({ status }) => status === 'dead')
    const returned = changed.filter(
      ({ nodeId, status }) => status === 'alive' && this.#known.get(nodeId)?.status === 'dead',
    )
    for (const record of changed) this.#know(record.nodeId, record)
    for (const nodeId of forgotten) this.#know(nodeId, undefined)
    const { env, store } = this.#components
    keepMembers(store, changed, forgotten).catch((error: unknown) =>
      env.log.warn({ op: 'members.keep', err: error }, 'the network map was not kept'),
    )
    for (const { nodeId } of died) this.#sayGone(nodeId)
    for (const { nodeId } of returned) this.#sayBack(nodeId)
    this.#components.changed({ members: changed.map(record => this.#chainMember(record)), forgotten })
    for (const address of this.#contested(changed)) this.#components.contested(address)
    for (const record of died) this.#components.died(record)
    for (const record of returned) this.#components.returned(record)
    if (this.self.incarnation <= this.#ownIncarnation) return
    this.#ownIncarnation = this.self.incarnation
    env.log.warn(
      { op: 'members.refute' },
      'others believed this node to be gone; all are told that it is here',
    )
    this.#components.refuted()
  }
}

function isSame(a: MapRecord, b: MapRecord | undefined): boolean {
  return (
    b !== undefined &&
    a.incarnation === b.incarnation &&
    a.status === b.status &&
    a.address === b.address &&
    a.zone === b.zone
  )
}

function isOf({ contact, status, zone }: ChainMember, record: MapRecord): boolean {
  return (
    contact !== undefined &&
    contact.address === record.address &&
    contact.ringAddress === record.ringAddress &&
    contact.incarnation === record.incarnation &&
    status === CHAIN_STATUS[record.status] &&
    zone === record.zone
  )
}
