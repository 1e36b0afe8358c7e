/**
 * The way of a write down the chain and of its acknowledgement back up (van Renesse & Schneider, OSDI 2004,
 * section 3), and the floor below which tombstones go.
 *
 * Links may lose, repeat and reorder: a record carries all that it is, an older one never replaces a newer one, and the
 * head passes on again what was not acknowledged. A path without a record counts as a tombstone at the floor, so what
 * arrives late for a removed file stays out.
 */

import { assert } from '../../invariant.ts'
import { arcContains } from '../../ring/arc.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { BlobId, Version } from '../../storage/record.ts'
import { serves, takesPasses } from '../../views/install.ts'
import {
  headOf,
  type NodeId,
  predecessorIn,
  successorIn,
  tailOf,
  type ViewId,
  type ViewState,
} from '../../views/view.ts'
import { dropReplacedBody } from './bodies.ts'
import type { Unacknowledged } from './chain-of-view.ts'
import { chainOf } from './chain-of-view.ts'
import { type ChainRecord, compareVersions } from './chain-record.ts'
import { DIGITS, PREFIX_DIGITS } from './digest-tree.ts'
import { acknowledgedUpTo, advanceClean, isClean, markAcknowledged } from './dirty.ts'
import { sealedView } from './finishing.ts'
import { activate, type Installing } from './installing.ts'
import { probe } from './liveness.ts'
import { blobOf, dropRecord, putRecord, putView, send, setTimer } from './machine-state.ts'
import type { BlobRef, MessageOf, Tag } from './messages.ts'
import { isOver, type Moment } from './outcomes.ts'
import { momentOf, type RangeTimes, withTime } from './range-time.ts'
import { withoutTrash } from './record-table.ts'
import { takeTrash, trashOf } from './trash.ts'

export interface Passing extends Installing, RangeTimes {}

/** Records that the head passes on again at a time. */
const RESENDS_MAX = 64

/** Records that are looked over in one turn after a restart; one part more may go over it. About 5 ms. */
const RESUMED_MAX = 256

/** A record was stored; the chain shall have it, with what it needs of its trash. */
export function passOn(
  m: Passing,
  state: ViewState,
  record: ChainRecord,
  trash: readonly ChainRecord[] | undefined,
): void {
  const { view } = state
  const next = successorIn(view, m.self)
  if (next === undefined) return acknowledged(m, state, record.path, record.version)
  const chain = chainOf(m, state)
  if (headOf(view) === m.self) {
    const { path, version } = record
    assert(
      version.epoch === view.epoch && version.seq <= state.seq,
      'a head passes on what it numbered',
      view.id,
    )
    chain.dirty.set(path, { first: chain.dirty.get(path)?.first ?? version.seq, last: version.seq })
    armResend(m, view.id, chain)
  }
  const { timeMs } = state
  const more = record.trash !== undefined && trash !== undefined ? { trash } : {}
  send(m, next, { kind: 'pass', viewId: view.id, record, cleanSeq: chain.cleanSeq, timeMs, ...more })
}

export function onPass(m: Passing, from: NodeId, message: MessageOf<'pass'>): void {
  const { record } = message
  let state = m.views.get(message.viewId)
  if (state === undefined || predecessorIn(state.view, m.self) !== from) return
  // A head passes on what it has numbered itself, of its own range.
  if (record.version.epoch !== state.view.epoch || !arcContains(state.view, record.position)) return
  if (!takesPasses(state)) return refusePass(m, from, state)
  if (!state.active) {
    activate(m, state)
    state = m.views.get(message.viewId) ?? state
  }
  const chain = chainOf(m, state)
  const blob = lackedBody(m, state, message)
  if (blob !== undefined) {
    // Who has passed it on has it, and so have those before: a link may carry no bodies.
    const upstream = state.view.replicas.slice(0, state.view.replicas.indexOf(m.self))
    const isAskedFor = chain.blocked.has(blob.blobId)
    const holder = isAskedFor ? (upstream[m.counter++ % upstream.length] as NodeId) : from
    send(m, holder, { kind: 'blob-wanted', blobs: [blob] })
    chain.blocked.set(blob.blobId, [{ from, message }])
    return
  }
  // No more can be clean than has come by here; who says otherwise is wrong, and is not followed.
  advanceClean(chain, Math.min(message.cleanSeq, Math.max(state.seq, record.version.seq)))
  const own = m.records.get(record.path, record.position)
  const order = compareVersions(record.version, own?.version ?? state.floor)
  if (order > 0) {
    const taken = takeTrash(m, record, message.trash)
    // The head passes it on again, with all that it names.
    if (taken === undefined) return
    putRecord(m, taken)
    const timeMs = Math.max(state.timeMs ?? 0, message.timeMs ?? 0)
    state = { ...state, seq: Math.max(state.seq, record.version.seq), clean: chain.cleanSeq, timeMs }
    putView(m, state)
    passFurther(m, state, taken, message.trash)
  } else if (own === undefined || isClean(m, state, own)) {
    acknowledgeUp(m, state, record.path, record.version)
  } else if (order === 0) {
    passFurther(m, state, record, message.trash)
  }
}

