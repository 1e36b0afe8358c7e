import fc from 'fast-check'
import t from 'tap'
import {
  type Address,
  identifierOfPath,
  identifiersOfAddress,
  type NodeId,
} from '../../src/ring/identifier.ts'
import { parsePathName } from '../../src/ring/path-name.ts'
import { sortRing, successorsOf } from '../../src/ring/placement.ts'
import { INCARNATION_MAX, type MapRecord } from '../../src/routing/map-record.ts'
import { NetworkMap } from '../../src/routing/network-map.ts'
import { type Member, Roster } from '../../src/routing/roster.ts'
import { anyIdentifier } from '../ring/any.ts'
import { anyRecord, mapOf, record } from './any.ts'

/** What a map says, without when and in which order it was heard. */
function content(map: NetworkMap): MapRecord[] {
  return [...map.records()].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
}

const observer = (records: readonly MapRecord[]) => mapOf('observer', records)
const anyRecords = fc.array(anyRecord, { maxLength: 12 })

t.test('law: merging is commutative: the order of arrival does not matter', async t => {
  const anyShuffled = anyRecords.chain(records =>
    fc.tuple(fc.constant(records), fc.shuffledSubarray(records, { minLength: records.length })),
  )
  fc.assert(
    fc.property(anyShuffled, ([one, other]) => t.same(content(observer(one)), content(observer(other)))),
  )
})

t.test('law: merging is idempotent: repetition does not matter', async t => {
  fc.assert(
    fc.property(anyRecords, records =>
      t.same(content(observer([...records, ...records])), content(observer(records))),
    ),
  )
})

t.test('law: merging is associative: maps can be merged with each other in any grouping', async t => {
  fc.assert(
    fc.property(anyRecords, anyRecords, anyRecords, (a, b, c) => {
      const ab = observer([...observer(a).records(), ...observer(b).records()])
      const bc = observer([...observer(b).records(), ...observer(c).records()])
      const left = observer([...ab.records(), ...observer(c).records()])
      const right = observer([...observer(a).records(), ...bc.records()])
      t.same(content(left), content(right))
    }),
  )
})

t.test('law: a map never goes back, and counts what it holds', async () => {
  fc.assert(
    fc.property(anyRecords, records => {
      const map = observer([])
      for (const heard of records) {
        const before = map.record(heard.nodeId)
        const merged = map.merge(heard, 0)
        const after = map.record(heard.nodeId) as MapRecord
        const changed =
          before === undefined ? 'new' : JSON.stringify(before) === JSON.stringify(after) ? 'same' : 'newer'
        if (changed !== (merged === 'known' || merged === 'older' ? 'same' : merged)) return false
        if (before !== undefined && after.incarnation < before.incarnation) return false
      }
      const all = content(map)
      return (
        map.knownCount === all.length &&
        map.aliveCount === all.filter(({ status }) => status === 'alive').length
      )
    }),
  )
})

t.test('who is told to be dead refutes it, and the refutation wins everywhere', async t => {
  const map = mapOf('a')
  const death = record('a', { status: 'dead', incarnation: 4 })
  t.equal(map.merge(death, 0), 'refuted')
  const refutation = map.recordOf(map.self)
  t.match(refutation, { status: 'alive', incarnation: 5 })
  t.equal(map.merge(death, 0), 'older', 'once is enough')
  const elsewhere = mapOf('b', [refutation, death])
  t.match(elsewhere.record(refutation.nodeId), { status: 'alive', incarnation: 5 })
})

t.test('a restarted node outdoes what is still told of its earlier start', async t => {
  const map = mapOf('a')
  t.equal(map.merge(record('a', { incarnation: 7 }), 0), 'refuted')
  t.match(map.recordOf(map.self), { status: 'alive', incarnation: 8 })
})

t.test('another start used the same incarnation at another place: the node outdoes it', async t => {
  const map = mapOf('a')
  const own = map.recordOf(map.self)
  t.equal(map.merge(own, 0), 'known', 'its own record is no news')
  t.equal(map.merge({ ...own, zone: 'cellar' }, 0), 'refuted')
  const elsewhere = { ...map.recordOf(map.self), address: 'a:5999' as Address }
  t.equal(map.merge(elsewhere, 0), 'refuted')
  t.match(map.recordOf(map.self), { address: own.address, zone: own.zone, incarnation: own.incarnation + 2 })
  const other = mapOf('b', [elsewhere])
  t.equal(other.merge(map.recordOf(map.self), 0), 'newer')
  t.equal(other.record(own.nodeId)?.address, own.address)
})

t.test('a forged incarnation at the limit does not make a node fail', async t => {
  const map = mapOf('a')
  t.equal(map.merge(record('a', { incarnation: INCARNATION_MAX, status: 'dead' }), 0), 'older')
  t.ok(map.isAlive(map.self))
})

t.test('a lost disk is another node: the record of the former one says nothing about it', async t => {
  const map = mapOf('b', [record('a', { incarnation: 3, status: 'dead' })])
  const reborn = record('a', { nodeId: 'node-reborn' as NodeId })
  t.equal(map.merge(reborn, 0), 'new')
  t.match(map.record(reborn.nodeId), { status: 'alive', incarnation: 0 })
  t.match(map.record(record('a').nodeId), { status: 'dead', incarnation: 3 })
  const key = identifiersOfAddress(reborn.address, 1)[0] as never
  t.equal(map.closestKnown(key), map.roster.numberOf(reborn.nodeId))
})

