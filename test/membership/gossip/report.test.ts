import t from 'tap'
import { activeNodes, gossipReport } from '../../../src/membership/gossip/report.ts'
import { GOSSIP_DEFAULTS } from '../../../src/membership/gossip/settings.ts'
import type { RingNode } from '../../../src/ring-node/ring-node.ts'
import { record } from '../../routing/any.ts'
import { Gossiping } from './gossiping.ts'

t.test('who is active, and what is believed of whom since when and why', async t => {
  const network = new Gossiping(['a', 'b', 'c', 'd'])
  await network.pass(3_000)
  network.node('c').state = 'is gone'
  await network.pass(2 * GOSSIP_DEFAULTS.failMs)
  const { members, gossip, suspects, env } = network.node('a')
  const known = { isSuspect: (node: never) => suspects.has(node) }
  const ring = { members, gossip, driver: { known } } as unknown as RingNode
  t.same(activeNodes(ring), ['a:5000', 'b:5000', 'd:5000'])
  suspects.add(record('d').nodeId)
  t.same(activeNodes(ring), ['a:5000', 'b:5000'], 'who counts as dead for the core is not there either')
  const report = gossipReport(ring, env.clock.monotonicMs())
  t.match(report, { periodMs: 1_000, fanOut: 2, failMs: 10_000, failsAfterMs: 10_000, health: 0, pairs: 0 })
  t.match(report?.members, [
    { address: 'c:5000', belief: 'failed', reason: /do not reach it/, by: { length: 3 } },
    { address: 'b:5000', belief: 'alive', by: [] },
    { address: 'd:5000', belief: 'alive' },
  ])
  const forSeconds = report?.members[0]?.forSeconds ?? -1
  t.ok(forSeconds >= 0 && forSeconds < 10)
  t.equal(gossipReport({ ...ring, gossip: undefined } as unknown as RingNode, 0), undefined)
})
