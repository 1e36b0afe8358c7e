/**
 * Kelips as a way of routing: a node knows the members of its own group, those near its identifiers, and a few contacts in every other group,
 * which is O(sqrt N) of N nodes. A lookup goes to a contact in the group of its key, which knows the views of that arc, or who is
 * responsible there. (Gupta et al., IPTPS 2003, section 2; groups.ts says where this differs from the paper.)
 *
 * What is missing is asked for by the digests that ride on messages, those of gossip most of all: each says what its sender knows of one arc
 * that it has to know. So the messages are those of path learning, and nodes of both kinds answer each other.
 *
 * Where zones have been named, copies are spread over the zones of the whole network, so that a node has to know all of it: it then forgets
 * nobody.
 */
import { type Address, type Identifier, identifierPrefix, type NodeId } from '../../ring/identifier.ts'
import { type Digest, digestOfArc, homesWithin } from '../digest.ts'
import { Learning } from '../learning.ts'
import type { MapRecord } from '../map-record.ts'
import type { Merged, NetworkMap } from '../network-map.ts'
import type { Member } from '../roster.ts'
import type { Piggyback, Routing, RoutingSizes } from '../routing.ts'
import type { Suspects } from '../suspects.ts'
import { arcOfGroup, groupOf, groupsFor, isWithin, type PrefixArc } from './groups.ts'
import { estimateNodes, neighbourhoodOf } from './neighbourhood.ts'

/** Contacts that a node keeps in each other group; two crash at once now and then, three hardly ever. */
export const CONTACTS = 3

/** Who has died or left is remembered for so long, ms, so that nobody who missed it brings the node back. */
const GONE_KEPT_MS = 10 * 60_000

/** More than what is needed is let be until it is this share of it, and so many: to forget has its price, too. */
const SLACK_SHARE = 1 / 4
const SLACK = 16

export interface KelipsComponents {
  readonly map: NetworkMap
  readonly suspects: Suspects
  /** False for a node that is believed to have failed, whatever the map says. */
  readonly isThere: (node: NodeId) => boolean
  /** How long a message takes there and back, ms; 0 where nobody has tried. */
  readonly roundTripMs: (to: Address) => number
}

export class Kelips implements Routing {
  readonly name = 'kelips'
  readonly isPartial = true
  readonly #components: KelipsComponents
  readonly #copies: () => number
  readonly #learning: Learning
  #groups: number | undefined
  #group: PrefixArc = { from: 0, to: 0 }
  /** Whether zones have been named. */
  #knowsAll = false
  #near: readonly PrefixArc[] = [{ from: 0, to: 0 }]
  /** Whose turn it is among the arcs that a digest may be of. */
  #turn = 0

