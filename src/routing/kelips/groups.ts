/**
 * The affinity groups of Kelips (Gupta, Birman, Linga, Demers & van Renesse, *Kelips: Building an Efficient and Stable P2P DHT through
 * Increased Memory and Background Overhead*, IPTPS 2003, section 2): about sqrt N groups of about sqrt N nodes each.
 *
 * The paper puts a node into a group by a hash, and a file into one by another hash. Here one view answers for a whole range, whose
 * keys would then lie in all groups. So a group is an arc of the ring: it has the nodes whose first identifier lies there, and the keys of
 * that arc. The number of groups is a power of two, so that each group of a coarser cut is made of whole groups of a finer one: nodes that
 * cut the ring differently for a while still understand each other.
 */

/** Positions by their prefixes (identifierPrefix): from `from` clockwise up to but without `to`; equal is the whole ring. */
export interface PrefixArc {
  readonly from: number
  readonly to: number
}

/** Prefixes that there are. */
export const PREFIXES = 2 ** 52

/** More groups than this are of no use to networks that this program is for. */
const GROUPS_MAX = 4096

/** While the right number of groups is within this factor of the present one, that one stays. */
const HYSTERESIS = 2

/**
 * How many groups a network of that many nodes has: the power of two nearest to sqrt N.
 * @param before the number so far, which stays unless it is wrong by more than twice: a node that comes or goes moves no group.
 */
export function groupsFor(nodes: number, before?: number): number {
  const wanted = Math.sqrt(Math.max(1, nodes))
  if (before !== undefined && before <= wanted * HYSTERESIS && before >= wanted / HYSTERESIS) return before
  return Math.min(GROUPS_MAX, 2 ** Math.round(Math.log2(wanted)))
}

/** The group of a position, counted from position zero. */
export function groupOf(prefix: number, groups: number): number {
  return Math.floor(prefix / (PREFIXES / groups))
}

export function arcOfGroup(group: number, groups: number): PrefixArc {
  const width = PREFIXES / groups
  return { from: group * width, to: ((group + 1) % groups) * width }
}

export function isWithin({ from, to }: PrefixArc, prefix: number): boolean {
  if (from === to) return true
  return from < to ? prefix >= from && prefix < to : prefix >= from || prefix < to
}

/** The part of the ring that an arc covers, 0 to 1. */
export function shareOf({ from, to }: PrefixArc): number {
  return from === to ? 1 : ((to - from + PREFIXES) % PREFIXES) / PREFIXES
}
