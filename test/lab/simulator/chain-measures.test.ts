import t from 'tap'
import { realEnv } from '../../../src/env.ts'
import { measureSealedWork, measureSteps } from '../../../src/lab/simulator/chain-measures.ts'

t.test(
  'sealed time does not grow with the records of a range, only with what was written since the copy',
  async t => {
    const few = measureSealedWork(10, 5)
    const many = measureSealedWork(10_000, 5)
    t.equal(few.recordsMoved, 5)
    t.equal(many.recordsMoved, 5)
    // The digest tree has four levels, so at most that many round trips more, and none beyond it.
    t.ok(many.hops <= few.hops + 2 * 4, `${few.hops} and ${many.hops} messages one after the other`)
    t.ok(measureSealedWork(10_000, 0).hops <= few.hops, 'nothing was written: the digests say so at once')
    for (const work of [few, many]) t.comment(JSON.stringify(work))
  },
)

t.test('the steps of a write through a chain of three are counted', async t => {
  const { steps, stepsPerSecond } = measureSteps(2_000, realEnv().clock)
  // The request, the write at the head, two passes, two acknowledgements and the answer.
  t.equal(steps, 2_000 * 7)
  t.ok(stepsPerSecond > 0)
  t.comment(`${stepsPerSecond} steps a second`)
})
