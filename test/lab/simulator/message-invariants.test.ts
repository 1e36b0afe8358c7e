import t from 'tap'
import { MessageInvariants } from '../../../src/lab/simulator/message-invariants.ts'
import type { Write } from '../../../src/replication/chain/batch.ts'
import type { Message } from '../../../src/replication/chain/messages.ts'
import { type Ballot, freshState, type ViewState } from '../../../src/views/view.ts'
import { node, wholeView } from '../../replication/chain/bench.ts'

const view = wholeView(['a', 'b', 'c'], ['a', 'b', 'c'], 'v1', 1)
const [left, right] = [wholeView(['a'], ['a'], 'l', 2), wholeView(['b'], ['b'], 'r', 2)]
const ballot = (round: number): Ballot => ({ round, node: node('a'), boot: '1.x' })
const kept = (state: Partial<ViewState>): Write[] => [
  { kind: 'view', id: view.id, state: { ...freshState(view), ...state } },
]
const vote = (round: number, child = left) =>
  kept({ promised: ballot(round), accepted: { ballot: ballot(round), children: [child] }, sealed: true })
const say = (from: string, message: Message) => ({
  from: node(from),
  boot: { counter: 1, nonce: 'x' },
  to: node('z'),
  message,
})

t.test('what a majority has accepted stays', async t => {
  const rules = new MessageInvariants()
  rules.durable(node('a'), vote(1, left))
  rules.durable(node('c'), vote(2, right))
  rules.durable(node('a'), vote(2, right))
  t.pass('one vote decides nothing')
  rules.durable(node('z'), vote(3, left))
  rules.durable(node('b'), vote(3, left))
  t.pass('nor does one with somebody who is no acceptor')
  t.throws(() => rules.durable(node('c'), vote(3, left)), { message: /majority has accepted two values/ })
})

t.test('a ballot has one value', async t => {
  const rules = new MessageInvariants()
  rules.sent(say('a', { kind: 'accept', view, ballot: ballot(1), children: [left] }))
  rules.sent(say('a', { kind: 'accept', view, ballot: ballot(1), children: [left] }))
  const other = say('a', { kind: 'accept', view, ballot: ballot(1), children: [right] })
  t.throws(() => rules.sent(other), { message: /Two values under one ballot/ })
})

t.test('nobody confirms what it has sealed', async t => {
  const rules = new MessageInvariants()
  const confirmed = say('a', { kind: 'confirmed', tag: 't' as never, viewIds: [view.id], sealed: [] })
  rules.sent(confirmed)
  rules.durable(node('b'), kept({ sealed: true }))
  rules.sent(confirmed)
  rules.durable(node('a'), kept({ sealed: true }))
  rules.sent(confirmed)
  t.pass('the step that seals may have voted before')
  rules.stepped(node('a'))
  t.throws(() => rules.sent(confirmed), { message: /which it has sealed/ })
  rules.durable(node('a'), kept({ sealed: true }))
  t.throws(() => rules.sent(confirmed), { message: /which it has sealed/ }, 'sealed before')
})
