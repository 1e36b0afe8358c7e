import t from 'tap'
import { HOLDERS_MAX, holdersOf } from '../../../src/replication/chain/body-holders.ts'
import type { Machine } from '../../../src/replication/chain/machine-parts.ts'
import { type NetworkView, networkViewOf } from '../../../src/replication/chain/network-view.ts'
import { RangeTable } from '../../../src/views/range-table.ts'
import type { View } from '../../../src/views/view.ts'
import { node, path, wholeView } from './bench.ts'

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
