/**
 * Large bodies: staging down the chain, back-fill after a view change, and when a body may go.
 *
 * A view change moves records; bodies follow. Until every replica of the child has every body, the replicas of its
 * sources keep theirs, and the child's own successors keep those sources in their list. The driver hands the machine a
 * `blob` or `stage` message when the bytes are on stable storage and their hash is right.
 */

import { arcContains } from '../../ring/arc.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { BlobId } from '../../storage/record.ts'
import { serves, takesPasses } from '../../views/install.ts'
import { headOf, type NodeId, successorIn, type View, type ViewId } from '../../views/view.ts'
import type { BlobState } from './blob-table.ts'
import { compareVersions, type Operation } from './chain-record.ts'
import { newerViews, take } from './deciding.ts'
import { type Acknowledging, isClean } from './dirty.ts'
import type { LackedBodies } from './lacked-bodies.ts'
import { backOffMs, blobOf, dropBlob, putBlob, send, type TimerEvent, tell } from './machine-state.ts'
import type { BlobRef, MessageOf } from './messages.ts'
import { isDue, lookAgain, type Serial } from './series.ts'
import { headState } from './serving.ts'
import { type Copying, startTransfer } from './transfers.ts'

export interface KeepingBodies extends Copying, Acknowledging, Serial {
  readonly lacked: LackedBodies
}

/** Bodies asked for in one message. */
const WANTED_MAX = 64

/** How often a body is asked for in a row before it is asked for more rarely (unsettled.ts). */
const FILLS_MAX = 40

/** For `tries`: looks once, and does not come back to it. */
export const ONE_LOOK = FILLS_MAX

/** At the head: a body that a client has sent. It goes down the chain; the tail tells the entry node. */
export function onStage(m: KeepingBodies, from: NodeId, message: MessageOf<'stage'>): void {
  const { tag, viewId, blob } = message
  if (headState(m, from, message) === undefined) return
  stageOn(m, { kind: 'stage-on', tag, entry: from, viewId, blob })
}

export function stageOn(m: KeepingBodies, message: MessageOf<'stage-on'>): void {
  const state = m.views.get(message.viewId)
  if (state === undefined || !takesPasses(state)) return
  keepStaged(m, message.blob)
  const next = successorIn(state.view, m.self)
  if (next !== undefined) send(m, next, message)
  else send(m, message.entry, { kind: 'staged', tag: message.tag })
}

function keepStaged(m: KeepingBodies, blob: BlobRef): void {
  const kept = m.blobs.get(blob.blobId)
  if (kept !== undefined && kept.stagedUntilMs === undefined && kept.replacedBy === undefined) return
  const referenced = m.references.has(blob.blobId)
  const stagedUntilMs = referenced ? undefined : m.nowMs + m.settings.stagedMs
  putBlob(m, { blob, stagedUntilMs, replacedBy: undefined })
}

export function onBlobWanted(m: KeepingBodies, from: NodeId, blobs: readonly BlobRef[]): void {
  for (const blob of blobs) {
    if (m.blobs.has(blob.blobId)) send(m, from, { kind: 'blob', blob })
    else send(m, from, { kind: 'blob-missing', blob })
  }
}

export function onBlobMissing(m: KeepingBodies, from: NodeId, { blobId }: BlobRef): void {
  if (m.references.has(blobId) && !m.blobs.has(blobId)) m.lacked.lacks(from, blobId)
}

export function onBlob(m: KeepingBodies, blob: BlobRef): void {
  m.lacked.forget(blob.blobId)
  keepStaged(m, blob)
  tell(m, { kind: 'body-here', blobId: blob.blobId })
}

/** True when a write names a body that is not here. */
export function missingBodyOf(m: KeepingBodies, operation: Operation): boolean {
  if (operation.kind !== 'put' || !('blobId' in operation.body.content)) return false
  return !m.blobs.has(operation.body.content.blobId)
}

/** Bodies that records of this range name and that are not here. */
export function missingBodies(m: KeepingBodies, range: View): BlobRef[] {
  const missing: BlobRef[] = []
  // Most often none is: then the records need not be looked at, which may be a million.
  if ([...m.references.keys()].every(blobId => m.blobs.has(blobId))) return missing
  for (const record of m.records.within(range)) {
    const blob = blobOf(record)
    if (blob !== undefined && !m.blobs.has(blob.blobId)) missing.push(blob)
  }
  return missing
}

/** Fetches what is missing from any holder, one holder after the other, and reports to the head when all is here. */
export function fillBodies(m: KeepingBodies, viewId: ViewId, tries: number): void {
  const state = m.views.get(viewId)
  if (state === undefined || !state.active || !state.view.replicas.includes(m.self)) return
  const missing = missingBodies(m, state.view)
  if (missing.length === 0 && state.complete) return
  if (missing.length === 0) send(m, headOf(state.view), { kind: 'back-filled', viewId })
  else wantFrom(m, holders(m, state.view), missing, tries)
  if (tries >= FILLS_MAX) return tell(m, { kind: 'given-up' })
  lookAgain(m, 'back-fill', viewId, { afterMs: m.settings.answerTimeoutMs + backOffMs(m, tries), tries })
}

