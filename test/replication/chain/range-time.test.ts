import t from 'tap'
import { passTime, timeOf, withTime } from '../../../src/replication/chain/range-time.ts'
import { Bench } from './bench.ts'

t.test(
  'a range gets older while its head is at work, by its monotonic clock, an hour a step at most',
  async t => {
    const bench = new Bench({ nodes: ['n1'], settings: { outcomesKeptMs: 25_000 } })
    const m = bench.machine('n1')
    m.steppedAtMs = undefined
    const state = () => bench.state('n1')
    t.equal(timeOf(m, state()), 0)
    passTime(m, 5_000)
    t.equal(timeOf(m, state()), 0, 'nothing is known of before')
    passTime(m, 5_400)
    t.equal(timeOf(m, state()), 400)
    passTime(m, 90_000)
    t.equal(timeOf(m, state()), 1_400)
    passTime(m, 10)
    passTime(m, 20)
    t.equal(timeOf(m, state()), 1_410, 'a clock that went back is followed from there')
    const noted = withTime(m, state())
    t.equal(noted.timeMs, 1_410)
    t.equal(timeOf(m, noted), 1_410, 'counted once')
  },
)
