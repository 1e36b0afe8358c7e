import t from 'tap'
import type { Identifier, NodeId } from '../../src/ring/identifier.ts'
import {
  EPOCHS_SKIPPED,
  type Holding,
  type Knowledge,
  lostRanges,
  recoveredView,
} from '../../src/views/recovery.ts'
import type { View, ViewId } from '../../src/views/view.ts'

const at = (digit: string) => digit.padEnd(40, '0') as Identifier
const nodes = (names: string) => [...names] as NodeId[]

function view(
  id: string,
  epoch: number,
  lo: string,
  hi: string,
  replicas: string,
  acceptors = replicas,
): View {
  const who = { replicas: nodes(replicas), acceptors: nodes(acceptors) }
  return { id: id as ViewId, epoch, lo: at(lo), hi: at(hi), ...who, sources: [] }
}

const holds = (view: View, seq = 1, change: Partial<Holding> = {}): Holding => {
  return { view, installed: true, active: true, seq, records: seq, ...change }
}

function answers(words: Record<string, Partial<Knowledge>>): Map<NodeId, Knowledge> {
  return new Map(
    Object.entries(words).map(([node, word]) => [node as NodeId, { holdings: [], known: [], ...word }]),
  )
}

t.test('as long as a majority and a replica answer, nothing is lost', async t => {
  const whole = view('v', 3, '0', '0', 'abc')
  t.same(lostRanges(answers({ a: { holdings: [holds(whole)] }, b: { holdings: [holds(whole)] } })), [])
  const witnessed = view('v', 3, '0', '0', 'ab', 'abcde')
  t.same(lostRanges(answers({ b: { known: [witnessed] }, d: {}, e: {} })), [])
})

t.test('the one that is left goes on, far above whatever the others have decided', async t => {
  const whole = view('v', 3, '0', '0', 'abc')
  const [lost, ...more] = lostRanges(answers({ c: { holdings: [holds(whole, 7)] } }))
  t.same(more, [])
  t.match(lost, { lo: at('0'), hi: at('0'), epoch: 3, silent: ['a', 'b'] })
  t.match(lost?.survivor, { node: 'c', records: 7, isNewest: true, source: { id: 'v', epoch: 3 } })
  const next = recoveredView(lost as NonNullable<typeof lost>, 'x')
  t.ok(next.epoch >= 3 + EPOCHS_SKIPPED && next.epoch < 3 + 2 * EPOCHS_SKIPPED)
  t.match(next, { root: next.id, replicas: ['c'], acceptors: ['c'], lo: at('0'), hi: at('0') })
  t.same(
    lostRanges(answers({ c: { holdings: [holds(whole), holds(next)] } })),
    [],
    'which is not lost any more',
  )
})

t.test('of several the newest state counts, then the one that is ahead', async t => {
  const old = view('old', 2, '0', '0', 'abx', 'xyz')
  const newest = view('new', 3, '0', '0', 'ayz', 'xyz')
  const survivors = (words: Record<string, Partial<Knowledge>>) =>
    lostRanges(answers(words)).map(one => one.survivor)
  t.match(survivors({ a: { holdings: [holds(newest, 1)] }, b: { holdings: [holds(old, 9)] } }), [
    { node: 'a' },
  ])
  t.match(
    survivors({
      a: { holdings: [holds(newest, 1, { installed: false }), holds(old, 2)] },
      b: { holdings: [holds(old, 9)] },
    }),
    [{ node: 'b', isNewest: false }],
    'what was never adopted is no state',
  )
  t.same(
    survivors({ b: { known: [newest] } }),
    [undefined],
    'a node that has nothing has nothing to go on with',
  )
  const witness = holds(view('w', 3, '0', '0', 'yz', 'bxz'))
  t.same(survivors({ b: { holdings: [witness] } }), [undefined], 'nor has a witness')
})

