import fc from 'fast-check'
import t from 'tap'
import { WATCHED_EACH_WAY } from '../../../src/calls/gossip-message.ts'
import { SeededRandom } from '../../../src/lab/simulator/seeded-random.ts'
import { chooseTargets, watchedBy } from '../../../src/membership/gossip/targets.ts'
import type { NodeId } from '../../../src/ring/identifier.ts'

const namesOf = (count: number) =>
  Array.from({ length: count }, (_, i) => `n${String(i).padStart(5, '0')}` as NodeId)

t.test('all watch all while there are few, and those beside them when there are many', async t => {
  const few = namesOf(33)
  t.same(watchedBy(few[5] as NodeId, few), few.toSpliced(5, 1))
  const many = namesOf(100)
  const beside = watchedBy(many[3] as NodeId, many)
  t.equal(new Set(beside).size, 2 * WATCHED_EACH_WAY)
  t.notOk(beside.includes(many[3] as NodeId))
  t.ok(
    beside.includes(many[2] as NodeId) &&
      beside.includes(many[99] as NodeId) &&
      beside.includes(many[19] as NodeId),
  )
})

t.test('law: who watches is watched, by as many', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), count => {
      const nodes = namesOf(count)
      const watched = new Map(nodes.map(node => [node, new Set(watchedBy(node, nodes))]))
      return nodes.every(
        node =>
          watched.get(node)?.size === Math.min(count - 1, 2 * WATCHED_EACH_WAY) &&
          [...(watched.get(node) ?? [])].every(other => watched.get(other)?.has(node)),
      )
    }),
  )
})

const seeded = (seed: number) => {
  const random = new SeededRandom(seed)
  return () => random.between(0, 1)
}

t.test('law: as many targets as wanted, or all; each once', async () => {
  fc.assert(
    fc.property(
      fc.nat(12),
      fc.nat(12),
      fc.integer({ min: 1, max: 8 }),
      fc.nat(),
      (near, far, count, seed) => {
        const watched = namesOf(near)
        const all = namesOf(near + far)
        const targets = chooseTargets({
          watched,
          all,
          count,
          round: seed,
          roundTripMs: () => 0,
          draw: seeded(seed),
        })
        return new Set(targets).size === targets.length && targets.length === Math.min(count, all.length)
      },
    ),
  )
})

t.test(
  'near nodes are told more often, far ones too, and the graph of a few rounds is connected',
  async t => {
    const all = namesOf(200)
    // Two sites, a hundred nodes each: within a site 1 ms, between them 80 ms.
    const site = (node: NodeId) => all.indexOf(node) % 2
    const draw = seeded(7)
    const told = new Map<NodeId, Set<NodeId>>(all.map(node => [node, new Set()]))
    let near = 0
    let far = 0
    for (let round = 0; round < 5; round++)
      for (const node of all) {
        const others = all.filter(other => other !== node)
        const roundTripMs = (other: NodeId) => (site(other) === site(node) ? 1 : 80)
        for (const target of chooseTargets({
          watched: watchedBy(node, all),
          all: others,
          count: 2,
          round,
          roundTripMs,
          draw,
        })) {
          told.get(node)?.add(target)
          if (site(target) === site(node)) near++
          else far++
        }
      }
    t.ok(near > 2 * far, `${near} near ones and ${far} far ones`)
    t.ok(far > 0.2 * near)
    const reached = new Set<NodeId>([all[0] as NodeId])
    for (const node of reached) for (const target of told.get(node) ?? []) reached.add(target)
    t.equal(reached.size, all.length)
  },
)

t.test('with one target a round, near and far ones take turns', async t => {
  const watched = namesOf(1)
  const all = namesOf(1_000)
  const draw = seeded(3)
  const at = (round: number) =>
    chooseTargets({ watched, all, count: 1, round, roundTripMs: () => 0, draw })[0] as NodeId
  t.equal(at(0), watched[0])
  t.not(at(1), watched[0])
  t.equal(at(2), watched[0])
})
