/**
 * The difference between two replicas' records of one range, and how it is moved.
 *
 * The two compare digests from the whole range downward and move only records that differ: range-based set
 * reconciliation (Meyer, 2023). To install means to *replace*: what is newer here is put back and what the source lacks
 * goes, since only then do all replicas of a view begin alike. What was gathered is applied as one commit together with
 * the mark `installed`; it is small, because a range is copied before its view changes.
 */

import { assert } from '../../invariant.ts'
import { arcContains, overlaps } from '../../ring/arc.ts'
import type { PathName } from '../../ring/path-name.ts'
import { trashPathOf } from '../../ring/trash-path.ts'
import {
  compareViews,
  freshState,
  type NodeId,
  type Source,
  type View,
  type ViewState,
} from '../../views/view.ts'
import { type ChainRecord, compareVersions } from './chain-record.ts'
import type { HandedOut, Transfer } from './copies.ts'
import { type Deciding, seal, take } from './deciding.ts'
import { PREFIX_DIGITS } from './digest-tree.ts'
import { type Forgetful, keepRange } from './forgetting.ts'
import { probe } from './liveness.ts'
import { dropRecord, newTag, putRecord, putView, send, setTimer, tell } from './machine-state.ts'
import type { Comparison, MessageOf, Tag, TransferPurpose } from './messages.ts'
import { withoutTrash } from './record-table.ts'
import { takeTrash, trashOf } from './trash.ts'

export interface Copying extends Deciding, Forgetful {
  readonly transfers: Map<Tag, Transfer>
  /** What this node has copied from others since it started, for those who watch it. */
  readonly copied: { records: number; bytes: number }
}

/** Comparisons in one message: at most about 1 KiB each, and a few round trips for thousands of differences. */
const COMPARISONS_MAX = 512

/**
 * Ranges that are copied ahead of their change at a time; the others wait their turn. Each message waits for the disk to
 * have the last one, so that some at a time share a commit; two dozen would fill both nodes with bulk, behind which
 * everything that is urgent waits.
 */
const PRE_COPIES_MAX = 4

/** What a record weighs in a message beside an inline body: its path, history and outcomes. */
const RECORD_BYTES = 500

export function startTransfer(
  m: Copying,
  purpose: TransferPurpose,
  view: View,
  source: Source,
  from: NodeId,
): Tag {
  assert(from !== m.self, 'nothing is copied from this node to itself', view.id)
  assert(source.replicas.includes(from) || purpose === 'pre-copy', 'state comes from replicas', view.id)
  endPreCopies(m, view)
  keepRange(m, view)
  const tag = newTag(m)
  const changes = new Map<PathName, ChainRecord | undefined>()
  const transfer = {
    tag,
    purpose,
    view,
    source,
    from,
    todo: [''],
    asked: [],
    changes,
    trash: new Map(),
    steps: 0,
  }
  m.transfers.set(tag, transfer)
  if (purpose !== 'pre-copy') ask(m, transfer)
  else askNextPreCopies(m)
  return tag
}

/** Those that wait have not asked anything yet, in the order in which they came. */
function askNextPreCopies(m: Copying): void {
  const preCopies = [...m.transfers.values()].filter(({ purpose }) => purpose === 'pre-copy')
  let running = preCopies.filter(({ steps }) => steps > 0).length
  for (const transfer of preCopies) {
    if (running >= PRE_COPIES_MAX) return
    if (transfer.steps > 0) continue
    ask(m, transfer)
    running++
  }
}

function end(m: Copying, { tag, purpose }: Transfer): void {
  m.transfers.delete(tag)
  if (purpose === 'pre-copy') askNextPreCopies(m)
}

/**
 * Nothing else may change the records of a range while they are compared, nor when a view of it is installed: an answer
 * to a copy that comes late would put older records over those of the view (docs/decisions/0100).
 */
export function endPreCopies(m: Copying, range: View): void {
  for (const other of [...m.transfers.values()]) {
    if (other.purpose === 'pre-copy' && overlaps(other.view, range)) end(m, other)
  }
}