/**
 * A body without which a record is not taken: its own, or that of a version which it has replaced before all had that one. With the
 * record that version is acknowledged, and from then on it can be restored.
 */
function lackedBody(
  m: Passing,
  { view }: ViewState,
  { record, trash = [], cleanSeq }: MessageOf<'pass'>,
): BlobRef | undefined {
  const isOpen = ({ version }: ChainRecord) => version.epoch === view.epoch && version.seq > cleanSeq
  const bodies = [record, ...trash.filter(isOpen)].map(blobOf)
  return bodies.find(blob => blob !== undefined && !m.blobs.has(blob.blobId))
}

function passFurther(
  m: Passing,
  state: ViewState,
  record: ChainRecord,
  trash: readonly ChainRecord[] | undefined,
): void {
  const isTail = tailOf(state.view) === m.self
  if (!isTail) passOn(m, state, record, trash)
  if (!isTail) return
  acknowledgeUp(m, state, record.path, record.version)
  dropReplacedBody(m, record.path)
}

/** A sealed replica says so, that somebody finishes what sealed it. */
function refusePass(m: Passing, from: NodeId, state: ViewState): void {
  if (!state.sealed) return
  const sealed = sealedView(m, state.view, state)
  send(m, from, { kind: 'refused', tag: '' as Tag, reason: 'sealed', teaches: [], sealed })
}

function acknowledgeUp(m: Passing, state: ViewState, path: ChainRecord['path'], version: Version): void {
  const previous = predecessorIn(state.view, m.self)
  if (previous !== undefined) {
    send(m, previous, { kind: 'acknowledge', viewId: state.view.id, path, version })
  }
}

export function onAcknowledge(m: Passing, from: NodeId, message: MessageOf<'acknowledge'>): void {
  const state = m.views.get(message.viewId)
  if (state === undefined || successorIn(state.view, m.self) !== from) return
  const { epoch, seq } = message.version
  if (epoch > state.view.epoch || (epoch === state.view.epoch && seq > state.seq)) return
  acknowledged(m, state, message.path, message.version)
}

/** Every replica has it. That holds even when the view is sealed by now: each stored it before it sealed. */
function acknowledged(m: Passing, state: ViewState, path: ChainRecord['path'], version: Version): void {
  markAcknowledged(m, state, path, version)
  if (headOf(state.view) === m.self) {
    const chain = chainOf(m, state)
    advanceClean(chain, acknowledgedUpTo(state, chain))
  } else acknowledgeUp(m, state, path, version)
  dropReplacedBody(m, path)
}

/**
 * After a restart the head does not know what was acknowledged of what it wrote after its mark, and passes that on again.
 * To find it, the records of the range are looked over, a few at a time: reads need not wait for that, nor do writes.
 */
export function resumeChain(m: Passing, state: ViewState): void {
  const { view } = state
  if (!serves(state) || headOf(view) !== m.self || successorIn(view, m.self) === undefined) return
  const chain = chainOf(m, state)
  if (state.seq <= chain.cleanSeq) return
  chain.resuming = { prefixes: [''], open: [] }
  onResume(m, view.id)
}

export function onResume(m: Passing, viewId: ViewId): void {
  const state = m.views.get(viewId)
  if (state === undefined || !serves(state)) return
  const { resuming } = chainOf(m, state)
  if (resuming === undefined) return
  for (let left = RESUMED_MAX; left > 0; ) {
    const prefix = resuming.prefixes.pop()
    if (prefix === undefined) return resumed(m, state, resuming.open)
    const { count } = m.records.digest(state.view, prefix)
    if (count > RESUMED_MAX && prefix.length < PREFIX_DIGITS) {
      resuming.prefixes.push(...DIGITS.map(digit => prefix + digit))
    } else if (count > 0) {
      left -= count
      for (const record of withoutTrash(m.records.within(state.view, prefix))) {
        if (!isClean(m, state, record)) resuming.open.push([record.path, record.version.seq])
      }
    }
  }
  setTimer(m, 0, { kind: 'resume', viewId })
}

