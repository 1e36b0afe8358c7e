/**
 * Looks at a view that come one after the other, ever more rarely, until nothing is left to do. There is one series of a kind for a
 * view, whoever begins it anew: of two looks only the sooner is to come. Else each reminder of something that takes long would
 * add a series of its own (docs/decisions/0302).
 */
import type { ViewId } from '../../views/view.ts'
import type { TimerEvent } from './batch.ts'
import { type Ledger, setTimer } from './machine-state.ts'

/** What a look is for. */
export type SeriesKind = 'repair' | 'watch' | 'back-fill'

export interface Serial extends Ledger {
  /** When each view is looked at next, ms of this node's clock. */
  readonly series: Readonly<Record<SeriesKind, Map<ViewId, number>>>
}

export function noSeries(): Serial['series'] {
  return { repair: new Map(), watch: new Map(), 'back-fill': new Map() }
}

/** Looks again then, unless a sooner look is to come. @param tries how many looks there were in a row. */
export function lookAgain(
  m: Serial,
  kind: SeriesKind,
  viewId: ViewId,
  init: { readonly afterMs: number; readonly tries: number },
): void {
  const dueMs = m.nowMs + init.afterMs
  if ((m.series[kind].get(viewId) ?? Number.POSITIVE_INFINITY) <= dueMs) return
  m.series[kind].set(viewId, dueMs)
  setTimer(m, init.afterMs, { kind, viewId, tries: init.tries + 1, dueMs })
}

/** Whether this is the look that was to come: then none is to come any more. */
export function isDue(m: Serial, { kind, viewId, dueMs }: TimerEvent & { kind: SeriesKind }): boolean {
  if (m.series[kind].get(viewId) !== dueMs) return false
  m.series[kind].delete(viewId)
  return true
}
