import t from 'tap'
import { chainBench } from './chain-bench.ts'

t.test('trouble is drawn, kept and ended', async t => {
  const { clock, cluster, nemesis } = chainBench({ nodes: 5 })
  nemesis.draw(3_000)
  clock.runUntil(3_000)
  t.ok(nemesis.done.length > 20)
  t.ok(new Set(nemesis.done.map(({ kind }) => kind)).size > 6)
  nemesis.heal()
  clock.runUntil(3_200)
  for (const node of cluster.nodes) t.ok(node.running || cluster.members.get(node.id)?.status === 'gone')
})

t.test('what a schedule says is done, and nothing that nobody knows', async t => {
  const { clock, cluster, nemesis } = chainBench()
  nemesis.follow([{ atMs: 10, kind: 'crash', node: 'n1', lastsMs: 50 }])
  clock.runUntil(clock.monotonicMs() + 20)
  t.notOk(cluster.node('n1').running)
  clock.runUntil(clock.monotonicMs() + 100)
  t.ok(cluster.node('n1').running)
  nemesis.follow([{ atMs: 1, kind: 'meteor', node: 'n1' }])
  t.throws(() => clock.runUntil(clock.monotonicMs() + 10), TypeError)
})

t.test('no disk is taken that the network can not do without', async t => {
  const { clock, cluster, nemesis } = chainBench()
  const ids = () => cluster.nodes.map(({ id }) => id)
  const before = ids()
  nemesis.follow(
    ['n1', 'n2', 'n3'].map((node, index) => ({ atMs: index + 1, kind: 'wipe', node, lastsMs: 5_000 })),
  )
  clock.runUntil(clock.monotonicMs() + 10)
  t.equal(ids().filter(id => !before.includes(id)).length, 1)
})
