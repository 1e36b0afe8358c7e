/**
 * A network of simulated nodes that look keys up: the real map, learning, suspects and lookup of src/routing/, with
 * the ring itself as the oracle for who is responsible.
 *
 * A lookup takes no virtual time. Ranges are taken to be repaired when a crash is found: then the neighbours that share
 * a range with the node know each other, as replication needs them to; nothing else is told outside of the messages.
 */
import type { Randomness } from '../../env.ts'
import { errorCode, StoreError } from '../../errors.ts'
import {
  type Address,
  type Identifier,
  identifierOfPath,
  identifierPrefix,
  identifiersOfAddress,
  type NodeId,
} from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { Digest } from '../../routing/digest.ts'
import { Learning, type LearningMode } from '../../routing/learning.ts'
import { type LookupReply, type LookupRequest, Lookups } from '../../routing/lookup.ts'
import type { MapRecord } from '../../routing/map-record.ts'
import { NetworkMap } from '../../routing/network-map.ts'
import { type Member, Roster } from '../../routing/roster.ts'
import type { Piggyback } from '../../routing/routing.ts'
import { Suspects } from '../../routing/suspects.ts'

/** The choices that a run makes; SeededRandom of the simulator fits. */
export interface Choices extends Randomness {
  /** An integer, both bounds included. */
  int(min: number, max: number): number
  /** From 0 to below 1. */
  fraction(): number
}

export interface SimulatedRingInit {
  readonly mode: LearningMode
  readonly virtualNodes: number
  /** Copies of each range: this many nodes share it and know each other. */
  readonly replicas: number
  /** How many of a key's successors may answer for it: 1 is the owner alone, `replicas` what the store does. */
  readonly answering: number
  /** Whether a joining node exchanges maps with the nodes it has to talk to. */
  readonly wholeMap: boolean
  /** Nodes that will ever exist in the run. */
  readonly membersMax: number
}

/** What messages cost so far. */
export interface Traffic {
  messages: number
  /** Bytes that messages carried to teach, beside what the lookup itself needs. */
  piggybackBytes: number
  records: number
  /** Bytes of whole maps handed to joining nodes. */
  wholeMapBytes: number
}

export interface SimulatedLookup {
  readonly hops: number
  readonly failed: number
  /** No way to the responsible node was found; hops and failed are 0 then. */
  readonly lost: boolean
}

export interface MapQuality {
  /** Share of the nodes believed alive that are not. */
  readonly stale: number
  /** Share of the live nodes that are believed alive. */
  readonly known: number
  /** Nodes believed alive, each node's own entry included. */
  readonly entries: number
}

interface Node {
  readonly member: Member
  readonly record: MapRecord
  readonly map: NetworkMap
  readonly learning: Learning
  readonly suspects: Suspects
  readonly lookups: Lookups<Member>
  alive: boolean
  foundDead: boolean
}

/** Nothing takes time here, and each hop has its share. */
const BUDGET_MS = 1e9

export class SimulatedRing {
  readonly traffic: Traffic = { messages: 0, piggybackBytes: 0, records: 0, wholeMapBytes: 0 }
  nowMs = 0
  readonly #random: Choices
  readonly #init: SimulatedRingInit
  readonly #roster: Roster
  /** Everybody who will ever be, in the order in which they join. */
  readonly #records: readonly MapRecord[]
  #joined = 0
  readonly #nodes: Node[] = []
  readonly #alive: Node[] = []
  /** The ring as it is: 1 for each member that is on it. */
  readonly #onRing: Uint8Array
  readonly #signal = new AbortController().signal
  #keys = 0
  #observations: { node: Node; suspect: MapRecord }[] = []