/** All is looked over: what was open joins what has been written since, in the order of the numbers. */
function resumed(m: Passing, state: ViewState, open: readonly [PathName, number][]): void {
  const chain = chainOf(m, state)
  assert(chain.resuming !== undefined, 'what is resumed was begun', state.view.id)
  assert(headOf(state.view) === m.self, 'only a head resumes a chain', state.view.id)
  chain.resuming = undefined
  const found = open.map(([path, first]): [PathName, Unacknowledged] => {
    return [path, { first, last: chain.dirty.get(path)?.last ?? first }]
  })
  const all = [...new Map([...chain.dirty, ...found])].sort(([, a], [, b]) => a.first - b.first)
  chain.dirty.clear()
  for (const [path, unacknowledged] of all) chain.dirty.set(path, unacknowledged)
  advanceClean(chain, acknowledgedUpTo(state, chain))
  resend(m, state)
}

export function onResend(m: Passing, viewId: ViewId): void {
  const state = m.views.get(viewId)
  if (state === undefined) return
  chainOf(m, state).resending = false
  if (serves(state)) resend(m, state)
}

function resend(m: Passing, state: ViewState): void {
  const chain = chainOf(m, state)
  let left = RESENDS_MAX
  for (const path of chain.dirty.keys()) {
    const record = m.records.get(path)
    if (record !== undefined && left-- > 0) passOn(m, state, record, trashOf(m, record))
  }
  if (chain.dirty.size === 0) return keepMark(m, state, chain.cleanSeq)
  for (const node of state.view.replicas) if (node !== m.self) probe(m, node)
  armResend(m, state.view.id, chain)
}

/** Nothing is open: a restart from here on has nothing to look for. */
function keepMark(m: Passing, state: ViewState, cleanSeq: number): void {
  if (cleanSeq > (state.clean ?? 0)) putView(m, { ...state, clean: cleanSeq })
}

function armResend(m: Passing, viewId: ViewId, chain: { resending: boolean }): void {
  if (chain.resending) return
  chain.resending = true
  setTimer(m, m.settings.resendMs, { kind: 'resend', viewId })
}

/** At the head: raises the floor as far as it may be, and lets tombstones go. */
export function collectTombstones(m: Passing, viewId: ViewId): void {
  const state = m.views.get(viewId)
  if (state === undefined || !serves(state) || headOf(state.view) !== m.self) return
  const floor = { epoch: state.view.epoch, seq: acknowledgedUpTo(state, chainOf(m, state)) }
  const now = momentOf(m, state)
  if (!tombstones(m, state, floor, now).some(() => true)) return
  raiseFloor(m, state, floor, now)
}

export function onFloor(m: Passing, from: NodeId, message: MessageOf<'floor'>): void {
  const state = m.views.get(message.viewId)
  if (state === undefined || !takesPasses(state) || predecessorIn(state.view, m.self) !== from) return
  const { floor, nowMs: wallMs, timeMs: rangeMs = 0 } = message
  if (floor.epoch !== state.view.epoch) return
  raiseFloor(m, state, floor, { rangeMs, wallMs, keptMs: m.settings.outcomesKeptMs })
}

function raiseFloor(m: Passing, before: ViewState, floor: Version, now: Moment): void {
  let state = before
  if (compareVersions(floor, state.floor) > 0) {
    state = { ...state, floor, seq: Math.max(state.seq, floor.seq) }
    putView(m, state)
  }
  advanceClean(chainOf(m, state), floor.seq)
  for (const record of tombstones(m, state, floor, now)) {
    const { body, intent, trash } = record
    assert(body === undefined && intent === undefined, 'only tombstones are collected')
    assert(trash === undefined, 'a tombstone stays as long as its trash')
    dropRecord(m, record)
  }
  const next = successorIn(state.view, m.self)
  const { wallMs: nowMs, rangeMs: timeMs } = now
  if (next !== undefined) send(m, next, { kind: 'floor', viewId: state.view.id, floor, nowMs, timeMs })
}

function tombstones(m: Passing, state: ViewState, floor: Version, now: Moment): ChainRecord[] {
  return [...m.records.tombstones(state.view)].filter(
    ({ version, outcomes }) =>
      compareVersions(version, floor) <= 0 && outcomes.every(outcome => isOver(outcome, now)),
  )
}

/** The record has its next version, the highest of its range: it is stored here and passed on. */
export function storeRecord(m: Passing, before: ViewState, record: ChainRecord): void {
  const clean = chainOf(m, before).cleanSeq
  const state = withTime(m, { ...before, seq: record.version.seq, clean })
  const taken = takeTrash(m, record, [])
  assert(taken !== undefined, 'a head has what its records name', state.view.id)
  putRecord(m, taken)
  putView(m, state)
  passOn(m, state, taken, [])
}

/** What was passed here before its body is taken now. */
export function passBlocked(m: Passing, blobId: BlobId): void {
  for (const chain of m.chains.values()) {
    const passes = chain.blocked.get(blobId) ?? []
    chain.blocked.delete(blobId)
    for (const { from, message } of passes) if (message.kind === 'pass') onPass(m, from, message)
  }
}
