import fc from 'fast-check'
import t from 'tap'
import { type Arc, arcContains, splitArc } from '../../src/ring/arc.ts'
import { parseIdentifier } from '../../src/ring/identifier.ts'
import { anyIdentifier } from './any.ts'

const at = (digit: string) => parseIdentifier(digit.repeat(40))
const anyArc = fc.record({ lo: anyIdentifier, hi: anyIdentifier }) satisfies fc.Arbitrary<Arc>

t.test('an arc has its end and not its beginning', async t => {
  const cases: [string, string, string, boolean][] = [
    ['2', '5', '3', true],
    ['2', '5', '5', true],
    ['2', '5', '2', false],
    ['2', '5', '6', false],
    ['2', '5', '0', false],
    ['d', '3', 'e', true],
    ['d', '3', 'f', true],
    ['d', '3', '0', true],
    ['d', '3', '3', true],
    ['d', '3', 'd', false],
    ['d', '3', '8', false],
    ['4', '4', '4', true],
    ['4', '4', '5', true],
    ['4', '4', '3', true],
  ]
  for (const [lo, hi, position, contained] of cases)
    t.equal(arcContains({ lo: at(lo), hi: at(hi) }, at(position)), contained, `${position} in (${lo}, ${hi}]`)
})

t.test('law: an arc and the one that goes on from it to its beginning share the ring', async () => {
  fc.assert(
    fc.property(anyIdentifier, anyIdentifier, anyIdentifier, (a, b, position) => {
      fc.pre(a !== b)
      return arcContains({ lo: a, hi: b }, position) !== arcContains({ lo: b, hi: a }, position)
    }),
  )
})

t.test('law: the whole ring has every position', async () => {
  fc.assert(
    fc.property(anyIdentifier, anyIdentifier, (a, position) => arcContains({ lo: a, hi: a }, position)),
  )
})

t.test('law: a split partitions an arc', async () => {
  fc.assert(
    fc.property(anyArc, anyIdentifier, anyIdentifier, (arc, cut, position) => {
      fc.pre(arcContains(arc, cut) && cut !== arc.hi)
      const [first, second] = splitArc(arc, cut)
      const parts = Number(arcContains(first, position)) + Number(arcContains(second, position))
      return parts === Number(arcContains(arc, position)) && first.lo === arc.lo && second.hi === arc.hi
    }),
  )
})

t.test('law: a position outside, or the end of the arc, cuts nothing', async t => {
  fc.assert(
    fc.property(anyArc, anyIdentifier, (arc, cut) => {
      fc.pre(!arcContains(arc, cut) || cut === arc.hi)
      t.throws(() => splitArc(arc, cut), TypeError)
    }),
  )
})
