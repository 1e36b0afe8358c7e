import t from 'tap'
import {
  type Address,
  identifierOfPath,
  identifierPrefix,
  type NodeId,
} from '../../../src/ring/identifier.ts'
import type { PathName } from '../../../src/ring/path-name.ts'
import { arcOfGroup, groupOf, isWithin } from '../../../src/routing/kelips/groups.ts'
import { CONTACTS, Kelips } from '../../../src/routing/kelips/kelips.ts'
import type { MapRecord } from '../../../src/routing/map-record.ts'
import { NetworkMap } from '../../../src/routing/network-map.ts'
import { Roster } from '../../../src/routing/roster.ts'
import { Suspects } from '../../../src/routing/suspects.ts'
import { record } from '../any.ts'

const many = Array.from({ length: 400 }, (_, index) => record(`n${index}`))

interface Options {
  readonly isThere?: (node: NodeId) => boolean
  readonly roundTripMs?: (to: Address) => number
}

function kelipsOf(self: MapRecord, known: readonly MapRecord[], options: Options = {}) {
  const map = new NetworkMap({ roster: new Roster({ virtualNodes: 1 }) }, { self })
  for (const one of known) map.merge(one, 0)
  const { isThere = () => true, roundTripMs = () => 0 } = options
  const parts = { map, suspects: new Suspects(), isThere, roundTripMs }
  const kelips = new Kelips(parts, { copies: () => 3 })
  return { map, kelips }
}

function homeOf(map: NetworkMap, { nodeId }: MapRecord): number {
  const member = map.roster.numberOf(nodeId)
  return member === undefined
    ? Number.NaN
    : identifierPrefix(map.roster.entry(member).identifiers[0] as never)
}

const keyOf = (name: string) => identifierOfPath(name as PathName)

t.test('of 400 nodes one keeps its group, those near it and some contacts of each group', async t => {
  const { map, kelips } = kelipsOf(record('a'), many)
  t.ok([8, 16, 32].includes(kelips.groups), 'by how close together those around it are')
  const homes = new Map(many.map(one => [one.nodeId, homeOf(map, one)]))
  const forgotten = new Set(kelips.forget(() => false, 0))
  t.ok(map.knownCount < 150, `${map.knownCount} are known`)
  for (const [node, home] of homes) {
    const isNeeded = isWithin(kelips.group, home) || kelips.near.some(arc => isWithin(arc, home))
    if (isNeeded) t.notOk(forgotten.has(node), 'whom it has to know it does not forget')
  }
  for (let group = 0; group < kelips.groups; group++) {
    const arc = arcOfGroup(group, kelips.groups)
    const contacts = [...homes].filter(([node, home]) => isWithin(arc, home) && !forgotten.has(node))
    t.ok(contacts.length >= CONTACTS, 'there are contacts in each group')
  }
})

t.test('whoever is needed for another reason is not forgotten', async t => {
  const { map, kelips } = kelipsOf(record('a'), many)
  const kept = many[7] as MapRecord
  kelips.forget(node => node === kept.nodeId, 0)
  t.ok(map.record(kept.nodeId))
})

t.test('a few more than needed are let be', async t => {
  const { map, kelips } = kelipsOf(record('a'), many.slice(0, 20))
  t.same(
    kelips.forget(() => false, 0),
    [],
  )
  t.equal(map.knownCount, 21)
})

t.test('where zones are named, all are needed', async t => {
  const { kelips } = kelipsOf(record('a'), [...many, record('z', { zone: 'here' })])
  kelips.lookAround()
  t.same(
    kelips.forget(() => false, 0),
    [],
  )
})

t.test('a key of another group goes to the nearest contact that is there', async t => {
  const ms = new Map(many.map(({ address }, index) => [address, 1 + ((index * 7919) % 400)]))
  const failed = new Set<NodeId>()
  const options = {
    roundTripMs: (to: Address) => ms.get(to) ?? 0,
    isThere: (node: NodeId) => !failed.has(node),
  }
  const { map, kelips } = kelipsOf(record('a'), many, options)
  const name = Array.from({ length: 100 }, (_, index) => `key ${index}`).find(one => {
    const prefix = identifierPrefix(keyOf(one))
    return !kelips.answersFor(keyOf(one)) && !kelips.near.some(arc => isWithin(arc, prefix))
  }) as string
  const key = keyOf(name)
  const arc = arcOfGroup(groupOf(identifierPrefix(key), kelips.groups), kelips.groups)
  const inGroup = many.filter(one => isWithin(arc, homeOf(map, one)))
  const byDistance = inGroup.sort((a, b) => (ms.get(a.address) ?? 0) - (ms.get(b.address) ?? 0))
  t.equal(kelips.next(key, () => false)?.nodeId, byDistance[0]?.nodeId)
  t.equal(kelips.next(key, node => node === byDistance[0]?.nodeId)?.nodeId, byDistance[1]?.nodeId)
  failed.add(byDistance[0]?.nodeId as NodeId)
  t.equal(kelips.next(key, () => false)?.nodeId, byDistance[1]?.nodeId)
  t.ok(kelips.knowing(key).length > 1, 'several are asked where its view is')
})

t.test('near its own identifiers a node knows the owner itself', async t => {
  const { map, kelips } = kelipsOf(record('a'), many)
  const own = map.roster.entry(map.self).identifiers[0] as never
  const before = map.closestBefore(own, member => member === map.self)
  const key = map.roster.entry(before as never).identifiers[0] as never
  t.equal(kelips.next(key, () => false)?.nodeId, map.recordOf(before as never).nodeId)
})

t.test('two of a group tell each other whom the other lacks', async t => {
  const all = kelipsOf(record('a'), many)
  const mate = many.find(one => isWithin(all.kelips.group, homeOf(all.map, one))) as MapRecord
  const few = kelipsOf(mate, [record('a'), ...many.slice(0, 40)])
  for (let round = 0; round < 60; round++) {
    few.kelips.lookAround()
    const request = few.kelips.forRequest(record('a').nodeId)
    all.kelips.absorb(request, 0)
    few.kelips.absorb(all.kelips.forReply(request), 0)
  }
  const mates = many.filter(one => isWithin(few.kelips.group, homeOf(all.map, one)))
  t.ok(mates.length > 10)
  t.same(
    mates.filter(({ nodeId }) => few.map.record(nodeId) === undefined),
    [],
    'the whole group is known',
  )
})
