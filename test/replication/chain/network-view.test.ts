import t from 'tap'
import type { Machine } from '../../../src/replication/chain/machine-parts.ts'
import {
  HOLDERS_MAX,
  holdersOf,
  type NetworkView,
  networkViewOf,
} from '../../../src/replication/chain/network-view.ts'
import { RangeTable } from '../../../src/views/range-table.ts'
import type { View } from '../../../src/views/view.ts'
import { Bench, node, path, wholeView } from './bench.ts'

t.test('the ports show what the machine that runs at the moment knows and keeps', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w1', 'a')
  const { known, kept } = bench.ports('n2')
  const record = kept.record(path('a'))
  t.match(record, { path: 'a', version: { epoch: 1, seq: 1 } })
  t.equal(known.self, 'n2')
  const view = known.covering(record?.position as NonNullable<typeof record>['position'])
  t.same(view?.replicas, ['n1', 'n2', 'n3'])
  t.same(known.newest(), [view])
  t.same(
    known.held().map(state => state.view),
    [view],
  )
  t.equal(known.isSuperseded(known.held()[0] as never), false)
  t.same([...known.sharersOf(node('n1'))].sort(), ['n1', 'n2', 'n3'])
  t.same(known.starts().at(-1), ['n2', known.boot])
  t.same([known.isSuspect(node('n3')), known.isAlive(node('n3')), known.suspects()], [false, true, []])
  t.same(
    [...kept.within({ lo: view?.lo as never, hi: view?.hi as never })].map(each => each.path),
    ['a'],
  )
  t.equal(kept.digest(view as never, '').count, 1)
  t.equal(kept.missingBodies(), 0)
})

t.test('a body that a record names and that is not here is missing', async t => {
  const bench = new Bench({ nodes: ['n1'] })
  const { kept } = bench.ports('n1')
  const machine = bench.machine('n1')
  machine.references.set('b1' as never, 1)
  t.equal(kept.missingBodies(), 1)
  t.equal(kept.hasBody('b1' as never), false)
})

function known(views: View[], suspects: string[] = []): NetworkView {
  const table = new RangeTable()
  for (const view of views) table.learn(view)
  const machine = { self: node('me'), table, suspects: new Set(suspects), members: new Map() }
  return networkViewOf(() => machine as unknown as Machine)
}

t.test(
  'the replicas of the path first, then those of its sources, never this node, the dead last',
  async t => {
    const view = wholeView(['a', 'me', 'b'], undefined, 'v2', 2)
    const source = { ...wholeView(['c', 'a'], undefined, 'v1', 1) }
    const m = known([{ ...view, sources: [source] }])
    t.same(holdersOf(m, path('x')), ['a', 'b', 'c'])
    t.same(holdersOf(m, undefined), ['a', 'b'])
    t.same(holdersOf(known([{ ...view, sources: [source] }], ['a']), path('x')), ['b', 'c', 'a'])
    t.same(holdersOf(known([]), path('x')), [])
    t.same(holdersOf(known([wholeView(['me'])]), path('x')), [], 'alone there is nobody to ask')
  },
)

t.test('not everybody is asked in a large network', async t => {
  const names = Array.from({ length: 100 }, (_, i) => `n${i}`)
  t.equal(holdersOf(known([wholeView(names)]), path('x')).length, HOLDERS_MAX)
})
