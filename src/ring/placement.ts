/**
 * Where copies go: the order of nodes that follows a key around the ring, and the k replicas picked from it.
 *
 * The successor list is Chord's (Stoica et al., SIGCOMM 2001, section 5.2); that virtual nodes of one node count once
 * is Dynamo's preference list (DeCandia et al., SOSP 2007, section 4.3).
 */
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
  return [...positions].sort(
    (a, b) => compareText(a.identifier, b.identifier) || compareText(a.nodeId, b.nodeId),
  )
}

/**
 * The nodes that follow `key` clockwise, each once, at the first of its positions: the owner of the key comes first.
 * @param ring sorted by sortRing.
 */
export function successorsOf(ring: readonly RingPosition[], key: Identifier): RingPosition[] {
  const first = firstAtOrAfter(ring, key)
  const seen = new Set<NodeId>()
  const successors: RingPosition[] = []
  for (const position of [...ring.slice(first), ...ring.slice(0, first)]) {
    if (seen.has(position.nodeId)) continue
    seen.add(position.nodeId)
    successors.push(position)
  }
  return successors
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
export function placeReplicas(ring: readonly RingPosition[], key: Identifier, count: number): NodeId[] {
  if (!Number.isInteger(count) || count < 1) throw new TypeError('a key has at least one replica')
  const successors = successorsOf(ring, key)
  const chosen = new Set(spreadOverZones(successors).slice(0, count))
  return successors.filter(position => chosen.has(position)).map(position => position.nodeId)
}

function firstAtOrAfter(ring: readonly RingPosition[], key: Identifier): number {
  let low = 0
  let high = ring.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ring[middle] as RingPosition).identifier < key) low = middle + 1
    else high = middle
  }
  return low
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
