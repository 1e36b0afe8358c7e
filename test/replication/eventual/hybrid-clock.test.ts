import t from 'tap'
import { AHEAD_MS_MAX, HybridClock } from '../../../src/replication/eventual/hybrid-clock.ts'

t.test('stamps grow though the clock goes back', async t => {
  const clock = new HybridClock()
  const first = clock.next(5_000)
  const second = clock.next(4_000)
  t.ok(second > first)
  t.equal(first, 5_000_000)
})

t.test('what is written after something was heard of has a later stamp', async t => {
  const clock = new HybridClock()
  const heard = clock.hear(6_000_500, 5_000)
  t.equal(heard, 6_000_500)
  t.ok(clock.next(5_000) > heard)
})

t.test('a clock that is hours ahead counts for no more than minutes', async t => {
  const clock = new HybridClock()
  const sixHours = 6 * 60 * 60 * 1000
  const heard = clock.hear(sixHours * 1000, 0)
  t.equal(heard, AHEAD_MS_MAX * 1000)
  t.ok(clock.next(0) < sixHours * 1000, 'and does not spread')
})
