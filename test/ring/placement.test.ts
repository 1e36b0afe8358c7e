import fc from 'fast-check'
import t from 'tap'
import { arcContains } from '../../src/ring/arc.ts'
import { type NodeId, parseIdentifier } from '../../src/ring/identifier.ts'
import {
  changeRing,
  firstWithin,
  nearSuccessors,
  placeReplicas,
  type RingPosition,
  sortRing,
  spreadOverZones,
  successorsOf,
  zonesOf,
} from '../../src/ring/placement.ts'
import { anyIdentifier } from './any.ts'

const at = (digits: string) => parseIdentifier(digits.padEnd(40, '0'))
const position = (digits: string, node: string, zone?: string): RingPosition => ({
  identifier: at(digits),
  nodeId: node as NodeId,
  zone,
})

const zones: Record<string, string | undefined> = {
  a: 'x',
  b: 'x',
  c: 'y',
  d: 'y',
  e: undefined,
  f: undefined,
}
const anyRing = fc
  .uniqueArray(fc.tuple(anyIdentifier, fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')), {
    minLength: 1,
    maxLength: 20,
    selector: ([identifier]) => identifier,
  })
  .map(entries =>
    sortRing(
      entries.map(([identifier, node]) => ({ identifier, nodeId: node as NodeId, zone: zones[node] })),
    ),
  )

t.test(
  'the owner is the first identifier that equals or follows the key, around zero if need be',
  async t => {
    const ring = sortRing([position('8', 'c'), position('2', 'a'), position('5', 'b')])
    const cases: [string, string][] = [
      ['0', 'abc'],
      ['2', 'abc'],
      ['21', 'bca'],
      ['8', 'cab'],
      ['81', 'abc'],
      ['f', 'abc'],
    ]
    for (const [key, order] of cases)
      t.equal(
        successorsOf(ring, at(key))
          .map(({ nodeId }) => nodeId)
          .join(''),
        order,
        key,
      )
  },
)

t.test('virtual nodes of one node count once', async t => {
  const ring = sortRing([
    position('1', 'a'),
    position('2', 'a'),
    position('3', 'b'),
    position('4', 'a'),
    position('5', 'c'),
  ])
  t.same(placeReplicas(ring, at('0'), 2), ['a', 'b'])
  t.same(placeReplicas(ring, at('0'), 3), ['a', 'b', 'c'])
  t.same(placeReplicas(ring, at('0'), 4), ['a', 'b', 'c'], 'there are no more')
})

t.test('a zone without a copy goes first, and the order stays that of the ring', async t => {
  const ring = sortRing([
    position('1', 'a', 'x'),
    position('2', 'b', 'x'),
    position('3', 'c', 'x'),
    position('4', 'd', 'y'),
    position('5', 'e'),
  ])
  t.same(placeReplicas(ring, at('0'), 2), ['a', 'd'])
  t.same(placeReplicas(ring, at('0'), 3), ['a', 'd', 'e'])
  t.same(placeReplicas(ring, at('0'), 4), ['a', 'b', 'd', 'e'], 'zones are used up: the next successor')
})

t.test('fewer than one replica is a fault of the program', async t => {
  for (const count of [0, -1, 1.5])
    t.throws(() => placeReplicas([position('1', 'a')], at('0'), count), TypeError)
})

t.test('laws of placement', async () => {
  fc.assert(
    fc.property(anyRing, anyIdentifier, fc.integer({ min: 1, max: 7 }), (ring, key, count) => {
      const successors = successorsOf(ring, key).map(({ nodeId }) => nodeId)
      const replicas = placeReplicas(ring, key, count)
      const zonesOf = (nodes: readonly NodeId[]) => new Set(nodes.map(node => zones[node] ?? node)).size
      const distinct = new Set(replicas).size === replicas.length
      const enough = replicas.length === Math.min(count, successors.length)
      const ownerFirst = replicas[0] === successors[0]
      const ordered = replicas.every(
        (node, i) => i === 0 || successors.indexOf(node) > successors.indexOf(replicas[i - 1] as NodeId),
      )
      const zonesUsed = zonesOf(replicas) === Math.min(count, zonesOf(successors))
      return distinct && enough && ownerFirst && ordered && zonesUsed
    }),
  )
})