  constructor(components: KelipsComponents, init: { readonly copies: () => number }) {
    this.#components = components
    this.#copies = init.copies
    const { map, suspects } = components
    this.#learning = new Learning(
      { map, suspects },
      {
        mode: 'path',
        digestFor: (to, salt) => this.#digestFor(to, salt),
        isTold: member => this.#isNeeded(member),
      },
    )
    this.lookAround()
  }

  /** Groups that this node cuts the ring into. */
  get groups(): number {
    return this.#groups ?? 1
  }

  /** The arc of this node's group: it knows whose first identifier lies there, and the views of the keys there. */
  get group(): PrefixArc {
    return this.#group
  }

  /** The arcs around the identifiers of this node, of which it knows everybody. */
  get near(): readonly PrefixArc[] {
    return this.#near
  }

  /** Sees anew how large the network is and how far the arcs go that this node has to know. */
  lookAround(): void {
    const { map, isThere } = this.#components
    const isMemberThere = (member: Member) => isThere(this.#nodeOf(member))
    const { identifiers } = map.roster.entry(map.self)
    this.#knowsAll = [...map.records()].some(({ zone }) => zone !== undefined)
    this.#near = identifiers.map(one => neighbourhoodOf(map, one, this.#copies(), isMemberThere))
    this.#groups = groupsFor(estimateNodes(map, this.#near), this.#groups)
    const home = identifierPrefix(identifiers[0] as Identifier)
    this.#group = arcOfGroup(groupOf(home, this.#groups), this.#groups)
  }

  /** Who is responsible near by is known here; elsewhere a contact of the key's group is asked, the nearest one first. */
  next(key: Identifier, except: (nodeId: NodeId) => boolean): MapRecord | undefined {
    const prefix = identifierPrefix(key)
    const isNear = this.#near.some(arc => isWithin(arc, prefix)) || this.answersFor(key)
    const contact = isNear ? undefined : this.#contactFor(prefix, except)
    return contact ?? this.#learning.next(key, except)
  }

  /** Those who should know the view of a key: whoever comes first behind it as far as this node knows, and contacts of its group. */
  knowing(key: Identifier): MapRecord[] {
    const { map } = this.#components
    const arc = arcOfGroup(groupOf(identifierPrefix(key), this.groups), this.groups)
    const owner = map.closestKnown(key, member => member === map.self)
    const members = new Set([
      ...(owner === undefined ? [] : [owner]),
      ...this.#contactsIn(arc).slice(0, CONTACTS),
    ])
    return [...members].map(member => map.recordOf(member))
  }

  /** Whether a view that this node knows of a key is an answer: those of its group are kept for everybody. */
  answersFor(key: Identifier): boolean {
    return isWithin(this.#group, identifierPrefix(key))
  }

  /** The nodes of its group all know each other. */
  peersAmong(others: readonly MapRecord[]): readonly MapRecord[] {
    return others.filter(({ nodeId }) => {
      const member = this.#components.map.roster.numberOf(nodeId)
      return member !== undefined && this.#isMate(member)
    })
  }

  sizes(): RoutingSizes {
    const { map } = this.#components
    const known = [...map.records()].map(({ nodeId }) => map.roster.numberOf(nodeId) as Member)
    const live = known.filter(member => map.isAlive(member))
    return {
      groups: this.groups,
      group: live.filter(member => this.#isMate(member)).length,
      near: live.filter(member => this.#isNear(member)).length,
      contacts: [...this.#contacts()].filter(member => !this.#isMate(member)).length,
    }
  }

  forRequest(to: NodeId): Piggyback | undefined {
    return this.#learning.forRequest(to)
  }

  forReply(heard: Piggyback | undefined): Piggyback | undefined {
    return this.#learning.forReply(heard)
  }

  absorb(heard: Piggyback | undefined, nowMs: number): void {
    this.#learning.absorb(heard, nowMs)
  }

  learn(record: MapRecord, nowMs: number): Merged {
    return this.#learning.learn(record, nowMs)
  }

  learnNews(record: MapRecord, nowMs: number): Merged {
    return this.#learning.learnNews(record, nowMs)
  }

  lackedBy(digest: Digest, sender: MapRecord, count: number): MapRecord[] {
    return this.#learning.lackedBy(digest, sender, count)
  }

  /** Digests of all arcs that this node has to know, each with a node to ask: the one that is nearest to their middle. */
  questions(): { readonly digest: Digest; readonly asked: readonly MapRecord[] }[] {
    const { map } = this.#components
    const { identifiers } = map.roster.entry(map.self)
    const isOut = (member: Member) => member === map.self
    return [...this.#near, this.#group].map((arc, index) => {
      const middle = identifiers[index] ?? (identifiers[0] as Identifier)
      const beside = [map.closestKnown(middle, isOut), map.closestBefore(middle, isOut)]
      const asked = new Set(beside.filter(member => member !== undefined))
      const isNear = index < identifiers.length
      const digest = digestOfArc(map, { ...arc, every: isNear }, this.#turn++)
      return { digest, asked: [...asked].map(member => map.recordOf(member)) }
    })
  }

  /**
   * Forgets whom this node need not know, when there are many of them.
   * @param isNeeded others that it needs: those whom its views name, and whom it talks to.
   * @returns those that are forgotten.
   */
  forget(isNeeded: (node: NodeId) => boolean, nowMs: number): NodeId[] {
    const { map } = this.#components
    if (this.#knowsAll) return []
    const records = [...map.records()]
    const contacts = this.#contacts()
    const superfluous = records.filter(({ nodeId, status }) => {
      const member = map.roster.numberOf(nodeId) as Member
      if (member === map.self || isNeeded(nodeId) || contacts.has(member)) return false
      if (!this.#isNeeded(member)) return true
      return status !== 'alive' && nowMs - map.learnedAtMs(member) > GONE_KEPT_MS
    })
    const needed = records.length - superfluous.length
    if (superfluous.length <= Math.max(SLACK, needed * SLACK_SHARE)) return []
    for (const { nodeId } of superfluous) this.#learning.forget(nodeId)
    return superfluous.map(({ nodeId }) => nodeId)
  }

  #nodeOf(member: Member): NodeId {
    return this.#components.map.roster.entry(member).nodeId
  }

  #homeOf(member: Member): number {
    return identifierPrefix(this.#components.map.roster.entry(member).identifiers[0] as Identifier)
  }

  knowsPlaceOf(nodeId: NodeId): boolean {
    const member = this.#components.map.roster.numberOf(nodeId)
    return member !== undefined && this.#isNeeded(member)
  }

  #isMate(member: Member): boolean {
    return isWithin(this.#group, this.#homeOf(member))
  }

  /** Whether a node is of this one's group, or near one of its identifiers. */
  #isNeeded(member: Member): boolean {
    return this.#knowsAll || this.#isMate(member) || this.#isNear(member)
  }

  #isNear(member: Member): boolean {
    const { identifiers } = this.#components.map.roster.entry(member)
    return identifiers.some(identifier => {
      const prefix = identifierPrefix(identifier)
      return this.#near.some(arc => isWithin(arc, prefix))
    })
  }

  /** Live members of a group of others, the best contact first. */
  #contactsIn(arc: PrefixArc): Member[] {
    const { map, suspects, isThere, roundTripMs } = this.#components
    const doubt = (node: NodeId) => Number(!isThere(node)) + Number(suspects.isKnownSuspect(node))
    const rated = homesWithin(map, arc)
      .filter(member => member !== map.self && map.isAlive(member))
      .map(member => {
        const { nodeId, address } = map.roster.entry(member)
        return { member, doubt: doubt(nodeId), ms: roundTripMs(address), ageMs: -map.learnedAtMs(member) }
      })
    // Of two that are equally far the one that was heard of later is more likely to be there.
    rated.sort((a, b) => a.doubt - b.doubt || a.ms - b.ms || a.ageMs - b.ageMs)
    return rated.map(({ member }) => member)
  }

  #contactFor(prefix: number, except: (nodeId: NodeId) => boolean): MapRecord | undefined {
    const arc = arcOfGroup(groupOf(prefix, this.groups), this.groups)
    const contact = this.#contactsIn(arc).find(member => !except(this.#nodeOf(member)))
    return contact === undefined ? undefined : this.#components.map.recordOf(contact)
  }

  /** The contacts that are kept. */
  #contacts(): Set<Member> {
    const arcs = Array.from({ length: this.groups }, (_, group) => arcOfGroup(group, this.groups))
    return new Set(arcs.flatMap(arc => this.#contactsIn(arc).slice(0, CONTACTS)))
  }

  /**
   * What a request to a node asks about: of a node of the group the group, of a near one what lies around them both, of any other one its own
   * group while contacts are lacking there. In turn where several fit, and something in any case: whoever is asked may know all.
   */
  #digestFor(to: Member, salt: number): Digest | undefined {
    if (this.#knowsAll) return undefined
    const { map } = this.#components
    const turn = this.#turn++
    const shared = this.#near.filter(arc => {
      const { identifiers } = map.roster.entry(to)
      return identifiers.some(identifier => isWithin(arc, identifierPrefix(identifier)))
    })
    const arcs: (PrefixArc & { every: boolean })[] = shared.map(arc => ({ ...arc, every: true }))
    if (this.#isMate(to)) arcs.push({ ...this.#group, every: false })
    const theirs = arcOfGroup(groupOf(this.#homeOf(to), this.groups), this.groups)
    if (!this.#isMate(to) && this.#contactsIn(theirs).length < CONTACTS)
      arcs.push({ ...theirs, every: false })
    if (arcs.length === 0) arcs.push(...this.#near.map(arc => ({ ...arc, every: true })))
    return digestOfArc(map, arcs[turn % arcs.length] as PrefixArc & { every: boolean }, salt)
  }
}
