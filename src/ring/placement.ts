/**
 * Where copies go: the order of nodes that follows a key around the ring, and the k replicas picked from it.
 *
 * The successor list is Chord's (Stoica et al., SIGCOMM 2001, section 5.2); that virtual nodes of one node count once
 * is Dynamo's preference list (DeCandia et al., SOSP 2007, section 4.3).
 */
import type { Arc } from './arc.ts'
import type { Identifier, NodeId } from './identifier.ts'

/** One of the identifiers of a node, on the ring. */
export interface RingPosition {
  readonly identifier: Identifier
  readonly nodeId: NodeId
  /** What fails together (a rack, a site); undefined where nobody said so. */
  readonly zone: string | undefined
}

/** The positions in ring order: by identifier, equal ones (which SHA-1 does not yield in practice) by node. */
export function sortRing(positions: Iterable<RingPosition>): RingPosition[] {
  return [...positions].sort(comparePositions)
}

/**
 * The nodes that follow `key` clockwise, each once, at the first of its positions: the owner of the key comes first.
 * @param ring sorted by sortRing.
 */
export function successorsOf(ring: readonly RingPosition[], key: Identifier): RingPosition[] {
  return [...walk(ring, key, () => true)]
}

function* walk(
  ring: readonly RingPosition[],
  key: Identifier,
  isIn: (node: NodeId) => boolean,
): Generator<RingPosition> {
  const first = firstAtOrAfter(ring, key)
  const seen = new Set<NodeId>()
  for (let step = 0; step < ring.length; step++) {
    const position = ring[(first + step) % ring.length] as RingPosition
    if (seen.has(position.nodeId) || !isIn(position.nodeId)) continue
    seen.add(position.nodeId)
    yield position
  }
}

/** Those of the nodes on a ring that count, and how many of them each zone has. */
export interface Among {
  readonly isIn: (node: NodeId) => boolean
  readonly zones: () => Zones
}

export interface Zones {
  readonly sizes: ReadonlyMap<string, number>
  /** Nodes whose zone is not known. */
  readonly unknown: number
}

export function zonesOf(nodes: Iterable<Pick<RingPosition, 'zone'>>): Zones {
  const sizes = new Map<string, number>()
  let unknown = 0
  for (const { zone } of nodes) {
    if (zone === undefined) unknown++
    else sizes.set(zone, (sizes.get(zone) ?? 0) + 1)
  }
  return { sizes, unknown }
}

/**
 * The successors of `key` up to the one with which it is certain who the first `count` of all successors are, spread over
 * zones. In a ring of thousands that is a few, unless a zone is rare.
 */
export function nearSuccessors(
  ring: readonly RingPosition[],
  key: Identifier,
  count: number,
  { isIn, zones }: Among,
): RingPosition[] {
  const near: RingPosition[] = []
  const seen = new Map<string, number>()
  /** How many of each rank there are among those that were passed (spreadOverZones). */
  const ranks: number[] = []
  for (const position of walk(ring, key, isIn)) {
    near.push(position)
    const { zone } = position
    const rank = zone === undefined ? 0 : (seen.get(zone) ?? 0)
    if (zone !== undefined) seen.set(zone, rank + 1)
    ranks[rank] = (ranks[rank] ?? 0) + 1
    if (near.length >= count && isCertain(ranks, count, zones)) break
  }
  return near
}

/** Whether no node further on comes before the first `count` of those that were passed. */
function isCertain(ranks: readonly number[], count: number, zones: () => Zones): boolean {
  let certain = 0
  for (const [rank, passed] of ranks.entries()) {
    if (certain + passed >= count) return true
    if (passed < sizeOfRank(rank, zones())) return false
    certain += passed
  }
  return false
}

/** How many nodes have that many of their zone before them. */
function sizeOfRank(rank: number, { sizes, unknown }: Zones): number {
  const zoned = [...sizes.values()].filter(size => size > rank).length
  return rank === 0 ? zoned + unknown : zoned
}

/** The first position strictly within an arc, in ring order from zero, of a node that `isIn`. */
export function firstWithin(
  ring: readonly RingPosition[],
  { lo, hi }: Arc,
  isIn: (node: NodeId) => boolean,
): RingPosition | undefined {
  const between = (from: number, isBefore: (identifier: Identifier) => boolean) => {
    for (let at = from; at < ring.length; at++) {
      const position = ring[at] as RingPosition
      if (!isBefore(position.identifier)) return undefined
      if (isIn(position.nodeId)) return position
    }
    return undefined
  }
  const afterLo = firstAfter(ring, lo)
  if (lo < hi) return between(afterLo, identifier => identifier < hi)
  return between(0, identifier => identifier < hi) ?? between(afterLo, () => true)
}

/**
 * The same nodes, so that any number of the first of them lies in as many zones as can be, and about evenly: the first
 * of each zone, then the second of each, and so on, each time in the order of the ring.
 *
 * A node whose zone is unknown counts as a zone of its own. So without zones this is the order of the successors.
 */
export function spreadOverZones(successors: readonly RingPosition[]): RingPosition[] {
  const seen = new Map<string, number>()
  const ranked = successors.map(position => {
    const { zone } = position
    const rank = zone === undefined ? 0 : (seen.get(zone) ?? 0)
    if (zone !== undefined) seen.set(zone, rank + 1)
    return { position, rank }
  })
  return ranked.sort((a, b) => a.rank - b.rank).map(({ position }) => position)
}

/**
 * The nodes that keep the copies of `key`, in the order of its successors, `count` of them or all when there are fewer.
 * The owner is always among them.
 * @param ring sorted by sortRing.
 */
export function placeReplicas(
  ring: readonly RingPosition[],
  key: Identifier,
  count: number,
  among?: Among,
): NodeId[] {
  if (!Number.isInteger(count) || count < 1) throw new TypeError('a key has at least one replica')
  const successors = among === undefined ? successorsOf(ring, key) : nearSuccessors(ring, key, count, among)
  const chosen = new Set(spreadOverZones(successors).slice(0, count))
  return successors.filter(position => chosen.has(position)).map(position => position.nodeId)
}

/**
 * Changes a ring in place: the positions of some nodes go, and others come. Costs a search for each of them, and no sort.
 * @param ring sorted by sortRing.
 */
export function changeRing(
  ring: RingPosition[],
  change: { readonly gone: Iterable<RingPosition>; readonly come: Iterable<RingPosition> },
): void {
  for (const position of change.gone) {
    const at = placeOf(ring, position)
    if (at < ring.length && comparePositions(ring[at] as RingPosition, position) === 0) ring.splice(at, 1)
  }
  for (const position of change.come) ring.splice(placeOf(ring, position), 0, position)
}

/** Index of the first position that does not come before this one. */
function placeOf(ring: readonly RingPosition[], position: RingPosition): number {
  return search(ring, other => comparePositions(other, position) < 0)
}

function firstAtOrAfter(ring: readonly RingPosition[], key: Identifier): number {
  return search(ring, ({ identifier }) => identifier < key)
}

function firstAfter(ring: readonly RingPosition[], key: Identifier): number {
  return search(ring, ({ identifier }) => identifier <= key)
}

/** Index of the first position that is not before the place that is looked for. */
function search(ring: readonly RingPosition[], isBefore: (position: RingPosition) => boolean): number {
  let low = 0
  let high = ring.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBefore(ring[middle] as RingPosition)) low = middle + 1
    else high = middle
  }
  return low
}

function comparePositions(a: RingPosition, b: RingPosition): number {
  return compareText(a.identifier, b.identifier) || compareText(a.nodeId, b.nodeId)
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