t.test('only the lost part of the ring, also where it runs over zero', async t => {
  const parent = view('parent', 1, '0', '0', 'abc')
  const well = view('well', 2, '4', 'c', 'cd', 'cde')
  const gone = view('gone', 2, 'c', '4', 'abc')
  const lost = lostRanges(
    answers({
      c: { holdings: [holds(parent), holds(well), holds(gone, 5)] },
      d: { holdings: [holds(well)] },
    }),
  )
  t.match(lost, [{ lo: at('c'), hi: at('4'), epoch: 2, survivor: { node: 'c', source: { id: 'gone' } } }])
  t.equal(lost.length, 1)
})

t.test('children that are known by name only are lost, and their parent is what is left', async t => {
  const parent = view('parent', 1, '0', '0', 'abc')
  const [left, right] = [view('left', 2, '0', '8', 'ab'), view('right', 2, '8', '0', 'ab')]
  const lost = lostRanges(answers({ c: { holdings: [holds(parent)], known: [left, right] } }))
  t.match(lost, [
    { lo: at('8'), hi: at('0'), survivor: { source: { id: 'parent' }, isNewest: false } },
    { lo: at('0'), hi: at('8'), survivor: { source: { id: 'parent' }, isNewest: false } },
  ])
})

t.test('each recovery has an epoch and a first number of its own', async t => {
  const whole = view('v', 3, '0', '0', 'abc')
  const [lost] = lostRanges(answers({ c: { holdings: [holds(whole)] } }))
  const made = Array.from({ length: 50 }, (_, nonce) =>
    recoveredView(lost as NonNullable<typeof lost>, `${nonce}`),
  )
  t.equal(new Set(made.map(({ epoch }) => epoch)).size, 50)
  t.equal(new Set(made.map(({ firstSeq }) => firstSeq)).size, 50)
  t.ok(
    made.every(({ firstSeq = -1 }) => firstSeq >= 0 && firstSeq < 2 ** 52),
    'with as much room behind it',
  )
})

t.test(
  'of two views of one epoch the greater id is the newer one, for those who look for a survivor, too',
  async t => {
    const [less, more] = [view('less', 3, '0', '0', 'a'), view('more', 3, '0', '0', 'b')]
    const lost = lostRanges(answers({ b: { holdings: [holds(more, 1)], known: [less] }, c: {} }))
    t.same(lost, [], 'the one with less is superseded')
    const [again] = lostRanges(
      answers({ c: { holdings: [holds(view('less', 3, '0', '0', 'ac'), 9)], known: [more] } }),
    )
    t.match(again, { id: 'more', survivor: { node: 'c', isNewest: false } })
  },
)

t.test('a range whose acceptors answer is lost when no replica does', async t => {
  const witnessed = view('v', 3, '0', '0', 'ab', 'abcde')
  const lost = lostRanges(answers({ c: { known: [witnessed] }, d: {}, e: {} }))
  t.match(lost, [{ epoch: 3, silent: ['a', 'b'], survivor: undefined }])
})

t.test('a lost range over position zero is one', async t => {
  const over = view('v', 3, 'c', '4', 'abc')
  const other = view('w', 3, '4', 'c', 'd')
  const lost = lostRanges(
    answers({ d: { holdings: [holds(other)], known: [over, view('x', 2, '0', '8', 'd')] } }),
  )
  t.same(
    lost.map(({ lo, hi }) => [lo, hi]),
    [[at('c'), at('4')]],
  )
})

t.test('and also when it was begun at both ends, because other views meet within it', async t => {
  const over = view('v', 3, 'a', '4', 'abc')
  const other = view('w', 3, '4', 'a', 'd')
  const older = view('x', 2, '0', 'c', 'd')
  const lost = lostRanges(answers({ d: { holdings: [holds(other)], known: [over, older] } }))
  t.same(
    lost.map(({ lo, hi }) => [lo, hi]),
    [[at('a'), at('4')]],
  )
})
