/**
 * CONFIRM: the proof that a view was not superseded when a read arrived.
 *
 * A majority of the acceptors says, asked after the read arrived, that it has not sealed the view. So no child was
 * decided by then, and everything acknowledged by then went through this view's chain, so through every replica of it.
 * Who asks does not matter: the entry node does, at the time at which it asks a replica for the record, and the
 * replica's own vote comes with the record. One round serves all reads that wait, of all views, and asks no more
 * acceptors than are needed, unless one is slow. (A quorum in place of the leases of CRAQ's and Chubby's kind: no clock
 * decides.)
 */

import { assert } from '../../invariant.ts'
import { majority, type NodeId, type View, type ViewId, type ViewState } from '../../views/view.ts'
import { isShortened, withoutMembers } from './acquaintance.ts'
import { hold, newerViews } from './deciding.ts'
import { type Finishing, meetSealed, sealedView } from './finishing.ts'
import { probe } from './liveness.ts'
import { newTag, send, setTimer } from './machine-state.ts'
import type { Message, MessageOf, RefusalReason, SealedView, Tag } from './messages.ts'
import { avoid, type Preferring, preferredOf } from './preference.ts'
import type { Unconfirmed, ViewRound } from './votes.ts'

export interface Confirming extends Finishing, Preferring {
  readonly confirms: Confirms
}

/** The part of the wait for an answer after which a round asks everybody: 250 ms by default; few answers take longer. */
const PATIENT_PART = 1 / 4

export interface Confirms {
  /** Answers that wait for the next round of their view. */
  readonly waiting: Map<ViewId, { readonly view: View; readonly answers: Unconfirmed[] }>
  readonly rounds: Map<Tag, Map<ViewId, ViewRound>>
  /** Views with a round under way. */
  readonly inFlight: Map<ViewId, Tag>
}

/** Lets an answer out once its view is confirmed. `vote` came with the request. */
export function confirmThen(
  m: Confirming,
  { view }: ViewState,
  answer: { readonly to: NodeId; readonly message: Message & { readonly tag: Tag }; readonly vote?: NodeId },
): void {
  const { to, message, vote } = answer
  const unconfirmed = { to, tag: message.tag, message, vote, round: undefined }
  if (!letOut(m, view, ownVote(m, view), unconfirmed)) enqueue(m, view, unconfirmed)
}

/** Begins to confirm a view while one of its replicas is asked for a record, which `answered` hands in. */
export function confirmMeanwhile(m: Confirming, view: View, tag: Tag, replica: NodeId): Unconfirmed {
  const vote = view.acceptors.includes(replica) ? replica : undefined
  const unconfirmed: Unconfirmed = { to: m.self, tag, message: undefined, vote, round: undefined }
  enqueue(m, view, unconfirmed)
  return unconfirmed
}

/** The replica has answered, with its vote or without. */
export function answered(
  m: Confirming,
  view: View,
  unconfirmed: Unconfirmed,
  message: Message,
  vote: NodeId | undefined,
): void {
  const { round } = unconfirmed
  unconfirmed.message = message
  unconfirmed.vote = vote
  if (letOut(m, view, round?.votes ?? ownVote(m, view), unconfirmed)) round?.pending.delete(unconfirmed)
  else if (round?.over) enqueue(m, view, unconfirmed)
}

/** Refuses everything that waits for this view: it has been sealed. */
export function refuseUnconfirmed(m: Confirming, viewId: ViewId, reason: RefusalReason): void {
  const waiting = m.confirms.waiting.get(viewId)?.answers ?? []
  m.confirms.waiting.delete(viewId)
  const tag = m.confirms.inFlight.get(viewId)
  const part = tag === undefined ? undefined : m.confirms.rounds.get(tag)?.get(viewId)
  if (tag !== undefined && part !== undefined) close(m, tag, part)
  for (const answer of [...waiting, ...(part?.pending ?? [])]) refuse(m, answer, reason, viewId)
}

/** At the end of a step: one message to each acceptor asks for all views that wait and have no round under way. */
export function startRounds(m: Confirming): void {
  const { waiting, rounds, inFlight } = m.confirms
  if (waiting.size === 0) return
  const parts = new Map<ViewId, ViewRound>()
  const tag = newTag(m)
  for (const [viewId, { view, answers }] of waiting) {
    if (inFlight.has(viewId)) continue
    waiting.delete(viewId)
    const part = newRound(m, view, answers)
    if (part.over) continue
    parts.set(viewId, part)
    inFlight.set(viewId, tag)
  }
  for (const viewId of waiting.keys())
    assert(inFlight.has(viewId), 'who waits for votes waits behind a round', viewId)
  if (parts.size === 0) return
  rounds.set(tag, parts)
  ask(
    m,
    tag,
    [...parts.values()].map(part => [part, part.asked]),
  )
  setTimer(m, m.settings.answerTimeoutMs * PATIENT_PART, { kind: 'confirm', tag, last: false })
}

