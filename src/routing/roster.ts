/**
 * The names behind the small numbers with which a network map counts: every node that was ever heard of gets a
 * number, and its positions are kept in ring order in sorted typed arrays.
 *
 * It is apart from the map because it is the same for everybody who heard of the same nodes: a process has one roster
 * and one map, a simulation one roster and 10,000 maps, each of which is then four bytes a node.
 */
import {
  type Address,
  type Identifier,
  identifierPrefix,
  identifiersOfAddress,
  type NodeId,
} from '../ring/identifier.ts'
import { type MapRecord, unpackState } from './map-record.ts'

/** The small number of a node in one roster. */
export type Member = number & { readonly brand: 'Member' }

/**
 * Nodes that a roster holds by default. Far above the few thousand this program is for; with 8 virtual nodes about
 * 100 MB, which is what keeps a peer that invents nodes from filling the memory.
 */
const ROSTER_MEMBERS_MAX = 65_536

/** Up to this many new positions are put in one by one; more are sorted and merged in one pass. */
const SINGLE_INSERTS_MAX = 32

interface Entry {
  readonly nodeId: NodeId
  readonly ringAddress: Address
  readonly identifiers: readonly Identifier[]
  address: Address
  zone: string | undefined
  incarnation: number
  /** The record that was asked for last, and the packed state that it is of: most maps agree most of the time. */
  record: MapRecord | undefined
  recordState: number
}

/** The first identifiers of all members in ring order: each member once, however many virtual nodes it has. */
export interface Homes {
  readonly prefixes: Float64Array
  readonly members: Uint32Array
}

interface Position {
  readonly prefix: number
  readonly identifier: Identifier
  readonly member: Member
  readonly ordinal: number
}

export class Roster {
  readonly virtualNodes: number
  readonly membersMax: number
  /** Whether there are several maps that count with it. */
  readonly isShared: boolean
  readonly #numbers = new Map<NodeId, Member>()
  readonly #entries: (Entry | undefined)[] = []
  #hashes = new Uint32Array(64)
  readonly #free: Member[] = []
  #pending: Position[] = []
  #length = 0
  #prefixes = new Float64Array(64)
  #members = new Uint32Array(64)
  #ordinals = new Uint16Array(64)
  /** Made when asked for, void when positions change. */
  #homes: Homes | undefined

  constructor(init: {
    readonly virtualNodes: number
    readonly membersMax?: number
    readonly isShared?: boolean
  }) {
    this.isShared = init.isShared ?? false
    this.virtualNodes = init.virtualNodes
    this.membersMax = init.membersMax ?? ROSTER_MEMBERS_MAX
  }

  /** One more than the greatest number given out: the length that an array over all members needs. */
  get size(): number {
    return this.#entries.length
  }

  get isFull(): boolean {
    return this.#numbers.size >= this.membersMax
  }

  /** Positions on the ring: virtualNodes for each member. */
  get positions(): number {
    this.#settle()
    return this.#length
  }

  numberOf(nodeId: NodeId): Member | undefined {
    return this.#numbers.get(nodeId)
  }

