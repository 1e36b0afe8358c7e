/**
 * What one node has learned of the network: a record for each node it ever heard of, and the closest of them for
 * a key.
 *
 * Maps form a join-semilattice: each node's records are totally ordered and merging takes the greater, so neither the
 * order of arrival nor repetition matters. The map is a hint: views decide who answers, a wrong map costs a hop.
 */
import type { Identifier, NodeId } from '../ring/identifier.ts'
import { INCARNATION_MAX, isAliveState, type MapRecord, packState } from './map-record.ts'
import type { Member, Roster } from './roster.ts'

/**
 * What a record did to the map: `new` node, `newer` than what was known, `known` already, `older` than what is known,
 * `refuted` because it said of this node itself what only this node may say, `full` when there is no room for it.
 */
export type Merged = 'new' | 'newer' | 'known' | 'older' | 'refuted' | 'full'

export class NetworkMap {
  readonly roster: Roster
  /** This node's own number. */
  readonly self: Member
  /** Packed records by member; 0 where nothing is known. */
  #states: Uint32Array
  /** By member, seconds of the monotonic clock. */
  #learnedAt: Uint32Array
  readonly #noted: ((nodeId: NodeId) => void) | undefined
  #aliveCount = 0
  #knownCount = 0

  /**
   * @param components.roster shared with other maps in simulations only.
   * @param components.noted called for a node of which something has changed, or that was forgotten.
   */
  constructor(
    components: { readonly roster: Roster; readonly noted?: (nodeId: NodeId) => void },
    init: { readonly self: MapRecord },
  ) {
    this.roster = components.roster
    this.#noted = components.noted
    this.#states = new Uint32Array(Math.max(16, this.roster.size))
    this.#learnedAt = new Uint32Array(this.#states.length)
    this.self = this.roster.enter(init.self)
    this.#set(this.self, packState(init.self.incarnation, init.self.status), 0)
  }

  /** Nodes believed alive, this one included. */
  get aliveCount(): number {
    return this.#aliveCount
  }

  /** Nodes with a record, alive or not. */
  get knownCount(): number {
    return this.#knownCount
  }

