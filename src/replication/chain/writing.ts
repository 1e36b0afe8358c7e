/**
 * WRITE at the head: who wins a race is decided here, once, before the record goes down the chain.
 *
 * Exactly once: the first try is bound to one view, one start of the head and one counter. Every other try names the
 * version that it expects, and versions of a path never come back. The record remembers its latest writes, so a write
 * that was decided before is answered as it was. No answer that reveals a record leaves before that record is
 * acknowledged; one that reveals that a condition did not hold is a read, and is confirmed like one.
 */

import { assert } from '../../invariant.ts'
import { arcContains } from '../../ring/arc.ts'
import type { Version } from '../../storage/record.ts'
import { serves } from '../../views/install.ts'
import { headOf, isNameOf, type NodeId, type View, type ViewState } from '../../views/view.ts'
import { missingBodyOf } from './bodies.ts'
import { type CounterWindow, chainOf } from './chain-of-view.ts'
import {
  applyOperation,
  type ChainRecord,
  compareVersions,
  conditionHolds,
  type KeyOutcome,
  type MoveRefusal,
  type Operation,
  type RequestId,
  remembered,
} from './chain-record.ts'
import { answerWhenClean, wait } from './dirty.ts'
import { putView, send } from './machine-state.ts'
import type { MessageOf, RefusalReason, ReplyMessage, Tag, WriteRequest } from './messages.ts'
import {
  decisionOf,
  hasRoom,
  isMoveWrite,
  knownDecision,
  type MoveWrite,
  refusalOf,
} from './move-decision.ts'
import { hasRoomForKey, keptOutcome, moveOutcome, withoutExpired } from './outcomes.ts'
import { type Passing, storeRecord } from './passing.ts'
import { momentOf, timeOf, withTime } from './range-time.ts'
import { currentRecord, headState, refuse } from './serving.ts'
import { liveNodes } from './spares.ts'
import { leaving, type TrashMoment, withTrash } from './trash.ts'

type WriteMessage = MessageOf<'write'>

/** Counters that a head remembers of each entry node; older ones count as used. */
const WINDOW = 1024

/** Unacknowledged writes of one view; one more is refused. */
const UNACKNOWLEDGED_MAX = 4096

export function onWrite(m: Passing, from: NodeId, boot: string, message: WriteMessage): void {
  const { tag, request, binding } = message
  const state = headState(m, from, message, request.position)
  if (state === undefined) return
  if (binding.kind === 'first') {
    const bound = isNameOf(binding.headBoot, m.boot)
    if (!bound || !use(m, state, from, boot, binding.counter)) {
      return refuse(m, from, tag, 'burnt', state.view.id)
    }
  }
  const record = withoutExpired(currentRecord(m, state, request.path, request.position), momentOf(m, state))
  const answer = (reply: Parameters<typeof send>[2], confirm: boolean) =>
    answerWhenClean(m, state, record, { to: from, message: reply, confirm })
  if (isMoveWrite(request)) {
    const known = knownDecision(record, request, binding, tag)
    return known === undefined ? decideMove(m, state, from, tag, record, request) : answer(known, false)
  }
  const decided = decidedBefore(record, request)
  if (decided === 'reused') return answer({ kind: 'key-refused', tag, reason: 'reused' }, false)
  if (decided === 'refused') return answer({ kind: 'failed', tag, record }, false)
  if (decided !== undefined) {
    return answer({ kind: 'written', tag, ...decided, current: record.version }, false)
  }
  if (binding.kind === 'expected' && compareVersions(binding.version, record.version) !== 0) {
    if (isOldCopy(request)) return forbidOlderMoves(m, state, from, tag, record, request)
    return answer({ kind: 'stale', tag, record }, false)
  }
  if (record.intent !== undefined && request.settles !== record.intent.moveId) {
    return answer({ kind: 'unsettled', tag, record }, false)
  }
  // What is not in the trash here may be in the trash of a later view.
  if (request.operation.kind === 'forget' && !isForgetting(m, state, record, request.operation)) {
    return answer({ kind: 'written', tag, version: record.version, current: record.version }, true)
  }
  const holds = conditionHolds(request.condition, record)
  const isRefused = !holds || (request.operation.kind === 'remove' && record.body === undefined)
  if (isRefused && request.key === undefined) return answer({ kind: 'failed', tag, record }, true)
  const asked: WriteRequest = isRefused ? { ...request, operation: { kind: 'refuse' } } : request
  const refusal = cannotStore(m, state, record, asked)
  if (refusal === 'too-many') return send(m, from, { kind: 'key-refused', tag, reason: 'too-many' })
  if (refusal !== undefined) return refuse(m, from, tag, refusal, state.view.id)
  if (!isOldCopy(request)) return store(m, state, from, tag, record, asked)
  const movesFloor = { epoch: state.view.epoch, seq: state.seq + 1 }
  store(m, state, from, tag, { ...record, movesFloor }, asked)
}

