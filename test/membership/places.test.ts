import t from 'tap'
import { AWAY_MS, Places } from '../../src/membership/places.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'
import type { MapRecord } from '../../src/routing/map-record.ts'
import { NetworkMap } from '../../src/routing/network-map.ts'
import { Roster } from '../../src/routing/roster.ts'

const at = (name: string) => `${name}:1` as Address

function record(name: string, change: Partial<MapRecord> = {}): MapRecord {
  const nodeId = `node-${name}` as NodeId
  const usual = { incarnation: 1, status: 'alive', zone: undefined } as const
  return { nodeId, address: at(name), ringAddress: at(name), ...usual, ...change }
}

function placesOf(init: { retired?: readonly NodeId[]; unknown?: readonly string[] } = {}) {
  let nowMs = 0
  const map = new NetworkMap({ roster: new Roster({ virtualNodes: 2 }) }, { self: record('boot') })
  const knowsPlaceOf = (node: NodeId) => !init.unknown?.some(name => node === `node-${name}`)
  const places = new Places({
    env: { clock: { monotonicMs: () => nowMs } as never },
    members: { map, routing: { knowsPlaceOf } as never },
    retired: () => init.retired ?? [],
  })
  const know = (...records: MapRecord[]) => {
    for (const one of records) map.merge(one, nowMs)
  }
  const pass = (ms: number) => {
    nowMs += ms
  }
  return {
    know,
    pass,
    offer: (name: string) => places.offer(record(name, { nodeId: `new-${name}` as NodeId })),
  }
}

t.test('a newcomer stands where its address says while nobody is gone', async t => {
  const { know, offer } = placesOf()
  know(record('a'), record('b'))
  t.equal(offer('c'), at('c'))
  t.equal(offer('c'), at('c'), 'also when it asks again')
})

t.test('it takes the place of one that has left, each place once', async t => {
  const { know, pass, offer } = placesOf()
  know(record('a', { status: 'left' }))
  pass(5_000)
  know(record('b', { status: 'left' }), record('c'))
  t.equal(offer('x'), at('a'), 'the one that left first')
  t.equal(offer('y'), at('b'))
  t.equal(offer('z'), at('z'), 'the others are offered already')
  pass(2 * 60_000)
  know(record('x', { ringAddress: at('a') }))
  t.equal(offer('z'), at('b'), 'what nobody took is offered again')
})

t.test('whoever lives at an address again stands where that stood', async t => {
  const { know, offer } = placesOf()
  know(record('a', { status: 'left' }), record('b', { status: 'left' }))
  t.equal(offer('b'), at('b'))
  const dead = placesOf()
  dead.know(record('a', { status: 'left' }), record('b', { status: 'dead' }))
  t.equal(dead.offer('b'), at('b'), 'the disk that was there is not waited for')
  const alive = placesOf()
  alive.know(record('a', { status: 'left' }), record('b'))
  t.equal(alive.offer('b'), at('b'), 'be it that nobody has noticed its death')
  const elsewhere = placesOf()
  elsewhere.know(record('a', { status: 'left' }), record('b', { ringAddress: at('c') }))
  t.equal(elsewhere.offer('b'), at('c'), 'also when its place comes from another address')
})

t.test('a dead node is waited for, and one that was retired is not', async t => {
  const { know, pass, offer } = placesOf()
  know(record('a', { status: 'dead' }))
  pass(AWAY_MS - 1_000)
  t.equal(offer('x'), at('x'))
  pass(2_000)
  t.equal(offer('x'), at('a'))
  const retired = placesOf({ retired: ['node-a' as NodeId] })
  retired.know(record('a', { status: 'dead' }))
  t.equal(retired.offer('x'), at('a'))
})

t.test('an address that is the place of another one by now is not taken twice', async t => {
  const { know, offer } = placesOf()
  know(record('a', { status: 'left' }), record('b', { ringAddress: at('a') }))
  t.equal(offer('a'), at('b'), 'the address of the other one is nobody’s place')
})

t.test('what is known in part only offers nothing', async t => {
  const { know, offer } = placesOf({ unknown: ['a'] })
  know(record('a', { status: 'left' }))
  t.equal(offer('x'), at('x'))
})
