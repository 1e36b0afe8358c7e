import t from 'tap'
import {
  failPeriodsNeeded,
  type GossipScenario,
  runGossip,
} from '../../../src/lab/experiments/gossip-simulated.ts'

const scenario: GossipScenario = {
  ...{ nodes: 60, seed: 1, fanOut: 2, failPeriods: failPeriodsNeeded(60) },
  ...{ loss: 0, stalls: 0, stallPeriods: 1, calmPeriods: 40 },
}

t.test('a crash is known to all within twice T_fail, and not before T_fail', async t => {
  const figure = runGossip(scenario)
  t.ok(figure.firstPeriods > scenario.failPeriods, `${figure.firstPeriods}`)
  t.ok(figure.lastPeriods <= 2 * scenario.failPeriods, `${figure.lastPeriods}`)
  t.ok(figure.middlePeriods >= figure.firstPeriods && figure.middlePeriods <= figure.lastPeriods)
  t.equal(figure.suspected, 0)
  t.equal(figure.failed, 0)
  t.ok(figure.pairRounds <= 12)
  t.same(runGossip(scenario), figure, 'the same seed, the same figures')
})

t.test('lost messages and nodes that stand still make suspects, and nobody who lives fails', async t => {
  for (const trouble of [{ loss: 0.2 }, { stalls: 0.02, stallPeriods: 5 }]) {
    const figure = runGossip({ ...scenario, ...trouble })
    t.equal(figure.failed, 0)
    t.ok(figure.lastPeriods <= 4 * scenario.failPeriods)
  }
  const hasty = runGossip({ ...scenario, failPeriods: 3, loss: 0.3 })
  t.ok(hasty.suspected > 0, 'a T_fail that is too short shows')
})

t.test('what a node sends does not grow with the network', async t => {
  const small = runGossip({ ...scenario, nodes: 100, calmPeriods: 15 })
  const large = runGossip({ ...scenario, nodes: 600, calmPeriods: 15 })
  t.ok(
    large.bytesPerPeriod < 1.1 * small.bytesPerPeriod,
    `${small.bytesPerPeriod} and ${large.bytesPerPeriod}`,
  )
})
