/**
 * The machine's part in RECONFIGURE: it drives the pure rules of views/reconfigure.ts, takes decided views in, and
 * finishes what others have left.
 *
 * A View that travels outside of a Paxos value is decided. So a member that does not hold it yet may take it in, unless
 * it once held it and has dropped the header since; that is what the seal marks are for.
 */

import { assert } from '../../invariant.ts'
import { overlaps } from '../../ring/arc.ts'
import { agree, areChildren } from '../../views/lawful.ts'
import {
  type AcceptorStep,
  accept,
  onAccepted,
  onPromise,
  type Proposal,
  prepare,
  propose,
} from '../../views/reconfigure.ts'
import {
  assertChildren,
  bootName,
  compareViews,
  freshState,
  isMember,
  majority,
  type NodeId,
  type Rank,
  type View,
  type ViewId,
  type ViewState,
} from '../../views/view.ts'
import { meetMembers, saysMembers } from './acquaintance.ts'
import { isAlive, type Nodes, probe } from './liveness.ts'
import { backOffMs, newTag, putView, send, setTimer, tell } from './machine-state.ts'
import type { Message, MessageOf, Tag } from './messages.ts'

export interface Deciding extends Nodes {
  readonly proposals: Map<ViewId, Proposing>
}

export interface Proposing {
  proposal: Proposal
  tries: number
  /** A plan of this node, out of what it believes; else a value that some acceptor may have accepted, to be finished. */
  readonly isPlan: boolean
  /** Names the question that this attempt asks those who have no vote on the plan, and are to be acceptors by it. */
  readonly tag: Tag
  /** Whoever has promised to this attempt, or has answered its question. */
  readonly heard: Set<NodeId>
  /** The acceptors have been asked to accept. */
  asked: boolean
  /** Outbid by one that comes before this node. */
  outranked: boolean
}

/** Attempts of one proposer; then whoever needs the range begins anew. */
const ATTEMPTS_MAX = 8

/** Waits for an answer in which a proposer that goes first comes to its end: two rounds of votes, and one of each again. */
const GIVEN_WAY_ANSWERS = 4

/** The state of a decided view: taken in if this node is a member and can never have held it before. */
export function hold(m: Deciding, view: View): ViewState | undefined {
  take(m, view)
  return m.views.get(view.id)
}

/** Newer views that overlap this one's range, as far as this node knows. */
export function newerViews(m: Deciding, view: View): View[] {
  return m.table.overlapping(view).filter(other => compareViews(other, view) > 0)
}

/**
 * Learns of a decided view, seals what it supersedes, and begins its part in it. A view that was known by its replicas
 * alone, as a source of another, is whole from now on: a value that is accepted in it is told with its acceptors.
 */
export function take(m: Deciding, view: View): void {
  const isNews = m.table.covering(view.hi)?.id !== view.id
  m.table.learn(view)
  if (isNews) sealOlder(m, view)
  const held = m.views.get(view.id)
  const isFuller = saysMembers(view) && held !== undefined && !saysMembers(held.view)
  if (isNews || isFuller) meetMembers(m, view)
  if (held !== undefined && (isFuller || held.view.acceptors.length === 0) && agree(held.view, view))
    putView(m, { ...held, view })
  if (held !== undefined || !isMember(view, m.self)) return
  if (m.marks.covers(view)) return
  // What was already superseded here when it was heard of is sealed from the beginning.
  const sealed = newerViews(m, view).length > 0
  putView(m, { ...freshState(view), sealed })
  if (sealed) return
  tell(m, { kind: 'taken-in', view })
}

/** An older view of the same range is superseded, also for one that has no part in the newer. */
function sealOlder(m: Deciding, view: View): void {
  for (const state of [...m.views.values()]) {
    if (state.sealed || compareViews(state.view, view) >= 0 || !overlaps(state.view, view)) continue
    if (state.active && state.view.replicas.includes(m.self) && state.view.root !== view.root) {
      const records = m.records.digest(state.view, '').count
      m.effects.push({ kind: 'overruled', view: state.view, by: view, records })
    }
    seal(m, state)
  }
}

/** Nothing more is served in this view here. */
export function seal(m: Deciding, state: ViewState): ViewState {
  if (state.sealed) return state
  const sealed = { ...state, sealed: true }
  putView(m, sealed)
  tell(m, { kind: 'sealed', viewId: state.view.id })
  return sealed
}

