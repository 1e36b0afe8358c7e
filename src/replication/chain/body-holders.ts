/**
 * Owns the guess who has a large body: the replicas of its path first, then those of the views that it came from, then
 * whoever else this node knows to be a replica of anything, since a copy names a body that lies elsewhere on the ring.
 */
import { identifierOfPath } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { NodeId } from '../../views/view.ts'
import { isAlive } from './liveness.ts'
import type { Machine } from './machine-state.ts'

/** Nodes that are asked for one body at the most: one after the other, so that more would take too long anyway. */
export const HOLDERS_MAX = 32

/** Other nodes that should have the body of a path, the best first; those believed dead come last. */
export function holdersOf(m: Readonly<Machine>, path: PathName | undefined): NodeId[] {
  const view = path === undefined ? undefined : m.table.covering(identifierOfPath(path))
  const near = view === undefined ? [] : [view, ...view.sources].flatMap(source => source.replicas)
  const all = new Set([...near, ...m.table.all().flatMap(({ replicas }) => replicas)])
  all.delete(m.self)
  const nodes = [...all]
  const dead = (node: NodeId) => !isAlive(m as Machine, node)
  return [...nodes.filter(node => !dead(node)), ...nodes.filter(dead)].slice(0, HOLDERS_MAX)
}
