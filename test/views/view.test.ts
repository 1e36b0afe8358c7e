import fc from 'fast-check'
import t from 'tap'
import type { Identifier } from '../../src/ring/identifier.ts'
import {
  acceptorCount,
  asSource,
  type Ballot,
  childrenOf,
  chooseAcceptors,
  compareBallots,
  compareViews,
  headOf,
  isMember,
  majority,
  type NodeId,
  predecessorIn,
  successorIn,
  tailOf,
  type View,
  type ViewId,
} from '../../src/views/view.ts'

const nodes = (...names: string[]) => names as NodeId[]
const at = (digit: string) => digit.padEnd(40, '0') as Identifier
const view: View = {
  id: 'v1' as ViewId,
  epoch: 4,
  lo: at('2'),
  hi: at('8'),
  replicas: nodes('a', 'b', 'c'),
  acceptors: nodes('a', 'b', 'c', 'd', 'e'),
  sources: [{ id: 'v0' as ViewId, epoch: 3, lo: at('2'), hi: at('8'), replicas: nodes('x') }],
}

t.test('acceptors are odd in number, 2k - 1 where there are enough nodes', async t => {
  const counts = [1, 2, 3, 4, 5, 6, 40].map(count => acceptorCount(count, 3))
  t.same(counts, [1, 1, 3, 3, 5, 5, 5])
  t.same(
    [1, 2, 9].map(count => acceptorCount(count, 1)),
    [1, 1, 1],
  )
  t.equal(majority(view.acceptors), 3)
})

t.test('replicas are acceptors first, then come the next successors', async t => {
  t.same(
    chooseAcceptors(nodes('a', 'b', 'c'), nodes('b', 'd', 'a', 'e', 'f'), [], 3),
    nodes('a', 'b', 'c', 'd', 'e'),
  )
  t.same(chooseAcceptors(nodes('a', 'b'), nodes('a', 'b'), [], 3), nodes('a'))
  t.same(chooseAcceptors(nodes('b', 'a'), nodes('b', 'a'), [], 3), nodes('a'), 'one for all ranges')
  t.same(
    chooseAcceptors(nodes('a', 'b'), nodes('a', 'b'), [], 3, nodes('b')),
    nodes('b'),
    'the founder stays',
  )
  t.same(chooseAcceptors(nodes('a', 'b'), nodes('a', 'b'), [], 3, nodes('c')), nodes('a'))
  t.same(chooseAcceptors(nodes('a', 'b'), nodes('a', 'b'), nodes('x'), 3), nodes('a', 'b', 'x'))
  t.same(chooseAcceptors(nodes('a', 'b', 'c'), [], nodes('x', 'y'), 3), nodes('a', 'b', 'c'))
  t.same(chooseAcceptors(nodes('a'), [], nodes('x', 'y'), 3), nodes('a', 'x', 'y'), 'never one of three')
  t.same(
    chooseAcceptors(nodes('a', 'b', 'c'), nodes('d'), nodes('x', 'y'), 3),
    nodes('a', 'b', 'c', 'd', 'x'),
    'four and one in doubt bear as much as three, and more once it is back',
  )
})

t.test('law: no other number of acceptors bears more losses among the living', async () => {
  const some = fc.uniqueArray(fc.constantFrom(...nodes('a', 'b', 'c', 'd', 'e', 'f', 'g')), { minLength: 3 })
  const doubted = fc.uniqueArray(fc.constantFrom(...nodes('u', 'v', 'w', 'x', 'y')))
  /** Losses that a majority survives. */
  const bears = (live: number, count: number) => Math.min(live, count) - (Math.floor(count / 2) + 1)
  fc.assert(
    fc.property(some, doubted, fc.integer({ min: 2, max: 7 }), (live, doubtful, copies) => {
      const replicas = live.slice(0, copies)
      const { length } = chooseAcceptors(replicas, live, doubtful, copies)
      const possible = [1, 3, 5, 7, 9, 11, 13].filter(
        count => count < 2 * copies && count <= live.length + doubtful.length,
      )
      const best = Math.max(...possible.map(count => bears(live.length, count)))
      const most = possible.filter(count => bears(live.length, count) === best).at(-1)
      return length === most
    }),
  )
})

t.test('ballots are totally ordered, by rounds first', async () => {
  const ballot = fc.record({
    round: fc.nat(3),
    node: fc.constantFrom('a', 'b'),
    boot: fc.constantFrom('1.x', '2.y'),
  })
  fc.assert(
    fc.property(ballot, ballot, ballot, (a, b, c) => {
      const [x, y, z] = [a, b, c] as Ballot[] as [Ballot, Ballot, Ballot]
      const same = x.round === y.round && x.node === y.node && x.boot === y.boot
      if (Math.sign(compareBallots(x, y)) !== -Math.sign(compareBallots(y, x))) return false
      if ((compareBallots(x, y) === 0) !== same) return false
      return !(compareBallots(x, y) < 0 && compareBallots(y, z) < 0) || compareBallots(x, z) < 0
    }),
  )
})

