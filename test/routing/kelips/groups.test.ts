import fc from 'fast-check'
import t from 'tap'
import {
  arcOfGroup,
  groupOf,
  groupsFor,
  isWithin,
  PREFIXES,
  shareOf,
} from '../../../src/routing/kelips/groups.ts'

t.test('there are about sqrt N groups, a power of two', async t => {
  t.same(
    [1, 4, 10, 100, 1000, 10_000].map(nodes => groupsFor(nodes)),
    [1, 2, 4, 8, 32, 128],
  )
})

t.test('the number of groups stays until it is wrong by more than twice', async t => {
  t.equal(groupsFor(64, 8), 8)
  t.equal(groupsFor(256, 8), 8, 'four times the nodes')
  t.equal(groupsFor(257, 8), 16)
  t.equal(groupsFor(16, 8), 8, 'a quarter of them')
  t.equal(groupsFor(15, 8), 4)
})

t.test('law: every position is in the arc of its group and in no other', async t => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: PREFIXES - 1 }),
      fc.integer({ min: 0, max: 6 }),
      (prefix, power) => {
        const groups = 2 ** power
        const group = groupOf(prefix, groups)
        for (let other = 0; other < groups; other++)
          t.equal(isWithin(arcOfGroup(other, groups), prefix), other === group)
      },
    ),
    { numRuns: 50 },
  )
})

t.test('law: a group of a finer cut lies within one of a coarser cut', async t => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: PREFIXES - 1 }),
      fc.integer({ min: 0, max: 6 }),
      (prefix, power) => {
        t.equal(groupOf(prefix, 2 ** power), groupOf(prefix, 2 ** (power + 1)) >> 1)
      },
    ),
    { numRuns: 50 },
  )
})

t.test('an arc may lead over position zero, and be the whole ring', async t => {
  const over = { from: PREFIXES - 10, to: 10 }
  t.same(
    [PREFIXES - 10, 0, 9, 10, PREFIXES - 11].map(prefix => isWithin(over, prefix)),
    [true, true, true, false, false],
  )
  t.ok(isWithin({ from: 5, to: 5 }, 4))
  t.equal(shareOf({ from: 5, to: 5 }), 1)
  t.equal(shareOf({ from: 0.75 * PREFIXES, to: 0.25 * PREFIXES }), 0.5)
})
