import t from 'tap'
import { SkewedClock } from '../../../src/lab/simulator/skewed-clock.ts'
import { VIRTUAL_START_MS, VirtualClock } from '../../../src/lab/simulator/virtual-clock.ts'

t.test('a wall clock is off, drifts and jumps; durations are not touched by that', async t => {
  const world = new VirtualClock()
  const clock = new SkewedClock({ world }, { aheadMs: -500, drift: 0.01 })
  t.equal(clock.nowMs(), VIRTUAL_START_MS - 500)
  world.runUntil(1_000)
  t.equal(clock.nowMs(), VIRTUAL_START_MS - 500 + 1_010)
  clock.jump(-3_600_000)
  t.equal(clock.nowMs(), VIRTUAL_START_MS - 500 + 1_010 - 3_600_000)
  t.equal(clock.monotonicMs(), 1_000)
})
