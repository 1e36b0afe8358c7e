/**
 * The entry node's part: it brings one read or write of a client to the replica that can answer it, and asks again
 * until it knows. What it does not know it calls indeterminate, never a guess.
 *
 * A write that got no answer is first burnt (so that it can't happen later), then: in the history → that outcome; the
 * history reaches back to before the first try → try again, naming the expected version; else indeterminate. A first
 * try that its head has refused, using its counter up, is as if it had never been sent.
 */

import { bootName, headOf, type NodeId, tailOf, type View } from '../../views/view.ts'
import { blobOfOperation, compareVersions } from './chain-record.ts'
import { answered, type Confirming, confirmMeanwhile } from './confirm.ts'
import { take } from './deciding.ts'
import { meetSealed } from './finishing.ts'
import { isAlive, probe } from './liveness.ts'
import { backOffMs, newTag, send, setTimer, tell } from './machine-state.ts'
import type { Message, MessageOf, RefusalReason, ReplyMessage, Tag } from './messages.ts'
import { avoid, preferredOf } from './preference.ts'
import type { Task, TaskResult, WriteTask } from './requests.ts'

export interface Entering extends Confirming {
  readonly tasks: Map<Tag, Task>
}

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
export function drive(m: Entering, task: Task): void {
  m.tasks.delete(task.tag)
  task.tag = newTag(m)
  m.tasks.set(task.tag, task)
  setTimer(m, m.settings.answerTimeoutMs, { kind: 'task', tag: task.tag })
  const view = m.table.covering(task.position)
  if (view === undefined) return askWhere(m, task)
  if (task.write === undefined) {
    task.target = readTarget(m, view, task)
    const own = m.views.get(view.id)
    const vote = view.acceptors.includes(m.self) && own !== undefined && !own.sealed
    const { tag, path, position } = task
    send(m, task.target, { kind: 'read', tag, viewId: view.id, path, position, vote, unconfirmed: true })
    task.reading = { view, answer: confirmMeanwhile(m, view, tag, task.target) }
  } else {
    if (task.asked < ASKED_MAX && !isAlive(m, headOf(view))) return askForHead(m, task, view)
    task.asked = 0
    task.target = headOf(view)
    send(m, task.target, writeMessage(m, view, task, task.write))
  }
}

/** A replica to read from: this node itself, else the one that it prefers; the tail when the record was dirty elsewhere. */
function readTarget(m: Entering, view: View, task: Task): NodeId {
  if (task.atTail) return tailOf(view)
  if (task.tries === 0 && view.replicas.includes(m.self)) return m.self
  const preferred = preferredOf(m, view, view.replicas)
  const candidates = preferred.length > 0 ? preferred : view.replicas
  return candidates[task.tries % candidates.length] as NodeId
}

function writeMessage(m: Entering, view: View, task: Task, write: WriteTask): Message {
  const { tag, path, position } = task
  const { request, counter } = write
  const viewId = view.id
  if (write.staging !== undefined) return { kind: 'stage', tag, viewId, blob: write.staging }
  write.open = true
  if (write.phase === 'first') {
    write.lower = { epoch: view.epoch, seq: 0 }
    const head = headOf(view)
    const boot = head === m.self ? m.boot : m.peers.get(head)
    const headBoot = boot === undefined ? '' : bootName(boot)
    return { kind: 'write', tag, viewId, request, binding: { kind: 'first', headBoot, counter } }
  }
  if (write.phase === 'burn' || write.expected === undefined) {
    return { kind: 'burn', tag, viewId, path, position, requestId: request.requestId, counter }
  }
  return { kind: 'write', tag, viewId, request, binding: { kind: 'expected', version: write.expected } }
}

/** The head counts as dead here: the other replicas shall know, and say who has taken its place. */
function askForHead(m: Entering, task: Task, view: View): void {
  const head = headOf(view)
  for (const node of view.replicas) {
    if (node === m.self || !isAlive(m, node)) continue
    send(m, node, { kind: 'suspect', node: head })
    send(m, node, { kind: 'where', position: task.position })
  }
  task.target = undefined
  later(m, task, backOffMs(m, task.asked++))
}

/** No view is known for this position: somebody knows. */
function askWhere(m: Entering, task: Task): void {
  const others = [...m.members.values()].filter(({ node, status }) => node !== m.self && status !== 'gone')
  const other = inTurn(others, task)
  task.target = other?.node
  if (other !== undefined) send(m, other.node, { kind: 'where', position: task.position })
}

/** Each try asks the next one; where a task begins differs, so that not all ask the same. */
function inTurn<Each>(all: readonly Each[], task: Task): Each | undefined {
  return all[(task.turn + task.tries) % Math.max(1, all.length)]
}

/** What a node asks itself it asks another one, each time the next: what it knows may be over. */
export function onWhere(m: Entering, from: NodeId, message: MessageOf<'where'>): void {
  if (from === m.self) {
    const others = [...m.members.keys()].filter(node => node !== m.self && isAlive(m, node))
    const other = others[m.counter++ % Math.max(1, others.length)]
    return other === undefined ? undefined : send(m, other, message)
  }
  const view = m.table.covering(message.position)
  if (view !== undefined) send(m, from, { kind: 'teach', views: [view] })
}

