/**
 * Owns what a client's request is made of: one read or write, a copy (read, then a create-only write), or a move.
 *
 * MOVE: an intent is written on the source record, then the copy is made at the version at which the destination was
 * seen free (so at most once, whoever makes it), then the source is removed. Where the destination was written by somebody
 * else first, so that the copy can never be made, the move is abandoned. Whoever meets an intent settles it the same way
 * before going on (docs/decisions/0101).
 */
import { identifierOfPath } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { Version } from '../../storage/record.ts'
import {
  blobOfOperation,
  type ChainRecord,
  compareVersions,
  conditionHolds,
  type IdempotencyKey,
  type Intent,
  KEYS_PER_PATH_MAX,
  type Operation,
  type RequestId,
} from './chain-record.ts'
import { drive } from './entry.ts'
import { type Machine, newRequestId, newTag, type Outcome, setTimer } from './machine-state.ts'
import type { WriteRequest } from './messages.ts'
import type { ClientRequest, Flow, FlowStep, Settling, Task, TaskResult } from './requests.ts'
import { inHistory, keptOutcome } from './writing.ts'

type MoveRequest = ClientRequest & { readonly kind: 'move' }

/** @param id names the request between the driver and the machine; unique in one start of the node. */
export function startRequest(m: Machine, id: string, request: ClientRequest): void {
  const flow: Flow = {
    id,
    request,
    step: 'read',
    settling: undefined,
    task: undefined,
    moveId: newRequestId(m),
    source: undefined,
    destination: undefined,
    held: undefined,
  }
  m.flows.set(id, flow)
  setTimer(m, m.settings.requestTimeoutMs, { kind: 'deadline', flow: id })
  begin(m, flow, request)
}

function begin(m: Machine, flow: Flow, request: ClientRequest): void {
  switch (request.kind) {
    case 'get':
      return read(m, flow, 'read', request.path)
    case 'put':
    case 'remove':
      return write(m, flow, 'write', clientWrite(flow, request), undefined)
    case 'copy':
    case 'move':
      return read(m, flow, 'read-source', request.from)
  }
}

function clientWrite(flow: Flow, request: ClientRequest & { kind: 'put' | 'remove' }): WriteRequest {
  const { path } = request
  const key = request.key === undefined ? {} : { key: request.key }
  const base = { path, position: identifierOfPath(path), requestId: flow.moveId, ...key }
  if (request.kind === 'remove') {
    // Whatever else is asked, there must be something to remove.
    const condition = request.condition === 'none' ? 'exists' : request.condition
    return { ...base, operation: { kind: 'remove' }, condition }
  }
  const { body, meta, writtenAtMs, condition } = request
  return { ...base, operation: { kind: 'put', body, meta, writtenAtMs }, condition }
}

export function onDeadline(m: Machine, id: string): void {
  const flow = m.flows.get(id)
  if (flow === undefined) return
  answer(m, flow, isUndone(flow) ? { kind: 'unavailable' } : { kind: 'indeterminate' })
}

/** Whether a request has changed nothing, and will change nothing once its task is given up. */
function isUndone({ request, step, settling, task }: Flow): boolean {
  if (request?.kind === 'get') return true
  return step === 'write' && settling === undefined && task?.write?.open === false
}

function answer(m: Machine, flow: Flow, outcome: Outcome): void {
  if (flow.task !== undefined) m.tasks.delete(flow.task.tag)
  m.flows.delete(flow.id)
  m.effects.push({ kind: 'answer', request: flow.id, outcome })
}

/** The answer to the task that a flow waits for. */
export function taskDone(m: Machine, task: Task, result: TaskResult): void {
  const flow = m.flows.get(task.flow)
  if (flow === undefined || flow.task !== task) return
  if (flow.settling !== undefined) return settled(m, flow, flow.settling, result)
  if (result.kind === 'unsettled') {
    flow.held = task
    return settle(m, flow, result.record, false)
  }
  if (result.kind === 'value' && result.record.intent !== undefined)
    return settle(m, flow, result.record, false)
  if (result.kind === 'indeterminate' || result.kind === 'unavailable') return answer(m, flow, result)
  switch (flow.step) {
    case 'read':
      if (result.kind === 'value') answer(m, flow, result)
      return
    case 'write':
      return answer(m, flow, outcomeOf(result))
    case 'copy':
      return answer(
        m,
        flow,
        result.kind === 'failed' ? { kind: 'failed', reason: 'condition' } : outcomeOf(result),
      )
    case 'read-source':
      return sourceRead(m, flow, result)
    case 'read-destination':
      return destinationRead(m, flow, result)
    case 'intend':
      return intended(m, flow, result)
  }
}