/** Begins to propose children that this node has planned, unless an attempt for this view is under way. */
export function proposePlan(m: Deciding, view: View, children: readonly View[]): void {
  if (!m.proposals.has(view.id)) startProposal(m, view, children, true)
}

/** Begins to finish what was accepted somewhere, unless an attempt for this view is under way. */
export function finishProposal(m: Deciding, view: View, children: readonly View[]): void {
  if (!m.proposals.has(view.id)) startProposal(m, view, children, false)
}

function startProposal(m: Deciding, view: View, children: readonly View[], isPlan: boolean, tries = 0): void {
  const old = m.proposals.get(view.id)
  assertChildren(view, children)
  // Above what this node has promised itself, to an attempt of before: else it would wait for its own vote.
  const promised = m.views.get(view.id)?.promised?.round ?? 0
  const round = Math.max(old?.proposal.roundSeen ?? 0, promised) + 1
  assert(old === undefined || round > old.proposal.ballot.round, 'the ballots of a proposer grow', view.id)
  const ballot = { round, node: m.self, boot: bootName(m.boot) }
  const proposal = propose(view, ballot, children)
  const tag = newTag(m)
  m.proposals.set(view.id, {
    proposal,
    tries,
    isPlan,
    tag,
    heard: new Set([m.self]),
    asked: false,
    outranked: false,
  })
  for (const acceptor of view.acceptors) send(m, acceptor, { kind: 'prepare', view, ballot })
  const named = new Set(children.flatMap(({ acceptors }) => acceptors))
  if (isPlan) for (const node of named) if (!view.acceptors.includes(node)) askNewcomer(m, node, tag)
  setTimer(m, m.settings.answerTimeoutMs + backOffMs(m, tries), { kind: 'proposal', viewId: view.id, round })
}

/**
 * Whether a node is there that is to be an acceptor. A vote on no view is asked for: every version of the program answers that,
 * and its answer names the question.
 */
function askNewcomer(m: Deciding, node: NodeId, tag: Tag): void {
  if (node === m.self) return
  send(m, node, { kind: 'confirm', tag, views: [] })
  probe(m, node)
}

export function onProposalTimeout(m: Deciding, viewId: ViewId, round: number): void {
  const proposing = m.proposals.get(viewId)
  if (proposing === undefined || proposing.proposal.ballot.round !== round) return
  const { proposal, tries, isPlan } = proposing
  if (proposing.outranked) {
    proposing.outranked = false
    setTimer(m, GIVEN_WAY_ANSWERS * m.settings.answerTimeoutMs, { kind: 'proposal', viewId, round })
    return
  }
  for (const node of proposal.view.acceptors) {
    if (!proposal.answered.has(node)) probe(m, node)
  }
  // Whoever looks after the range plans anew, out of what it has learned.
  const isOutdated = proposal.phase === 'accept' && !proposing.asked
  if (isOutdated || tries + 1 >= ATTEMPTS_MAX) m.proposals.delete(viewId)
  else startProposal(m, proposal.view, proposal.value, isPlan && proposal.found === undefined, tries + 1)
}

/**
 * One that is to be an acceptor has answered the question of this attempt. Nothing else that it has sent shows that it is there:
 * that may be late, and its disk be lost since (docs/decisions/0476, 0487).
 */
export function noteThere(m: Deciding, from: NodeId, tag: Tag): void {
  for (const proposing of m.proposals.values()) {
    if (proposing.tag !== tag) continue
    proposing.heard.add(from)
    askToAccept(m, proposing)
  }
}

/**
 * A node is back that counted as dead. A plan that leaves it out was made out of a belief that is over, and by a node that may have
 * been cut off itself: it is given up as long as nobody was asked to accept it, and made anew (docs/decisions/0310).
 */
export function dropPlansWithout(m: Deciding, node: NodeId): void {
  for (const [viewId, { proposal, isPlan, asked }] of m.proposals) {
    const { view, value, found } = proposal
    if (!isPlan || asked || found !== undefined) continue
    const isLeftOut = view.replicas.includes(node) && !value.some(({ replicas }) => replicas.includes(node))
    if (isLeftOut) m.proposals.delete(viewId)
  }
}

