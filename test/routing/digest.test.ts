import fc from 'fast-check'
import t from 'tap'
import { identifierPrefix } from '../../src/ring/identifier.ts'
import { differences, digestOf, SECTOR_MEMBERS } from '../../src/routing/digest.ts'
import type { NetworkMap } from '../../src/routing/network-map.ts'
import { Roster } from '../../src/routing/roster.ts'
import { mapOf, record } from './any.ts'

const names = Array.from({ length: 300 }, (_, index) => `n${index}`)
const records = names.map(name => record(name))
const namesOf = (map: NetworkMap, members: readonly number[]) =>
  new Set(members.map(member => map.recordOf(member as never).nodeId.slice('node-'.length)))

/** Differences seen with several salts: one filter has false positives, many together hardly any. */
function differencesOverall(teller: NetworkMap, asker: NetworkMap) {
  const gone = new Set<string>()
  const missing = new Set<string>()
  for (let salt = 0; salt < 40; salt++) {
    const found = differences(teller, digestOf(asker, 0, salt, Number.POSITIVE_INFINITY))
    for (const name of namesOf(teller, found.missing)) missing.add(name)
    for (const name of namesOf(teller, found.gone)) gone.add(name)
  }
  return { gone, missing }
}

t.test(
  'law: what is missing is found by some salt, and nothing that both know is ever called missing',
  async t => {
    fc.assert(
      fc.property(fc.subarray(names), fc.subarray(names), (asker, teller) => {
        const askerMap = mapOf(
          'asker',
          asker.map(name => record(name)),
        )
        const tellerMap = mapOf('teller', [...teller.map(name => record(name)), record('asker')])
        const { missing } = differencesOverall(tellerMap, askerMap)
        t.same(missing, new Set([...teller.filter(name => !asker.includes(name)), 'teller']))
      }),
      { numRuns: 10 },
    )
  },
)

t.test('a newer record of a known node is missing too', async t => {
  const asker = mapOf('a', [record('b')])
  const teller = mapOf('c', [record('a'), record('b', { incarnation: 1 })])
  t.ok(differencesOverall(teller, asker).missing.has('b'))
})

t.test('who died or left is said to those who believe it alive, and not to those who know', async t => {
  const teller = mapOf('t', [
    record('dead', { status: 'dead' }),
    record('left', { status: 'left', incarnation: 1 }),
  ])
  const believer = mapOf('b', [record('dead'), record('left', { incarnation: 1 }), ...records])
  const gone = (map: NetworkMap) => namesOf(teller, differences(teller, digestOf(map, 0, 1, 9999)).gone)
  t.same(gone(believer), new Set(['dead', 'left']))
  const knowing = mapOf('k', [
    record('dead', { status: 'dead' }),
    record('left', { status: 'left', incarnation: 1 }),
  ])
  const falsePositives = Array.from(
    { length: 200 },
    (_, salt) => differences(teller, digestOf(knowing, 0, salt)).gone.length,
  )
  t.ok(
    falsePositives.filter(count => count > 0).length < 100,
    'only by false positives of a filter of one byte',
  )
})

t.test('sectors of many nodes follow each other around the ring and cover it once', async t => {
  const map = mapOf('self', records, new Roster({ virtualNodes: 4 }))
  const home = (name: string) =>
    identifierPrefix(
      map.roster.entry(map.roster.numberOf(record(name).nodeId) as never).identifiers[0] as never,
    )
  const seen: number[] = []
  const start = home('self')
  let from = start
  for (let sector = 0; sector < 3; sector++) {
    const digest = digestOf(map, from, sector)
    const inSector = [...names, 'self'].filter(name => {
      const at = home(name)
      return digest.from < digest.to
        ? at >= digest.from && at < digest.to
        : at >= digest.from || at < digest.to
    })
    seen.push(inSector.length)
    t.equal(digest.bits.length, SECTOR_MEMBERS)
    from = digest.to
  }
  t.same(seen, [SECTOR_MEMBERS, SECTOR_MEMBERS, SECTOR_MEMBERS])
})

t.test('a teller answers for the sector alone', async t => {
  const asker = mapOf('asker', records)
  const digest = digestOf(asker, 0, 0)
  const extra = Array.from({ length: 200 }, (_, index) => record(`extra${index}`))
  const teller = mapOf('teller', extra)
  const { missing } = differences(teller, digest)
  const prefixOf = (member: number) =>
    identifierPrefix(teller.roster.entry(member as never).identifiers[0] as never)
  t.ok(missing.length > 20)
  t.ok(missing.every(member => prefixOf(member) < digest.to))
})

t.test('one in eight or so passes as known by mistake', async t => {
  const asker = mapOf('asker', records.slice(0, 127))
  const teller = mapOf('teller', records.slice(127))
  const missing = differences(teller, digestOf(asker, 0, 0)).missing.length
  t.ok(missing > 0.75 * 174 && missing < 174, `${missing} of 174 were found`)
})
