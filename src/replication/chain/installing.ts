/**
 * The machine's part in INSTALL: from a decided view to one that serves, and to one whose bodies are all in place.
 *
 * The head adopts the state of one source, passes it down, and the view is active when the tail is installed. While
 * anything is missing, the replicas of the view keep at it (watch); nothing here runs for a view that is active.
 */

import { assert } from '../../invariant.ts'
import {
  afterNotInstalled,
  afterSilence,
  SEARCH_START,
  type SourceSearch,
  sourceOf,
} from '../../views/install.ts'
import {
  asSource,
  freshState,
  headOf,
  type NodeId,
  predecessorIn,
  type Source,
  successorIn,
  tailOf,
  type View,
  type ViewId,
  type ViewState,
} from '../../views/view.ts'
import { fillBodies, preCopied } from './bodies.ts'
import { chainOf } from './chain-of-view.ts'
import type { HandedOut, Installation, Transfer } from './copies.ts'
import { hold, newerViews, seal } from './deciding.ts'
import { finishSealed } from './finishing.ts'
import { probe } from './liveness.ts'
import { backOffMs, putView, send, type TimerEvent, tell } from './machine-state.ts'
import { planRepair, type Repairing } from './repair.ts'
import { isDue, lookAgain } from './series.ts'
import { applyChanges, endPreCopies, startTransfer, stateOf } from './transfers.ts'

export interface Installing extends Repairing {
  readonly installations: Map<ViewId, Installation>
}

/** Begins, or begins again, the installation of a view whose head this node is. */
function startInstallation(m: Installing, viewId: ViewId): void {
  const state = m.views.get(viewId)
  if (state === undefined || state.sealed || headOf(state.view) !== m.self) return
  watch(m, viewId, 0)
  if (state.installed) return passDown(m, state)
  const old = m.installations.get(viewId)
  if (old?.transfer !== undefined && m.transfers.has(old.transfer)) return
  searchSource(m, state, old?.search ?? SEARCH_START)
}

function searchSource(m: Installing, state: ViewState, from: SourceSearch): void {
  let search: SourceSearch | undefined = state.view.sources.length === 0 ? undefined : from
  while (search !== undefined) {
    const { source, replica } = sourceOf(state.view, search)
    if (!source.replicas.includes(m.self)) {
      const transfer = startTransfer(m, 'parent', state.view, source, replica)
      m.installations.set(state.view.id, { search, transfer })
      return
    }
    const own = ownSource(m, source)
    if (own.installed) {
      m.installations.delete(state.view.id)
      endPreCopies(m, state.view)
      const handedOut = stateOf(m, own, state.view)
      return handedOut === undefined ? undefined : install(m, state, handedOut)
    }
    search = afterNotInstalled(state.view, search)
  }
  m.installations.delete(state.view.id)
}

/** This node's own state of a source, sealed. */
function ownSource(m: Installing, source: Source): ViewState {
  const held = m.views.get(source.id)
  if (held !== undefined) return seal(m, held)
  const fresh = { ...freshState({ ...source, acceptors: [], sources: [] }), sealed: true }
  putView(m, fresh)
  return fresh
}

/** Adopted, as one commit with the records that were put in place for it. */
function install(m: Installing, state: ViewState, from: Omit<HandedOut, 'active'>): void {
  // A recovery by force numbers its writes apart, so that no record of another one has the same version.
  const seq = state.view.firstSeq ?? from.seq
  const { id, replicas } = state.view
  assert(!state.sealed && !state.installed, 'a view is installed once, before it is sealed', id)
  assert(replicas.includes(m.self), 'a view is installed at its replicas', id)
  assert(!m.installations.has(id), 'no transfer goes on over an installed view', id)
  const time = from.timeMs === undefined ? {} : { timeMs: from.timeMs }
  const installed = { ...state, installed: true, floor: from.floor, seq, ...time }
  putView(m, installed)
  passDown(m, installed)
}

/** The next replica adopts the same; the tail reports to the head. */
function passDown(m: Installing, state: ViewState): void {
  const { view } = state
  assert(state.installed, 'only what is installed is passed down', view.id)
  const next = successorIn(view, m.self)
  if (next !== undefined) send(m, next, { kind: 'install', view })
  else send(m, headOf(view), { kind: 'installed', viewId: view.id })
}

export function onInstall(m: Installing, from: NodeId, view: View): void {
  const state = hold(m, view)
  if (state === undefined || state.sealed) {
    send(m, from, { kind: 'teach', views: newerViews(m, view) })
    return
  }
  if (predecessorIn(view, m.self) !== from) return
  if (state.installed) return passDown(m, state)
  const old = m.installations.get(view.id)
  if (old?.transfer !== undefined && m.transfers.has(old.transfer)) return
  const transfer = startTransfer(m, 'upstream', view, asSource(view), from)
  m.installations.set(view.id, { search: SEARCH_START, transfer })
}

