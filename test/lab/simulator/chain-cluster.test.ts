import t from 'tap'
import { type ChainCluster, identifiersOf } from '../../../src/lab/simulator/chain-cluster.ts'
import { scenario } from '../../../src/lab/simulator/chain-scenario.ts'
import type { Operation } from '../../../src/lab/simulator/history.ts'
import type { NemesisAction } from '../../../src/lab/simulator/scenario.ts'
import type { NodeName } from '../../../src/lab/simulator/simulated-network.ts'
import { SIMULATED_SETTINGS } from '../../../src/lab/simulator/simulated-settings.ts'
import { ringOf } from '../../../src/replication/chain/repair.ts'
import { parsePathName } from '../../../src/ring/path-name.ts'
import { placeReplicas } from '../../../src/ring/placement.ts'
import { serves } from '../../../src/views/install.ts'
import { chainBench } from './chain-bench.ts'

t.test('the founders stand in views over the whole ring', async t => {
  const { cluster } = await chainBench({ nodes: 5, founders: 4 })
  const views = new Map(cluster.nodes.flatMap(node => [...(node.machine?.views ?? [])]))
  t.equal(views.size, 4)
  for (const { view } of views.values()) t.match(view, { replicas: { length: 3 }, acceptors: { length: 3 } })
  t.equal(cluster.node('n5').machine, undefined)
})

t.test('a lost disk is another node, and an admitted one is a member', async t => {
  const { clock, cluster } = await chainBench({ nodes: 4, founders: 3 })
  const node = cluster.node('n1')
  const before = node.id
  cluster.wipe(node)
  t.not(node.id, before)
  t.equal(cluster.members.get(before)?.status, 'gone')
  cluster.start(node)
  cluster.join(cluster.node('n4'))
  await clock.runSettled(4_000)
  t.same([...(cluster.node('n2').machine?.members.keys() ?? [])].sort(), [
    'n1.0',
    'n1.1',
    'n2.0',
    'n3.0',
    'n4.0',
  ])
  t.ok([...(cluster.node('n4').machine?.views.values() ?? [])].some(state => state.active))
  t.throws(() => cluster.node('n9'), TypeError)
})

t.test('a node that leaves is given nothing new, and goes when it holds nothing', async t => {
  const { clock, cluster } = await chainBench({ nodes: 4 })
  const node = cluster.node('n2')
  cluster.depart(node)
  for (let look = 0; look < 20 && (node.machine?.views.size ?? 0) > 0; look++) {
    await clock.runSettled(clock.monotonicMs() + 200)
    for (const each of cluster.nodes) each.handle({ kind: 'verify' })
  }
  t.equal(node.machine?.views.size, 0)
  cluster.retire(node)
  t.equal(cluster.members.get(node.id)?.status, 'gone')
})

t.test('identifiers come from the address', async t => {
  t.equal(identifiersOf('n1' as NodeName).length, 1)
  t.not(identifiersOf('n1' as NodeName)[0], identifiersOf('n2' as NodeName)[0])
})

t.test('a link that carries nothing leaves ranges their peace, and clients their answers', async t => {
  const world = {
    whole: false,
    nodes: 5,
    founders: 5,
    zones: 0,
    clients: 4,
    paths: 4,
    troubleMs: 3_000,
    verifies: false,
  }
  const run = async (actions: readonly NemesisAction[]) => {
    const told: Operation[] = []
    const history = (operations: readonly Operation[]) => told.push(...operations)
    const schedule = { scenario: 'chain', note: 'A broken link.', seed: 1, world, actions }
    const { ok, failure, views = 0 } = await scenario.run(1, { schedule, history })
    t.ok(ok, failure ?? 'it heals')
    // Of a move that is refused, and of a copy, one of the two paths is never told of.
    const known = told.filter(({ answer }) => answer.kind !== 'unknown' && answer.kind !== 'refused')
    return { views, share: known.length / told.length }
  }
  const whole = await run([])
  for (const [from, to] of [
    ['n2', 'n1'],
    ['n1', 'n3'],
  ] as const) {
    const { views, share } = await run([{ atMs: 100, kind: 'cut', stays: true, from, to }])
    t.ok(views <= 15, `five ranges had ${views} views in 120 waits for an answer`)
    t.ok(
      share >= 0.95 * whole.share,
      `${share} of the requests have an answer, without the cut ${whole.share}`,
    )
  }
})

/** Ranges that are served by others than those who should, or that are not complete. */
function unsettled({ nodes, members }: ChainCluster): string[] {
  const ring = ringOf([...members.values()])
  const heads = nodes.flatMap(({ id, views }) =>
    [...views.values()].filter(state => serves(state) && state.view.replicas[0] === id),
  )
  const wrong = heads.filter(({ view, complete }) => {
    const wanted = placeReplicas(ring, view.hi, SIMULATED_SETTINGS.replicas)
    return !complete || wanted.join() !== view.replicas.join()
  })
  return [
    ...wrong.map(({ view }) => view.id),
    ...(heads.length === ring.length ? [] : ['a range is not served']),
  ]
}

t.test(
  'after a cut that outlasts all retries everything is settled, though nobody asks for anything',
  async t => {
    for (const groups of [
      [['n1'], ['n2', 'n3', 'n4', 'n5']],
      [
        ['n1', 'n2'],
        ['n3', 'n4', 'n5'],
      ],
    ] as const) {
      const { clock, cluster } = await chainBench({ nodes: 5 })
      cluster.network.partition(groups as unknown as NodeName[][])
      for (const node of cluster.nodes)
        for (let path = 0; path < 20; path++)
          void node.ask(`${node.id} ${path}`, { kind: 'get', path: parsePathName(`p${path}`) })
      await clock.runSettled(clock.monotonicMs() + 20_000)
      t.not(unsettled(cluster).length, 0)
      cluster.network.healAll()
      await clock.runSettled(clock.monotonicMs() + 20_000)
      t.same(unsettled(cluster), [])
      await clock.runSettled(clock.monotonicMs() + 20_000)
      // Then the network is silent.
      const { steps } = clock
      await clock.runSettled(clock.monotonicMs() + 20_000)
      t.equal(clock.steps, steps)
    }
  },
)

t.test('a disk that was put back is refused by a node that has never met it', async t => {
  const { clock, cluster } = await chainBench({ nodes: 4, founders: 3, whole: true })
  const [n1, n4] = [cluster.node('n1'), cluster.node('n4')]
  const later = (ms: number) => clock.runSettled(clock.monotonicMs() + ms)
  await later(400)
  for (let times = 0; times < 2; times++) {
    cluster.crash(n1)
    cluster.start(n1)
    await later(200)
  }
  // Of the first start, at which it had founded its network a moment ago, there is no image.
  const [second] = n1.images
  cluster.crash(n1)
  cluster.join(n4)
  await later(400)
  t.ok(n4.running)
  // Those who know the first node are not there when it comes back from its second start.
  cluster.network.partition([[n1.name, n4.name], ['n2', 'n3'] as NodeName[]])
  n1.disk.restore(second?.disk as never)
  n1.restored = true
  cluster.start(n1)
  await later(100)
  t.equal(n1.id, 'n1.0', 'it has told nobody')
  n4.whole?.ring?.allNodes.meetAgain()
  await later(200)
  t.equal(n1.id, 'n1.1', 'it has ended, and is another node from now on')
})
