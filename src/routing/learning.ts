/**
 * What rides on messages that are sent anyway, and what a node makes of it. Nothing here is periodic.
 *
 * Mode `chain` is the original altered Chord: only the chain of a reply teaches. In mode `path` (the default) each
 * message also carries up to RECORDS_MAX records. A request carries news, and says by a digest what its sender knows of
 * one sector of the ring; the reply fills what that sector lacks, and then tells news. docs/decisions/0035 has the
 * measurements behind this order.
 */
import { type Identifier, identifierPrefix, type NodeId } from '../ring/identifier.ts'
import { type Digest, differences, digestOf } from './digest.ts'
import type { MapRecord } from './map-record.ts'
import type { Merged, NetworkMap } from './network-map.ts'
import { News } from './news.ts'
import type { Member } from './roster.ts'
import type { Piggyback, Routing, RoutingSizes } from './routing.ts'
import type { Suspects } from './suspects.ts'

export type LearningMode = 'chain' | 'path'

/** Records that one message carries in one direction: about 1 KB, so that a lookup still fits into one packet. */
export const RECORDS_MAX = 16

export interface LearningComponents {
  readonly map: NetworkMap
  readonly suspects: Suspects
}

export interface LearningInit {
  readonly mode: LearningMode
  /** What the digest of a request is of; one sector of the ring after the other where nothing is said. */
  readonly digestFor?: (to: Member, salt: number) => Digest | undefined
  /** Whether others are told of a node as news; of everybody where nothing is said. */
  readonly isTold?: (member: Member) => boolean
}

export class Learning implements Routing {
  readonly mode: LearningMode
  /** Every node learns the whole network. */
  readonly isPartial = false
  readonly #init: LearningInit
  readonly #map: NetworkMap
  readonly #suspects: Suspects
  readonly #news = new News<Member>()
  /** Where the next digest begins; each one goes on where the last ended. */
  #digestFrom: number
  /** Digests made so far; the salt of the next. */
  #digests = 0

  get name(): LearningMode {
    return this.mode
  }

  constructor(components: LearningComponents, init: LearningInit) {
    this.mode = init.mode
    this.#init = init
    this.#map = components.map
    this.#suspects = components.suspects
    const { identifiers } = this.#map.roster.entry(this.#map.self)
    this.#digestFrom = identifierPrefix(identifiers[0] as Identifier)
  }

  /**
   * The first node that follows the key, as long as it is closer than this one itself. From here on to go further along the
   * ring would lead away from the key; the last node before it shares ranges with those behind it and so knows the owner.
   */
  next(key: Identifier, except: (nodeId: NodeId) => boolean): MapRecord | undefined {
    const map = this.#map
    const isOut = (member: Member) => except(map.roster.entry(member).nodeId)
    const following = map.closestKnown(key, member => member !== map.self && isOut(member))
    if (following !== undefined && following !== map.self) return map.recordOf(following)
    const before = map.closestBefore(key, isOut)
    return before === undefined ? undefined : map.recordOf(before)
  }