export function onBackFill(m: KeepingBodies, timer: TimerEvent & { kind: 'back-fill' }): void {
  if (isDue(m, timer)) fillBodies(m, timer.viewId, timer.tries)
}

function holders(m: KeepingBodies, view: View): NodeId[] {
  const all = [view, ...view.sources].flatMap(source => source.replicas)
  return [...new Set(all)].filter(node => node !== m.self)
}

function wantFrom(
  m: KeepingBodies,
  nodes: readonly NodeId[],
  missing: readonly BlobRef[],
  tries: number,
): void {
  const holder = nodes[(tries + m.counter) % Math.max(1, nodes.length)]
  if (holder !== undefined) send(m, holder, { kind: 'blob-wanted', blobs: missing.slice(0, WANTED_MAX) })
}

/** Tells everybody who keeps something for the view's sake. */
export function announceComplete(m: KeepingBodies, view: View): void {
  const keepers = [view, ...view.sources].flatMap(source => source.replicas)
  for (const node of new Set([...keepers, ...view.acceptors])) send(m, node, { kind: 'complete', view })
}

/**
 * The records of a range are here: now their bodies; when all is here, the replica is told that had it copied: it goes on with what
 * it believes, and another one that believes otherwise would not (docs/decisions/0303). A body that none of the
 * replicas has is not waited for: after a recovery by force nobody may have it, and the other files need their copies
 * (docs/decisions/0181).
 */
export function preCopied(m: KeepingBodies, view: View, by: NodeId): void {
  const missing = missingBodies(m, view)
  const mayHave = (node: NodeId) => missing.some(({ blobId }) => !m.lacked.isLackedBy(node, blobId))
  const holders = view.replicas.filter(node => node !== m.self && mayHave(node))
  // Another one each time: a link may carry no bodies.
  const asked = holders[m.counter++ % Math.max(1, holders.length)]
  if (asked === undefined) return send(m, by, { kind: 'pre-copied', viewId: view.id })
  const wanted = missing.filter(({ blobId }) => !m.lacked.isLackedBy(asked, blobId))
  send(m, asked, { kind: 'blob-wanted', blobs: wanted.slice(0, WANTED_MAX) })
}

/**
 * At a node that is to join a view. Of a view that is known to be superseded nothing is copied: a head that was cut off does not
 * know that it is, and its old records would replace newer ones (docs/decisions/0100, 0182).
 */
export function onPreCopy(m: KeepingBodies, from: NodeId, { view, part }: MessageOf<'pre-copy'>): void {
  take(m, view)
  const busy = [...m.transfers.values()].some(({ view: { id } }) => id === view.id)
  const newer = newerViews(m, view)
  if (newer.length > 0) send(m, from, { kind: 'teach', views: newer })
  else if (!busy) startTransfer(m, 'pre-copy', { ...view, ...part }, view, from)
}

/** The bytes here are no good: every range that names them wants others. */
export function onBodyLost(m: KeepingBodies, blobId: BlobId): void {
  dropBlob(m, blobId)
  for (const state of [...m.views.values()]) {
    fillBodies(m, state.view.id, 0)
  }
}

/** A body whose successor is acknowledged is needed by nobody, be it here or be it waited for. */
export function dropReplacedBody(m: KeepingBodies, path: PathName): void {
  for (const id of m.blobs.replacedAt(path)) dropIfUnneeded(m, id)
  if (!m.lacked.forgetUnneeded(id => m.references.has(id))) return
  for (const { view } of [...m.views.values()]) fillBodies(m, view.id, ONE_LOOK)
}

/** Drops staged bodies whose time is over, and replaced ones that nobody can need. */
export function expireBodies(m: KeepingBodies): void {
  for (const id of m.blobs.transient()) {
    const { replacedBy, stagedUntilMs } = m.blobs.get(id) as BlobState
    if (replacedBy !== undefined) dropIfUnneeded(m, id)
    else if (stagedUntilMs !== undefined && stagedUntilMs <= m.nowMs) dropBlob(m, id)
  }
}

function dropIfUnneeded(m: KeepingBodies, id: BlobId): void {
  const replaced = m.blobs.get(id)?.replacedBy
  if (replaced === undefined || m.references.has(id)) return
  const record = m.records.get(replaced.path)
  if (record === undefined) return dropBlob(m, id)
  if (compareVersions(record.version, replaced.version) < 0) return
  const views = [...m.views.values()].filter(
    state => state.view.replicas.includes(m.self) && arcContains(state.view, record.position),
  )
  if (views.some(state => serves(state) && isClean(m, state, record))) dropBlob(m, id)
}
