/**
 * MOVE at the entry node: an intent is written on the source record, the move is decided at its destination
 * (move-decision.ts), then the source is removed, or released when the copy will never be made. Whoever meets an intent
 * settles that move first, in the same way, and comes to the same end (docs/decisions/0141).
 *
 * A move that meets the intent of another at its destination settles that one first. Where moves wait for each other in a
 * circle, one of them yields: everybody who finds the circle picks the same one.
 */

import { identifierOfPath } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import {
  type ChainRecord,
  compareVersions,
  conditionHolds,
  type IdempotencyKey,
  type Intent,
  inHistory,
  type KeyOutcome,
  type Operation,
  type RequestId,
} from '../chain/chain-record.ts'
import type { Outcome } from '../chain/machine-state.ts'
import type { WriteRequest } from '../chain/messages.ts'
import { keptOutcome, moveOutcome } from '../chain/outcomes.ts'
import type { Entry } from './entry.ts'
import { answer, keyRefused, read, refusalUnderKey, tellSettled, write } from './flow-steps.ts'
import type { ClientRequest, Flow, Settling, TaskResult } from './requests.ts'

export type MoveRequest = ClientRequest & { readonly kind: 'move' }

/** A move that had to yield to others begins again; this often, so that it ends. */
const ATTEMPTS_MAX = 16

/** Moves that wait for each other in a row; one more has the last of them yield. */
const IN_A_ROW_MAX = 16

/** The answer to the read or write that a move of this flow's own waits for. */
export function moveDone(e: Entry, flow: Flow, request: MoveRequest, result: TaskResult): void {
  switch (flow.step) {
    case 'read-source':
      if (result.kind === 'value') sourceRead(e, flow, request, result.record)
      return
    case 'read-destination':
      if (result.kind === 'value') destinationRead(e, flow, request, result.record)
      return
    case 'intend':
      return intended(e, flow, request, result)
    case 'read-intent':
      if (result.kind === 'value') intentRead(e, flow, request, result.record)
      return
    case 'read-outcome':
      if (result.kind === 'value') outcomeRead(e, flow, result.record)
      return
    case 'refuse':
      return refused(e, flow, request, result)
  }
}

function sourceRead(e: Entry, flow: Flow, request: MoveRequest, record: ChainRecord): void {
  flow.source = record
  read(e, flow, 'read-destination', request.to)
}

function destinationRead(e: Entry, flow: Flow, request: MoveRequest, record: ChainRecord): void {
  // Whether a key still counts is known to the head alone: at first it is asked, by what comes next.
  const done = request.key && flow.attempts > 0 ? moveUnderKey(record, request.key) : undefined
  if (done !== undefined) return answer(e, flow, done)
  if (flow.source?.body === undefined) return refuseMove(e, flow, request, 'no-source')
  if (!conditionHolds(request.condition, record)) return refuseMove(e, flow, request, 'condition')
  flow.destination = record
  const { to: destination, condition, key } = request
  const intent: Intent = {
    moveId: flow.moveId,
    destination,
    destinationVersion: record.version,
    condition,
    ...(key && { key }),
  }
  const named = moveWrite(flow.moveId, 'intend', request.from)
  write(e, flow, 'intend', { ...named, operation: { kind: 'intend', intent }, condition: 'exists' })
}

/** What is known of a move under this key at its destination. */
function moveUnderKey(destination: ChainRecord, key: IdempotencyKey): Outcome | undefined {
  const known = keptOutcome(destination, key.key)
  if (known === undefined || known.fingerprint !== key.fingerprint) return undefined
  const { version, replaced, file } = known
  return known.refused ? refusalUnderKey(known) : { kind: 'done', version, replaced, file }
}

/** The move can't be made. Under a key that is kept, so that an earlier try that comes late is not made either. */
function refuseMove(e: Entry, flow: Flow, { to, key }: MoveRequest, reason: 'no-source' | 'condition'): void {
  if (key === undefined) return answer(e, flow, { kind: 'failed', reason })
  const operation: Operation = { kind: 'refuse', ...(reason === 'no-source' && { noSource: true }) }
  const { settles: _, ...named } = moveWrite(flow.moveId, 'refuse', to)
  write(e, flow, 'refuse', { ...named, operation, condition: 'none', key })
}

function refused(e: Entry, flow: Flow, request: MoveRequest, result: TaskResult): void {
  // Another request under the key has made the move meanwhile.
  if (result.kind === 'written') {
    flow.attempts++
    return read(e, flow, 'read-destination', request.to)
  }
  if (result.kind !== 'failed') return answer(e, flow, keyRefused(result))
  const known = request.key && keptOutcome(result.record, request.key.key)
  answer(e, flow, refusalUnderKey(known ?? ({} as KeyOutcome)))
}

