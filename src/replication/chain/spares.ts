/**
 * When a node gives up what it keeps of a range that others serve now. A former replica is a *spare*: sealed, not
 * served, with its records and bodies as they were. It stays one until a view with k replicas is complete, and for
 * `spareMs` at least: whoever believed it to be dead may have been wrong, and a spare comes back by a comparison of digests,
 * where a node that has dropped its copy would have to copy the range (docs/decisions/0135).
 */

import { overlaps } from '../../ring/arc.ts'
import { markBefore } from '../../views/range-table.ts'
import {
  compareViews,
  headOf,
  type NodeId,
  type View,
  type ViewId,
  type ViewState,
} from '../../views/view.ts'
import { announceComplete, fillBodies, type KeepingBodies, ONE_LOOK } from './bodies.ts'
import { chainOf } from './chain-of-view.ts'
import { newerViews, take } from './deciding.ts'
import { forget } from './forgetting.ts'
import { isAlive } from './liveness.ts'
import { dropView, putView, sealMark, send, setTimer } from './machine-state.ts'

export interface Sparing extends KeepingBodies {
  /** Sealed views whose replica this node was, and whether their time is over. */
  readonly spares: Map<ViewId, boolean>
}

/** What this step has sealed is a spare from now on, unless this node goes on with its range. */
export function noteSpares(m: Sparing): void {
  for (const write of m.persist) {
    if (write.kind === 'view' && write.state !== undefined) noteSpare(m, write.state)
  }
}

/** The time of a spare begins when it is sealed, and anew when its node starts. */
export function noteSpare(m: Sparing, { view, sealed, installed }: ViewState): void {
  if (!sealed || !installed || !view.replicas.includes(m.self) || m.spares.has(view.id)) return
  m.spares.set(view.id, false)
  setTimer(m, m.settings.spareMs, { kind: 'spare', viewId: view.id, tries: 0 })
}

/** The time of a spare is over: it goes when others say that they have everything; they are asked ever more rarely. */
export function onSpareTimeout(m: Sparing, viewId: ViewId, tries: number): void {
  const state = m.views.get(viewId)
  if (state === undefined) {
    m.spares.delete(viewId)
    return
  }
  m.spares.set(viewId, true)
  askWhetherComplete(m, state.view)
  const afterMs = Math.min(m.settings.spareMs, m.settings.answerTimeoutMs * 2 ** Math.min(tries, 20))
  setTimer(m, afterMs, { kind: 'spare', viewId, tries: tries + 1 })
}

/** The disk is short of space, or this node leaves: no spare is kept for longer than others need it. */
export function hurrySpares(m: Sparing): void {
  for (const viewId of m.spares.keys()) {
    const state = m.views.get(viewId)
    if (state === undefined) continue
    m.spares.set(viewId, true)
    askWhetherComplete(m, state.view)
  }
}

function askWhetherComplete(m: Sparing, view: View): void {
  for (const newer of newerViews(m, view)) send(m, headOf(newer), { kind: 'ask-complete', view })
}

/** Says which views are complete and newer than the one asked about; of others, that there are newer ones. */
export function onAskComplete(m: Sparing, from: NodeId, asked: View): void {
  // Of a superseded view the asking node may know the replicas alone; nothing can be learned from that.
  if (asked.acceptors.length > 0) take(m, asked)
  const own = m.views.get(asked.id)
  if (own !== undefined && !own.complete && from === headOf(asked)) fillBodies(m, asked.id, ONE_LOOK)
  const newer = newerViews(m, asked)
  const complete = newer.filter(view => m.views.get(view.id)?.complete)
  for (const view of complete) send(m, from, { kind: 'complete', view })
  if (complete.length < newer.length) send(m, from, { kind: 'teach', views: newer })
}

/** At the head: when every replica has every body, sources may let go. */
export function onBackFilled(m: Sparing, from: NodeId, viewId: ViewId): void {
  const state = m.views.get(viewId)
  if (state === undefined || headOf(state.view) !== m.self || !state.active) return
  if (state.complete) return send(m, from, { kind: 'complete', view: state.view })
  chainOf(m, state).filled.add(from)
  announceIfComplete(m, state)
}

