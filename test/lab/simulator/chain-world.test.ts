import t from 'tap'
import { hasBrokenLink } from '../../../src/lab/simulator/chain-troubles.ts'
import { worldOf } from '../../../src/lab/simulator/chain-world.ts'
import { SeededRandom } from '../../../src/lab/simulator/seeded-random.ts'

t.test('a seed has one world, and a schedule may say some of it', async t => {
  t.same(worldOf(new SeededRandom(7)), worldOf(new SeededRandom(7)))
  t.match(worldOf(new SeededRandom(7), { nodes: 4, whole: true }), { nodes: 4, whole: true })
})

t.test('worlds of all kinds come up, also whole nodes with a link that stays broken', async t => {
  const seeds = Array.from({ length: 300 }, (_, seed) => seed)
  const worlds = seeds.map(seed => ({ seed, ...worldOf(new SeededRandom(seed)) }))
  t.ok(worlds.every(({ whole }) => whole))
  t.ok(worlds.some(({ seed }) => hasBrokenLink(new SeededRandom(seed))))
  const gossiping = worlds.filter(world => world.gossips)
  t.ok(gossiping.length > 60 && gossiping.length < 120)
  t.notOk(worldOf(new SeededRandom(gossiping[0]?.seed ?? 0), { whole: true }).gossips, 'kept schedules stay')
  const kelips = worlds.filter(({ routing }) => routing !== 'path')
  t.ok(kelips.length > 20 && kelips.length < 60 && kelips.every(({ gossips }) => gossips))
  t.ok(kelips.some(({ routing }) => routing === 'mixed'))
  const withTrash = worlds.filter(({ trash }) => trash)
  t.ok(withTrash.length > 180 && withTrash.length < 240)
  t.notOk(worldOf(new SeededRandom(withTrash[0]?.seed ?? 0), { whole: false }).trash, 'kept schedules stay')
  t.ok(worlds.some(({ troubleMs }) => troubleMs > 1_500))
  t.ok(worlds.some(({ outcomesKeptMs }) => outcomesKeptMs === 1_500))
})
