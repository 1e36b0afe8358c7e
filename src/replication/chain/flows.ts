/**
 * What a client's request is made of: one read or write, a copy (read, then a create-only write), or a move (moves.ts).
 */

import { identifierOfPath } from '../../ring/identifier.ts'
import type { ChainRecord } from './chain-record.ts'
import { drive } from './entry.ts'
import { answer, type Flowing, keepFlow, keyRefused, read, write } from './flow-steps.ts'
import { newRequestId, type Outcome, setTimer } from './machine-state.ts'
import type { WriteRequest } from './messages.ts'
import { copyOf, moveDone, ownDone, settle, settled } from './moves.ts'
import type { ClientRequest, Flow, Task, TaskResult, Tidying } from './requests.ts'

/** @param id names the request between the driver and the machine; unique in one start of the node. */
export function startRequest(m: Flowing, id: string, request: ClientRequest): void {
  start(m, id, request, newRequestId(m))
}

function start(m: Flowing, id: string, request: ClientRequest, moveId: Flow['moveId']): Flow {
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
  keepFlow(m, flow)
  setTimer(m, m.settings.requestTimeoutMs, { kind: 'deadline', flow: id })
  begin(m, flow, request)
  return flow
}

function begin(m: Flowing, flow: Flow, request: ClientRequest): void {
  switch (request.kind) {
    case 'get':
      return read(m, flow, 'read', request.path, request.position)
    case 'put':
    case 'remove':
    case 'forget':
      return write(m, flow, 'write', clientWrite(flow, request))
    case 'copy':
    case 'move':
      return read(m, flow, 'read-source', request.from)
  }
}

function clientWrite(
  flow: Flow,
  request: ClientRequest & { kind: 'put' | 'remove' | 'forget' },
): WriteRequest {
  const { path, position = identifierOfPath(path) } = request
  if (request.kind === 'forget') {
    const { names, agedMs } = request
    const operation = { kind: 'forget', names, ...(agedMs !== undefined && { agedMs }) } as const
    return { path, position, requestId: flow.moveId, operation, condition: 'none' }
  }
  const key = request.key === undefined ? {} : { key: request.key }
  const base = { path, position, requestId: flow.moveId, ...key }
  if (request.kind === 'remove') {
    // Whatever else is asked, there must be something to remove.
    const condition = request.condition === 'none' ? 'exists' : request.condition
    return { ...base, operation: { kind: 'remove' }, condition }
  }
  const { body, meta, writtenAtMs, condition, restores } = request
  const what = { body, meta, writtenAtMs, ...(restores !== undefined && { restores }) }
  return { ...base, operation: { kind: 'put', ...what }, condition }
}

export function onDeadline(m: Flowing, id: string): void {
  const flow = m.flows.get(id)
  if (flow === undefined) return
  const done = ownDone(flow, flow.settling)
  if (done !== undefined) return answer(m, flow, done)
  answer(m, flow, isUndone(flow) ? { kind: 'unavailable' } : { kind: 'indeterminate' })
}

/** Whether a request has changed nothing, and will change nothing once its task is given up. */
function isUndone({ request, step, settling, task }: Flow): boolean {
  if (request?.kind === 'get') return true
  // What is settled on the way is somebody else's move, and the request has not begun to change anything.
  if (step === 'read-source' || step === 'read-destination') return true
  return step === 'write' && settling === undefined && task?.write?.open === false
}

/** The answer to the task that a flow waits for. */
export function taskDone(m: Flowing, task: Task, result: TaskResult): void {
  const flow = m.flows.get(task.flow)
  if (flow === undefined || flow.task !== task) return
  if (flow.settling !== undefined) return settled(m, flow, flow.settling, result)
  if (result.kind === 'unsettled') {
    flow.held = task
    return settle(m, flow, result.record, { own: false })
  }
  const { step, request } = flow
  const looksForOwn = step === 'read-intent' || step === 'read-outcome'
  if (result.kind === 'value' && result.record.intent !== undefined && !looksForOwn)
    return settle(m, flow, result.record, { own: false })
  if (result.kind === 'indeterminate' || result.kind === 'unavailable') return answer(m, flow, result)
  if (request?.kind === 'move') return moveDone(m, flow, request, result)
  switch (step) {
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
      if (result.kind === 'value' && request?.kind === 'copy') sourceRead(m, flow, request, result.record)
      return
  }
}

function outcomeOf(result: TaskResult): Outcome {
  if (result.kind === 'written') return { kind: 'done', version: result.version, replaced: result.replaced }
  if (result.kind === 'no-body') return { kind: 'failed', reason: 'no-body' }
  return result.kind === 'failed' ? { kind: 'failed', reason: 'condition' } : keyRefused(result)
}

function sourceRead(
  m: Flowing,
  flow: Flow,
  { to: path }: ClientRequest & { kind: 'copy' },
  record: ChainRecord,
): void {
  if (record.body === undefined) return answer(m, flow, { kind: 'failed', reason: 'no-source' })
  const named = { path, position: identifierOfPath(path), requestId: flow.moveId }
  write(m, flow, 'copy', { ...named, operation: copyOf(record), condition: 'absent' })
}

/** Goes on after a move that was in the way: the write that it held up, or the request from its beginning. */
export function resume(m: Flowing, flow: Flow): void {
  const { held, request } = flow
  if (request === undefined) return
  flow.held = undefined
  if (held?.write === undefined || (flow.step !== 'write' && flow.step !== 'copy'))
    return begin(m, flow, request)
  if (held.write.phase === 'first') held.write.phase = 'burn'
  flow.task = held
  drive(m, held)
}

/** Looks at the source of a move: an intent that is still there is settled on the way, and then it need not be remembered. */
export function startTidying(m: Flowing, tidies: Tidying): void {
  const id = `tidy ${tidies.path}`
  if (m.flows.has(id)) return
  const flow = start(m, id, { kind: 'get', path: tidies.source }, newRequestId(m))
  flow.tidies = tidies
}
