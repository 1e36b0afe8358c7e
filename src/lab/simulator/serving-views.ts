/**
 * Which view serves a position in a simulated network that is to be whole: one, of the nodes that should keep it.
 */
import { ringOf } from '../../replication/chain/repair.ts'
import { arcContains } from '../../ring/arc.ts'
import type { Identifier } from '../../ring/identifier.ts'
import { placeReplicas } from '../../ring/placement.ts'
import { serves } from '../../views/install.ts'
import type { View } from '../../views/view.ts'
import type { ChainCluster } from './chain-cluster.ts'

/** Views that any running node would serve a position in. */
export function activeViews({ nodes }: Pick<ChainCluster, 'nodes'>, position: Identifier): View[] {
  const states = nodes.flatMap(node => [...(node.machine?.views.values() ?? [])])
  const views = states.filter(state => serves(state) && arcContains(state.view, position))
  return [...new Map(views.map(({ view }) => [view.id, view])).values()]
}

/** The view; or what is wrong. */
export function servingView(
  cluster: Pick<ChainCluster, 'nodes' | 'members' | 'isMember'>,
  position: Identifier,
  copies: number,
): View | string {
  const members = cluster.nodes.filter(node => cluster.isMember(node))
  const complete = (view: View) =>
    members.some(({ id, machine }) => id === view.replicas[0] && machine?.views.get(view.id)?.complete)
  const views = activeViews({ nodes: members }, position).filter(complete)
  const [view] = views
  if (view === undefined || views.length > 1) return `${views.length} views serve it`
  const wanted = placeReplicas(ringOf([...cluster.members.values()]), view.hi, copies)
  return wanted.join() === view.replicas.join() ? view : `${view.id} has ${view.replicas}, not ${wanted}`
}