export function onCopied(m: Installing, transfer: Transfer, result: HandedOut): void {
  if (transfer.purpose === 'pre-copy') return preCopied(m, transfer.view, transfer.from)
  const state = m.views.get(transfer.view.id)
  m.installations.delete(transfer.view.id)
  if (state === undefined || state.sealed || state.installed) return
  applyChanges(m, transfer)
  install(m, state, result)
}

export function onNotCopied(
  m: Installing,
  transfer: Transfer,
  reason: 'not-installed' | 'elsewhere' | 'silent',
): void {
  if (transfer.purpose === 'pre-copy') return
  const state = m.views.get(transfer.view.id)
  const search = m.installations.get(transfer.view.id)?.search ?? SEARCH_START
  m.installations.delete(transfer.view.id)
  if (transfer.purpose === 'upstream' || state === undefined || state.sealed || state.installed) return
  if (reason === 'not-installed') {
    const further = afterNotInstalled(state.view, search)
    if (further !== undefined) searchSource(m, state, further)
    return
  }
  m.installations.set(transfer.view.id, { search: afterSilence(state.view, search), transfer: undefined })
}

/** At the head: the tail is installed, so all are. A replica that asks again is told again. */
export function onInstalled(m: Installing, from: NodeId, viewId: ViewId): void {
  const state = m.views.get(viewId)
  if (state === undefined || headOf(state.view) !== m.self || !state.installed) return
  if (state.active) {
    if (from !== m.self) send(m, from, { kind: 'active', viewId })
    return
  }
  if (from !== tailOf(state.view) || state.sealed) return
  activate(m, state)
  for (const replica of state.view.replicas)
    if (replica !== m.self) send(m, replica, { kind: 'active', viewId })
}

export function onActive(m: Installing, from: NodeId, viewId: ViewId): void {
  const state = m.views.get(viewId)
  if (state === undefined || headOf(state.view) !== from || !state.installed || state.active) return
  activate(m, state)
}

/** All replicas are installed: the view serves. */
export function activate(m: Installing, state: ViewState): void {
  assert(state.installed && !state.active, 'a view becomes active once, after it is installed', state.view.id)
  putView(m, { ...state, active: true })
  // Only while it serves does a range get older.
  chainOf(m, state).timedAtMs = m.activeMs
  fillBodies(m, state.view.id, 0)
  planRepair(m, state.view.id)
}

/** Looks after a view until it is active, or superseded: the head installs, the others make the head do it. */
export function watch(m: Installing, viewId: ViewId, tries: number): void {
  lookAgain(m, 'watch', viewId, { afterMs: m.settings.answerTimeoutMs + backOffMs(m, tries), tries })
}

export function onWatch(m: Installing, timer: TimerEvent & { kind: 'watch' }): void {
  if (!isDue(m, timer)) return
  const { viewId, tries } = timer
  const state = m.views.get(viewId)
  if (state === undefined || state.active) return
  if (state.sealed) return finishSealed(m, state)
  const { view } = state
  if (tries > WATCHES_MAX) return tell(m, { kind: 'given-up' })
  if (headOf(view) === m.self) {
    startInstallationQuietly(m, state)
    const next = successorIn(view, m.self)
    if (next !== undefined && state.installed) for (const node of view.replicas) probe(m, node)
  } else {
    send(m, headOf(view), { kind: 'teach', views: [view] })
    if (state.installed) send(m, headOf(view), { kind: 'installed', viewId })
    probe(m, headOf(view))
  }
  planRepair(m, viewId)
  watch(m, viewId, tries)
}

/** How often a view is looked after in a row; then more rarely (unsettled.ts). */
const WATCHES_MAX = 40

/** For `tries`: looks after it for a little while. */
export const LAST_WATCHES = WATCHES_MAX - 8

function startInstallationQuietly(m: Installing, state: ViewState): void {
  if (state.installed) return passDown(m, state)
  const old = m.installations.get(state.view.id)
  if (old?.transfer !== undefined && m.transfers.has(old.transfer)) return
  searchSource(m, state, old?.search ?? SEARCH_START)
}

/** A decided view was taken in here. */
export function onTakenIn(m: Installing, view: View): void {
  if (headOf(view) === m.self) startInstallation(m, view.id)
  else if (view.replicas.includes(m.self)) watch(m, view.id, 0)
}

/** A view was dropped. */
export function forgetInstallation(m: Installing, viewId: ViewId): void {
  m.installations.delete(viewId)
}