/** At the head, when nothing is left to be repaired: who has not said that it has everything is asked for it. */
export function completeView(m: Sparing, state: ViewState): void {
  if (headOf(state.view) !== m.self || !state.active || state.sealed || state.complete) return
  if (announceIfComplete(m, state)) return
  const { filled } = chainOf(m, state)
  for (const node of state.view.replicas) {
    if (!filled.has(node)) send(m, node, { kind: 'ask-complete', view: state.view })
  }
}

function announceIfComplete(m: Sparing, { view, active }: ViewState): boolean {
  const state = m.views.get(view.id)
  const { filled } = chainOf(m, state as ViewState)
  if (!active || !view.replicas.every(node => filled.has(node)) || !isFull(m, view)) return false
  announceComplete(m, view)
  return true
}

/** Whether a view has as many replicas that live and stay as there could be, as far as this node knows. */
function isFull(m: Sparing, view: View): boolean {
  return m.members.size > 0 && staying(m, view) >= Math.min(m.settings.replicas, liveNodes(m))
}

function staying(m: Sparing, { replicas }: View): number {
  return replicas.filter(node => isAlive(m, node) && m.members.get(node)?.status !== 'leaving').length
}

/**
 * Whether a child of a view need not remember what came before it: no member that has had the range, be it that nobody
 * reaches it now, is left out.
 */
export function isSettled(m: Sparing, { view, active, complete }: ViewState): boolean {
  const members = [...m.members.values()].filter(({ status }) => status === 'member').length
  return active && complete && view.replicas.length >= Math.min(m.settings.replicas, members)
}

/** Nodes that could hold a copy now, as far as this one knows: of two, one goes on when the other has crashed. */
export function liveNodes(m: Sparing): number {
  return [...m.members.values()].filter(
    ({ node, status }) => status === 'member' && (node === m.self || isAlive(m, node)),
  ).length
}

export function onComplete(m: Sparing, view: View): void {
  take(m, view)
  const state = m.views.get(view.id)
  if (state !== undefined && !state.complete && state.active) putView(m, { ...state, complete: true })
  release(m, view)
}

/** Lets go of everything that was kept for a view: older views of its range, and records that are nobody's here. */
function release(m: Sparing, view: View): void {
  // What is older may be the source of a newer view of another recovery by force: the winner lets go of it.
  if (newerViews(m, view).some(({ root }) => root !== view.root)) return
  const older = [...m.views.values()].filter(
    ({ view: other }) => compareViews(other, view) < 0 && overlaps(view, other),
  )
  const isMine = m.views.has(view.id) && view.replicas.includes(m.self)
  if (!isMine && !mayGiveUp(m, older, view)) return
  if (older.length > 0) sealMark(m, markBefore(view))
  for (const { view: other } of older) if (m.marks.coversAll(other)) dropView(m, other.id)
  // The records of a replica's own view need not be looked at, which may be a million.
  if (!isMine) forget(m, view)
}

/**
 * Whether what this node has kept for a view is needed no longer. A member that stays is alive itself, so that a view
 * with fewer replicas than there are copies to be could have it; one that leaves gives all to those who are left.
 */
function mayGiveUp(m: Sparing, older: readonly ViewState[], newer: View): boolean {
  const spares = older.filter(({ view, installed }) => installed && view.replicas.includes(m.self))
  if (spares.length === 0) return true
  // What is copied ahead for a newer view, which may have fewer replicas, lies among the rest.
  if (newerViews(m, newer).length > 0) return false
  const wanted = isLeaving(m) ? Math.min(m.settings.replicas, liveNodes(m)) : m.settings.replicas
  if (staying(m, newer) < wanted) return false
  return isLeaving(m) || spares.every(({ view }) => m.spares.get(view.id))
}

export function isLeaving(m: Sparing): boolean {
  const status = m.members.get(m.self)?.status
  return status === 'leaving' || status === 'gone'
}

/** Whether this node only keeps what it has of a view, since others have a newer one of its range. */
export function isSuperseded(m: Readonly<Sparing>, { view, next }: ViewState): boolean {
  return next !== undefined || m.table.overlapping(view).some(other => compareViews(other, view) > 0)
}
