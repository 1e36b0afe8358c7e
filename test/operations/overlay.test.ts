import t from 'tap'
import type { RangeReport } from '../../src/calls/calls.ts'
import { countViews, isFreeOf, mergeRanges, ownRanges, shareOf } from '../../src/operations/overlay.ts'
import type { Machine } from '../../src/replication/chain/machine-parts.ts'
import { type NetworkView, networkViewOf } from '../../src/replication/chain/network-view.ts'
import type { Identifier, NodeId } from '../../src/ring/identifier.ts'
import { RangeTable } from '../../src/views/range-table.ts'
import { freshState, type View, type ViewId, type ViewState } from '../../src/views/view.ts'

const at = (digit: string) => digit.padEnd(40, '0') as Identifier
const node = (name: string) => name as NodeId

function view(lo: string, hi: string, epoch: number, replicas: string[], acceptors = replicas): View {
  return {
    id: `${epoch}-${lo}` as ViewId,
    lo: at(lo),
    hi: at(hi),
    epoch,
    replicas: replicas.map(node),
    acceptors: acceptors.map(node),
    sources: [],
  }
}

const running = { installed: true, active: true, complete: true }

function known(self: string, states: [View, Partial<ViewState>][]): NetworkView {
  const views = new Map(states.map(([one, change]) => [one.id, { ...freshState(one), ...change }]))
  return networkViewOf(() => ({ self: node(self), views, table: new RangeTable() }) as unknown as Machine)
}

t.test('what a node says of the ranges that it has a part in', async t => {
  const rows: [Partial<ViewState>, RangeReport['state']][] = [
    [running, 'serving'],
    [{ ...running, complete: false }, 'back-filling'],
    [{ ...running, sealed: true }, 'changing'],
    [{ installed: true }, 'changing'],
    [{}, 'changing'],
  ]
  for (const [change, state] of rows) {
    const [report] = ownRanges(known('a', [[view('1', '2', 1, ['a', 'b']), change]]))
    t.match(report, { epoch: 1, state, replicas: ['a', 'b'] }, JSON.stringify(change))
  }
  const witness = view('1', '2', 1, ['b'], ['b', 'a', 'c'])
  t.match(ownRanges(known('a', [[witness, {}]])), [{ state: 'serving' }], 'a witness has nothing to install')
  t.same(ownRanges(known('d', [[witness, {}]])), [], 'a stranger has nothing to say')
  const next = [view('1', '2', 2, ['b'])]
  t.match(ownRanges(known('a', [[view('1', '2', 1, ['a']), { ...running, sealed: true, next }]])), [
    { epoch: 1 },
    { epoch: 2, state: 'changing' },
  ])
})

t.test('the newest view counts, and of one view the word of its head', async t => {
  const say = (self: string, one: View, change: Partial<ViewState>) =>
    [node(self), ownRanges(known(self, [[one, change]]))] as const
  const old = view('4', '8', 1, ['a', 'b'])
  const left = view('4', '6', 2, ['b'])
  const right = view('6', '8', 2, ['c', 'b'])
  const rest = view('8', '4', 1, ['a'])
  const ranges = mergeRanges([
    say('a', old, running),
    say('b', right, { installed: true }),
    say('c', right, running),
    say('b', left, running),
    say('a', rest, running),
  ])
  t.match(ranges, [
    { lo: at('8'), hi: at('4'), epoch: 1, share: 0.75 },
    { lo: at('4'), hi: at('6'), epoch: 2, share: 0.125 },
    { lo: at('6'), hi: at('8'), epoch: 2, replicas: ['c', 'b'], state: 'serving' },
  ])
})

t.test('what nobody tells of is shown as a gap', async t => {
  const ranges = mergeRanges([[node('a'), ownRanges(known('a', [[view('4', '8', 1, ['a']), running]]))]])
  t.match(ranges, [
    { lo: at('8'), hi: at('4'), state: 'unknown', replicas: [], share: 0.75 },
    { lo: at('4'), hi: at('8'), state: 'serving', share: 0.25 },
  ])
  t.same(mergeRanges([]), [])
})

t.test('the share of an arc', async t => {
  t.equal(shareOf({ lo: at('0'), hi: at('8') }), 0.5)
  t.equal(shareOf({ lo: at('c'), hi: at('4') }), 0.5, 'across position zero')
  t.equal(shareOf({ lo: at('3'), hi: at('3') }), 1, 'the whole ring')
})

t.test('when a node is free to go', async t => {
  const ring = (one: View, change: Partial<ViewState>) =>
    mergeRanges([[node('b'), ownRanges(known('b', [[one, change]]))]])
  const whole = (replicas: string[], acceptors?: string[]) => view('3', '3', 5, replicas, acceptors)
  t.equal(isFreeOf(ring(whole(['b']), running), node('a')), true)
  t.equal(isFreeOf(ring(whole(['b', 'a']), running), node('a')), false, 'it is a replica')
  t.equal(isFreeOf(ring(whole(['b'], ['b', 'c', 'a']), running), node('a')), false, 'it is a witness')
  t.equal(
    isFreeOf(ring(whole(['b']), { ...running, complete: false }), node('a')),
    false,
    'bodies are missing',
  )
  t.equal(
    isFreeOf(ring(view('4', '8', 1, ['b']), running), node('a')),
    false,
    'a part of the ring is unknown',
  )
  t.equal(isFreeOf([], node('a')), false, 'nobody answered')
})

t.test('how many views there are', async t => {
  const counted = countViews(
    known('a', [
      [view('1', '2', 1, ['a', 'b']), running],
      [view('2', '3', 2, ['b', 'a']), { ...running, complete: false }],
      [view('3', '4', 3, ['a']), {}],
      [view('4', '5', 4, ['b'], ['b', 'c', 'a']), {}],
      [view('5', '6', 5, ['a']), { ...running, sealed: true, next: [view('5', '6', 6, ['b'])] }],
    ]),
  )
  t.same(counted, { held: 3, spare: 1, asHead: 2, asWitness: 1, notActive: 1, backFilling: 1 })
})
