/**
 * Which place on the ring a newcomer takes. A place is an address under which somebody was admitted once: the identifiers that come from it
 * have cut the ring, and cuts stay. So a newcomer takes the place of a node that is gone, where there is one, and the ring is cut no further:
 * names that come and go leave as many ranges as the network ever had nodes at the same time (docs/decisions/0475).
 *
 * It is a matter of balance only. Two nodes that come to have one place, by way of two that were asked at the same moment, follow each other
 * directly on the ring: the one leads their ranges, and both keep them.
 */
import type { Env } from '../env.ts'
import type { Address, NodeId } from '../ring/identifier.ts'
import type { MapRecord } from '../routing/map-record.ts'
import type { Member } from '../routing/roster.ts'
import type { Members } from './members.ts'

/** Who has been dead for so long, ms, is not waited for: a machine that starts again is back before. */
export const AWAY_MS = 5 * 60_000

/** Places that are offered at the same time; the oldest offer goes first. */
const OFFERS_MAX = 1_000

/** A place that was offered is not offered to another one for so long, ms, until the first is known: then it has given up. */
const OFFERED_MS = 60_000

export interface PlacesComponents {
  readonly env: Pick<Env, 'clock'>
  readonly members: Pick<Members, 'map' | 'routing'>
  /** Nodes that were given up for good. */
  readonly retired: () => readonly NodeId[]
}

export class Places {
  readonly #components: PlacesComponents
  /** To whom, and until when by the monotonic clock, ms. */
  readonly #offered = new Map<Address, { readonly to: NodeId; readonly untilMs: number }>()

  constructor(components: PlacesComponents) {
    this.#components = components
  }

  /** The place of a node that is to join: its own address, or that of one that is gone, longest ago first. */
  offer(newcomer: Pick<MapRecord, 'nodeId' | 'address'>): Address {
    const { env, members } = this.#components
    const nowMs = env.clock.monotonicMs()
    for (const [place, { to, untilMs }] of this.#offered)
      if (untilMs <= nowMs || members.map.record(to) !== undefined) this.#offered.delete(place)
    const records = [...members.map.records()].filter(({ nodeId }) => nodeId !== newcomer.nodeId)
    const taken = new Set(records.filter(one => this.#mayComeBack(one, newcomer, nowMs)).map(placeOf))
    const isFree = (place: Address) => !taken.has(place) && !this.#offered.has(place)
    const gone = records
      .filter(({ status, nodeId }) => status !== 'alive' && members.routing.knowsPlaceOf(nodeId))
      .sort((a, b) => this.#learnedAtMs(a) - this.#learnedAtMs(b))
    const { address } = newcomer
    // Who lived there before it is gone, whether or not anybody has noticed that.
    const here = records.filter(one => one.address === address)
    const places = [...here, ...gone].map(placeOf)
    const offered = places.includes(address) && isFree(address) ? address : places.find(isFree)
    // Its own address may be somebody's place by now. Of all addresses one is nobody's.
    const free = offered ?? [address, ...records.map(one => one.address)].find(isFree) ?? address
    if (free !== address) this.#offered.set(free, { to: newcomer.nodeId, untilMs: nowMs + OFFERED_MS })
    for (const [place] of this.#offered) if (this.#offered.size > OFFERS_MAX) this.#offered.delete(place)
    return free
  }

  /** Whether a node is there, or is waited for. Where the newcomer lives nobody else does. */
  #mayComeBack(record: MapRecord, newcomer: Pick<MapRecord, 'address'>, nowMs: number): boolean {
    const { nodeId, address, status } = record
    if (address === newcomer.address || this.#components.retired().includes(nodeId)) return false
    if (status === 'dead') return nowMs - this.#learnedAtMs(record) < AWAY_MS
    return status === 'alive'
  }

  #learnedAtMs({ nodeId }: MapRecord): number {
    const { map } = this.#components.members
    return map.learnedAtMs(map.roster.numberOf(nodeId) as Member)
  }
}

function placeOf({ ringAddress }: MapRecord): Address {
  return ringAddress
}