t.test('law: no zone is used twice more often than another one that has nodes left', async () => {
  fc.assert(
    fc.property(anyRing, anyIdentifier, fc.integer({ min: 1, max: 7 }), (ring, key, count) => {
      const countBy = (nodes: readonly NodeId[]) => {
        const counts = new Map<string, number>()
        for (const node of nodes) counts.set(zones[node] ?? node, (counts.get(zones[node] ?? node) ?? 0) + 1)
        return counts
      }
      const all = countBy(successorsOf(ring, key).map(({ nodeId }) => nodeId))
      const used = countBy(placeReplicas(ring, key, count))
      const most = Math.max(0, ...used.values())
      return [...all].every(([zone, nodes]) => {
        const of = used.get(zone) ?? 0
        return of === nodes || of >= most - 1
      })
    }),
  )
})

t.test('law: without zones the replicas are the successors', async () => {
  fc.assert(
    fc.property(anyRing, anyIdentifier, fc.integer({ min: 1, max: 7 }), (ring, key, count) => {
      const plain = ring.map(entry => ({ ...entry, zone: undefined }))
      const expected = successorsOf(plain, key).slice(0, count)
      return placeReplicas(plain, key, count).join() === expected.map(({ nodeId }) => nodeId).join()
    }),
  )
})

/** Those of a ring that live, and how many of them each zone has. */
function among(ring: readonly RingPosition[], dead: readonly string[]) {
  const isIn = (node: NodeId) => !dead.includes(node)
  const nodes = new Map(ring.filter(({ nodeId }) => isIn(nodeId)).map(each => [each.nodeId, each]))
  return { isIn, zones: () => zonesOf(nodes.values()) }
}

const anyDead = fc.subarray(['a', 'b', 'c', 'd', 'e', 'f'])

t.test(
  'the near successors are enough: the first of them, spread over zones, are the first of all',
  async () => {
    fc.assert(
      fc.property(
        anyRing,
        anyIdentifier,
        fc.integer({ min: 1, max: 7 }),
        anyDead,
        (ring, key, count, dead) => {
          const live = ring.filter(({ nodeId }) => !dead.includes(nodeId))
          const those = among(ring, dead)
          const near = nearSuccessors(ring, key, count, those)
          const first = (all: readonly RingPosition[]) => spreadOverZones(all).slice(0, count)
          const named = (all: readonly RingPosition[]) => all.map(({ nodeId }) => nodeId).join()
          return (
            named(first(near)) === named(first(successorsOf(live, key))) &&
            placeReplicas(ring, key, count, those).join() === placeReplicas(live, key, count).join()
          )
        },
      ),
    )
  },
)

t.test('of a large ring only what is near is looked at', async t => {
  let asked = 0
  for (const zone of [() => undefined, (index: number) => `zone ${index % 3}`]) {
    const ring = sortRing(
      Array.from({ length: 5000 }, (_, index) =>
        position(((index * 7919) % 65536).toString(16).padStart(4, '0'), `n${index}`, zone(index)),
      ),
    )
    const { zones } = among(ring, [])
    const isIn = () => ++asked > 0
    nearSuccessors(ring, at('8'), 5, { isIn, zones })
    t.ok(asked < 100, `${asked} were looked at`)
    asked = 0
  }
})

t.test('the first position strictly within an arc', async () => {
  fc.assert(
    fc.property(anyRing, anyIdentifier, anyIdentifier, anyDead, (ring, lo, hi, dead) => {
      const isIn = (node: NodeId) => !dead.includes(node)
      const wanted = ring.find(
        ({ identifier, nodeId }) => isIn(nodeId) && identifier !== hi && arcContains({ lo, hi }, identifier),
      )
      return firstWithin(ring, { lo, hi }, isIn) === wanted
    }),
  )
})

t.test('what lies at an end of an arc is not within it', t => {
  const ring = sortRing([position('1', 'a'), position('5', 'b'), position('9', 'c')])
  const within = (lo: string, hi: string) => firstWithin(ring, { lo: at(lo), hi: at(hi) }, () => true)?.nodeId
  t.equal(within('1', '5'), undefined)
  t.equal(within('1', '9'), 'b')
  t.equal(within('9', '1'), undefined)
  t.equal(within('5', '1'), 'c')
  t.equal(within('9', '5'), 'a')
  t.end()
})

t.test('a ring that is changed in place is one that was sorted anew', async () => {
  fc.assert(
    fc.property(anyRing, anyRing, anyDead, (before, come, gone) => {
      const stays = before.filter(({ nodeId }) => !gone.includes(nodeId))
      const changed = [...before]
      const added = come.filter(({ identifier }) => !before.some(one => one.identifier === identifier))
      changeRing(changed, { gone: before.filter(one => !stays.includes(one)), come: added })
      const wanted = sortRing([...stays, ...added])
      return changed.length === wanted.length && changed.every((one, index) => one === wanted[index])
    }),
  )
})