/** Each write of a move has its own name, the same for everybody who makes it. */
function moveWrite(moveId: RequestId, step: string, path: PathName) {
  return {
    path,
    position: identifierOfPath(path),
    requestId: `${moveId}:${step}` as RequestId,
    settles: moveId,
  }
}

function intended(e: Entry, flow: Flow, request: MoveRequest, result: TaskResult): void {
  if (result.kind === 'failed') return refuseMove(e, flow, request, 'no-source')
  if (result.kind !== 'written') return answer(e, flow, { kind: 'indeterminate' })
  const { record } = result
  if (record?.intent?.moveId === flow.moveId) return settle(e, flow, record, { own: true })
  read(e, flow, 'read-intent', request.from)
}

/** The source after the intent was written: somebody may have settled the move by now. */
function intentRead(e: Entry, flow: Flow, request: MoveRequest, record: ChainRecord): void {
  if (record.intent?.moveId === flow.moveId) return settle(e, flow, record, { own: true })
  if (inHistory(record, `${flow.moveId}:abandon` as RequestId) !== undefined) return again(e, flow, request)
  read(e, flow, 'read-outcome', request.to)
}

function outcomeRead(e: Entry, flow: Flow, record: ChainRecord): void {
  const known = moveOutcome(record, flow.moveId)
  if (known === undefined) return answer(e, flow, { kind: 'indeterminate' })
  if (!known.refused) return answer(e, flow, doneOf(known))
  ownRefused(e, flow, known.move?.refusal ?? 'yielded', true)
}

function doneOf({ version, replaced, file }: KeyOutcome): Outcome {
  return { kind: 'done', version, replaced, file }
}

/** Brings a move to its end: the flow's own, or one that was met on the way. */
export function settle(
  e: Entry,
  flow: Flow,
  record: ChainRecord,
  init: Pick<Settling, 'own'> & { readonly below?: Settling },
): void {
  if (record.intent === undefined) return
  const settling: Settling = {
    record,
    step: 'copy',
    copied: undefined,
    refusal: undefined,
    below: undefined,
    ...init,
  }
  flow.settling = settling
  decide(e, flow, settling, record.intent)
}

/** Asks the head of the destination to make the copy, or never to make it. */
function decide(e: Entry, flow: Flow, { record, step }: Settling, intent: Intent): void {
  const named = moveWrite(intent.moveId, 'copy', intent.destination)
  const { key, condition, destinationVersion } = intent
  const operation: Operation = step === 'refuse' ? { kind: 'refuse' } : copyOf(record)
  const request: WriteRequest = {
    ...named,
    operation,
    condition: 'none',
    ...(key && step === 'copy' && { key }),
    // A mover of protocol 2 counts on a copy at that version or none.
    ...(condition !== undefined && { move: { source: record.path, condition } }),
  }
  write(e, flow, flow.step, request, destinationVersion)
}

export function copyOf(record: ChainRecord): Operation {
  const { body, meta, writtenAtMs } = record
  if (body === undefined || meta === undefined) throw new TypeError('A tombstone is not copied.')
  return { kind: 'put', body, meta, writtenAtMs }
}

/** The answer to a write that settles a move. */
export function settled(e: Entry, flow: Flow, settling: Settling, result: TaskResult): void {
  const { intent } = settling.record
  if (intent === undefined) return
  if (settling.step === 'remove' || settling.step === 'abandon')
    return sourceSettled(e, flow, settling, intent, result)
  if (result.kind === 'unsettled') return inTheWay(e, flow, settling, result.record)
  if (result.kind === 'no-body') {
    // It went with the source when somebody else settled the move; or it is lost, and the file can't be moved.
    settling.step = 'refuse'
    return decide(e, flow, settling, intent)
  }
  if (result.kind !== 'written' && result.kind !== 'failed' && result.kind !== 'stale')
    return answer(e, flow, { kind: 'indeterminate' })
  learn(settling, intent, result)
  release(e, flow, settling, intent)
}

/** What was decided, now or before. */
function learn(
  settling: Settling,
  intent: Intent,
  result: TaskResult & { kind: 'written' | 'failed' | 'stale' },
): void {
  if (result.kind === 'written') {
    settling.copied = result
    return
  }
  const { moveId, destinationVersion, key } = intent
  const known = moveOutcome(result.record, moveId)
  const version = inHistory(result.record, `${moveId}:copy` as RequestId)
  // A program of protocol 2 keeps only the key's outcome: it is of this copy when it is newer than what the intent saw.
  const kept = key && keptOutcome(result.record, key.key)
  const isOfCopy = kept && !kept.refused && compareVersions(kept.version, destinationVersion) > 0
  if (known && !known.refused) settling.copied = known
  else if (known) settling.refusal = known.move?.refusal ?? 'yielded'
  else if (version) settling.copied = { version }
  else if (isOfCopy && intent.condition === undefined) settling.copied = kept
  else settling.refusal = 'yielded'
}

