/**
 * The steps of a client's request at its entry node: one read or write begins, and in the end the client is answered.
 */

import { assert } from '../../invariant.ts'
import { type Identifier, identifierOfPath } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { Version } from '../../storage/record.ts'
import { headOf } from '../../views/view.ts'
import { blobOfOperation, type KeyOutcome, type RequestId } from '../chain/chain-record.ts'
import type { Outcome } from '../chain/machine-state.ts'
import type { WriteRequest } from '../chain/messages.ts'
import { drive, giveUp } from './asking.ts'
import type { Entry } from './entry.ts'
import type { Flow, FlowStep, Task, TaskResult, Tidying } from './requests.ts'

export function answer(e: Entry, flow: Flow, outcome: Outcome): void {
  assert(e.flows.get(flow.id) === flow, 'a request is answered once')
  if (flow.task !== undefined) giveUp(e, flow.task)
  e.flows.delete(flow.id)
  if (flow.tidies === undefined) e.host.answer(flow.id, outcome)
  else if (outcome.kind === 'value') tidied(e, flow.tidies)
}

export function keyRefused(result: TaskResult): Outcome {
  if (result.kind !== 'key-refused') return { kind: 'indeterminate' }
  return { kind: 'failed', reason: result.reason === 'reused' ? 'key-reused' : 'too-many-keys' }
}

/** A refusal that was kept under a key is told as it was then. */
export function refusalUnderKey({ noSource }: KeyOutcome): Outcome {
  return { kind: 'failed', reason: noSource ? 'no-source' : 'condition' }
}

export function read(
  e: Entry,
  flow: Flow,
  step: FlowStep,
  path: PathName,
  position: Identifier = identifierOfPath(path),
): void {
  flow.step = step
  startTask(e, flow, { kind: 'read', path, position, write: undefined })
}

/** With `expected`, only at that version; without, as a first try. */
export function write(e: Entry, flow: Flow, step: FlowStep, request: WriteRequest, expected?: Version): void {
  flow.step = step
  const phase = expected === undefined ? 'first' : 'expected'
  const once = expected !== undefined
  const staging = blobOfOperation(request.operation)
  const { path, position } = request
  const counter = e.host.newCounter()
  const task = { request, phase, counter, open: false, lower: expected, expected, once, staging } as const
  startTask(e, flow, { kind: 'write', path, position, write: { ...task } })
}

function startTask(e: Entry, flow: Flow, init: Pick<Task, 'kind' | 'path' | 'position' | 'write'>): void {
  const tag = e.host.newTag()
  const tries = {
    tries: 0,
    turn: e.host.nextTurn(),
    target: undefined,
    asked: 0,
    atTail: false,
    reading: undefined,
  }
  const task: Task = { ...init, ...tries, tag, flow: flow.id }
  flow.task = task
  drive(e, task)
}

/** The source was read without the intent. */
function tidied(e: Entry, { path, moveId }: Tidying): void {
  tellSettled(e, path, identifierOfPath(path), moveId)
}

/** Tells the head of a destination that a move is settled. */
export function tellSettled(e: Entry, path: PathName, position: Identifier, moveId: RequestId): void {
  const view = e.host.covering(position)
  if (view !== undefined)
    e.host.send(headOf(view), { kind: 'settled', viewId: view.id, path, position, moveId })
}

/** A request is under way until it is answered. */
export function keepFlow(e: Entry, flow: Flow): void {
  e.flows.set(flow.id, flow)
}