/** The copy of a move whose settler, or whose mover, runs a program of protocol 2: it counts at one version only. */
function isOldCopy({ settles, operation, move }: WriteRequest): boolean {
  return settles !== undefined && operation.kind === 'put' && move === undefined
}

/** A node of protocol 2 will give a move up, since the path has been written: nobody else may make the copy after that. */
function forbidOlderMoves(
  m: Passing,
  state: ViewState,
  from: NodeId,
  tag: Tag,
  record: ChainRecord,
  request: WriteRequest,
): void {
  const message: ReplyMessage = { kind: 'stale', tag, record }
  const isForbidden = moveOutcome(record, request.settles as RequestId)?.refused
  if (isForbidden) return answerWhenClean(m, state, record, { to: from, message, confirm: false })
  if (hasTooFew(m, state.view)) return refuse(m, from, tag, 'too-few-replicas', state.view.id)
  const { settles: _, ...refused } = { ...request, operation: { kind: 'refuse' } as const }
  store(m, state, from, tag, { ...record, movesFloor: record.version }, refused)
}

/** The move is decided here and now: its copy is made, or it is kept that it will never be. */
function decideMove(
  m: Passing,
  state: ViewState,
  from: NodeId,
  tag: Tag,
  record: ChainRecord,
  request: MoveWrite,
): void {
  const refusal = refusalOf(record, request)
  const asked: MoveWrite =
    refusal === undefined ? request : { ...request, operation: { kind: 'refuse' }, condition: 'none' }
  const reason = hasRoom(m, record) ? cannotStore(m, state, record, asked) : 'overloaded'
  if (reason !== undefined && reason !== 'too-many') return refuse(m, from, tag, reason, state.view.id)
  store(m, state, from, tag, record, asked, refusal)
}

/**
 * The write happens: stored here, and on its way down the chain. So does the refusal of a write under a key: once it has
 * been told, an earlier try of the same request, late at another entry node, must not succeed.
 */
function store(
  m: Passing,
  before: ViewState,
  from: NodeId,
  tag: Tag,
  record: ChainRecord,
  request: WriteRequest,
  refusal?: MoveRefusal,
): void {
  const version = { epoch: before.view.epoch, seq: before.seq + 1 }
  assert(serves(before) && headOf(before.view) === m.self, 'only a head that serves decides', before.view.id)
  assert(
    arcContains(before.view, record.position),
    'a write lies within the range of its view',
    before.view.id,
  )
  assert(compareVersions(version, record.version) > 0, 'the versions of a path grow', before.view.id)
  const decided = { version, requestId: request.requestId }
  const added = outcomesOf(request, version, record, timeOf(m, before), refusal)
  const applied = applyOperation(record, request.operation, decided, [...record.outcomes, ...added])
  const written = withTrash(record, applied, request, trashMomentOf(m, before))
  const base = {
    kind: 'written',
    tag,
    version,
    current: version,
    replaced: record.body !== undefined,
  } as const
  let message: ReplyMessage = base
  if (request.operation.kind === 'refuse') message = { kind: 'failed', tag, record: written }
  else if (request.operation.kind === 'intend') message = { ...base, record: written }
  wait(m, before, request.path, { version, to: from, message, confirm: false })
  storeRecord(m, before, written)
}

/** Whether something is forgotten. What is not old enough yet ages also where its range is not written meanwhile. */
function isForgetting(
  m: Passing,
  state: ViewState,
  { trash = [] }: ChainRecord,
  operation: Operation & { kind: 'forget' },
): boolean {
  if (leaving(operation, trash, timeOf(m, state)).length > 0) return true
  if (operation.agedMs !== undefined && trash.length > 0) putView(m, withTime(m, state))
  return false
}