function outcomeOf(result: TaskResult): Outcome {
  if (result.kind === 'written') return { kind: 'done', version: result.version, replaced: result.replaced }
  if (result.kind === 'key-refused') {
    return { kind: 'failed', reason: result.reason === 'reused' ? 'key-reused' : 'too-many-keys' }
  }
  if (result.kind === 'no-body') return { kind: 'failed', reason: 'no-body' }
  return result.kind === 'failed' ? { kind: 'failed', reason: 'condition' } : { kind: 'indeterminate' }
}

function sourceRead(m: Machine, flow: Flow, result: TaskResult): void {
  const { request } = flow
  if (result.kind !== 'value' || (request?.kind !== 'copy' && request?.kind !== 'move')) return
  const { record } = result
  if (record.body === undefined) return answer(m, flow, { kind: 'failed', reason: 'no-source' })
  flow.source = record
  if (request.kind === 'move') return read(m, flow, 'read-destination', request.to)
  const operation = copyOf(record)
  const position = identifierOfPath(request.to)
  const write1 = {
    path: request.to,
    position,
    requestId: flow.moveId,
    operation,
    condition: 'absent',
  } as const
  write(m, flow, 'copy', write1, undefined)
}

function copyOf(record: ChainRecord): Operation {
  const { body, meta, writtenAtMs } = record
  if (body === undefined || meta === undefined) throw new TypeError('A tombstone is not copied.')
  return { kind: 'put', body, meta, writtenAtMs }
}

function destinationRead(m: Machine, flow: Flow, result: TaskResult): void {
  const { request, source } = flow
  if (result.kind !== 'value' || request?.kind !== 'move' || source === undefined) return
  const done = request.key && moveUnderKey(m, result.record, request.key)
  if (done !== undefined) return answer(m, flow, done)
  if (!conditionHolds(request.condition, result.record)) {
    return answer(m, flow, { kind: 'failed', reason: 'condition' })
  }
  flow.destination = result.record
  const intent = intentOf(flow, request, result.record.version)
  const operation = { kind: 'intend', intent } as const
  const { path, position } = source
  const named = moveWrite(flow.moveId, 'intend', path)
  write(m, flow, 'intend', { ...named, position, operation, condition: 'exists' }, source.version)
}

/** What is known of a move under this key at its destination; undefined when it may begin. */
function moveUnderKey(m: Machine, destination: ChainRecord, key: IdempotencyKey): Outcome | undefined {
  const known = keptOutcome(destination, key.key, m.nowMs)
  if (known !== undefined) {
    if (known.fingerprint !== key.fingerprint) return { kind: 'failed', reason: 'key-reused' }
    return { kind: 'done', version: known.version, replaced: known.replaced }
  }
  if (destination.outcomes.length < KEYS_PER_PATH_MAX) return undefined
  return { kind: 'failed', reason: 'too-many-keys' }
}