  /**
   * Takes a record in.
   * @param nowMs monotonic, for the time at which it was learned.
   */
  merge(record: MapRecord, nowMs: number): Merged {
    const state = packState(record.incarnation, record.status)
    const known = this.roster.numberOf(record.nodeId)
    if (known === undefined && this.roster.isFull && !this.#makeRoom()) return 'full'
    const before = known === undefined ? 0 : this.#stateOf(known)
    if (known === this.self && (state > before || (state === before && this.#contradicts(record))))
      return this.#refute(record.incarnation, nowMs)
    if (state <= before) return state === before ? 'known' : 'older'
    if (known === undefined) this.#set(this.roster.enter(record), state, nowMs)
    else {
      this.roster.update(known, record)
      this.#set(known, state, nowMs)
    }
    this.#noted?.(record.nodeId)
    return before === 0 ? 'new' : 'newer'
  }

  /**
   * This node's own news: a new address or zone, or that it leaves. Its incarnation rises, so that it overrides what
   * was said before.
   * @returns the record to tell.
   */
  changeSelf(change: Partial<Pick<MapRecord, 'address' | 'zone' | 'status'>>, nowMs: number): MapRecord {
    return this.#raiseSelf({ ...this.recordOf(this.self), ...change }, nowMs)
  }

  /** The record of a node; undefined where nothing is known. */
  record(nodeId: NodeId): MapRecord | undefined {
    const member = this.roster.numberOf(nodeId)
    return member === undefined || this.#stateOf(member) === 0 ? undefined : this.recordOf(member)
  }

  /** The record of a member of this map. */
  recordOf(member: Member): MapRecord {
    const state = this.#stateOf(member)
    if (state === 0) throw new TypeError(`This map does not know member ${member}.`)
    return this.roster.recordOf(member, state)
  }

  /**
   * The packed records by member, 0 where nothing is known: one for each member of the roster at least. The digest loops
   * run over them for each message, so they are handed out as they are, until the map changes.
   */
  states(): Readonly<Uint32Array> {
    if (this.#states.length < this.roster.size) this.#grow(this.roster.size)
    return this.#states
  }

  isAlive(member: Member): boolean {
    return isAliveState(this.#stateOf(member))
  }

  /** When the record of a member was learned, ms of the monotonic clock, to the second. */
  learnedAtMs(member: Member): number {
    return (this.#learnedAt[member] ?? 0) * 1000
  }

  /** All records, in the order in which their nodes were first heard of. */
  *records(): Generator<MapRecord> {
    for (let member = 0; member < this.#states.length; member++)
      if (this.#states[member] !== 0) yield this.recordOf(member as Member)
  }

  /**
   * The live node whose identifier is the first to equal or follow `key`, this one included.
   * @param except members that are not asked (visited before, suspect).
   */
  closestKnown(key: Identifier, except?: (member: Member) => boolean): Member | undefined {
    const count = this.roster.positions
    let position = count === 0 ? 0 : this.roster.positionAtOrAfter(key)
    for (let steps = 0; steps < count; steps++) {
      const member = this.roster.memberAt(position)
      if (this.isAlive(member) && !except?.(member)) return member
      position = position + 1 === count ? 0 : position + 1
    }
    return undefined
  }

  /** The live node whose identifier is the last before `key`, this one included. */
  closestBefore(key: Identifier, except?: (member: Member) => boolean): Member | undefined {
    const count = this.roster.positions
    let position = count === 0 ? 0 : this.roster.positionAtOrAfter(key)
    for (let steps = 0; steps < count; steps++) {
      position = position === 0 ? count - 1 : position - 1
      const member = this.roster.memberAt(position)
      if (this.isAlive(member) && !except?.(member)) return member
    }
    return undefined
  }

  /**
   * Whether a record of this node in its own incarnation says something else of it. An earlier start may have raised that
   * incarnation and ended before its disk had it: the others believe the record that they heard first (docs/decisions/0450).
   */
  #contradicts({ address, zone }: MapRecord): boolean {
    const own = this.recordOf(this.self)
    return address !== own.address || zone !== own.zone
  }

  /** As if nothing had ever been heard of a member. Its number may be given to another one. */
  forget(member: Member): void {
    if (member === this.self) throw new TypeError('A map does not forget its own node.')
    this.#noted?.(this.roster.entry(member).nodeId)
    this.#set(member, 0, 0)
    if (!this.roster.isShared) this.roster.release(member)
  }

  /** Somebody said of this node what only this node may say: its own record is raised above that. */
  #refute(incarnation: number, nowMs: number): Merged {
    if (incarnation >= INCARNATION_MAX) return 'older'
    this.#raiseSelf({ ...this.recordOf(this.self), incarnation }, nowMs)
    return 'refuted'
  }

  #raiseSelf(record: MapRecord, nowMs: number): MapRecord {
    const raised: MapRecord = { ...record, incarnation: record.incarnation + 1 }
    this.roster.enter(raised)
    this.#set(this.self, packState(raised.incarnation, raised.status), nowMs)
    this.#noted?.(raised.nodeId)
    return raised
  }

  #stateOf(member: Member): number {
    return this.#states[member] ?? 0
  }

  #set(member: Member, state: number, nowMs: number): void {
    if (member >= this.#states.length) this.#grow(member + 1)
    const before = this.#states[member] as number
    if (before === 0 && state !== 0) this.#knownCount++
    if (before !== 0 && state === 0) this.#knownCount--
    this.#aliveCount += Number(isAliveState(state)) - Number(isAliveState(before))
    this.#states[member] = state
    this.#learnedAt[member] = nowMs / 1000
  }

  #grow(needed: number): void {
    const length = Math.max(needed, this.roster.size, Math.ceil(this.#states.length * 1.25))
    const states = new Uint32Array(length)
    const learnedAt = new Uint32Array(length)
    states.set(this.#states)
    learnedAt.set(this.#learnedAt)
    this.#states = states
    this.#learnedAt = learnedAt
  }

  /** Forgets the node that has been gone for longest. Should it be heard of again, that is one wasted hop. */
  #makeRoom(): boolean {
    let oldest: Member | undefined
    for (let member = 0; member < this.#states.length; member++) {
      if (this.#states[member] === 0 || this.isAlive(member as Member)) continue
      if (oldest === undefined || this.learnedAtMs(member as Member) < this.learnedAtMs(oldest))
        oldest = member as Member
    }
    if (oldest === undefined) return false
    this.forget(oldest)
    return true
  }
}
