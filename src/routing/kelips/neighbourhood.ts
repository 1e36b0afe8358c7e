/**
 * The nodes near the identifiers of one node. Of them it has to know every one: it plans with them where the copies of its ranges lie, and
 * two nodes that plan from different parts of a map would change a range to and fro.
 */
import { type Identifier, identifierPrefix } from '../../ring/identifier.ts'
import type { NetworkMap } from '../network-map.ts'
import type { Member } from '../roster.ts'
import { type PrefixArc, shareOf } from './groups.ts'

/**
 * Nodes in each direction that a node knows beside each of its identifiers, in copies k. It takes part in ranges that end up to 2k - 2
 * positions before an identifier of its own, and needs the 2k nodes around each of them.
 */
const REACH = 4

/** @param isThere false for a node that is believed to have failed: it stands for nobody. */
export function neighbourhoodOf(
  map: NetworkMap,
  identifier: Identifier,
  copies: number,
  isThere: (member: Member) => boolean,
): PrefixArc {
  const reach = REACH * copies
  const { roster } = map
  const count = roster.positions
  const start = roster.positionAtOrAfter(identifier)
  const end = (direction: 1 | -1): number | undefined => {
    const seen = new Set<Member>()
    for (let step = 0, at = start; step < count; step++) {
      at = (at + direction + count) % count
      const member = roster.memberAt(at)
      if (member === map.self || !map.isAlive(member) || !isThere(member)) continue
      seen.add(member)
      if (seen.size === reach) return roster.prefixAt(at)
    }
    return undefined
  }
  const [from, to] = [end(-1), end(1)]
  const own = identifierPrefix(identifier)
  const whole = { from: own, to: own }
  if (from === undefined || to === undefined) return whole
  const arc = { from, to: to + 1 }
  // Where both ends meet on the other side, everybody is near.
  const isMet = shareOf({ from, to: own }) + shareOf({ from: own, to: arc.to }) >= 1
  return isMet ? whole : arc
}

/** About how many nodes there are, by how close together those around a node are. @param arcs of its identifiers. */
export function estimateNodes(map: NetworkMap, arcs: readonly PrefixArc[]): number {
  let positions = 0
  let share = 0
  for (const arc of arcs) {
    for (const member of map.roster.positionsWithin(arc)) if (map.isAlive(member)) positions++
    share += shareOf(arc)
  }
  return Math.max(1, Math.round(positions / share / map.roster.virtualNodes))
}
