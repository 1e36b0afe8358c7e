/**
 * The steps of a client's request at its entry node: one read or write begins, and in the end the client is answered.
 */

import { assert } from '../../invariant.ts'
import { type Identifier, identifierOfPath } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { Version } from '../../storage/record.ts'
import { headOf } from '../../views/view.ts'
import { blobOfOperation, type RequestId } from './chain-record.ts'
import { drive, type Entering, giveUp } from './entry.ts'
import { newTag, type Outcome, send } from './machine-state.ts'
import type { WriteRequest } from './messages.ts'
import { nextTurn } from './preference.ts'
import type { Flow, FlowStep, Task, TaskResult, Tidying } from './requests.ts'

export interface Flowing extends Entering {
  readonly flows: Map<string, Flow>
}

export function answer(m: Flowing, flow: Flow, outcome: Outcome): void {
  assert(m.flows.get(flow.id) === flow, 'a request is answered once')
  if (flow.task !== undefined) giveUp(m, flow.task)
  m.flows.delete(flow.id)
  if (flow.tidies === undefined) m.effects.push({ kind: 'answer', request: flow.id, outcome })
  else if (outcome.kind === 'value') tidied(m, flow.tidies)
}

export function keyRefused(result: TaskResult): Outcome {
  if (result.kind !== 'key-refused') return { kind: 'indeterminate' }
  return { kind: 'failed', reason: result.reason === 'reused' ? 'key-reused' : 'too-many-keys' }
}

export function read(
  m: Flowing,
  flow: Flow,
  step: FlowStep,
  path: PathName,
  position: Identifier = identifierOfPath(path),
): void {
  flow.step = step
  startTask(m, flow, { kind: 'read', path, position, write: undefined })
}

/** With `expected`, only at that version; without, as a first try. */
export function write(
  m: Flowing,
  flow: Flow,
  step: FlowStep,
  request: WriteRequest,
  expected?: Version,
): void {
  flow.step = step
  const phase = expected === undefined ? 'first' : 'expected'
  const once = expected !== undefined
  const staging = blobOfOperation(request.operation)
  const { path, position } = request
  const counter = ++m.counter
  const task = { request, phase, counter, open: false, lower: expected, expected, once, staging } as const
  startTask(m, flow, { kind: 'write', path, position, write: { ...task } })
}

function startTask(m: Flowing, flow: Flow, init: Pick<Task, 'kind' | 'path' | 'position' | 'write'>): void {
  const tag = newTag(m)
  const tries = {
    tries: 0,
    turn: nextTurn(m),
    target: undefined,
    asked: 0,
    atTail: false,
    reading: undefined,
  }
  const task: Task = { ...init, ...tries, tag, flow: flow.id }
  flow.task = task
  drive(m, task)
}

/** The source was read without the intent. */
function tidied(m: Flowing, { path, moveId }: Tidying): void {
  tellSettled(m, path, identifierOfPath(path), moveId)
}

/** Tells the head of a destination that a move is settled. */
export function tellSettled(m: Flowing, path: PathName, position: Identifier, moveId: RequestId): void {
  const view = m.table.covering(position)
  if (view !== undefined) send(m, headOf(view), { kind: 'settled', viewId: view.id, path, position, moveId })
}

/** A request is under way until it is answered. */
export function keepFlow(m: Flowing, flow: Flow): void {
  m.flows.set(flow.id, flow)
}
