/**
 * Whom a node watches, and whom it tells in a round.
 *
 * All watch all as long as a message has room for every heartbeat. In a larger network each node watches those beside it in
 * the order of their names, and is watched by them, so that messages do not grow with the network; what is news goes on to everybody.
 *
 * Half of the targets are near, by measured round trips, and the others are drawn from the whole network. Near ones alone would
 * fall into islands that hear nothing of each other; some far ones keep the graph connected, and news everywhere within
 * O(log N) rounds (Kempe, Kleinberg & Demers, *Spatial Gossip and Resource Location Protocols*, STOC 2001, section 1).
 */
import { WATCHED_EACH_WAY } from '../../calls/gossip-message.ts'
import type { NodeId } from '../../ring/identifier.ts'

/** Nodes of which the nearest becomes a target: near ones are told more often, and none is told never. */
const DRAWN_FOR_NEAR = 3

/** A number from 0 to below 1. */
export type Draw = () => number

/** Those whom a node watches. @param nodes in the order of their names, the node itself among them. */
export function watchedBy(self: NodeId, nodes: readonly NodeId[]): NodeId[] {
  if (nodes.length <= 2 * WATCHED_EACH_WAY + 1) return nodes.filter(node => node !== self)
  const at = nodes.indexOf(self)
  const beside = (steps: number) => nodes[(at + steps + nodes.length) % nodes.length] as NodeId
  return Array.from({ length: 2 * WATCHED_EACH_WAY }, (_, i) =>
    beside(i < WATCHED_EACH_WAY ? i - WATCHED_EACH_WAY : i - WATCHED_EACH_WAY + 1),
  )
}

export interface TargetsOf<Node> {
  /** Those who are watched, and who are there. */
  readonly watched: readonly Node[]
  /** All who are there. */
  readonly all: readonly Node[]
  readonly count: number
  /** Rounds so far; a node that tells one other in each takes a near and a far one in turn. */
  readonly round: number
  /** How long a message takes to a node and back, ms; 0 where nobody has tried, so that somebody does. */
  readonly roundTripMs: (node: Node) => number
  readonly draw: Draw
}

/** The nodes that are told in a round, each once; fewer where there are not so many. */
export function chooseTargets<Node>(of: TargetsOf<Node>): Node[] {
  const { watched, all, count, round } = of
  const chosen = new Set<Node>()
  for (let place = 0; place < count; place++) {
    const isNear = (place + (count === 1 ? round : 0)) % 2 === 0
    const target = isNear ? nearOne(watched, of, chosen) : farOne(all, of.draw, chosen)
    const other = target ?? farOne(all, of.draw, chosen) ?? nearOne(watched, of, chosen)
    if (other !== undefined) chosen.add(other)
  }
  return [...chosen]
}

function nearOne<Node>(
  from: readonly Node[],
  { roundTripMs, draw }: TargetsOf<Node>,
  except: ReadonlySet<Node>,
): Node | undefined {
  const drawn = Array.from({ length: DRAWN_FOR_NEAR }, () => farOne(from, draw, except))
  let nearest: Node | undefined
  for (const node of drawn)
    if (node !== undefined && (nearest === undefined || roundTripMs(node) < roundTripMs(nearest)))
      nearest = node
  return nearest
}

/** One drawn evenly of those that are not chosen yet; undefined when there is none. */
function farOne<Node>(from: readonly Node[], draw: Draw, except: ReadonlySet<Node>): Node | undefined {
  const start = Math.floor(draw() * from.length)
  // Fewer are chosen than there are tries, so that one is found where there is any.
  for (let step = 0; step <= except.size && step < from.length; step++) {
    const node = from[(start + step) % from.length] as Node
    if (!except.has(node)) return node
  }
  return undefined
}