/** Asks as many acceptors as the votes that are sure to come, or not to be needed, leave open. */
function newRound(m: Confirming, view: View, answers: readonly Unconfirmed[]): ViewRound {
  assert(!m.confirms.inFlight.has(view.id), 'a view has one round of votes at a time', view.id)
  const votes = ownVote(m, view)
  const pending = new Set(answers)
  const part: ViewRound = { view, asked: new Set(), votes, pending, over: false }
  const expected = new Set<NodeId>()
  let wanted = 0
  for (const answer of answers) {
    answer.round = part
    if (answer.vote !== undefined) expected.add(answer.vote)
    wanted = Math.max(wanted, majority(view.acceptors) - votesFor(part, answer))
  }
  part.over = wanted === 0
  if (part.over) return part
  const others = view.acceptors.filter(node => node !== m.self)
  const preferred = preferredOf(
    m,
    view,
    others.filter(node => !expected.has(node)),
  )
  const asked = preferred.length >= wanted ? preferred.slice(0, wanted) : others
  for (const node of asked) part.asked.add(node)
  return part
}

function ask(m: Confirming, tag: Tag, questions: readonly (readonly [ViewRound, Iterable<NodeId>])[]): void {
  const views = new Map<NodeId, View[]>()
  for (const [{ view }, acceptors] of questions) {
    const bare = withoutMembers(view)
    for (const acceptor of acceptors) {
      const known = views.get(acceptor)
      if (known === undefined) views.set(acceptor, [bare])
      else known.push(bare)
    }
  }
  for (const [acceptor, some] of views) send(m, acceptor, { kind: 'confirm', tag, views: some })
}

/** Asks those acceptors that were not asked yet: one of those that were does not vote, or not soon. */
function askEverybody(m: Confirming, tag: Tag, parts: readonly ViewRound[]): void {
  const questions = parts.map(part => {
    const others = part.view.acceptors.filter(node => node !== m.self && !part.asked.has(node))
    for (const node of others) part.asked.add(node)
    return [part, others] as const
  })
  ask(m, tag, questions)
}

/** At an acceptor. The views in the question are decided, so one that is not held may be taken in. */
export function onConfirm(m: Confirming, from: NodeId, message: MessageOf<'confirm'>): void {
  const viewIds: ViewId[] = []
  const sealed: SealedView[] = []
  for (const view of message.views) {
    const state = isShortened(view) ? m.views.get(view.id) : hold(m, view)
    if (state !== undefined && !state.sealed) viewIds.push(view.id)
    else sealed.push(sealedView(m, view, state))
  }
  send(m, from, { kind: 'confirmed', tag: message.tag, viewIds, sealed })
}

export function onConfirmed(m: Confirming, from: NodeId, message: MessageOf<'confirmed'>): void {
  const { rounds } = m.confirms
  for (const viewId of message.viewIds) {
    const part = rounds.get(message.tag)?.get(viewId)
    if (part === undefined || !part.view.acceptors.includes(from)) continue
    part.votes.add(from)
    settle(m, message.tag, part)
  }
  for (const sealed of message.sealed) {
    const part = rounds.get(message.tag)?.get(sealed.view.id)
    // What was shown without its members comes back so: nobody shall take it in like that.
    const view = part?.view ?? m.views.get(sealed.view.id)?.view ?? sealed.view
    if (!isShortened(view) || sealed.next !== undefined) meetSealed(m, { ...sealed, view })
    if (part === undefined) continue
    // One that has not heard of the view could not take it in as it was shown: now it can.
    const isUnheard = sealed.next === undefined && sealed.accepted === undefined && isShortened(sealed.view)
    if (isUnheard) send(m, from, { kind: 'teach', views: [part.view] })
    // Where this node has learned of a newer view, that one is to be read; else the others may still be a majority.
    if (m.table.covering(part.view.hi)?.id !== part.view.id) refuseUnconfirmed(m, part.view.id, 'sealed')
    else askEverybody(m, message.tag, [part])
  }
}