  /**
   * The number of the record's node, a new one when it has none. Address and zone are kept once for all maps, as the
   * highest incarnation said them: a node does not change them without raising it.
   */
  enter(record: MapRecord): Member {
    const known = this.#numbers.get(record.nodeId)
    if (known !== undefined) {
      this.update(known, record)
      return known
    }
    if (this.isFull) throw new TypeError(`The roster is full: ${this.membersMax} nodes.`)
    const { nodeId, ringAddress, address, zone, incarnation } = record
    const identifiers = identifiersOfAddress(ringAddress, this.virtualNodes)
    const member = this.#free.pop() ?? (this.#entries.length as Member)
    const last = { record: undefined, recordState: 0 }
    this.#entries[member] = { nodeId, ringAddress, identifiers, address, zone, incarnation, ...last }
    if (member >= this.#hashes.length) this.#hashes = grown(new Uint32Array(2 * member), this.#hashes)
    this.#hashes[member] = fnv1a(nodeId)
    this.#numbers.set(nodeId, member)
    identifiers.forEach((identifier, ordinal) => {
      this.#pending.push({ prefix: identifierPrefix(identifier), identifier, member, ordinal })
    })
    return member
  }

  /** What a record says of a member that has a number: kept when it is newer than what was said before. */
  update(member: Member, record: MapRecord): void {
    const entry = this.#entry(member)
    if (record.incarnation <= entry.incarnation) return
    entry.incarnation = record.incarnation
    entry.address = record.address
    entry.zone = record.zone
    entry.recordState = 0
  }

  /** The record of a member in a packed state. One object serves all who ask for the same. */
  recordOf(member: Member, state: number): MapRecord {
    const entry = this.#entry(member)
    if (entry.record !== undefined && entry.recordState === state) return entry.record
    const { nodeId, address, ringAddress, zone } = entry
    entry.record = { nodeId, address, ringAddress, zone, ...unpackState(state) }
    entry.recordState = state
    return entry.record
  }

  /** Forgets a member; its number will be given to another. Only for a roster with one map, which forgets it too. */
  release(member: Member): void {
    const { nodeId } = this.entry(member)
    this.#settle()
    let kept = 0
    for (let position = 0; position < this.#length; position++) {
      if (this.#members[position] === member) continue
      this.#prefixes[kept] = this.#prefixes[position] as number
      this.#members[kept] = this.#members[position] as number
      this.#ordinals[kept] = this.#ordinals[position] as number
      kept++
    }
    this.#length = kept
    this.#homes = undefined
    this.#numbers.delete(nodeId)
    this.#entries[member] = undefined
    this.#free.push(member)
  }

  entry(member: Member): Readonly<Entry> {
    return this.#entry(member)
  }

  /** FNV-1a of the member's nodeId: the same on every node, for digests. */
  hashOf(member: Member): number {
    return this.#hashes[member] as number
  }

  /** The member at a position, counted in ring order from 0. */
  memberAt(position: number): Member {
    return this.#members[position] as Member
  }

  /** The first 52 bits of a position. */
  prefixAt(position: number): number {
    return this.#prefixes[position] as number
  }

  /** The members at the positions of an arc, in ring order; a member with several positions there comes as often. */
  *positionsWithin({ from, to }: { readonly from: number; readonly to: number }): Generator<Member> {
    const count = this.positions
    const first = firstAtLeast(this.#prefixes, this.#length, from)
    const end = firstAtLeast(this.#prefixes, this.#length, to)
    const length = to > from ? end - first : count - first + end
    for (let step = 0; step < length; step++) yield this.memberAt((first + step) % count)
  }

  /** The digest loops run over these arrays for each message, so they are handed out as they are. */
  homes(): Homes {
    this.#settle()
    this.#homes ??= this.#collectHomes()
    return this.#homes
  }

  /** The first position whose identifier equals or follows `key`; 0 when only the way around zero leads to one. */
  positionAtOrAfter(key: Identifier): number {
    let position = this.positionAtOrAfterPrefix(identifierPrefix(key))
    const prefix = identifierPrefix(key)
    while (
      position < this.#length &&
      this.#prefixes[position] === prefix &&
      this.#identifierAt(position) < key
    )
      position++
    return position === this.#length ? 0 : position
  }

  /** The first position with at least this prefix; `positions` when there is none. */
  positionAtOrAfterPrefix(prefix: number): number {
    this.#settle()
    return firstAtLeast(this.#prefixes, this.#length, prefix)
  }

  #entry(member: Member): Entry {
    const entry = this.#entries[member]
    if (entry === undefined) throw new TypeError(`No member has the number ${member}.`)
    return entry
  }

  #collectHomes(): Homes {
    const prefixes = new Float64Array(this.#numbers.size)
    const members = new Uint32Array(prefixes.length)
    let count = 0
    for (let position = 0; position < this.#length; position++) {
      if (this.#ordinals[position] !== 0) continue
      prefixes[count] = this.#prefixes[position] as number
      members[count++] = this.#members[position] as number
    }
    return { prefixes, members }
  }

  #identifierAt(position: number): Identifier {
    const { identifiers } = this.entry(this.memberAt(position))
    return identifiers[this.#ordinals[position] as number] as Identifier
  }

  #settle(): void {
    if (this.#pending.length === 0) return
    const pending = this.#pending
    this.#pending = []
    this.#homes = undefined
    this.#grow(this.#length + pending.length)
    if (pending.length <= SINGLE_INSERTS_MAX) for (const position of pending) this.#insert(position)
    else this.#mergeIn(pending.sort((a, b) => (isBefore(a, b) ? -1 : 1)))
  }

  #insert(added: Position): void {
    let at = this.positionAtOrAfterPrefix(added.prefix)
    while (at < this.#length && !this.#follows(at, added)) at++
    this.#prefixes.copyWithin(at + 1, at, this.#length)
    this.#members.copyWithin(at + 1, at, this.#length)
    this.#ordinals.copyWithin(at + 1, at, this.#length)
    this.#length++
    this.#set(at, added)
  }

  #mergeIn(added: readonly Position[]): void {
    let from = this.#length - 1
    let to = this.#length + added.length - 1
    this.#length = to + 1
    for (let next = added.length - 1; next >= 0; to--) {
      const position = added[next] as Position
      if (from >= 0 && this.#follows(from, position)) {
        this.#prefixes[to] = this.#prefixes[from] as number
        this.#members[to] = this.#members[from] as number
        this.#ordinals[to] = this.#ordinals[from] as number
        from--
      } else {
        this.#set(to, position)
        next--
      }
    }
  }

  /** Whether what stands at a position comes after `other` on the ring. */
  #follows(position: number, other: Position): boolean {
    const prefix = this.#prefixes[position] as number
    return (
      prefix > other.prefix || (prefix === other.prefix && this.#identifierAt(position) > other.identifier)
    )
  }

  #set(at: number, position: Position): void {
    this.#prefixes[at] = position.prefix
    this.#members[at] = position.member
    this.#ordinals[at] = position.ordinal
  }

  #grow(needed: number): void {
    if (needed <= this.#prefixes.length) return
    const capacity = Math.max(needed, 2 * this.#prefixes.length)
    this.#prefixes = grown(new Float64Array(capacity), this.#prefixes)
    this.#members = grown(new Uint32Array(capacity), this.#members)
    this.#ordinals = grown(new Uint16Array(capacity), this.#ordinals)
  }
}

/** The first index of a sorted array, up to `length`, with at least this value; `length` when there is none. */
export function firstAtLeast(sorted: Float64Array, length: number, value: number): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] as number) < value) low = middle + 1
    else high = middle
  }
  return low
}

function isBefore(a: Position, b: Position): boolean {
  return a.prefix < b.prefix || (a.prefix === b.prefix && a.identifier < b.identifier)
}

function grown<T extends Float64Array | Uint32Array | Uint16Array>(larger: T, smaller: T): T {
  larger.set(smaller)
  return larger
}

/** FNV-1a, 32 bits (Fowler, Noll & Vo). */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash >>> 0
}