/** No answer: the node asked may be dead; others who share the range with it shall find out. */
export function onTaskTimeout(m: Entering, tag: Tag): void {
  const task = m.tasks.get(tag)
  if (task === undefined) return
  const { target } = task
  if (target !== undefined && target !== m.self) {
    probe(m, target)
    avoid(m, target)
    tellSuspicion(m, task, target)
  }
  if (task.tries > 1) askWhere(m, task)
  again(m, task, 0)
}

/** A node refuses connections, or counts as dead: what waits for its answer need not wait any longer. */
export function onTargetUnreachable(m: Entering, node: NodeId): void {
  for (const task of [...m.tasks.values()]) {
    if (task.target !== node) continue
    // Only the next try has a target again: one refusal after the other is one occasion.
    task.target = undefined
    tellSuspicion(m, task, node)
    again(m, task, backOffMs(m, task.tries))
  }
}

function tellSuspicion(m: Entering, task: Task, node: NodeId): void {
  for (const other of m.table.covering(task.position)?.replicas ?? []) {
    if (other !== node) send(m, other, { kind: 'suspect', node })
  }
}

/** The next try, at once or after a while. A first try is over as soon as it has been sent once. */
function again(m: Entering, task: Task, afterMs: number): void {
  task.tries++
  task.atTail = false
  const { write } = task
  if (write?.phase === 'first' && write.lower !== undefined) {
    write.phase = 'burn'
  }
  if (afterMs === 0) return drive(m, task)
  later(m, task, afterMs)
}

function later(m: Entering, task: Task, afterMs: number): void {
  m.tasks.delete(task.tag)
  task.tag = newTag(m)
  m.tasks.set(task.tag, task)
  setTimer(m, afterMs, { kind: 'retry', flow: task.flow, tag: task.tag })
}

export function onRetry(m: Entering, tag: Tag): void {
  const task = m.tasks.get(tag)
  if (task !== undefined) drive(m, task)
}

export function onRefused(m: Entering, from: NodeId, message: MessageOf<'refused'>): void {
  for (const view of message.teaches) take(m, view)
  if (message.sealed !== undefined) meetSealed(m, message.sealed)
  const task = m.tasks.get(message.tag)
  if (task === undefined || (task.target !== from && from !== m.self)) return
  const { write } = task
  const { reason } = message
  if (reason === 'dirty' && !task.atTail) {
    task.atTail = true
    return drive(m, task)
  }
  // Those that this node believes in, be it itself alone, may know as little of what came after their view.
  if (task.tries > (OUTDATED_AFTER_TRIES.get(reason) ?? Number.POSITIVE_INFINITY)) askWhere(m, task)
  if (write?.phase === 'first' && USED_UP.has(reason)) {
    Object.assign(write, { counter: ++m.counter, open: false, lower: undefined })
    if (reason === 'too-few-replicas' && task.tries >= TOO_FEW_MAX)
      return end(m, task, { kind: 'unavailable' })
  }
  if (reason === 'body-missing' && write !== undefined) {
    write.staging = blobOfOperation(write.request.operation)
  }
  const immediate = task.tries === 0 && (reason === 'burnt' || reason === 'body-missing')
  again(m, task, immediate ? 0 : backOffMs(m, task.tries))
}

export function onStaged(m: Entering, message: MessageOf<'staged'>): void {
  const task = m.tasks.get(message.tag)
  if (task?.write?.staging === undefined) return
  task.write.staging = undefined
  drive(m, task)
}

/** Nobody has the body that is to be staged: the file that it is a copy of may have been removed meanwhile. */
export function onBodyNowhere(m: Entering, tag: Tag): void {
  const task = m.tasks.get(tag)
  if (task?.write?.staging !== undefined && !task.write.open) end(m, task, { kind: 'no-body' })
}

/** An answer that may end the task. */
export function onReply(
  m: Entering,
  from: NodeId,
  message: Exclude<ReplyMessage, { kind: 'refused' | 'staged' }>,
): void {
  const task = m.tasks.get(message.tag)
  if (task === undefined) return
  if (message.kind === 'value' && message.vote !== undefined) {
    if (task.reading === undefined) return
    const { kind, tag, record, vote } = message
    const { view, answer } = task.reading
    return answered(m, view, answer, { kind, tag, record }, vote ? from : undefined)
  }
  if (message.kind === 'stale') return onStale(m, task, message)
  end(m, task, message)
}

/** The version has moved on, or the first try was burnt; either way this request has not been written up to here. */
function onStale(m: Entering, task: Task, message: MessageOf<'stale'>): void {
  const { write } = task
  if (write === undefined) return
  const { record } = message
  if (write.once) return end(m, task, { kind: 'stale', record })
  const covered = write.lower !== undefined && compareVersions(record.historyFloor, write.lower) <= 0
  if (!covered) return end(m, task, { kind: 'indeterminate' })
  write.phase = 'expected'
  write.expected = record.version
  write.lower = record.version
  drive(m, task)
}

function end(m: Entering, task: Task, result: TaskResult): void {
  m.tasks.delete(task.tag)
  tell(m, { kind: 'task-done', task, result })
}

/** Nobody waits for this task any more. */
export function giveUp(m: Entering, { tag }: Task): void {
  m.tasks.delete(tag)
}