  constructor(components: { readonly random: Choices }, init: SimulatedRingInit) {
    this.#random = components.random
    this.#init = init
    this.#roster = new Roster({ virtualNodes: init.virtualNodes, membersMax: init.membersMax })
    this.#onRing = new Uint8Array(init.membersMax)
    this.#records = Array.from({ length: init.membersMax }, (_, index) => this.#newRecord(index))
    for (const record of inRingOrder(this.#records)) this.#roster.enter(record)
  }

  get aliveCount(): number {
    return this.#alive.length
  }

  /** A new node joins through a random one. */
  async join(): Promise<void> {
    const boot = this.#alive.length === 0 ? undefined : this.#anyAlive()
    const node = this.#nodeOf(this.#records[this.#joined++] as MapRecord)
    this.#nodes[node.member] = node
    if (boot !== undefined) {
      node.learning.learn(boot.record, this.nowMs)
      for (const identifier of this.#roster.entry(node.member).identifiers)
        await this.#lookup(node, identifier)
    }
    this.#onRing[node.member] = 1
    this.#alive.push(node)
    if (boot === undefined) return
    if (this.#init.wholeMap) this.#exchangeMaps(node, boot)
    this.#introduceNeighbours(node.member, node.record)
  }

  /** A random node stops without a word; nobody knows until a message to it fails. */
  crash(): void {
    const index = this.#random.int(0, this.#alive.length - 1)
    const node = this.#alive[index] as Node
    this.#alive[index] = this.#alive.at(-1) as Node
    this.#alive.pop()
    node.alive = false
    this.#onRing[node.member] = 0
  }

  /** A random live node looks a random key up. */
  async lookup(): Promise<SimulatedLookup> {
    const key = identifierOfPath(`key ${this.#random.int(0, 2 ** 31)} ${this.#keys++}` as PathName)
    const result = await this.#lookup(this.#anyAlive(), key)
    this.#finishObservations()
    return result
  }

  /**
   * How good the maps of up to about `sample` live nodes are, on average.
   */
  mapQuality(sample: number): MapQuality {
    const step = Math.max(1, Math.floor(this.#alive.length / sample))
    const nodes = this.#alive.filter((_, index) => index % step === 0)
    let stale = 0
    let known = 0
    let entries = 0
    for (const { map } of nodes) {
      let live = 0
      for (const other of this.#alive) if (map.isAlive(other.member)) live++
      stale += 1 - live / map.aliveCount
      known += live / this.#alive.length
      entries += map.aliveCount
    }
    return { stale: stale / nodes.length, known: known / nodes.length, entries: entries / nodes.length }
  }

  async #lookup(node: Node, key: Identifier): Promise<SimulatedLookup> {
    try {
      const result = await node.lookups.lookup(key, { budgetMs: BUDGET_MS, signal: this.#signal })
      return { hops: result.hops, failed: result.failed, lost: false }
    } catch (error) {
      if (errorCode(error) !== 'UNAVAILABLE') throw error
      return { hops: 0, failed: 0, lost: true }
    }
  }

  #newRecord(index: number): MapRecord {
    const address = `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}:5000` as Address
    return {
      nodeId: uuid(this.#random.bytes(16)),
      address,
      ringAddress: address,
      incarnation: 0,
      status: 'alive',
      zone: undefined,
    }
  }

  #nodeOf(record: MapRecord): Node {
    const map = new NetworkMap({ roster: this.#roster }, { self: record })
    const suspects = new Suspects()
    const learning = new Learning({ map, suspects }, { mode: this.#init.mode })
    const lookups = new Lookups<Member>({
      map,
      routing: learning,
      suspects,
      peers: { lookup: (to, request) => this.#deliver(to, request) },
      clock: { monotonicMs: () => this.nowMs },
      responsible: key => (this.#mayAnswer(map.self, key) ? { here: true, view: map.self } : undefined),
      keepView: () => {},
      observe: suspect => this.#observations.push({ node, suspect }),
    })
    const node: Node = {
      member: map.self,
      record,
      map,
      learning,
      suspects,
      lookups,
      alive: true,
      foundDead: false,
    }
    return node
  }

  async #deliver(to: MapRecord, request: LookupRequest): Promise<LookupReply<Member>> {
    const node = this.#nodes[this.#roster.numberOf(to.nodeId) as Member] as Node
    this.#count(request.piggyback)
    if (!node.alive) throw new StoreError('UNAVAILABLE', 'The node has crashed.')
    const reply = await node.lookups.answer(request, this.#signal)
    this.#count(reply.piggyback)
    return reply
  }

  /** The responsible nodes ask the suspects themselves, after the lookup: they are the second observers. */
  #finishObservations(): void {
    const observations = this.#observations
    this.#observations = []
    for (const { node, suspect } of observations) {
      const suspected = this.#nodes[this.#roster.numberOf(suspect.nodeId) as Member] as Node
      if (suspected.alive) node.suspects.clear(suspect.nodeId)
      else if (node.suspects.observe(suspect, node.record.nodeId, this.nowMs) === 'dead')
        node.learning.learnNews({ ...suspect, status: 'dead' }, this.nowMs)
      if (!suspected.alive && !suspected.foundDead) {
        suspected.foundDead = true
        this.#introduceNeighbours(suspected.member, { ...suspect, status: 'dead' })
      }
    }
  }

  /** Those who share ranges around each identifier of a member hear of its event, and of each other. */
  #introduceNeighbours(member: Member, event: MapRecord): void {
    for (const identifier of this.#roster.entry(member).identifiers) {
      const neighbours = this.#neighbours(identifier)
      for (const neighbour of neighbours) {
        neighbour.learning.learnNews(event, this.nowMs)
        for (const other of neighbours) neighbour.learning.learn(other.record, this.nowMs)
      }
    }
  }

  /** The live nodes at `replicas` positions on each side of a position, and at it. */
  #neighbours(identifier: Identifier): Node[] {
    const reach = this.#init.replicas
    const roster = this.#roster
    const start = roster.positionAtOrAfter(identifier)
    const found = new Set<Node>()
    for (const direction of [1, -1]) {
      let left = reach
      let position = start
      for (let steps = 0; steps < roster.positions && left > 0; steps++) {
        const node = this.#nodes[roster.memberAt(position)]
        if (node !== undefined && this.#onRing[node.member] === 1) {
          found.add(node)
          left--
        }
        position = (position + direction + roster.positions) % roster.positions
      }
    }
    return [...found]
  }

  /** The joining node exchanges maps with its boot node and with the neighbours that take it in. */
  #exchangeMaps(node: Node, boot: Node): void {
    const { identifiers } = this.#roster.entry(node.member)
    const partners = new Set([boot, ...identifiers.flatMap(identifier => this.#neighbours(identifier))])
    partners.delete(node)
    for (const partner of partners) {
      this.#handOverMap(partner, node)
      this.#handOverMap(node, partner)
    }
  }

  #handOverMap(from: Node, to: Node): void {
    const digest = to.learning.wholeDigest()
    this.traffic.wholeMapBytes += digestBytes(digest)
    for (const record of from.learning.lackedBy(digest, to.record)) {
      to.learning.learn(record, this.nowMs)
      this.traffic.wholeMapBytes += recordBytes(record)
    }
  }

  /** Whether a member is among the first successors of a key that may answer for it. */
  #mayAnswer(member: Member, key: Identifier): boolean {
    const roster = this.#roster
    const others = new Set<Member>()
    let position = roster.positionAtOrAfter(key)
    for (let steps = 0; steps < roster.positions && others.size < this.#init.answering; steps++) {
      const successor = roster.memberAt(position)
      if (successor === member && this.#onRing[member] === 1) return true
      if (this.#onRing[successor] === 1) others.add(successor)
      position = position + 1 === roster.positions ? 0 : position + 1
    }
    return false
  }

  #anyAlive(): Node {
    return this.#alive[this.#random.int(0, this.#alive.length - 1)] as Node
  }

  #count(piggyback: Piggyback | undefined): void {
    this.traffic.messages++
    if (piggyback === undefined) return
    const { from, news, records, digest } = piggyback
    let bytes = recordBytes(from) + 3
    for (const record of news) bytes += recordBytes(record)
    for (const record of records) bytes += recordBytes(record)
    if (digest !== undefined) bytes += digestBytes(digest)
    this.traffic.piggybackBytes += bytes
    this.traffic.records += news.length + records.length
  }
}

/**
 * The order in which the roster gives its numbers. What a map knows then lies in memory as it lies on the ring, and the
 * digests, which walk along the ring through thousands of maps, read memory from end to end.
 */
function inRingOrder(records: readonly MapRecord[]): MapRecord[] {
  const positioned = records.map(record => {
    const [identifier] = identifiersOfAddress(record.ringAddress, 1)
    return { record, position: identifierPrefix(identifier as Identifier) }
  })
  return positioned.sort((a, b) => a.position - b.position).map(({ record }) => record)
}

/**
 * Bytes of a record as a list in MessagePack: each part with the one or two bytes that say what it is, without names.
 * Counted without being encoded, since millions of records are.
 */
export function recordBytes({ nodeId, address, incarnation, ringAddress, zone }: MapRecord): number {
  const bytes = 2 + textBytes(nodeId) + textBytes(address) + countBytes(incarnation)
  const zoneBytes = zone === undefined ? 1 : textBytes(zone)
  if (ringAddress !== address) return bytes + zoneBytes + textBytes(ringAddress)
  return zone === undefined ? bytes : bytes + zoneBytes
}

function textBytes({ length }: string): number {
  return (length < 32 ? 1 : 2) + length
}

function countBytes(count: number): number {
  return count < 128 ? 1 : count < 256 ? 2 : count < 65_536 ? 3 : 5
}

/** Two 64-bit numbers, a 32-bit one and a binary string, each with what says so. */
function digestBytes(digest: Digest): number {
  return 9 + 9 + 5 + 3 + digest.bits.length
}

function uuid(bytes: Uint8Array): NodeId {
  const hex = Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}` as NodeId
}