t.test(
  'a node tells its own news with a higher incarnation, and leaving is not taken back by a refutation',
  async t => {
    const map = mapOf('a')
    const moved = map.changeSelf({ address: 'elsewhere:1' as never, zone: 'z' }, 0)
    t.match(moved, {
      address: 'elsewhere:1',
      ringAddress: 'a:5000',
      zone: 'z',
      incarnation: 1,
      status: 'alive',
    })
    t.match(mapOf('b', [record('a'), moved]).record(moved.nodeId), { address: 'elsewhere:1' })
    const left = map.changeSelf({ status: 'left' }, 0)
    t.match(left, { status: 'left', incarnation: 2, zone: 'z' })
    t.equal(map.merge({ ...left, status: 'dead' }, 0), 'refuted')
    t.match(map.recordOf(map.self), { status: 'left', incarnation: 3 })
  },
)

t.test(
  'law: the closest known node is the first live successor that is not excepted, or the last one before',
  async () => {
    const names = Array.from({ length: 12 }, (_, index) => `n${index}`)
    fc.assert(
      fc.property(
        fc.subarray(names),
        fc.subarray(names),
        fc.subarray(names),
        fc.integer({ min: 1, max: 4 }),
        anyIdentifier,
        (known, dead, excepted, virtualNodes, key) => {
          const map = mapOf(
            'self',
            known.map(name => record(name)),
            new Roster({ virtualNodes }),
          )
          for (const name of dead) map.merge(record(name, { status: 'dead' }), 0)
          const live = ['self', ...known.filter(name => !dead.includes(name))].map(name => record(name))
          const ring = sortRing(
            live.flatMap(({ nodeId, ringAddress }) =>
              identifiersOfAddress(ringAddress, virtualNodes).map(identifier => ({
                identifier,
                nodeId,
                zone: undefined,
              })),
            ),
          )
          const out = excepted.map(name => record(name).nodeId)
          const expected = successorsOf(ring, key).find(({ nodeId }) => !out.includes(nodeId))?.nodeId
          const lastBefore = ring.toReversed().filter(({ nodeId }) => !out.includes(nodeId))
          const expectedBefore = (lastBefore.find(({ identifier }) => identifier < key) ?? lastBefore[0])
            ?.nodeId
          const isOut = (member: Member) => out.includes(map.roster.entry(member).nodeId)
          const found = map.closestKnown(key, isOut)
          const before = map.closestBefore(key, isOut)
          if (found === undefined || before === undefined) return false
          return map.recordOf(found).nodeId === expected && map.recordOf(before).nodeId === expectedBefore
        },
      ),
    )
  },
)

t.test('nobody is closest when everybody is excepted', async t => {
  const map = mapOf('a', [record('b')])
  t.equal(
    map.closestKnown(identifierOfPath(parsePathName('x')), () => true),
    undefined,
  )
})

t.test('maps that share a roster do not share knowledge', async t => {
  const roster = new Roster({ virtualNodes: 1 })
  const a = mapOf('a', [], roster)
  const b = mapOf('b', [record('c')], roster)
  t.equal(a.record(record('c').nodeId), undefined)
  t.equal(a.record(record('b').nodeId), undefined)
  t.equal(b.aliveCount, 2)
  t.equal(a.aliveCount, 1)
  t.throws(() => a.recordOf(b.self), TypeError)
  for (let index = 0; index < 100; index++) b.merge(record(`n${index}`), 0)
  t.equal(a.merge(record('n99'), 0), 'new', 'a map grows when it learns of a high number')
})

t.test(
  'whoever keeps something of the nodes is told which of them have changed, or are forgotten',
  async t => {
    const noted: string[] = []
    const roster = new Roster({ virtualNodes: 1, membersMax: 3 })
    const map = new NetworkMap({ roster, noted: nodeId => noted.push(nodeId) }, { self: record('a') })
    const next = () => noted.splice(0)
    map.merge(record('b'), 1_000)
    t.same(next(), ['node-b'])
    map.merge(record('b'), 1_000)
    t.same(next(), [], 'nothing new')
    map.merge(record('c', { status: 'dead' }), 2_000)
    t.same(next(), ['node-c'])
    map.merge(record('d'), 3_000)
    t.same(next(), ['node-c', 'node-d'], 'one makes room for the other')
    map.merge(record('a', { status: 'dead' }), 4_000)
    t.same(next(), ['node-a'], 'a refutation')
    map.changeSelf({ zone: 'z' }, 5_000)
    t.same(next(), ['node-a'])
  },
)

t.test('a full map forgets who has been gone for longest, never a live node', async t => {
  const map = mapOf('a', [], new Roster({ virtualNodes: 1, membersMax: 4 }))
  map.merge(record('b'), 1_000)
  map.merge(record('c', { status: 'dead' }), 3_000)
  map.merge(record('d', { status: 'left' }), 2_000)
  t.equal(map.merge(record('e'), 4_000), 'new')
  t.equal(map.record(record('d').nodeId), undefined, 'd was gone before c')
  t.equal(map.merge(record('f'), 5_000), 'new')
  t.equal(map.record(record('c').nodeId), undefined)
  t.equal(map.merge(record('g'), 6_000), 'full')
  t.same(
    content(map).map(({ nodeId }) => nodeId),
    ['node-a', 'node-b', 'node-e', 'node-f'],
  )
  t.equal(map.knownCount, 4)
  t.equal(map.learnedAtMs(map.roster.numberOf(record('f').nodeId) as never), 5_000)
})
