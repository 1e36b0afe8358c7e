/**
 * Finishing what another proposer has left: an accepted value that nobody has decided blocks its range, since accepting seals. Whoever meets
 * one passes on what was decided, or brings it to its end (Lamport, "Paxos Made Simple", 2.4).
 */
import { compareViews, headOf, type View, type ViewId, type ViewState } from '../../views/view.ts'
import { type Deciding, finishProposal, newerViews, take } from './deciding.ts'
import { send, setTimer } from './machine-state.ts'
import type { MessageOf, SealedView } from './messages.ts'

export interface Finishing extends Deciding {
  /** Values that were accepted somewhere and are not decided as far as this node knows: what it finishes in a moment. */
  readonly unfinished: Map<ViewId, { readonly view: View; readonly children: readonly View[] }>
}

/**
 * The part of the wait for an answer after which whoever meets an accepted value finishes it: its proposer is most likely about to.
 * All who meet it at once would outbid that one and each other.
 */
const FINISH_PART = 1 / 4

/** What a refusal says of a sealed view: the value that is accepted in it here, and what came after it. */
export function sealedView(m: Deciding, view: View, state: ViewState | undefined): SealedView {
  const newer = newerViews(m, view)
  const next = state?.next ?? (newer.length > 0 ? newer : undefined)
  return { view, accepted: state?.accepted?.children, next }
}

/** A sealed view in somebody's way: pass on what was decided, or finish what was accepted. */
export function meetSealed(m: Finishing, sealed: SealedView): void {
  if (sealed.next !== undefined) {
    for (const child of sealed.next) {
      take(m, child)
      if (headOf(child) !== m.self) send(m, headOf(child), { kind: 'teach', views: [child] })
    }
  } else if (sealed.accepted !== undefined) {
    finishLater(m, sealed.view, sealed.accepted)
  }
}

/** A refusal teaches what its sender knows of the range. */
export function learnOfRefusal(m: Finishing, { teaches, sealed }: MessageOf<'refused'>): void {
  for (const view of teaches) take(m, view)
  if (sealed !== undefined) meetSealed(m, sealed)
}

/** Finishes what was accepted somewhere, unless it is decided in a moment. */
function finishLater(m: Finishing, view: View, children: readonly View[]): void {
  if (m.unfinished.has(view.id) || isSuperseded(m, view)) return
  m.unfinished.set(view.id, { view, children })
  setTimer(m, m.settings.answerTimeoutMs * FINISH_PART, { kind: 'finish', viewId: view.id })
}

/** Whoever had a proposal accepted had the time to come to its end. */
export function onFinish(m: Finishing, viewId: ViewId): void {
  const met = m.unfinished.get(viewId)
  m.unfinished.delete(viewId)
  if (met !== undefined && !isSuperseded(m, met.view)) finishProposal(m, met.view, met.children)
}

/** Whether this node knows what came after a view, everywhere in its range. */
function isSuperseded(m: Deciding, view: View): boolean {
  const known = m.table.overlapping(view)
  return known.length > 0 && known.every(other => compareViews(other, view) > 0)
}

/** A sealed view without a successor blocks its range: finish what was accepted here. */
export function finishSealed(m: Deciding, state: ViewState): void {
  if (!state.sealed || state.next !== undefined) return
  if (state.accepted !== undefined && newerViews(m, state.view).length === 0) {
    finishProposal(m, state.view, state.accepted.children)
  }
}