function trashMomentOf(m: Passing, state: ViewState): TrashMoment {
  return { atMs: m.nowMs, rangeMs: timeOf(m, state), trashMs: m.settings.trashMs }
}

/** What is remembered of the request: under the client's key, and of a move under its own name. */
function outcomesOf(
  request: WriteRequest,
  version: Version,
  before: ChainRecord,
  decidedAtMs: number,
  refusal: MoveRefusal | undefined,
): KeyOutcome[] {
  const { key, operation } = request
  const file = operation.kind === 'put' ? operation.body : undefined
  const outcome = {
    version,
    refused: operation.kind === 'refuse',
    replaced: before.body !== undefined,
    file: file && { size: file.size, sha256: file.sha256 },
    decidedAtMs,
    ...(operation.kind === 'refuse' && operation.noSource && { noSource: true }),
  }
  const outcomes: KeyOutcome[] = []
  if (key && (refusal === undefined || refusal === 'condition')) outcomes.push({ ...key, ...outcome })
  if (isMoveWrite(request)) outcomes.push(decisionOf(request, outcome, refusal))
  return outcomes
}

/** What this request was given before, by its id or by its client's key; a move has a name of its own (move-decision.ts). */
function decidedBefore(record: ChainRecord, request: WriteRequest) {
  if (request.settles !== undefined) {
    const known = moveOutcome(record, request.settles)
    if (isOldCopy(request) && known && !known.refused)
      return { version: known.version, replaced: known.replaced }
  } else if (request.key !== undefined) {
    const { key, fingerprint } = request.key
    const known = keptOutcome(record, key)
    if (known !== undefined && known.fingerprint !== fingerprint) return 'reused'
    if (known?.refused) return 'refused'
    if (known !== undefined) return { version: known.version, replaced: known.replaced }
  }
  return remembered(record, request.requestId)
}

function cannotStore(
  m: Passing,
  state: ViewState,
  record: ChainRecord,
  request: WriteRequest,
): RefusalReason | 'too-many' | undefined {
  if (hasTooFew(m, state.view)) return 'too-few-replicas'
  if (chainOf(m, state).dirty.size >= UNACKNOWLEDGED_MAX) return 'overloaded'
  const isRefusal = request.operation.kind === 'refuse'
  const isCounted = request.key !== undefined && request.settles === undefined
  if (isCounted && !hasRoomForKey(record, isRefusal)) return 'too-many'
  if (missingBodyOf(m, request.operation)) return 'body-missing'
  return undefined
}

/** Makes sure that the first try of a write will not happen any more, and says what is at the path. */
export function onBurn(m: Passing, from: NodeId, boot: string, message: MessageOf<'burn'>): void {
  const { tag, requestId, counter, path, position } = message
  const state = headState(m, from, message, position)
  if (state === undefined) return
  use(m, state, from, boot, counter)
  const record = currentRecord(m, state, path, position)
  const known = remembered(record, requestId)
  const reply =
    known === undefined
      ? ({ kind: 'stale', tag, record } as const)
      : ({ kind: 'written', tag, ...known, current: record.version } as const)
  answerWhenClean(m, state, record, { to: from, message: reply, confirm: false })
}

/**
 * A range that never had more replicas takes writes as before while the nodes that have joined copy it: they can hold no
 * copy yet, and copying a large range takes minutes.
 */
function hasTooFew(m: Passing, { replicas, sources }: View): boolean {
  const had = Math.max(0, ...sources.map(source => source.replicas.length))
  return (
    had > replicas.length && replicas.length < Math.min(m.settings.minReplicas, Math.max(1, liveNodes(m)))
  )
}

/** Uses a counter up. False when it was used before, or is too old to know. */
function use(m: Passing, state: ViewState, from: NodeId, boot: string, counter: number): boolean {
  const { windows } = chainOf(m, state)
  let window: CounterWindow | undefined = windows.get(`${from}/${boot}`)
  if (window === undefined) {
    window = { highest: 0, used: new Set() }
    windows.set(`${from}/${boot}`, window)
  }
  if (counter <= window.highest - WINDOW || window.used.has(counter)) return false
  window.used.add(counter)
  window.highest = Math.max(window.highest, counter)
  if (window.used.size > 2 * WINDOW) {
    for (const old of window.used) if (old <= window.highest - WINDOW) window.used.delete(old)
  }
  return true
}