function intentOf(flow: Flow, { to, key }: MoveRequest, destinationVersion: Version): Intent {
  const intent = { moveId: flow.moveId, destination: to, destinationVersion }
  return key === undefined ? intent : { ...intent, key }
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

function intended(m: Machine, flow: Flow, result: TaskResult): void {
  const { source, destination, request } = flow
  if (source === undefined || destination === undefined || request?.kind !== 'move') return
  const version = result.kind === 'written' ? result.version : staleVersion(result, `${flow.moveId}:intend`)
  if (version === undefined) {
    // Somebody else has written the source since it was read. Begin again when nothing can have happened.
    const covered =
      result.kind === 'stale' && compareVersions(result.record.historyFloor, source.version) <= 0
    if (!covered && result.kind === 'stale') return answer(m, flow, { kind: 'indeterminate' })
    return begin(m, flow, request)
  }
  const intent = intentOf(flow, request, destination.version)
  settle(m, flow, { ...source, version, intent }, true)
}

function staleVersion(result: TaskResult, requestId: string): Version | undefined {
  return result.kind === 'stale' ? inHistory(result.record, requestId as RequestId) : undefined
}

/** Brings a move to its end, the flow's own or one that was met on the way. */
function settle(m: Machine, flow: Flow, record: ChainRecord, own: boolean): void {
  const { intent } = record
  if (intent === undefined) return
  const settling: Settling = { record, step: 'copy', own }
  flow.settling = settling
  const { key, destinationVersion } = intent
  const named = moveWrite(intent.moveId, 'copy', intent.destination)
  const copy = { ...named, operation: copyOf(record), condition: 'none', ...(key && { key }) } as const
  write(m, flow, flow.step, copy, destinationVersion)
}

function settled(m: Machine, flow: Flow, settling: Settling, result: TaskResult): void {
  const { record } = settling
  const { intent } = record
  if (intent === undefined) return
  if (settling.step !== 'copy') return settledSource(m, flow, settling, result, intent.moveId)
  settling.step = wasCopied(result, intent, m.nowMs) ? 'remove' : 'abandon'
  const named = moveWrite(intent.moveId, settling.step, record.path)
  const operation = { kind: settling.step } as const
  write(m, flow, flow.step, { ...named, operation, condition: 'exists' }, record.version)
}

/**
 * Whether the copy of a move was ever made; what became of it since is another matter. An outcome kept under the move's
 * key is of this copy when it is newer than what the intent has seen at the destination: an earlier move's is not.
 */
function wasCopied(result: TaskResult, { moveId, key, destinationVersion }: Intent, nowMs: number): boolean {
  if (result.kind === 'written') return true
  if (result.kind !== 'stale') return false
  if (inHistory(result.record, `${moveId}:copy` as RequestId) !== undefined) return true
  const kept = key && keptOutcome(result.record, key.key, nowMs)
  return kept !== undefined && compareVersions(kept.version, destinationVersion) > 0
}

/** The source has been removed, or released from its intent, by this node or by another. */
function settledSource(
  m: Machine,
  flow: Flow,
  settling: Settling,
  result: TaskResult,
  moveId: RequestId,
): void {
  flow.settling = undefined
  if (!settling.own) {
    if (flow.request !== undefined) resume(m, flow, flow.request)
    return
  }
  const removed =
    result.kind === 'written'
      ? settling.step === 'remove'
      : staleVersion(result, `${moveId}:remove`) !== undefined
  const abandoned =
    result.kind === 'written'
      ? settling.step === 'abandon'
      : staleVersion(result, `${moveId}:abandon`) !== undefined
  // The copy was made at the version of the destination that was read.
  const replaced = flow.destination && flow.destination.body !== undefined
  if (removed) answer(m, flow, { kind: 'done', version: settling.record.version, replaced })
  else answer(m, flow, abandoned ? { kind: 'failed', reason: 'conflict' } : { kind: 'indeterminate' })
}

/** Goes on after a move that was in the way: the write that it held up, or the request from its beginning. */
function resume(m: Machine, flow: Flow, request: ClientRequest): void {
  const { held } = flow
  flow.held = undefined
  if (held?.write === undefined || (flow.step !== 'write' && flow.step !== 'copy'))
    return begin(m, flow, request)
  if (held.write.phase === 'first') held.write.phase = 'burn'
  flow.task = held
  drive(m, held)
}

function read(m: Machine, flow: Flow, step: FlowStep, path: PathName): void {
  flow.step = step
  const position = identifierOfPath(path)
  start(m, flow, { kind: 'read', path, position, write: undefined })
}

/** With `expected`, only at that version; without, as a first try. */
function write(
  m: Machine,
  flow: Flow,
  step: FlowStep,
  request: WriteRequest,
  expected: Version | undefined,
): void {
  flow.step = step
  const phase = expected === undefined ? 'first' : 'expected'
  const once = expected !== undefined
  const staging = blobOfOperation(request.operation)
  const { path, position } = request
  const counter = ++m.counter
  const task = { request, phase, counter, open: false, lower: expected, expected, once, staging } as const
  start(m, flow, { kind: 'write', path, position, write: { ...task } })
}

function start(m: Machine, flow: Flow, init: Pick<Task, 'kind' | 'path' | 'position' | 'write'>): void {
  const tag = newTag(m)
  const tries = { tries: 0, turn: m.turns++, target: undefined, asked: 0, atTail: false, reading: undefined }
  const task: Task = { ...init, ...tries, tag, flow: flow.id }
  flow.task = task
  drive(m, task)
}
