/**
 * The machine's part in an operator's recovery of a range whose majority is gone for good: the survivor takes a view
 * in which it is alone, as if that had been decided, and goes on from its own state. From there on it is a view like any
 * other, and repair brings it back to its replicas.
 */

import { compareViews, type Rank, type View } from '../../views/view.ts'
import { type Deciding, take } from './deciding.ts'

/** Does nothing when a view above `basis` is known in that range: then somebody has decided something meanwhile. */
export function recover(m: Deciding, view: View, basis: Rank): void {
  const isOvertaken = m.table.overlapping(view).some(other => compareViews(other, basis) > 0)
  if (!isOvertaken && view.replicas.length === 1 && view.replicas[0] === m.self) take(m, view)
}