function ask(m: Copying, transfer: Transfer): void {
  transfer.asked = transfer.todo.splice(0, COMPARISONS_MAX)
  transfer.steps++
  const comparisons = transfer.asked.map(prefix => comparisonOf(m, transfer.view, prefix))
  const { tag, purpose, view, source, steps } = transfer
  const about = { purpose, view, source, comparisons, trash: true }
  send(m, transfer.from, { kind: 'compare', tag, step: steps, ...about })
  setTimer(m, m.settings.answerTimeoutMs, { kind: 'transfer', tag, steps })
}

function comparisonOf(m: Copying, view: View, prefix: string): Comparison {
  const digest = m.records.digest(view, prefix)
  if (digest.count === 0) return { prefix, digest, versions: [] }
  if (digest.count > m.settings.listedMax && prefix.length < PREFIX_DIGITS)
    return { prefix, digest, versions: undefined }
  const records = [...withoutTrash(m.records.within(view, prefix))]
  return { prefix, digest, versions: records.map(record => [record.path, record.version] as const) }
}

/** At the source. */
export function onCompare(m: Copying, from: NodeId, message: MessageOf<'compare'>): void {
  const { tag, step } = message
  const state = mayHandOut(m, message)
  if (typeof state === 'string') return send(m, from, { kind: 'no-difference', tag, reason: state })
  const descend: string[] = []
  const records: ChainRecord[] = []
  const missing: PathName[] = []
  const again: string[] = []
  let bytes = 0
  for (const comparison of message.comparisons) {
    if (bytes > m.settings.differenceBytesMax) {
      again.push(comparison.prefix)
      continue
    }
    const own = m.records.digest(message.view, comparison.prefix)
    if (own.count === comparison.digest.count && own.hash === comparison.digest.hash) continue
    if (own.count > 2 * m.settings.listedMax && comparison.prefix.length < PREFIX_DIGITS)
      descend.push(comparison.prefix)
    else if (comparison.versions === undefined && comparison.prefix.length < PREFIX_DIGITS) {
      descend.push(comparison.prefix)
    } else bytes += list(m, message.view, comparison, records, missing)
  }
  const { floor, seq, active, timeMs } = state
  const adopted = { floor, seq, active, timeMs }
  const trash = message.trash ? records.flatMap(record => trashOf(m, record)) : []
  const more = trash.length > 0 ? { trash } : {}
  send(m, from, { kind: 'difference', tag, step, ...adopted, descend, again, records, missing, ...more })
}

/** The records of one part that the other side has not, or has otherwise; gives about how many bytes they are. */
function list(
  m: Copying,
  view: View,
  comparison: Comparison,
  records: ChainRecord[],
  missing: PathName[],
): number {
  const theirs = new Map(comparison.versions)
  let bytes = 0
  for (const record of withoutTrash(m.records.within(view, comparison.prefix))) {
    const version = theirs.get(record.path)
    if (version === undefined || compareVersions(version, record.version) !== 0) {
      records.push(record)
      for (const one of [record, ...trashOf(m, record)]) bytes += RECORD_BYTES + inlineBytes(one)
    }
    theirs.delete(record.path)
  }
  missing.push(...theirs.keys())
  return bytes
}

function inlineBytes({ body }: ChainRecord): number {
  return body !== undefined && 'inline' in body.content ? body.content.inline.length : 0
}

/** One more record that is copied, and the bytes of its body that this node has not got. */
function count(m: Copying, { body }: ChainRecord): void {
  m.copied.records++
  if (body === undefined || ('blobId' in body.content && m.blobs.has(body.content.blobId))) return
  m.copied.bytes += body.size
}

/**
 * Whether this node's records are the state that is asked for. A view that this node never held was never installed
 * here, and never will be: the note of that is stable before it is said.
 */
function mayHandOut(m: Copying, message: MessageOf<'compare'>): HandedOut | 'not-installed' | 'elsewhere' {
  const { purpose, source, view } = message
  let state = m.views.get(source.id)
  if (purpose !== 'parent') {
    const serves = state?.installed && !state.sealed && (state.active || purpose === 'upstream')
    return state !== undefined && serves ? state : 'elsewhere'
  }
  if (!source.replicas.includes(m.self)) return 'elsewhere'
  if (state === undefined) {
    if (m.marks.covers(source)) return 'elsewhere'
    state = { ...freshState({ ...source, acceptors: [], sources: [] }), sealed: true }
    putView(m, state)
  }
  take(m, view)
  state = seal(m, state)
  if (!state.installed) return 'not-installed'
  return stateOf(m, state, view) ?? 'elsewhere'
}

