/**
 * RECONFIGURE: the single-decree Paxos by which the acceptors of a view choose its children.
 *
 * Lamport, "Paxos Made Simple" (2001), section 2: an acceptor promises (phase 1) and accepts (phase 2); a proposer
 * that learns of an accepted value proposes that one. One addition: accepting seals. From then on the acceptor confirms
 * no read and takes no write in the view, so that nothing is served beside the children. Anybody may finish what another
 * proposer has left, since every refusal of a sealed view carries the value.
 *
 * All functions are pure; the caller makes the new state stable before the answer leaves.
 */
import { type Accepted, type Ballot, compareBallots, type NodeId, type View, type ViewState } from './view.ts'

/** What an acceptor answers; `state` is what has to be stable before. */
export type AcceptorAnswer =
  | { readonly kind: 'promise'; readonly accepted: Accepted | undefined }
  | { readonly kind: 'accepted' }
  | { readonly kind: 'outbid'; readonly promised: Ballot }

export interface AcceptorStep {
  readonly state: ViewState
  readonly answer: AcceptorAnswer
}

/** Phase 1b: promise to accept nothing older, and say what was accepted. A repeated PREPARE is answered again. */
export function prepare(state: ViewState, ballot: Ballot): AcceptorStep {
  if (state.promised !== undefined && compareBallots(ballot, state.promised) < 0) {
    return { state, answer: { kind: 'outbid', promised: state.promised } }
  }
  return { state: { ...state, promised: ballot }, answer: { kind: 'promise', accepted: state.accepted } }
}

/** Phase 2b: accept unless promised otherwise, and seal. */
export function accept(state: ViewState, ballot: Ballot, children: readonly View[]): AcceptorStep {
  if (state.promised !== undefined && compareBallots(ballot, state.promised) < 0) {
    return { state, answer: { kind: 'outbid', promised: state.promised } }
  }
  const accepted = { ballot, children }
  return {
    state: { ...state, promised: ballot, accepted, sealed: true },
    answer: { kind: 'accepted' },
  }
}

/** One attempt of a proposer. Volatile: a restarted proposer begins anew with another boot in its ballots. */
export interface Proposal {
  readonly view: View
  readonly ballot: Ballot
  readonly phase: 'prepare' | 'accept' | 'decided'
  /** What will be proposed unless something older has to be finished. */
  readonly value: readonly View[]
  /** The newest accepted value that a promise has carried. */
  readonly found: Accepted | undefined
  /** Who has answered in this phase. */
  readonly answered: ReadonlySet<NodeId>
  /** The highest round that an acceptor has named; the next attempt goes beyond. */
  readonly roundSeen: number
}

export function propose(view: View, ballot: Ballot, value: readonly View[]): Proposal {
  const answered = new Set<NodeId>()
  return { view, ballot, phase: 'prepare', value, found: undefined, answered, roundSeen: ballot.round }
}

/** Phase 2a begins once a majority has promised: with the value of the highest ballot found, else with the own one. */
export function onPromise(
  proposal: Proposal,
  from: NodeId,
  accepted: Accepted | undefined,
  quorum: number,
): Proposal {
  if (proposal.phase !== 'prepare' || !proposal.view.acceptors.includes(from)) return proposal
  const found = newerAccepted(proposal.found, accepted)
  const answered = new Set(proposal.answered).add(from)
  if (answered.size < quorum) return { ...proposal, found, answered }
  return {
    ...proposal,
    phase: 'accept',
    value: found?.children ?? proposal.value,
    found,
    answered: new Set(),
  }
}

/** Decided once a majority has accepted the same ballot. */
export function onAccepted(proposal: Proposal, from: NodeId, quorum: number): Proposal {
  if (proposal.phase !== 'accept' || !proposal.view.acceptors.includes(from)) return proposal
  const answered = new Set(proposal.answered).add(from)
  return { ...proposal, phase: answered.size < quorum ? 'accept' : 'decided', answered }
}

function newerAccepted(a: Accepted | undefined, b: Accepted | undefined): Accepted | undefined {
  if (a === undefined) return b
  if (b === undefined) return a
  return compareBallots(a.ballot, b.ballot) >= 0 ? a : b
}
