/**
 * INSTALL: from where a new view takes its state, and when it may serve.
 *
 * The head of a child takes the state of any one replica of the parent, which seals first; a parent that was never
 * installed there has never served, so its own parent is asked. What the head has adopted is passed down the chain as it
 * is. Only when the tail is installed does the view become active (compare PacificA, section 2.4: a new primary
 * reconciles before it serves; a model of ours that served early lost a write that had been read).
 */
import type { NodeId, Source, View, ViewState } from './view.ts'

/** How far the search for a source has come. */
export interface SourceSearch {
  /** Index into View.sources. */
  readonly source: number
  /** Index into the replicas of that source. */
  readonly replica: number
}

export const SEARCH_START: SourceSearch = { source: 0, replica: 0 }

/** The next one to ask: another replica of the same source when this one did not answer. */
export function afterSilence(view: View, search: SourceSearch): SourceSearch {
  const source = view.sources[search.source]
  if (source === undefined) return SEARCH_START
  return { source: search.source, replica: (search.replica + 1) % source.replicas.length }
}

/**
 * The next one to ask when a replica has said, having sealed, that the source was never installed there: that source can
 * not become active any more and never was, so the state is the one before it. Undefined when there is none: only a
 * node that has forgotten things, or talks to one, can come there.
 */
export function afterNotInstalled(view: View, search: SourceSearch): SourceSearch | undefined {
  if (search.source + 1 >= view.sources.length) return undefined
  return { source: search.source + 1, replica: 0 }
}

/** Whom the search asks now. */
export function sourceOf(view: View, search: SourceSearch): { source: Source; replica: NodeId } {
  const source = view.sources[search.source]
  const replica = source?.replicas[search.replica]
  if (source === undefined || replica === undefined)
    throw new TypeError(`View ${view.id} has no such source.`)
  return { source, replica }
}

/** Writes and reads are served only while this holds. */
export function serves(state: ViewState): boolean {
  return state.installed && state.active && !state.sealed
}

/** A record may be passed on to a replica while this holds; a pass itself proves that the head became active. */
export function takesPasses(state: ViewState): boolean {
  return state.installed && !state.sealed
}
