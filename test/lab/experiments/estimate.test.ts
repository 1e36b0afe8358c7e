import t from 'tap'
import { estimateOf } from '../../../src/lab/experiments/estimate.ts'

t.test('the mean with its 95 % confidence interval, as worked out by hand', async t => {
  const { mean, margin, count } = estimateOf([1, 2, 3, 4])
  t.equal(mean, 2.5)
  t.equal(count, 4)
  // 3.182 * 1.2910 / 2
  t.ok(Math.abs(margin - 2.054) < 0.001)
})

t.test('equal runs leave no doubt, one run says nothing about it, none is a fault', async t => {
  t.equal(estimateOf([3, 3, 3]).margin, 0)
  t.same(estimateOf([3]), { mean: 3, margin: Number.NaN, count: 1 })
  t.throws(() => estimateOf([]), TypeError)
})

t.test('many runs use the normal distribution', async t => {
  const values = Array.from({ length: 100 }, (_, index) => index % 2)
  t.ok(Math.abs(estimateOf(values).margin - (1.96 * 0.50252) / 10) < 0.0001)
})
