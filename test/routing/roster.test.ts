import fc from 'fast-check'
import t from 'tap'
import { type Identifier, identifierPrefix, identifiersOfAddress } from '../../src/ring/identifier.ts'
import { firstAtLeast, type Member, Roster } from '../../src/routing/roster.ts'
import { anyIdentifier } from '../ring/any.ts'
import { record } from './any.ts'

/** The ring as it should be: every identifier with the number of its member, sorted. */
function expectedRing(roster: Roster, members: Iterable<Member>): [Identifier, Member][] {
  const ring: [Identifier, Member][] = []
  for (const member of members)
    for (const identifier of identifiersOfAddress(roster.entry(member).ringAddress, roster.virtualNodes))
      ring.push([identifier, member])
  return ring.sort(([a], [b]) => (a < b ? -1 : 1))
}

function actualRing(roster: Roster): Member[] {
  return Array.from({ length: roster.positions }, (_, position) => roster.memberAt(position))
}

t.test('a node has one number, whatever is heard of it', async t => {
  const roster = new Roster({ virtualNodes: 2 })
  const a = roster.enter(record('a'))
  const b = roster.enter(record('b'))
  t.not(a, b)
  t.equal(roster.enter(record('a', { status: 'dead' })), a)
  t.equal(roster.numberOf(record('b').nodeId), b)
  t.equal(roster.numberOf(record('c').nodeId), undefined)
  t.equal(roster.positions, 4)
})

t.test('address and zone are those of the highest incarnation', async t => {
  const roster = new Roster({ virtualNodes: 1 })
  const a = roster.enter(record('a'))
  roster.enter(record('a', { incarnation: 2, zone: 'new' }))
  roster.enter(record('a', { incarnation: 1, zone: 'old' }))
  t.equal(roster.entry(a).zone, 'new')
})

t.test(
  'law: positions are in ring order, entered one by one or many at once, and after some were forgotten',
  async t => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 40 }), { maxLength: 5 }),
        fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 5 }),
        (virtualNodes, batches, forgotten) => {
          const roster = new Roster({ virtualNodes })
          const members = new Set<Member>()
          for (const batch of batches) {
            for (const name of batch) members.add(roster.enter(record(`n${name}`)))
            t.same(
              actualRing(roster),
              expectedRing(roster, members).map(([, member]) => member),
            )
          }
          for (const name of forgotten) {
            const member = roster.numberOf(record(`n${name}`).nodeId)
            if (member === undefined) continue
            roster.release(member)
            members.delete(member)
          }
          t.same(
            actualRing(roster),
            expectedRing(roster, members).map(([, member]) => member),
          )
          t.equal(roster.homes().members.length, members.size)
        },
      ),
      { numRuns: 50 },
    )
  },
)

t.test(
  'law: the position of a key is the first that equals or follows it, around zero if need be',
  async () => {
    const roster = new Roster({ virtualNodes: 3 })
    const members = Array.from({ length: 20 }, (_, index) => roster.enter(record(`n${index}`)))
    const ring = expectedRing(roster, members)
    const anyKey = fc.oneof(anyIdentifier, fc.constantFrom(...ring.map(([identifier]) => identifier)))
    fc.assert(
      fc.property(anyKey, key => {
        const index = ring.findIndex(([identifier]) => identifier >= key)
        return roster.positionAtOrAfter(key) === Math.max(0, index)
      }),
    )
  },
)

t.test('homes are the first identifiers, each member once', async t => {
  const roster = new Roster({ virtualNodes: 8 })
  const members = Array.from({ length: 30 }, (_, index) => roster.enter(record(`n${index}`)))
  const homes = members
    .map(member => [identifierPrefix(roster.entry(member).identifiers[0] as Identifier), member] as const)
    .sort(([a], [b]) => a - b)
  t.same(
    [...roster.homes().members],
    homes.map(([, member]) => member),
  )
  t.same(
    [...roster.homes().prefixes],
    homes.map(([prefix]) => prefix),
  )
  roster.enter(record('late'))
  t.equal(roster.homes().members.length, 31, 'a new member is among them')
})

t.test('a full roster takes nobody new; a number that is free again is given to the next', async t => {
  const roster = new Roster({ virtualNodes: 1, membersMax: 2 })
  const a = roster.enter(record('a'))
  roster.enter(record('b'))
  t.throws(() => roster.enter(record('c')), TypeError)
  t.equal(roster.enter(record('a')), a, 'who is there stays')
  roster.release(a)
  t.equal(roster.enter(record('c')), a)
  t.equal(roster.numberOf(record('a').nodeId), undefined)
  t.throws(() => roster.entry(99 as Member), TypeError)
})

t.test('the first index with at least a value', async t => {
  const sorted = new Float64Array([1, 3, 3, 7, 0])
  const cases = [
    [0, 0],
    [1, 0],
    [2, 1],
    [3, 1],
    [7, 3],
    [8, 4],
  ] as const
  for (const [value, index] of cases) t.equal(firstAtLeast(sorted, 4, value), index)
})
