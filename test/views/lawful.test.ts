import t from 'tap'
import type { Identifier } from '../../src/ring/identifier.ts'
import { agree, assertAdvance, assertView } from '../../src/views/lawful.ts'
import {
  type Ballot,
  freshState,
  type NodeId,
  type View,
  type ViewId,
  type ViewState,
} from '../../src/views/view.ts'

const at = (digit: string) => digit.repeat(40) as Identifier
const nodes = (...names: string[]) => names as NodeId[]
const source = { id: '4-x' as ViewId, epoch: 4, lo: at('1'), hi: at('9'), replicas: nodes('a') }
const view: View = {
  ...source,
  id: '5-x' as ViewId,
  epoch: 5,
  acceptors: nodes('a', 'b', 'c'),
  sources: [source],
}
const child = { ...view, id: '6-x' as ViewId, epoch: 6 }
const ballot = (round: number): Ballot => ({ round, node: 'a' as NodeId, boot: '1.x' })
const accepted = (round: number) => ({ ballot: ballot(round), children: [child] })
const fresh = freshState(view)
const serving: ViewState = {
  ...fresh,
  installed: true,
  active: true,
  seq: 7,
  clean: 3,
  floor: { epoch: 5, seq: 2 },
}

t.test('views that nobody can have decided', async t => {
  assertView(view)
  const wrong: [RegExp, Partial<View>][] = [
    [/epochs count from one/, { epoch: 0 }],
    [/has a replica/, { replicas: [] }],
    [/replica twice/, { replicas: nodes('a', 'a') }],
    [/acceptor twice/, { acceptors: nodes('a', 'a', 'b') }],
    [/odd in number/, { acceptors: nodes('a', 'b') }],
    [/mere source/, { acceptors: [] }],
    [/newest to the oldest/, { sources: [{ ...source, epoch: 5 }] }],
    [/newest to the oldest/, { sources: [source, { ...source, epoch: 5 }] }],
    [/somebody to ask/, { sources: [{ ...source, replicas: [] }] }],
    [/range of the view/, { sources: [{ ...source, hi: at('5') }] }],
  ]
  for (const [message, part] of wrong)
    t.throws(() => assertView({ ...view, ...part }), { name: 'InvariantError', message })
})

t.test('what a node may hold of a view next', async t => {
  const voted = { ...fresh, promised: ballot(2), accepted: accepted(2), sealed: true }
  const decided = { ...voted, next: [child] }
  for (const [before, after] of [
    [undefined, fresh],
    [fresh, { ...fresh, promised: ballot(1) }],
    [fresh, voted],
    [voted, decided],
    [fresh, serving],
    [serving, { ...serving, sealed: true }],
    [freshState({ ...view, acceptors: [], sources: [] }), fresh],
  ] as const) {
    assertAdvance(before, after)
  }
  const wrong: [RegExp, ViewState, Partial<ViewState>][] = [
    [/a view never changes/, fresh, { view: { ...view, replicas: nodes('b') } }],
    [/acceptors are learned once/, fresh, { view: { ...view, acceptors: nodes('b') } }],
    [/seal is never undone/, { ...fresh, sealed: true }, { sealed: false }],
    [/what was installed/, { ...serving, active: false }, { installed: false }],
    [/what was active/, serving, { active: false }],
    [/what was complete/, { ...serving, complete: true }, { complete: false }],
    [/nothing is installed in a sealed view/, { ...fresh, sealed: true }, { installed: true }],
    [/numbers of a view grow/, serving, { seq: 6 }],
    [/a floor never falls/, serving, { floor: { epoch: 5, seq: 1 } }],
    [/what is clean stays so/, serving, { clean: 2 }],
    [/gives no numbers/, { ...serving, sealed: true }, { seq: 8 }],
    [/stays where it is/, { ...serving, sealed: true }, { floor: { epoch: 5, seq: 3 } }],
    [/installed before it is active/, fresh, { active: true }],
    [/active before it is complete/, fresh, { complete: true }],
    [/accepting seals/, fresh, { promised: ballot(1), accepted: accepted(1) }],
    [/accepting promises/, fresh, { promised: ballot(1), accepted: accepted(2), sealed: true }],
    [
      /accepted partitions/,
      fresh,
      { ...voted, accepted: { ballot: ballot(1), children: [{ ...child, hi: at('5') }] } },
    ],
    [/children is sealed/, fresh, { next: [child] }],
    [/children of a view partition/, fresh, { sealed: true, next: [child, child] }],
    [/newer than their parent/, fresh, { sealed: true, next: [{ ...child, epoch: 5 }] }],
    [/writes are numbered/, fresh, { seq: -1 }],
    [/floor is of this view/, fresh, { floor: { epoch: 6, seq: 0 } }],
    [/no higher than the writes/, serving, { floor: { epoch: 5, seq: 8 } }],
    [/only what was written/, serving, { clean: 8 }],
    [/promise never goes back/, { ...fresh, promised: ballot(2) }, { promised: ballot(1) }],
    [/promise never goes back/, { ...fresh, promised: ballot(2) }, { promised: undefined }],
    [/only under a later ballot/, voted, { accepted: accepted(1) }],
    [/only under a later ballot/, voted, { accepted: undefined }],
    [/one succession/, decided, { next: [{ ...child, id: '6-y' as ViewId }] }],
    [/one succession/, decided, { next: undefined }],
  ]
  for (const [message, before, part] of wrong)
    t.throws(
      () => assertAdvance(before, { ...before, ...part }),
      { name: 'InvariantError', message },
      `${message}`,
    )
})

t.test('two who tell of the same view', async t => {
  t.ok(agree(view, { ...view, sources: [] } as View))
  for (const part of [
    { id: '5-y' as ViewId },
    { epoch: 6 },
    { lo: at('2') },
    { hi: at('8') },
    { replicas: nodes('a', 'b') },
  ])
    t.notOk(agree(view, { ...view, ...part }))
})
