/**
 * A network of simulated nodes that look keys up: the real map, learning, suspects and lookup of src/routing/, with
 * the ring itself as the oracle for who is responsible.
 *
 * A lookup takes no virtual time. Ranges are taken to be repaired when a crash is found: then the neighbours that share
 * a range with the node know each other, as replication needs them to; nothing else is told outside of the messages.
 */
import type { Randomness } from '../../env.ts'
import { errorCode, StoreError } from '../../errors.ts'
import { type Address, type Identifier, identifierOfPath } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import { Kelips } from '../../routing/kelips/kelips.ts'
import { Learning, type LearningMode } from '../../routing/learning.ts'
import { type LookupReply, type LookupRequest, Lookups } from '../../routing/lookup.ts'
import type { MapRecord } from '../../routing/map-record.ts'
import { NetworkMap } from '../../routing/network-map.ts'
import { type Member, Roster } from '../../routing/roster.ts'
import type { Piggyback } from '../../routing/routing.ts'
import { Suspects } from '../../routing/suspects.ts'
import { askNeighbours, exchange, forgetRest, targetsOf } from './kelips-rounds.ts'
import { digestBytes, piggybackBytes, recordBytes } from './message-bytes.ts'
import { inRingOrder, uuid } from './ring-records.ts'

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
  /** By Kelips instead of path learning; maps are then not exchanged as a whole. */
  readonly kelips?: boolean
}

/** What messages cost so far. */
export interface Traffic {
  messages: number
  /** Bytes that messages carried to teach, beside what the lookup itself needs. */
  piggybackBytes: number
  records: number
  /** Bytes of whole maps handed to joining nodes; with Kelips of what a joining node asks for. */
  wholeMapBytes: number
  /** Bytes of the records that ride on gossip. */
  gossipBytes: number
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
  readonly routing: Learning | Kelips
  readonly suspects: Suspects
  readonly lookups: Lookups<View>
  alive: boolean
  foundDead: boolean
}

/** Who is responsible: the owner, and behind it those who keep the copies. What a node of Kelips says of its group may be over. */
type View = readonly Member[]

/** Nothing takes time here, and each hop has its share. */
const BUDGET_MS = 1e9

export class SimulatedRing {
  readonly traffic: Traffic = { messages: 0, piggybackBytes: 0, records: 0, wholeMapBytes: 0, gossipBytes: 0 }
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
  #rounds = 0
  #observations: { node: Node; suspect: MapRecord }[] = []

  constructor(components: { readonly random: Choices }, init: SimulatedRingInit) {
    this.#random = components.random
    this.#init = init
    this.#roster = new Roster({
      virtualNodes: init.virtualNodes,
      membersMax: init.membersMax,
      isShared: true,
    })
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
      node.routing.learn(boot.record, this.nowMs)
      for (const identifier of this.#roster.entry(node.member).identifiers)
        await this.#lookup(node, identifier)
    }
    this.#onRing[node.member] = 1
    this.#alive.push(node)
    if (boot === undefined) return
    const find = (record: MapRecord) => this.#nodeNamed(record)
    if (this.#init.kelips) this.traffic.wholeMapBytes += askNeighbours(node, find, this.nowMs)
    else if (this.#init.wholeMap) this.#exchangeMaps(node, boot)
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
      const { view } = result
      if (view.length === 1) return { hops: result.hops, failed: result.failed, lost: false }
      return this.#visited(node, key, result)
    } catch (error) {
      if (errorCode(error) !== 'UNAVAILABLE') throw error
      return { hops: 0, failed: 0, lost: true }
    }
  }

  /** A view that was told is asked in its order, until somebody in it is there; only the owner answers. */
  #visited(
    node: Node,
    key: Identifier,
    { view, hops, failed }: { readonly view: View; readonly hops: number; readonly failed: number },
  ): SimulatedLookup {
    const isThere = (member: Member) => this.#onRing[member] === 1
    const gone = view.findIndex(isThere)
    const silent = gone < 0 ? view.length : gone
    for (const member of view.slice(0, silent)) {
      const suspect = this.#nodes[member]?.record
      if (suspect !== undefined) this.#observations.push({ node, suspect })
    }
    const first = view[silent]
    const lost = first === undefined || !this.#mayAnswer(first, key)
    return { hops: hops + silent, failed: failed + silent, lost }
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
    const { kelips = false, mode, replicas } = this.#init
    const ways = { isThere: () => true, roundTripMs: () => 0 }
    const routing = kelips
      ? new Kelips({ map, suspects, ...ways }, { copies: () => replicas })
      : new Learning({ map, suspects }, { mode })
    const lookups = new Lookups<View>({
      map,
      routing,
      suspects,
      peers: { lookup: (to, request) => this.#deliver(to, request) },
      clock: { monotonicMs: () => this.nowMs },
      responsible: key => {
        if (this.#mayAnswer(map.self, key)) return { here: true, view: [map.self] }
        return routing.answersFor(key) ? { here: true, view: this.#believedOf(map, key) } : undefined
      },
      keepView: () => {},
      observe: suspect => this.#observations.push({ node, suspect }),
    })
    const node: Node = {
      member: map.self,
      record,
      map,
      routing,
      suspects,
      lookups,
      alive: true,
      foundDead: false,
    }
    return node
  }

  async #deliver(to: MapRecord, request: LookupRequest): Promise<LookupReply<View>> {
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
        node.routing.learnNews({ ...suspect, status: 'dead' }, this.nowMs)
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
        neighbour.routing.learnNews(event, this.nowMs)
        for (const other of neighbours) neighbour.routing.learn(other.record, this.nowMs)
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

  /** Those who keep a key as far as a map knows, which stands for the view of its group. */
  #believedOf(map: NetworkMap, key: Identifier): View {
    const view: Member[] = []
    while (view.length < Math.max(2, this.#init.replicas)) {
      const next = map.closestKnown(key, member => view.includes(member))
      if (next === undefined) break
      view.push(next)
    }
    return view
  }

  /** A round of gossip of every node: with some of its group, and with some of all whom it knows. Who does not answer is a suspect. */
  gossip(fanOut: number): void {
    this.#rounds++
    const draw = () => this.#random.fraction()
    for (const node of [...this.#alive]) {
      for (const target of targetsOf(node, { fanOut, round: this.#rounds, nowMs: this.nowMs, draw })) {
        const { bytes, isSilent } = exchange(node, this.#nodeNamed(target), this.nowMs)
        this.traffic.gossipBytes += bytes
        if (isSilent) this.#observations.push({ node, suspect: target })
      }
      forgetRest(node, this.nowMs)
    }
    this.#finishObservations()
  }

  #nodeNamed({ nodeId }: MapRecord): Node {
    return this.#nodes[this.#roster.numberOf(nodeId) as Member] as Node
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
    if (!(from.routing instanceof Learning) || !(to.routing instanceof Learning)) return
    const digest = to.routing.wholeDigest()
    this.traffic.wholeMapBytes += digestBytes(digest)
    for (const record of from.routing.lackedBy(digest, to.record)) {
      to.routing.learn(record, this.nowMs)
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
    this.traffic.piggybackBytes += piggybackBytes(piggyback)
    this.traffic.records += piggyback.news.length + piggyback.records.length
  }
}
