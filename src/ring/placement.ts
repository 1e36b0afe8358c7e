/**
 * Owns where copies go: the order of nodes that follows a key around the ring, and the k replicas picked from it.
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
 * The nodes that keep the copies of `key`, in the order of its successors, `count` of them or all when there are fewer.
 *
 * The owner is always among them. A node of a zone that has no copy yet goes before one whose zone has, so that as many
 * zones as possible hold a copy; a node whose zone is unknown counts as a zone of its own, which makes a network
 * without zones use exactly the successors.
 * @param ring sorted by sortRing.
 */
export function placeReplicas(ring: readonly RingPosition[], key: Identifier, count: number): NodeId[] {
  if (!Number.isInteger(count) || count < 1) throw new TypeError('a key has at least one replica')
  const successors = successorsOf(ring, key)
  const zones = new Set<string>()
  const newZone: RingPosition[] = []
  const sameZone: RingPosition[] = []
  for (const position of successors) {
    const repeats = position.zone !== undefined && zones.has(position.zone)
    if (position.zone !== undefined) zones.add(position.zone)
    ;(repeats ? sameZone : newZone).push(position)
  }
  const chosen = new Set([...newZone, ...sameZone].slice(0, count))
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
