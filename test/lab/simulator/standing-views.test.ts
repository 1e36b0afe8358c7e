import t from 'tap'
import { identifiersOf } from '../../../src/lab/simulator/chain-cluster.ts'
import type { NodeName } from '../../../src/lab/simulator/simulated-network.ts'
import { initialViews } from '../../../src/lab/simulator/standing-views.ts'
import type { NodeId } from '../../../src/views/view.ts'

t.test('each member has a range, and the ranges are the whole ring', async t => {
  const members = ['n1', 'n2', 'n3', 'n4'].map(name => ({
    node: `${name}.0` as NodeId,
    identifiers: identifiersOf(name as NodeName),
    zone: undefined,
    status: 'member' as const,
  }))
  const views = initialViews(members, 3)
  t.equal(views.length, 4)
  t.same(
    views.map(({ lo }) => lo),
    views.map((_, index) => views.at(index - 1)?.hi),
  )
  for (const view of views) t.match(view, { epoch: 1, replicas: { length: 3 }, acceptors: { length: 3 } })
})