/** The source goes when the copy was made, whatever became of that since; else it is free again. */
function release(e: Entry, flow: Flow, settling: Settling, { moveId }: Intent): void {
  const { path, version } = settling.record
  settling.step = settling.copied === undefined ? 'abandon' : 'remove'
  const named = moveWrite(moveId, settling.step, path)
  write(e, flow, flow.step, { ...named, operation: { kind: settling.step }, condition: 'exists' }, version)
}

/** The source has been removed or released, by this node or by another. */
function sourceSettled(e: Entry, flow: Flow, settling: Settling, intent: Intent, result: TaskResult): void {
  const { moveId, destination } = intent
  if (result.kind === 'stale' && result.record.intent?.moveId === moveId) {
    // Something was noted beside the intent meanwhile.
    settling.record = { ...settling.record, version: result.record.version }
    return release(e, flow, settling, intent)
  }
  if (result.kind !== 'written' && result.kind !== 'stale') return answer(e, flow, { kind: 'indeterminate' })
  tellSettled(e, destination, identifierOfPath(destination), moveId)
  flow.settling = settling.below
  if (settling.own) return ownSettled(e, flow, settling, result)
  const { below } = settling
  if (below === undefined) return e.host.tell({ kind: 'way-free', flow })
  if (below.record.intent !== undefined) decide(e, flow, below, below.record.intent)
}

function ownSettled(e: Entry, flow: Flow, settling: Settling, result: TaskResult): void {
  const done = ownDone(flow, settling)
  if (done !== undefined) return answer(e, flow, done)
  const isAbandoned =
    result.kind === 'written' ||
    (result.kind === 'stale' && inHistory(result.record, `${flow.moveId}:abandon` as RequestId) !== undefined)
  ownRefused(e, flow, settling.refusal ?? 'yielded', isAbandoned)
}

/** What the mover is told once the copy is made: the file moved at that moment, whatever is still to be tidied up. */
export function ownDone(flow: Flow, settling: Settling | undefined): Outcome | undefined {
  let own = settling
  while (own?.below !== undefined) own = own.below
  if (!own?.own || own.copied === undefined) return undefined
  const { version, replaced = flow.destination && flow.destination.body !== undefined } = own.copied
  const { body } = own.record
  return { kind: 'done', version, replaced, file: body && { size: body.size, sha256: body.sha256 } }
}

/** The copy was not made; a move that nothing forbids begins again, once it is certain that the source is free. */
function ownRefused(e: Entry, flow: Flow, refusal: Settling['refusal'], isAbandoned: boolean): void {
  const { request } = flow
  if (request?.kind !== 'move') return
  if (refusal === 'condition') return answer(e, flow, { kind: 'failed', reason: 'condition' })
  if (refusal === 'key-reused' || refusal === 'too-many-keys')
    return answer(e, flow, { kind: 'failed', reason: refusal })
  if (isAbandoned) return again(e, flow, request)
  answer(e, flow, { kind: 'indeterminate' })
}

/** The same move under another name: what was decided of the first one stays decided. */
function again(e: Entry, flow: Flow, request: MoveRequest): void {
  if (flow.attempts >= ATTEMPTS_MAX) return answer(e, flow, { kind: 'unavailable' })
  const [base] = flow.moveId.split('+')
  flow.moveId = `${base}+${++flow.attempts}` as RequestId
  read(e, flow, 'read-source', request.from)
}

/** The destination holds the intent of another move, which comes first, unless that one waits for this one. */
function inTheWay(e: Entry, flow: Flow, settling: Settling, record: ChainRecord): void {
  const row: Settling[] = []
  let isCircle = false
  for (let each: Settling | undefined = settling; each !== undefined && !isCircle; each = each.below) {
    row.push(each)
    isCircle = each.record.intent?.moveId === record.intent?.moveId
  }
  if (!isCircle && row.length < IN_A_ROW_MAX) return settle(e, flow, record, { own: false, below: settling })
  const yields = isCircle ? row.reduce((a, b) => (nameOf(a) < nameOf(b) ? a : b)) : settling
  yields.step = 'refuse'
  flow.settling = yields
  if (yields.record.intent !== undefined) decide(e, flow, yields, yields.record.intent)
}

function nameOf({ record }: Settling): string {
  return record.intent?.moveId ?? ''
}
