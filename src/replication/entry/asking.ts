/**
 * The entry node's part: it brings one read or write of a client to the replica that can answer it, and asks again
 * until it knows. What it does not know it calls indeterminate, never a guess.
 *
 * A write that got no answer is first burnt (so that it can't happen later), then: in the history → that outcome; the
 * history reaches back to before the first try → try again, naming the expected version; else indeterminate. A first
 * try that its head has refused, using its counter up, is as if it had never been sent.
 */

import { bootName, headOf, type NodeId, tailOf, type View } from '../../views/view.ts'
import { blobOfOperation, compareVersions } from '../chain/chain-record.ts'
import { backOffMs } from '../chain/machine-state.ts'
import type { Message, MessageOf, RefusalReason, ReplyMessage, Tag } from '../chain/messages.ts'
import type { Entry } from './entry.ts'
import type { Task, TaskResult, WriteTask } from './requests.ts'

/**
 * Refusals after which a write is given up that too few replicas could keep: about five seconds with the usual waits, in
 * which a range that has just lost or gained a node has its next view, on a busy machine too.
 */
const TOO_FEW_MAX = 10

/** How often it is asked who has taken the place of a dead head; then that one gets the write: the belief may be wrong. */
const ASKED_MAX = 4

/** Refusals of a head that has used the counter of a first try up: that try can't be written any more. */
const USED_UP: ReadonlySet<RefusalReason> = new Set<RefusalReason>([
  'too-few-replicas',
  'overloaded',
  'body-missing',
])

/** After how many tries a refusal is a reason to ask others who has the range: a view that is about to serve has its time. */
const OUTDATED_AFTER_TRIES: ReadonlyMap<RefusalReason, number> = new Map<RefusalReason, number>([
  ['unknown-view', 0],
  ['sealed', 1],
  ['not-active', 1],
  ['unconfirmed', 1],
])

/** Sends the next try of a task. */
export function drive(e: Entry, task: Task): void {
  e.tasks.delete(task.tag)
  task.tag = e.host.newTag()
  e.tasks.set(task.tag, task)
  e.host.setTimer(e.host.settings.answerTimeoutMs, { kind: 'task', tag: task.tag })
  const view = e.host.covering(task.position)
  if (view === undefined) return askWhere(e, task)
  if (task.write === undefined) {
    task.target = readTarget(e, view, task)
    const vote = e.host.mayVote(view)
    const { tag, path, position } = task
    e.host.send(task.target, { kind: 'read', tag, viewId: view.id, path, position, vote, unconfirmed: true })
    task.reading = { view, answer: e.host.confirmMeanwhile(view, tag, task.target) }
  } else {
    if (task.asked < ASKED_MAX && !e.host.isAlive(headOf(view))) return askForHead(e, task, view)
    task.asked = 0
    task.target = headOf(view)
    e.host.send(task.target, writeMessage(e, view, task, task.write))
  }
}

/** A replica to read from: this node itself, else the one that it prefers; the tail when the record was dirty elsewhere. */
function readTarget(e: Entry, view: View, task: Task): NodeId {
  if (task.atTail) return tailOf(view)
  if (task.tries === 0 && view.replicas.includes(e.host.self)) return e.host.self
  const preferred = e.host.preferred(view, view.replicas)
  const candidates = preferred.length > 0 ? preferred : view.replicas
  return candidates[task.tries % candidates.length] as NodeId
}

function writeMessage(e: Entry, view: View, task: Task, write: WriteTask): Message {
  const { tag, path, position } = task
  const { request, counter } = write
  const viewId = view.id
  if (write.staging !== undefined) return { kind: 'stage', tag, viewId, blob: write.staging }
  write.open = true
  if (write.phase === 'first') {
    write.lower = { epoch: view.epoch, seq: 0 }
    const head = headOf(view)
    const boot = e.host.bootOf(head)
    const headBoot = boot === undefined ? '' : bootName(boot)
    return { kind: 'write', tag, viewId, request, binding: { kind: 'first', headBoot, counter } }
  }
  if (write.phase === 'burn' || write.expected === undefined) {
    return { kind: 'burn', tag, viewId, path, position, requestId: request.requestId, counter }
  }
  return { kind: 'write', tag, viewId, request, binding: { kind: 'expected', version: write.expected } }
}

/** The head counts as dead here: the other replicas shall know, and say who has taken its place. */
function askForHead(e: Entry, task: Task, view: View): void {
  const head = headOf(view)
  for (const node of view.replicas) {
    if (node === e.host.self || !e.host.isAlive(node)) continue
    e.host.send(node, { kind: 'suspect', node: head })
    e.host.send(node, { kind: 'where', position: task.position })
  }
  task.target = undefined
  later(e, task, backOffMs(e.host, task.asked++))
}

/** No view is known for this position: somebody knows. */
function askWhere(e: Entry, task: Task): void {
  const other = inTurn(e.host.others(), task)
  task.target = other
  if (other !== undefined) e.host.send(other, { kind: 'where', position: task.position })
}

/** Each try asks the next one; where a task begins differs, so that not all ask the same. */
function inTurn<Each>(all: readonly Each[], task: Task): Each | undefined {
  return all[(task.turn + task.tries) % Math.max(1, all.length)]
}