t.test('children know where their state comes from', async t => {
  const plan = { lo: view.lo, hi: view.hi, replicas: nodes('a'), acceptors: nodes('a') }
  const [child] = childrenOf(view, [plan], 'nonce', false)
  t.same(
    child?.sources.map(({ id }) => id),
    ['v1', 'v0'],
    'all the way up while the parent is not complete',
  )
  t.same(
    childrenOf(view, [plan], 'nonce', true)[0]?.sources.map(({ id }) => id),
    ['v1'],
  )
  t.equal(child?.epoch, 5)
  const [left, right] = childrenOf(
    view,
    [
      { ...plan, hi: at('5') },
      { ...plan, lo: at('5') },
    ],
    'n',
    true,
  )
  t.not(left?.id, right?.id)
})

t.test('children that do not partition their parent are refused', async t => {
  const plan = { lo: view.lo, hi: view.hi, replicas: nodes('a'), acceptors: nodes('a') }
  const wrong = [
    [],
    [{ ...plan, hi: at('7') }],
    [
      { ...plan, hi: at('5') },
      { ...plan, lo: at('6') },
    ],
    [{ ...plan, replicas: [] }],
    [{ ...plan, acceptors: nodes('a', 'b') }],
  ]
  for (const plans of wrong) t.throws(() => childrenOf(view, plans, 'n', true), { name: 'InvariantError' })
})

t.test('the order of replicas is the chain', async t => {
  t.equal(headOf(view), 'a')
  t.equal(tailOf(view), 'c')
  t.equal(successorIn(view, 'a' as NodeId), 'b')
  t.equal(successorIn(view, 'c' as NodeId), undefined)
  t.equal(predecessorIn(view, 'a' as NodeId), undefined)
  t.equal(predecessorIn(view, 'c' as NodeId), 'b')
})

t.test('views have one order, by epoch and then by id', async () => {
  const rank = fc.record({ epoch: fc.nat(3), id: fc.constantFrom('a', 'b', 'c').map(id => id as ViewId) })
  fc.assert(
    fc.property(rank, rank, rank, (a, b, c) => {
      const isSame = a.epoch === b.epoch && a.id === b.id
      if ((compareViews(a, b) === 0) !== isSame) return false
      if (Math.sign(compareViews(a, b)) !== -Math.sign(compareViews(b, a))) return false
      if (a.epoch < b.epoch && compareViews(a, b) >= 0) return false
      return !(compareViews(a, b) < 0 && compareViews(b, c) < 0) || compareViews(a, c) < 0
    }),
  )
})

t.test('what a range was recovered by goes on to its children', async t => {
  const plan = { lo: view.lo, hi: view.hi, replicas: nodes('a'), acceptors: nodes('a') }
  const forced = { ...view, root: 'forced' as ViewId, firstSeq: 7 }
  const [child] = childrenOf(forced, [plan], 'n', true)
  t.equal(child?.root, 'forced')
  t.equal(child?.firstSeq, undefined, 'but its first number, which is the start of one view alone')
  t.notHas(childrenOf(view, [plan], 'n', true)[0], { root: 'forced' })
})

t.test('replicas and witnesses are members, nobody else is', async t => {
  t.ok(isMember(view, 'a' as NodeId))
  t.ok(isMember(view, 'd' as NodeId), 'a witness')
  t.notOk(isMember(view, 'x' as NodeId), 'who was a replica of its source')
})

t.test(
  'a view that was active and is not complete keeps the sources that somebody may need, and no others',
  async t => {
    const plan = { lo: view.lo, hi: view.hi, replicas: nodes('a'), acceptors: nodes('a') }
    const source = (id: string, ...replicas: string[]) => ({
      ...asSource(view),
      id: id as ViewId,
      replicas: nodes(...replicas),
    })
    const parent = {
      ...view,
      replicas: nodes('a', 'b'),
      sources: [source('5', 'a'), source('4', 'a', 'c'), source('3', 'c', 'b'), source('2', 'a', 'b', 'c')],
    }
    const idsOf = (complete: boolean, active: boolean) =>
      childrenOf(parent, [plan], 'n', complete, active)[0]?.sources.map(({ id }) => id)
    t.same(idsOf(false, true), [view.id, '4', '2'], 'each node once, and the most replicas there were')
    t.same(idsOf(false, false), [view.id, '5', '4', '3', '2'])
    t.same(idsOf(true, true), [view.id])
    let range = parent
    for (let changes = 0; changes < 1_000; changes++) {
      const names = ['abc', 'ab', 'bd', 'cde', 'e'][changes % 5] ?? ''
      const replicas = nodes(...names)
      range = childrenOf(range, [{ ...plan, replicas }], `${changes}`, false, true)[0] as typeof parent
    }
    t.ok(range.sources.length <= 7, 'however often the range changes its view')
  },
)