/**
 * What this node's records of a range are, as the state of a source that is installed here. A newer view may have been
 * installed over it: as long as that never became active, each record is still one that some replica of the source had,
 * and the higher floor goes with them. Once a newer view was active here, the source's state is gone.
 */
export function stateOf(m: Copying, source: ViewState, range: View): HandedOut | undefined {
  let { floor, seq, timeMs = 0 } = source
  for (const other of m.views.values()) {
    if (!other.installed || compareViews(other.view, source.view) <= 0) continue
    if (!overlaps(other.view, range)) continue
    if (other.active) return undefined
    if (compareVersions(other.floor, floor) > 0) floor = other.floor
    seq = Math.max(seq, other.seq)
    timeMs = Math.max(timeMs, other.timeMs ?? 0)
  }
  return { floor, seq, active: source.active, timeMs }
}

export function onDifference(m: Copying, from: NodeId, message: MessageOf<'difference'>): void {
  const transfer = m.transfers.get(message.tag)
  if (transfer === undefined || transfer.from !== from || transfer.steps !== message.step) return
  if (transfer.asked.length === 0) return
  const { epoch } = transfer.view
  const isNewer = message.floor.epoch > epoch || message.records.some(({ version }) => version.epoch > epoch)
  const isForeign = message.records.some(({ position }) => !arcContains(transfer.view, position))
  // What can't be the state of a source is not taken; the timer asks another replica.
  if (isNewer || isForeign) return
  transfer.asked = []
  transfer.todo.push(...message.again)
  for (const prefix of message.descend) {
    for (const digit of '0123456789abcdef') transfer.todo.push(prefix + digit)
  }
  for (const record of message.records) transfer.changes.set(record.path, record)
  for (const version of message.trash ?? []) transfer.trash.set(version.path, version)
  for (const path of message.missing) transfer.changes.set(path, undefined)
  if (transfer.purpose === 'pre-copy') applyChanges(m, transfer)
  if (transfer.todo.length > 0) return ask(m, transfer)
  end(m, transfer)
  tell(m, { kind: 'copied', transfer, from: message })
}

export function onNoDifference(m: Copying, from: NodeId, message: MessageOf<'no-difference'>): void {
  const transfer = m.transfers.get(message.tag)
  if (transfer === undefined || transfer.from !== from) return
  end(m, transfer)
  tell(m, { kind: 'not-copied', transfer, reason: message.reason })
}

export function onTransferTimeout(m: Copying, tag: Tag, steps: number): void {
  const transfer = m.transfers.get(tag)
  if (transfer === undefined || transfer.steps !== steps) return
  end(m, transfer)
  probe(m, transfer.from)
  tell(m, { kind: 'not-copied', transfer, reason: 'silent' })
}

/** Puts in place what differs: exactly what the source has, be it older or gone. */
export function applyChanges(m: Copying, transfer: Transfer): void {
  const state = m.views.get(transfer.view.id)
  const isServing = state?.installed && !state.sealed && state.view.replicas.includes(m.self)
  assert(!isServing, 'records that are served are not replaced by a copy', transfer.view.id)
  for (const [path, record] of transfer.changes) {
    const own = m.records.get(path)
    if (record !== undefined) count(m, record)
    if (record !== undefined) putWithTrash(m, record, transfer.trash)
    else if (own !== undefined) dropRecord(m, own)
  }
  transfer.changes.clear()
  transfer.trash.clear()
}

/** With what its source has sent of its trash: an older program sends nothing, and then what is not here is not named. */
function putWithTrash(m: Copying, record: ChainRecord, sent: ReadonlyMap<PathName, ChainRecord>): void {
  const carried = record.trash?.flatMap(name => sent.get(trashPathOf(record.path, name)) ?? [])
  const isWhole = carried === undefined || carried.length === record.trash?.length
  putRecord(m, takeTrash(m, record, isWhole ? carried : undefined) ?? record)
}
