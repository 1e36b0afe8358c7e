/**
 * What a client's request is made of: one read or write, a copy (read, then a create-only write), or a move (moves.ts).
 */

import { identifierOfPath } from '../../ring/identifier.ts'
import type { ChainRecord, IdempotencyKey } from '../chain/chain-record.ts'
import type { Outcome } from '../chain/machine-state.ts'
import type { WriteRequest } from '../chain/messages.ts'
import { keptOutcome } from '../chain/outcomes.ts'
import { drive } from './asking.ts'
import type { Entry } from './entry.ts'
import { answer, keepFlow, keyRefused, read, refusalUnderKey, write } from './flow-steps.ts'
import { copyOf, moveDone, ownDone, settle, settled } from './moves.ts'
import type { ClientRequest, Flow, Task, TaskResult, Tidying } from './requests.ts'

/** @param id names the request between the driver and the machine; unique in one start of the node. */
export function startRequest(e: Entry, id: string, request: ClientRequest): void {
  start(e, id, request, e.host.newRequestId())
}

function start(e: Entry, id: string, request: ClientRequest, moveId: Flow['moveId']): Flow {
  const flow: Flow = {
    id,
    request,
    step: 'read',
    settling: undefined,
    task: undefined,
    moveId,
    attempts: 0,
    source: undefined,
    destination: undefined,
    held: undefined,
    tidies: undefined,
  }
  keepFlow(e, flow)
  e.host.setTimer(e.host.settings.requestTimeoutMs, { kind: 'deadline', flow: id })
  begin(e, flow, request)
  return flow
}

function begin(e: Entry, flow: Flow, request: ClientRequest): void {
  switch (request.kind) {
    case 'get':
      return read(e, flow, 'read', request.path, request.position)
    case 'put':
    case 'remove':
    case 'forget':
    case 'refuse':
      return write(e, flow, 'write', clientWrite(flow, request))
    case 'copy':
    case 'move':
      return read(e, flow, 'read-source', request.from)
  }
}

function clientWrite(
  flow: Flow,
  request: ClientRequest & { kind: 'put' | 'remove' | 'forget' | 'refuse' },
): WriteRequest {
  const { path, position = identifierOfPath(path) } = request
  if (request.kind === 'forget') {
    const { names, agedMs } = request
    const operation = { kind: 'forget', names, ...(agedMs !== undefined && { agedMs }) } as const
    return { path, position, requestId: flow.moveId, operation, condition: 'none' }
  }
  const key = request.key === undefined ? {} : { key: request.key }
  const base = { path, position, requestId: flow.moveId, ...key }
  if (request.kind === 'refuse')
    return { ...base, operation: { kind: 'refuse', noSource: true }, condition: 'none' }
  if (request.kind === 'remove') {
    // Whatever else is asked, there must be something to remove.
    const condition = request.condition === 'none' ? 'exists' : request.condition
    return { ...base, operation: { kind: 'remove' }, condition }
  }
  const { body, meta, writtenAtMs, condition, restores } = request
  const what = { body, meta, writtenAtMs, ...(restores !== undefined && { restores }) }
  return { ...base, operation: { kind: 'put', ...what }, condition }
}

export function onDeadline(e: Entry, id: string): void {
  const flow = e.flows.get(id)
  if (flow === undefined) return
  const done = ownDone(flow, flow.settling)
  if (done !== undefined) return answer(e, flow, done)
  answer(e, flow, isUndone(flow) ? { kind: 'unavailable' } : { kind: 'indeterminate' })
}

/** Whether a request has changed nothing, and will change nothing once its task is given up. */
function isUndone({ request, step, settling, task }: Flow): boolean {
  if (request?.kind === 'get') return true
  // What is settled on the way is somebody else's move, and the request has not begun to change anything.
  if (step === 'read-source' || step === 'read-destination') return true
  return step === 'write' && settling === undefined && task?.write?.open === false
}

/** The answer to the task that a flow waits for. */
export function taskDone(e: Entry, task: Task, result: TaskResult): void {
  const flow = e.flows.get(task.flow)
  if (flow === undefined || flow.task !== task) return
  if (flow.settling !== undefined) return settled(e, flow, flow.settling, result)
  if (result.kind === 'unsettled') {
    flow.held = task
    return settle(e, flow, result.record, { own: false })
  }
  const { step, request } = flow
  const looksForOwn = step === 'read-intent' || step === 'read-outcome'
  if (result.kind === 'value' && result.record.intent !== undefined && !looksForOwn)
    return settle(e, flow, result.record, { own: false })
  if (result.kind === 'indeterminate' || result.kind === 'unavailable') return answer(e, flow, result)
  if (request?.kind === 'move') return moveDone(e, flow, request, result)
  switch (step) {
    case 'read':
      if (result.kind === 'value') answer(e, flow, result)
      return
    case 'write':
      return answer(
        e,
        flow,
        request !== undefined && 'key' in request ? outcomeUnderKey(result, request.key) : outcomeOf(result),
      )
    case 'copy':
      return answer(
        e,
        flow,
        result.kind === 'failed' ? { kind: 'failed', reason: 'condition' } : outcomeOf(result),
      )
    case 'read-source':
      if (result.kind === 'value' && request?.kind === 'copy') sourceRead(e, flow, request, result.record)
      return
  }
}

function outcomeUnderKey(result: TaskResult, key: IdempotencyKey | undefined): Outcome {
  const known =
    result.kind === 'failed' && key !== undefined ? keptOutcome(result.record, key.key) : undefined
  return known?.refused ? refusalUnderKey(known) : outcomeOf(result)
}

function outcomeOf(result: TaskResult): Outcome {
  if (result.kind === 'written') return { kind: 'done', version: result.version, replaced: result.replaced }
  if (result.kind === 'no-body') return { kind: 'failed', reason: 'no-body' }
  return result.kind === 'failed' ? { kind: 'failed', reason: 'condition' } : keyRefused(result)
}

function sourceRead(
  e: Entry,
  flow: Flow,
  { to: path }: ClientRequest & { kind: 'copy' },
  record: ChainRecord,
): void {
  if (record.body === undefined) return answer(e, flow, { kind: 'failed', reason: 'no-source' })
  const named = { path, position: identifierOfPath(path), requestId: flow.moveId }
  write(e, flow, 'copy', { ...named, operation: copyOf(record), condition: 'absent' })
}

/** Goes on after a move that was in the way: the write that it held up, or the request from its beginning. */
export function resume(e: Entry, flow: Flow): void {
  const { held, request } = flow
  if (request === undefined) return
  flow.held = undefined
  if (held?.write === undefined || (flow.step !== 'write' && flow.step !== 'copy'))
    return begin(e, flow, request)
  if (held.write.phase === 'first') held.write.phase = 'burn'
  flow.task = held
  drive(e, held)
}

/** Looks at the source of a move: an intent that is still there is settled on the way, and then it need not be remembered. */
export function startTidying(e: Entry, tidies: Tidying): void {
  const id = `tidy ${tidies.path}`
  if (e.flows.has(id)) return
  const flow = start(e, id, { kind: 'get', path: tidies.source }, e.host.newRequestId())
  flow.tidies = tidies
}
