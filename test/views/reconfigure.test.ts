import fc from 'fast-check'
import t from 'tap'
import type { Identifier } from '../../src/ring/identifier.ts'
import {
  accept,
  onAccepted,
  onPromise,
  type Proposal,
  prepare,
  propose,
} from '../../src/views/reconfigure.ts'
import {
  type Ballot,
  freshState,
  type NodeId,
  type View,
  type ViewId,
  type ViewState,
} from '../../src/views/view.ts'

const ZERO = '0'.repeat(40) as Identifier
const acceptors = ['a', 'b', 'c'] as NodeId[]
const view: View = {
  id: 'v1' as ViewId,
  epoch: 1,
  lo: ZERO,
  hi: ZERO,
  replicas: acceptors,
  acceptors,
  sources: [],
}
const child = (id: string): View[] => [{ ...view, id: id as ViewId, epoch: 2 }]
const ballot = (round: number, node = 'a', boot = '1.x'): Ballot => ({ round, node: node as NodeId, boot })

// Paxos Made Simple, 2.2: "it can respond to a prepare request with number n if it has not responded to one > n".
t.test('an acceptor promises upwards only, and repeats itself', async t => {
  const first = prepare(freshState(view), ballot(2))
  t.match(first.answer, { kind: 'promise', accepted: undefined })
  t.match(prepare(first.state, ballot(2)).answer, { kind: 'promise' })
  t.match(prepare(first.state, ballot(1)).answer, { kind: 'outbid', promised: ballot(2) })
  t.match(
    prepare(first.state, ballot(2, 'a', '2.y')).answer,
    { kind: 'promise' },
    'another start is another ballot',
  )
  t.match(prepare(prepare(first.state, ballot(2, 'a', '2.y')).state, ballot(2)).answer, { kind: 'outbid' })
})

t.test('accepting seals, and is remembered in later promises', async t => {
  const accepted = accept(freshState(view), ballot(1), child('v2'))
  t.match(accepted.answer, { kind: 'accepted' })
  t.ok(accepted.state.sealed)
  t.match(prepare(accepted.state, ballot(3)).answer, { kind: 'promise', accepted: { ballot: ballot(1) } })
  const promised = prepare(freshState(view), ballot(5)).state
  t.match(accept(promised, ballot(4), child('v2')), { state: { sealed: false }, answer: { kind: 'outbid' } })
})

t.test(
  'who has accepted a ballot promises nothing older, though it never saw a PREPARE of that ballot',
  async t => {
    const { state } = accept(freshState(view), ballot(5), child('v2'))
    t.match(prepare(state, ballot(4)).answer, { kind: 'outbid', promised: ballot(5) })
    t.match(accept(state, ballot(4), child('v3')).answer, { kind: 'outbid', promised: ballot(5) })
  },
)

t.test('only acceptors decide', async t => {
  let proposal = propose(view, ballot(1), child('mine'))
  for (const node of ['a', 'b'] as NodeId[]) proposal = onPromise(proposal, node, undefined, 2)
  t.equal(proposal.phase, 'accept')
  for (const node of ['x', 'y'] as NodeId[]) proposal = onAccepted(proposal, node, 2)
  t.equal(proposal.phase, 'accept')
  for (const node of ['a', 'b'] as NodeId[]) proposal = onAccepted(proposal, node, 2)
  t.equal(proposal.phase, 'decided')
})

// Paxos Made Simple, 2.2: "the value of the highest-numbered proposal among the responses".
t.test('a proposer finishes what has the highest ballot', async t => {
  let proposal = propose(view, ballot(7, 'c'), child('mine'))
  proposal = onPromise(proposal, 'a' as NodeId, { ballot: ballot(2), children: child('newer') }, 2)
  t.equal(proposal.phase, 'prepare')
  t.equal(onPromise(proposal, 'a' as NodeId, undefined, 2).phase, 'prepare', 'nobody counts twice')
  t.equal(onPromise(proposal, 'z' as NodeId, undefined, 2).phase, 'prepare', 'only acceptors count')
  proposal = onPromise(proposal, 'b' as NodeId, { ballot: ballot(1), children: child('older') }, 2)
  t.equal(proposal.phase, 'accept')
  t.equal(proposal.value[0]?.id, 'newer')
  proposal = onAccepted(proposal, 'a' as NodeId, 2)
  t.equal(proposal.phase, 'accept')
  t.equal(onAccepted(proposal, 'c' as NodeId, 2).phase, 'decided')
})

t.test('whatever is lost and however it is ordered, one value is decided at most', async () => {
  const action = fc.record({ proposer: fc.nat(2), acceptor: fc.nat(2), isNew: fc.boolean() })
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), actions => {
      const decided = new Set<string>()
      const states: ViewState[] = acceptors.map(() => freshState(view))
      const proposals: (Proposal | undefined)[] = [undefined, undefined, undefined]
      const rounds = [0, 0, 0]
      for (const { proposer, acceptor, isNew } of actions) {
        let proposal = proposals[proposer]
        if (isNew || proposal === undefined) {
          rounds[proposer] = (rounds[proposer] as number) + 1
          proposal = propose(
            view,
            ballot(rounds[proposer] as number, acceptors[proposer] as string),
            child(`by-${proposer}`),
          )
        }
        proposals[proposer] = exchange(proposal, states, acceptor)
        if (proposals[proposer]?.phase === 'decided') decided.add(proposals[proposer]?.value[0]?.id as string)
      }
      return decided.size <= 1
    }),
    { numRuns: 2000 },
  )
})

/** One question of a proposer to one acceptor, and its answer. */
function exchange(proposal: Proposal, states: ViewState[], index: number): Proposal {
  const from = acceptors[index] as NodeId
  const state = states[index] as ViewState
  const step =
    proposal.phase === 'prepare'
      ? prepare(state, proposal.ballot)
      : accept(state, proposal.ballot, proposal.value)
  states[index] = step.state
  if (step.answer.kind === 'promise') return onPromise(proposal, from, step.answer.accepted, 2)
  return step.answer.kind === 'accepted' ? onAccepted(proposal, from, 2) : proposal
}
