import fc from 'fast-check'
import t from 'tap'
import {
  aliveStateOf,
  INCARNATION_MAX,
  isAliveState,
  NODE_STATUSES,
  packState,
  unpackState,
} from '../../src/routing/map-record.ts'

const anyIncarnation = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: INCARNATION_MAX }))
const anyStatus = fc.constantFrom(...NODE_STATUSES)

t.test('law: a packed state fits into 32 bits, comes back, and is never "nothing known"', async () => {
  fc.assert(
    fc.property(anyIncarnation, anyStatus, (incarnation, status) => {
      const state = packState(incarnation, status)
      const { incarnation: i, status: s } = unpackState(state)
      return i === incarnation && s === status && state > 0 && state < 2 ** 32
    }),
  )
})

t.test('law: states are ordered by incarnation, then alive, left, dead', async () => {
  fc.assert(
    fc.property(anyIncarnation, anyStatus, anyIncarnation, anyStatus, (i1, s1, i2, s2) => {
      const expected = i1 - i2 || NODE_STATUSES.indexOf(s1) - NODE_STATUSES.indexOf(s2)
      return Math.sign(packState(i1, s1) - packState(i2, s2)) === Math.sign(expected)
    }),
  )
})

t.test('law: alive is told apart, and every state knows what it was when alive', async () => {
  fc.assert(
    fc.property(anyIncarnation, anyStatus, (incarnation, status) => {
      const state = packState(incarnation, status)
      return (
        isAliveState(state) === (status === 'alive') &&
        aliveStateOf(state) === packState(incarnation, 'alive')
      )
    }),
  )
})

t.test('an incarnation out of bounds is a fault of the program', async t => {
  for (const incarnation of [-1, 0.5, INCARNATION_MAX + 1, Number.NaN])
    t.throws(() => packState(incarnation, 'alive'), TypeError)
})