export function onPrepare(m: Deciding, from: NodeId, message: MessageOf<'prepare'>): void {
  const { ballot, view } = message
  const state = hold(m, view)
  if (!mayVote(m, from, message, state)) return
  const step = prepare(state, ballot)
  keep(m, state, step)
  const { answer } = step
  if (answer.kind === 'promise') {
    send(m, from, { kind: 'promise', viewId: view.id, ballot, accepted: answer.accepted })
  } else if (answer.kind === 'outbid') {
    send(m, from, { kind: 'outbid', viewId: view.id, ballot, promised: answer.promised })
  }
}

export function onAccept(m: Deciding, from: NodeId, message: MessageOf<'accept'>): void {
  const { ballot, view, children } = message
  const state = hold(m, view)
  if (!mayVote(m, from, message, state)) return
  const step = accept(state, ballot, children)
  keep(m, state, step)
  if (step.state.sealed) tell(m, { kind: 'sealed', viewId: view.id })
  const { answer } = step
  if (answer.kind === 'accepted') send(m, from, { kind: 'accepted', viewId: view.id, ballot })
  else if (answer.kind === 'outbid') {
    send(m, from, { kind: 'outbid', viewId: view.id, ballot, promised: answer.promised })
  }
}

/** A decided view needs no more votes; one that is not held gets none. */
function mayVote(
  m: Deciding,
  from: NodeId,
  message: MessageOf<'prepare'> | MessageOf<'accept'>,
  state: ViewState | undefined,
): state is ViewState {
  const { view, ballot } = message
  if (state?.next !== undefined) {
    send(m, from, { kind: 'decided', view, children: state.next })
    return false
  }
  if (state === undefined) {
    send(m, from, { kind: 'outbid', viewId: view.id, ballot, promised: undefined })
    send(m, from, { kind: 'teach', views: newerViews(m, view) })
    return false
  }
  return true
}

function keep(m: Deciding, before: ViewState, step: AcceptorStep): void {
  if (step.state !== before) putView(m, step.state)
}

export function onPromised(m: Deciding, from: NodeId, message: MessageOf<'promise'>): void {
  const proposing = m.proposals.get(message.viewId)
  if (proposing === undefined || !sameBallot(proposing.proposal.ballot, message.ballot)) return
  const before = proposing.proposal
  const after = onPromise(before, from, message.accepted, majority(before.view.acceptors))
  proposing.proposal = after
  proposing.heard.add(from)
  askToAccept(m, proposing)
}

/**
 * Phase 2a. A plan is made out of a belief, which may be old: it goes on when most of the acceptors that it names are there.
 * Else those that it takes for dead could decide a view that nobody can follow, since they live (docs/decisions/0240).
 */
function askToAccept(m: Deciding, proposing: Proposing): void {
  const { view, ballot, phase, found, value: children } = proposing.proposal
  if (phase !== 'accept' || proposing.asked) return
  const isFollowed = ({ acceptors }: View) =>
    acceptors.filter(node => proposing.heard.has(node)).length >= majority(acceptors)
  if (proposing.isPlan && found === undefined && !children.every(isFollowed)) return
  proposing.asked = true
  for (const acceptor of view.acceptors) send(m, acceptor, { kind: 'accept', view, ballot, children })
}

export function onAcceptedAt(m: Deciding, from: NodeId, message: MessageOf<'accepted'>): void {
  const proposing = m.proposals.get(message.viewId)
  if (proposing === undefined || !sameBallot(proposing.proposal.ballot, message.ballot)) return
  const after = onAccepted(proposing.proposal, from, majority(proposing.proposal.view.acceptors))
  proposing.proposal = after
  if (after.phase !== 'decided') return
  const { view, value: children } = after
  learnDecided(m, view, children)
  const members = [view, ...children].flatMap(each => [...each.replicas, ...each.acceptors])
  for (const node of new Set(members)) {
    if (node !== m.self) send(m, node, { kind: 'decided', view, children })
  }
}

export function onOutbid(m: Deciding, message: MessageOf<'outbid'>): void {
  const proposing = m.proposals.get(message.viewId)
  if (proposing === undefined || !sameBallot(proposing.proposal.ballot, message.ballot)) return
  const { proposal } = proposing
  const { promised } = message
  const roundSeen = Math.max(proposal.roundSeen, promised?.round ?? 0)
  proposing.proposal = { ...proposal, roundSeen }
  if (promised !== undefined && comesBefore(proposal.view, promised.node, m.self)) proposing.outranked = true
}

