import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { SEED_MAX } from '../../../src/lab/simulator/scenario.ts'
import { SeededRandom, xoshiro128StarStar } from '../../../src/lab/simulator/seeded-random.ts'

const WORD = 2n ** 32n

/** The reference program's lines, one by one, in exact integers. */
function referenceStep(state: bigint[]): bigint {
  const rotate = (word: bigint, bits: bigint) => ((word << bits) | (word >> (32n - bits))) % WORD
  const [s0, s1, s2, s3] = state as [bigint, bigint, bigint, bigint]
  const result = (rotate((s1 * 5n) % WORD, 7n) * 9n) % WORD
  const shifted = (s1 << 9n) % WORD
  const after2 = s2 ^ s0
  const after3 = s3 ^ s1
  state[1] = s1 ^ after2
  state[0] = s0 ^ after3
  state[2] = after2 ^ shifted
  state[3] = rotate(after3, 11n)
  return result
}

t.test('the generator is xoshiro128**', async t => {
  const known = new Uint32Array([1, 2, 3, 4])
  t.same(
    Array.from({ length: 4 }, () => xoshiro128StarStar(known)),
    [11520, 0, 5927040, 70819200],
  )
  const seed = [0x89abcdef, 0xffffffff, 1, 0x80000000]
  const state = new Uint32Array(seed)
  const reference = seed.map(BigInt)
  for (let draw = 0; draw < 1000; draw++)
    assert.equal(BigInt(xoshiro128StarStar(state)), referenceStep(reference))
})

t.test('equal seeds give equal choices, other seeds other ones', async t => {
  const draw = (seed: number) =>
    Array.from({ length: 8 }, (_, __, random = new SeededRandom(seed)) => random.next32())
  t.same(draw(5), draw(5))
  const firsts = new Set(Array.from({ length: 10_000 }, (_, seed) => new SeededRandom(seed).next32()))
  t.ok(firsts.size > 9_990, 'neighbouring seeds begin differently')
  t.not(
    new SeededRandom(1).next32(),
    new SeededRandom(1 + 2 ** 32).next32(),
    'the high half of a seed counts',
  )
  for (const seed of [-1, 0.5, Number.NaN, 2 ** 53]) t.throws(() => new SeededRandom(seed), TypeError)
})

t.test('a fork depends on seed and name only', async t => {
  const parent = new SeededRandom(9)
  const before = parent.fork('network').next32()
  parent.next32()
  t.equal(parent.fork('network').next32(), before)
  const names = ['network', 'disk n1', 'disk n2', 'disk n11', '']
  t.equal(new Set(names.map(name => parent.fork(name).next32())).size, names.length)
  t.not(new SeededRandom(10).fork('network').next32(), before)
  t.not(new SeededRandom(SEED_MAX).fork('network').next32(), before)
  t.not(parent.fork('a').fork('b').next32(), parent.fork('b').fork('a').next32())
})

t.test('choices stay in their bounds', async t => {
  fc.assert(
    fc.property(
      fc.maxSafeNat(),
      fc.integer({ min: -1000, max: 1000 }),
      fc.nat({ max: 2 ** 31 }),
      (seed, min, width) => {
        const random = new SeededRandom(seed)
        const value = random.int(min, min + width)
        const between = random.between(min, min + width)
        return (
          Number.isInteger(value) &&
          value >= min &&
          value <= min + width &&
          between >= min &&
          (between < min + width || width === 0)
        )
      },
    ),
  )
  const random = new SeededRandom(1)
  t.throws(() => random.int(2, 1), TypeError)
  t.throws(() => random.int(0, 2 ** 32), TypeError)
  t.throws(() => random.pick([]), TypeError)
  t.same(random.shuffle([]), [])
})

t.test('a shuffle is a permutation and leaves the list alone', async () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.array(fc.integer()), (seed, items) => {
      const copy = [...items]
      const shuffled = new SeededRandom(seed).shuffle(items)
      assert.deepEqual(items, copy)
      assert.deepEqual([...shuffled].sort(), [...copy].sort())
    }),
    { numRuns: 50 },
  )
})

t.test('choices are even', async t => {
  const random = new SeededRandom(2026)
  const draws = 60_000
  const orders = new Map<string, number>()
  const bytes = new Array<number>(256).fill(0)
  let heads = 0
  for (let draw = 0; draw < draws; draw++) {
    const order = random.shuffle(['a', 'b', 'c']).join('')
    orders.set(order, (orders.get(order) ?? 0) + 1)
    if (random.chance(0.25)) heads++
  }
  for (const byte of random.bytes(256 * 400)) bytes[byte] = (bytes[byte] ?? 0) + 1
  t.equal(orders.size, 6)
  // Five standard deviations of a binomial count: one such test in a million would fail by chance, and the seed is fixed.
  const near = (count: number, total: number, share: number) =>
    Math.abs(count - total * share) < 5 * Math.sqrt(total * share * (1 - share))
  for (const [order, count] of orders) t.ok(near(count, draws, 1 / 6), `${order} ${count}`)
  t.ok(near(heads, draws, 0.25), `heads ${heads}`)
  t.ok(bytes.every(count => near(count, 256 * 400, 1 / 256)))
  t.equal(random.chance(0), false)
  t.equal(random.chance(1), true)
})
