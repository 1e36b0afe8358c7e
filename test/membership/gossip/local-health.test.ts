import t from 'tap'
import { HEALTH_MAX, LocalHealth } from '../../../src/membership/gossip/local-health.ts'

t.test(
  'a node that is late, heard nobody or was doubted waits longer, and recovers round by round',
  async t => {
    const health = new LocalHealth()
    t.equal(health.factor, 1)
    health.late(499, 1_000)
    health.late(500, 1_000)
    t.equal(health.score, 0, 'a little late is usual')
    health.late(501, 1_000)
    t.equal(health.score, 1)
    health.late(2_500, 1_000)
    t.equal(health.score, 4)
    health.heardNobody()
    health.wasDoubted()
    t.equal(health.factor, 7)
    for (let rounds = 0; rounds < 6; rounds++) health.well()
    t.equal(health.factor, 1)
    health.well()
    t.equal(health.score, 0)
  },
)

t.test('the waits grow to nine times their length at the most', async t => {
  const health = new LocalHealth()
  health.late(1e9, 1_000)
  t.equal(health.score, HEALTH_MAX)
  t.equal(health.factor, 9)
})
