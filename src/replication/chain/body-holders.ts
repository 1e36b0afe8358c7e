/**
 * The guess who has a large body: the replicas of its path first, then those of the views that it came from, then
 * whoever else this node knows to be a replica of anything, since a copy names a body that lies elsewhere on the ring.
 */
import { identifierOfPath } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { NodeId } from '../../views/view.ts'
import type { NetworkView } from './network-view.ts'

/** Nodes that are asked for one body at the most: one after the other, so that more would take too long anyway. */
export const HOLDERS_MAX = 32

/** Other nodes that should have the body of a path, the best first; those believed dead come last. */
export function holdersOf(known: NetworkView, path: PathName | undefined): NodeId[] {
  const view = path === undefined ? undefined : known.covering(identifierOfPath(path))
  const near = view === undefined ? [] : [view, ...view.sources].flatMap(source => source.replicas)
  const all = new Set([...near, ...known.newest().flatMap(({ replicas }) => replicas)])
  all.delete(known.self)
  const nodes = [...all]
  const dead = (node: NodeId) => !known.isAlive(node)
  return [...nodes.filter(node => !dead(node)), ...nodes.filter(dead)].slice(0, HOLDERS_MAX)
}