/** No answer: the node asked may be dead; others who share the range with it shall find out. */
export function onTaskTimeout(e: Entry, tag: Tag): void {
  const task = e.tasks.get(tag)
  if (task === undefined) return
  const { target } = task
  if (target !== undefined && target !== e.host.self) {
    e.host.probe(target)
    e.host.avoid(target)
    tellSuspicion(e, task, target)
  }
  if (task.tries > 1) askWhere(e, task)
  again(e, task, 0)
}

/** A node refuses connections, or counts as dead: what waits for its answer need not wait any longer. */
export function onTargetUnreachable(e: Entry, node: NodeId): void {
  for (const task of [...e.tasks.values()]) {
    if (task.target !== node) continue
    // Only the next try has a target again: one refusal after the other is one occasion.
    task.target = undefined
    tellSuspicion(e, task, node)
    again(e, task, backOffMs(e.host, task.tries))
  }
}

function tellSuspicion(e: Entry, task: Task, node: NodeId): void {
  for (const other of e.host.covering(task.position)?.replicas ?? []) {
    if (other !== node) e.host.send(other, { kind: 'suspect', node })
  }
}

/** The next try, at once or after a while. A first try is over as soon as it has been sent once. */
function again(e: Entry, task: Task, afterMs: number): void {
  task.tries++
  task.atTail = false
  const { write } = task
  if (write?.phase === 'first' && write.lower !== undefined) {
    write.phase = 'burn'
  }
  if (afterMs === 0) return drive(e, task)
  later(e, task, afterMs)
}

function later(e: Entry, task: Task, afterMs: number): void {
  e.tasks.delete(task.tag)
  task.tag = e.host.newTag()
  e.tasks.set(task.tag, task)
  e.host.setTimer(afterMs, { kind: 'retry', flow: task.flow, tag: task.tag })
}

export function onRetry(e: Entry, tag: Tag): void {
  const task = e.tasks.get(tag)
  if (task !== undefined) drive(e, task)
}

export function onRefused(e: Entry, from: NodeId, message: MessageOf<'refused'>): void {
  const task = e.tasks.get(message.tag)
  if (task === undefined || (task.target !== from && from !== e.host.self)) return
  const { write } = task
  const { reason } = message
  if (reason === 'dirty' && !task.atTail) {
    task.atTail = true
    return drive(e, task)
  }
  // Those that this node believes in, be it itself alone, may know as little of what came after their view.
  if (task.tries > (OUTDATED_AFTER_TRIES.get(reason) ?? Number.POSITIVE_INFINITY)) askWhere(e, task)
  if (write?.phase === 'first' && USED_UP.has(reason)) {
    Object.assign(write, { counter: e.host.newCounter(), open: false, lower: undefined })
    if (reason === 'too-few-replicas' && task.tries >= TOO_FEW_MAX)
      return end(e, task, { kind: 'unavailable' })
  }
  if (reason === 'body-missing' && write !== undefined) {
    write.staging = blobOfOperation(write.request.operation)
  }
  const immediate = task.tries === 0 && (reason === 'burnt' || reason === 'body-missing')
  again(e, task, immediate ? 0 : backOffMs(e.host, task.tries))
}

export function onStaged(e: Entry, message: MessageOf<'staged'>): void {
  const task = e.tasks.get(message.tag)
  if (task?.write?.staging === undefined) return
  task.write.staging = undefined
  drive(e, task)
}

/** Nobody has the body that is to be staged: the file that it is a copy of may have been removed meanwhile. */
export function onBodyNowhere(e: Entry, tag: Tag): void {
  const task = e.tasks.get(tag)
  if (task?.write?.staging !== undefined && !task.write.open) end(e, task, { kind: 'no-body' })
}

export type Answer = Exclude<ReplyMessage, { kind: 'refused' | 'staged' }>

/** An answer that may end the task. */
export function onReply(e: Entry, from: NodeId, message: Answer): void {
  const task = e.tasks.get(message.tag)
  if (task === undefined) return
  if (message.kind === 'value' && message.vote !== undefined) {
    if (task.reading === undefined) return
    const { kind, tag, record, vote } = message
    const { view, answer } = task.reading
    return e.host.answered(view, answer, { kind, tag, record }, vote ? from : undefined)
  }
  if (message.kind === 'stale') return onStale(e, task, message)
  end(e, task, message)
}

/** The version has moved on, or the first try was burnt; either way this request has not been written up to here. */
function onStale(e: Entry, task: Task, message: MessageOf<'stale'>): void {
  const { write } = task
  if (write === undefined) return
  const { record } = message
  if (write.once) return end(e, task, { kind: 'stale', record })
  const covered = write.lower !== undefined && compareVersions(record.historyFloor, write.lower) <= 0
  if (!covered) return end(e, task, { kind: 'indeterminate' })
  write.phase = 'expected'
  write.expected = record.version
  write.lower = record.version
  drive(e, task)
}

function end(e: Entry, task: Task, result: TaskResult): void {
  e.tasks.delete(task.tag)
  e.host.tell({ kind: 'task-done', task, result })
}

/** Nobody waits for this task any more. */
export function giveUp(e: Entry, { tag }: Task): void {
  e.tasks.delete(tag)
}