export function onConfirmTimeout(m: Confirming, tag: Tag, last: boolean): void {
  const parts = [...(m.confirms.rounds.get(tag)?.values() ?? [])]
  if (parts.length === 0) return
  const silent = new Set(parts.flatMap(({ asked, votes }) => [...asked].filter(node => !votes.has(node))))
  for (const node of silent) avoid(m, node)
  if (!last) for (const part of parts) doubtSilent(m, part)
  if (!last) {
    askEverybody(m, tag, parts)
    return setTimer(m, m.settings.answerTimeoutMs * (1 - PATIENT_PART), { kind: 'confirm', tag, last: true })
  }
  for (const part of parts) {
    close(m, tag, part)
    for (const answer of part.pending) {
      if (answer.message !== undefined) refuse(m, answer, 'unconfirmed', part.view.id)
    }
  }
  for (const node of silent) probe(m, node)
}

/** Few answers take so long: those whose vote is missing are asked whether they are there, by the replicas as well, which repair the range. */
function doubtSilent(m: Confirming, { view, asked, votes }: ViewRound): void {
  for (const node of asked) {
    if (votes.has(node)) continue
    probe(m, node)
    for (const replica of view.replicas) if (replica !== node) send(m, replica, { kind: 'suspect', node })
  }
}

/** An acceptor refuses connections: its vote is not waited for. */
export function onVoterUnreachable(m: Confirming, node: NodeId): void {
  for (const [tag, parts] of m.confirms.rounds) {
    const open = [...parts.values()].filter(({ asked, votes }) => asked.has(node) && !votes.has(node))
    if (open.length > 0) askEverybody(m, tag, open)
  }
}

/** Lets out what has its majority; the round is over when nothing in it needs another vote, or none is to come. */
function settle(m: Confirming, tag: Tag, part: ViewRound): void {
  const { view, votes, pending } = part
  const quorum = majority(view.acceptors)
  let isOpen = false
  for (const answer of pending) {
    if (letOut(m, view, votes, answer)) pending.delete(answer)
    else isOpen ||= votesFor(part, answer) < quorum
  }
  if (isOpen && [...part.asked].some(node => !votes.has(node))) return
  close(m, tag, part)
  for (const answer of pending) if (answer.message !== undefined) enqueue(m, view, answer)
}

/** Sends an answer that is there and has a majority. */
function letOut(m: Confirming, view: View, votes: ReadonlySet<NodeId>, answer: Unconfirmed): boolean {
  if (answer.message === undefined) return false
  assert(votesFor({ votes }, answer) <= view.acceptors.length, 'only acceptors have votes', view.id)
  if (votesFor({ votes }, answer) < majority(view.acceptors)) return false
  send(m, answer.to, answer.message)
  return true
}

/** Votes that an answer has, together with the one that comes with it. */
function votesFor({ votes }: { readonly votes: ReadonlySet<NodeId> }, { vote }: Unconfirmed): number {
  return votes.size + (vote !== undefined && !votes.has(vote) ? 1 : 0)
}

function enqueue(m: Confirming, view: View, answer: Unconfirmed): void {
  answer.round = undefined
  const waiting = m.confirms.waiting.get(view.id)
  if (waiting === undefined) m.confirms.waiting.set(view.id, { view, answers: [answer] })
  else waiting.answers.push(answer)
}

function close(m: Confirming, tag: Tag, part: ViewRound): void {
  part.over = true
  const parts = m.confirms.rounds.get(tag)
  parts?.delete(part.view.id)
  if (parts?.size === 0) m.confirms.rounds.delete(tag)
  assert(m.confirms.inFlight.get(part.view.id) === tag, 'a round ends once', part.view.id)
  m.confirms.inFlight.delete(part.view.id)
}

/** Whether this node's own vote confirms a view. */
export function mayVote(m: Confirming, view: View): boolean {
  return view.acceptors.includes(m.self) && m.views.get(view.id)?.sealed === false
}

function ownVote(m: Confirming, view: View): Set<NodeId> {
  return new Set(mayVote(m, view) ? [m.self] : [])
}

function refuse(m: Confirming, answer: Unconfirmed, reason: RefusalReason, viewId: ViewId): void {
  const view = m.views.get(viewId)?.view
  const teaches = view === undefined ? [] : newerViews(m, view)
  send(m, answer.to, { kind: 'refused', tag: answer.tag, reason, teaches, sealed: undefined })
}

/** Whoever waited for a view that is sealed has been refused. */
export function assertNobodyWaits(m: Confirming, viewId: ViewId): void {
  assert(!m.confirms.waiting.has(viewId), 'no answer waits for the votes of a sealed view', viewId)
}
