import t from 'tap'
import { measureMembershipEvents } from '../../../src/lab/simulator/membership-measure.ts'

t.test('each event is measured, and nothing is to be done after it', async t => {
  let readings = 0
  const cost = await measureMembershipEvents({ nodes: 40, virtualNodes: 8, rounds: 5 }, () => readings++)
  t.equal(cost.nodes, 40)
  t.ok(cost.ranges >= 8, 'at least the ranges that it owns')
  t.same(cost.eventMs, [1, 1, 1, 1, 1])
})
