/**
 * Owns CONFIRM: the proof that a view was not superseded when a read arrived.
 *
 * A majority of the acceptors says, asked after the read arrived, that it has not sealed the view. So no child was
 * decided by then, and everything acknowledged by then went through this view's chain, so through this replica. One
 * round serves all reads that wait, of all views; the entry node's own vote rides on its request. (A quorum in place of
 * the leases of CRAQ's and Chubby's kind: no clock decides.)
 */
import type { NodeId, View, ViewId, ViewState } from '../../views/view.ts'
import { hold, meetSealed, newerViews } from './deciding.ts'
import { probe } from './liveness.ts'
import { type Machine, newTag, quorumOf, send, setTimer } from './machine-state.ts'
import type { ConfirmMessage, Message, RefusalReason, SealedView, Tag } from './messages.ts'

/** An answer that leaves when its view is confirmed. */
export interface Unconfirmed {
  readonly to: NodeId
  readonly message: Message & { readonly tag: Tag }
  /** A vote that came with the request; it counts for this answer only. */
  readonly vote: NodeId | undefined
}

interface ViewRound {
  readonly view: View
  readonly votes: Set<NodeId>
  pending: readonly Unconfirmed[]
}

export interface Confirms {
  /** Answers that wait for the next round of their view. */
  readonly waiting: Map<ViewId, Unconfirmed[]>
  readonly rounds: Map<Tag, Map<ViewId, ViewRound>>
  /** Views with a round under way. */
  readonly inFlight: Map<ViewId, Tag>
}

/** Lets an answer out once its view is confirmed. */
export function confirmThen(m: Machine, state: ViewState, answer: Unconfirmed): void {
  if (!m.rules.confirm) return send(m, answer.to, answer.message)
  const own = ownVote(m, state)
  const votes = new Set([...own, ...(answer.vote === undefined ? [] : [answer.vote])])
  if (votes.size >= quorumOf(m, state.view)) return send(m, answer.to, answer.message)
  const waiting = m.confirms.waiting.get(state.view.id)
  if (waiting === undefined) m.confirms.waiting.set(state.view.id, [answer])
  else waiting.push(answer)
  startRound(m)
}

/** Refuses everything that waits for this view: it has been sealed here. */
export function refuseUnconfirmed(m: Machine, viewId: ViewId, reason: RefusalReason): void {
  const waiting = m.confirms.waiting.get(viewId) ?? []
  m.confirms.waiting.delete(viewId)
  const tag = m.confirms.inFlight.get(viewId)
  m.confirms.inFlight.delete(viewId)
  const round = tag === undefined ? undefined : m.confirms.rounds.get(tag)
  const pending = round?.get(viewId)?.pending ?? []
  round?.delete(viewId)
  for (const answer of [...waiting, ...pending]) refuse(m, answer, reason, viewId)
}

/** One message to each acceptor asks for all views that wait and have no round under way. */
function startRound(m: Machine): void {
  const tag = newTag(m)
  const round = new Map<ViewId, ViewRound>()
  const asked = new Map<NodeId, View[]>()
  for (const [viewId, pending] of m.confirms.waiting) {
    const state = m.views.get(viewId)
    if (state === undefined || m.confirms.inFlight.has(viewId)) continue
    round.set(viewId, { view: state.view, votes: new Set(ownVote(m, state)), pending })
    m.confirms.waiting.delete(viewId)
    m.confirms.inFlight.set(viewId, tag)
    for (const acceptor of state.view.acceptors) {
      if (acceptor === m.self) continue
      const views = asked.get(acceptor)
      if (views === undefined) asked.set(acceptor, [state.view])
      else views.push(state.view)
    }
  }
  if (round.size === 0) return
  m.confirms.rounds.set(tag, round)
  for (const [acceptor, views] of asked) send(m, acceptor, { kind: 'confirm', tag, views })
  setTimer(m, m.settings.answerTimeoutMs, { kind: 'confirm', tag })
}

/** At an acceptor. The views in the question are decided, so one that is not held may be taken in. */
export function onConfirm(m: Machine, from: NodeId, message: ConfirmMessage & { kind: 'confirm' }): void {
  const viewIds: ViewId[] = []
  const sealed: SealedView[] = []
  for (const view of message.views) {
    const state = hold(m, view)
    if (state !== undefined && !state.sealed) viewIds.push(view.id)
    else sealed.push(sealedView(m, view, state))
  }
  send(m, from, { kind: 'confirmed', tag: message.tag, viewIds, sealed })
}

export function onConfirmed(m: Machine, from: NodeId, message: ConfirmMessage & { kind: 'confirmed' }): void {
  const round = m.confirms.rounds.get(message.tag)
  for (const viewId of message.viewIds) {
    const part = round?.get(viewId)
    if (part === undefined || !part.view.acceptors.includes(from)) continue
    part.votes.add(from)
    settle(m, message.tag, part)
  }
  for (const view of message.sealed) meetSealed(m, view)
}

export function onConfirmTimeout(m: Machine, tag: Tag): void {
  for (const part of [...(m.confirms.rounds.get(tag)?.values() ?? [])]) {
    const silent = part.view.acceptors.filter(node => !part.votes.has(node))
    for (const answer of part.pending) refuse(m, answer, 'unconfirmed', part.view.id)
    finish(m, tag, part.view.id)
    for (const node of silent) probe(m, node)
  }
}

/** Lets out what has its majority; votes that rode on requests count for their own answers. */
function settle(m: Machine, tag: Tag, part: ViewRound): void {
  const quorum = quorumOf(m, part.view)
  const late: Unconfirmed[] = []
  for (const answer of part.pending) {
    const extra = answer.vote !== undefined && !part.votes.has(answer.vote) ? 1 : 0
    if (part.votes.size + extra >= quorum) send(m, answer.to, answer.message)
    else late.push(answer)
  }
  part.pending = late
  if (late.length === 0) finish(m, tag, part.view.id)
}

function finish(m: Machine, tag: Tag, viewId: ViewId): void {
  const round = m.confirms.rounds.get(tag)
  round?.delete(viewId)
  if (round?.size === 0) m.confirms.rounds.delete(tag)
  m.confirms.inFlight.delete(viewId)
  if (m.confirms.waiting.size > 0) startRound(m)
}

function ownVote(m: Machine, state: ViewState): NodeId[] {
  return state.view.acceptors.includes(m.self) && !state.sealed ? [m.self] : []
}

function sealedView(m: Machine, view: View, state: ViewState | undefined): SealedView {
  const newer = newerViews(m, view)
  const next = state?.next ?? (newer.length > 0 ? newer : undefined)
  return { view, accepted: state?.accepted?.children, next }
}

function refuse(m: Machine, answer: Unconfirmed, reason: RefusalReason, viewId: ViewId): void {
  const view = m.views.get(viewId)?.view
  const teaches = view === undefined ? [] : newerViews(m, view)
  send(m, answer.to, { kind: 'refused', tag: answer.message.tag, reason, teaches, sealed: undefined })
}
