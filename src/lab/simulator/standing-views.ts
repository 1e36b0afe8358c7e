/**
 * The views with which a simulated network begins that nobody has founded: those of one that has been standing for a while.
 */
import type { Member } from '../../replication/chain/machine-state.ts'
import { ringOf } from '../../replication/chain/repair.ts'
import type { Identifier } from '../../ring/identifier.ts'
import { placeReplicas, spreadOverZones, successorsOf } from '../../ring/placement.ts'
import { chooseAcceptors, type View, type ViewId } from '../../views/view.ts'

export function initialViews(members: readonly Member[], copies: number): View[] {
  const ring = ringOf(members)
  const points = ring.map(({ identifier }) => identifier)
  return points.map((hi, index) => {
    const replicas = placeReplicas(ring, hi, copies)
    const witnesses = spreadOverZones(successorsOf(ring, hi)).map(({ nodeId }) => nodeId)
    const acceptors = chooseAcceptors(replicas, witnesses, [], copies)
    const lo = points.at(index - 1) as Identifier
    return { id: `1-start-${index}` as ViewId, epoch: 1, lo, hi, replicas, acceptors, sources: [] }
  })
}
