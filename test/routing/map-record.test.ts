import fc from 'fast-check'
import t from 'tap'
import type { Address } from '../../src/ring/identifier.ts'
import {
  aliveStateOf,
  INCARNATION_MAX,
  isAliveState,
  NODE_STATUSES,
  packState,
  recordFromWire,
  recordToWire,
  unpackState,
} from '../../src/routing/map-record.ts'
import { anyRecord, record } from './any.ts'

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

t.test('law: a record comes back from the wire', async t => {
  fc.assert(fc.property(anyRecord, any => t.same(recordFromWire(recordToWire(any)), any)))
  t.equal(recordToWire(record('a')).length, 4, 'what says nothing is not sent')
  t.equal(recordToWire(record('a', { zone: 'z' })).length, 5)
  t.equal(recordToWire(record('a', { address: 'b:1' as Address })).length, 6)
})

t.test('a malformed record is refused', async t => {
  const good = ['node-a', 'a:5000', 0, 0, 'zone', 'a:5000']
  t.ok(recordFromWire(good))
  const refusals: unknown[] = [
    undefined,
    'text',
    {},
    [],
    good.with(0, ''),
    good.with(0, 'x'.repeat(65)),
    good.with(1, 7),
    good.with(1, 'x'.repeat(260)),
    good.with(2, -1),
    good.with(2, 1.5),
    good.with(2, INCARNATION_MAX + 1),
    good.with(3, 3),
    good.with(3, 'alive'),
    good.with(4, ''),
    good.with(4, 'x'.repeat(65)),
    good.with(5, ''),
  ]
  for (const wire of refusals)
    t.throws(() => recordFromWire(wire), { code: 'INVALID_REQUEST' }, JSON.stringify(wire))
})