/**
 * Of two who propose for one view, the one that the view names first goes on; the other lets it come to its end, and does not
 * outbid it. That the first is there is shown by its ballot, whatever the other believes of it (docs/decisions/0241).
 */
function comesBefore(view: View, node: NodeId, other: NodeId): boolean {
  const order = [...view.replicas, ...view.acceptors]
  const [a, b] = [order.indexOf(node), order.indexOf(other)]
  if (a === b) return node < other
  return b < 0 || (a >= 0 && a < b)
}

/** Notes what has been decided. Deciding twice would break everything, so it ends the process. */
export function learnDecided(m: Deciding, view: View, children: readonly View[]): void {
  assertChildren(view, children)
  const state = m.views.get(view.id)
  const isSame = state?.next === undefined || state.next[0]?.id === children[0]?.id
  assert(isSame, 'a view has one succession', view.id)
  if (state !== undefined && state.next === undefined) {
    putView(m, { ...state, sealed: true, next: children })
    tell(m, { kind: 'sealed', viewId: view.id })
  }
  m.proposals.delete(view.id)
  m.table.learn(view)
  for (const child of children) take(m, child)
}

function sameBallot(a: { round: number; node: string; boot: string }, b: typeof a): boolean {
  return a.round === b.round && a.node === b.node && a.boot === b.boot
}

/**
 * Views that are decided: their members take them in, the others keep them as hints. Whoever teaches a view that was superseded has
 * not heard of the newer ones, and is taught those. What is taught back is newer each time, so this comes to an end.
 */
export function onTeach(m: Deciding, from: NodeId, views: readonly View[]): void {
  for (const view of views) take(m, view)
  const told = new Set(views.map(({ id }) => id))
  const newer = new Set(views.flatMap(view => newerViews(m, view)).filter(({ id }) => !told.has(id)))
  if (from !== m.self && newer.size > 0) send(m, from, { kind: 'teach', views: [...newer] })
}

/** Who has a range? What a node asks itself it asks another one, each time the next: what it knows may be over. */
export function onWhere(m: Deciding, from: NodeId, message: MessageOf<'where'>): void {
  if (from === m.self) {
    const others = [...m.members.keys()].filter(node => node !== m.self && isAlive(m, node))
    const other = others[m.counter++ % Math.max(1, others.length)]
    return other === undefined ? undefined : send(m, other, message)
  }
  const view = m.table.covering(message.position)
  if (view !== undefined) send(m, from, { kind: 'teach', views: [view] })
}

/** A view was dropped. */
export function forgetProposal(m: Deciding, viewId: ViewId): void {
  m.proposals.delete(viewId)
}

/**
 * The machine's part in an operator's recovery of a range whose majority is gone for good: the survivor takes a view in which it is
 * alone, as if that had been decided, and goes on from its own state; repair brings the view back to its replicas. Does nothing
 * when a view above `basis` is known in that range: then somebody has decided something meanwhile.
 */
export function recover(m: Deciding, view: View, basis: Rank): void {
  const isOvertaken = m.table.overlapping(view).some(other => compareViews(other, basis) > 0)
  if (!isOvertaken && view.replicas.length === 1 && view.replicas[0] === m.self) take(m, view)
}

/**
 * True when a message says what can't be beside what this node holds: children that do not partition the view that they
 * are said to follow, or others than were decided. Its sender is broken, and must not break this node, too.
 */
export function contradicts(m: Readonly<Deciding>, message: Message): boolean {
  if (message.kind === 'promise') {
    const view = m.proposals.get(message.viewId)?.proposal.view
    return (
      view !== undefined && message.accepted !== undefined && !areChildren(view, message.accepted.children)
    )
  }
  if (message.kind === 'accept' || message.kind === 'decided') {
    const held = m.views.get(message.view.id)
    if (held === undefined) return false
    if (!areChildren(held.view, message.children)) return true
    return (
      message.kind === 'decided' && held.next !== undefined && held.next[0]?.id !== message.children[0]?.id
    )
  }
  return false
}