  /** What a request to `to` carries; undefined in mode `chain`. */
  forRequest(to: NodeId): Piggyback | undefined {
    const receiver = this.#map.roster.numberOf(to)
    if (this.mode === 'chain' || receiver === undefined) return undefined
    const news = this.#takeNews(RECORDS_MAX, member => member === receiver)
    const salt = this.#digests++
    const digest = this.#init.digestFor?.(receiver, salt) ?? this.#nextSector(salt)
    return { from: this.#map.recordOf(this.#map.self), news, records: [], digest }
  }

  #nextSector(salt: number): Digest {
    const digest = digestOf(this.#map, this.#digestFrom, salt)
    this.#digestFrom = digest.to
    return digest
  }

  /** Everybody learns of everybody. */
  peersAmong(others: readonly MapRecord[]): readonly MapRecord[] {
    return others
  }

  sizes(): RoutingSizes {
    return {}
  }

  /** A view that somebody told is a hint: its replicas answer. */
  knowsPlaceOf(): boolean {
    return true
  }

  answersFor(): boolean {
    return false
  }

  /** Forgets a node, as if nothing had ever been heard of it. */
  forget(nodeId: NodeId): void {
    const member = this.#map.roster.numberOf(nodeId)
    if (member === undefined) return
    this.#news.drop(member)
    this.#map.forget(member)
  }

  /** What the reply to a request that carried `heard` carries; undefined in mode `chain`. */
  forReply(heard: Piggyback | undefined): Piggyback | undefined {
    if (this.mode === 'chain' || heard === undefined) return undefined
    const obituary = this.#obituaryOf(heard.from)
    const lacked = heard.digest === undefined ? [] : this.lackedBy(heard.digest, heard.from, RECORDS_MAX)
    const records = [...obituary, ...lacked].slice(0, RECORDS_MAX)
    const room = RECORDS_MAX - records.length
    const known = new Set([heard.from, ...heard.news, ...records].map(record => this.#memberOf(record)))
    const news = this.#takeNews(room, member => known.has(member))
    return { from: this.#map.recordOf(this.#map.self), news, records }
  }

  /** Takes in what a message carried. */
  absorb(heard: Piggyback | undefined, nowMs: number): void {
    if (this.mode === 'chain' || heard === undefined) return
    this.learn(heard.from, nowMs)
    this.#suspects.clear(heard.from.nodeId)
    for (const record of heard.news) this.learnNews(record, nowMs)
    for (const record of heard.records) this.#learnFill(record, nowMs)
  }

  /**
   * The digest of everything this node knows, for the exchange of whole maps when a node joins: each side sends its
   * own and is answered with what it lacks.
   */
  wholeDigest(): Digest {
    return digestOf(this.#map, this.#digestFrom, this.#digests++, Number.POSITIVE_INFINITY)
  }

  /**
   * What the sender of a digest lacks, as far as this node knows: first who died or left, then live nodes, from all over
   * the digest's sector when there are more than `count`.
   */
  lackedBy(digest: Digest, sender: MapRecord, count = Number.POSITIVE_INFINITY): MapRecord[] {
    const { gone, missing } = differences(this.#map, digest)
    const senderMember = this.#map.roster.numberOf(sender.nodeId)
    const isNeeded = (member: Member) => member !== senderMember && member !== this.#map.self
    const departed = gone.filter(isNeeded).slice(0, count)
    const live = spread(missing.filter(isNeeded), count - departed.length)
    return [...departed, ...live].map(member => this.#map.recordOf(member))
  }

  /** Takes in a record that is no news in itself, such as a visited node's. A record that it overrides is news. */
  learn(record: MapRecord, nowMs: number): Merged {
    const merged = this.#map.merge(record, nowMs)
    if (merged === 'new' || merged === 'newer') this.#suspects.learned(record)
    if (merged === 'newer' || merged === 'refuted') this.#tell(record, 0)
    return merged
  }

  /** Takes in an event that just happened, or a record that somebody tells as news. */
  learnNews(record: MapRecord, nowMs: number): Merged {
    const merged = this.learn(record, nowMs)
    if (merged === 'new') this.#tell(record, 0)
    if (merged === 'known') this.#news.heardAgain(this.#memberOf(record) as Member)
    return merged
  }

  /** Whoever speaks although it is believed dead here is told so, and refutes it. */
  #obituaryOf(sender: MapRecord): MapRecord[] {
    const known = this.#map.record(sender.nodeId)
    return known === undefined || known.status === 'alive' ? [] : [known]
  }

  /** What this node lacked others may lack too, though less urgently than an event: it is told half as often. */
  #learnFill(record: MapRecord, nowMs: number): void {
    if (this.learn(record, nowMs) === 'new') this.#tell(record, Math.ceil(this.#timesTold() / 2))
  }

  #tell(record: MapRecord, told: number): void {
    const member = this.#memberOf(record) as Member
    if (this.mode === 'path' && this.#init.isTold?.(member) !== false) this.#news.add(member, told)
  }

  #memberOf({ nodeId }: MapRecord): Member | undefined {
    return this.#map.roster.numberOf(nodeId)
  }

  #takeNews(count: number, skip: (member: Member) => boolean): MapRecord[] {
    return this.#news.take(count, this.#timesTold(), skip).map(member => this.#map.recordOf(member))
  }

  /** The natural logarithm of the network, as in SWIM: after so many tellings by each, few have not heard. */
  #timesTold(): number {
    return Math.max(1, Math.ceil(Math.log(this.#map.aliveCount + 1)))
  }
}

/** `count` items at even distances, or all. */
function spread<T>(items: readonly T[], count: number): readonly T[] {
  if (items.length <= count) return items
  return Array.from({ length: count }, (_, index) => items[Math.floor((index * items.length) / count)] as T)
}
