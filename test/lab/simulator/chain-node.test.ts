import t from 'tap'
import { diskBootOf } from '../../../src/views/boot.ts'
import type { ViewId } from '../../../src/views/view.ts'
import { chainBench } from './chain-bench.ts'

t.test('a node remembers what was on its disk, and every start is another boot', async t => {
  const { clock, cluster } = await chainBench()
  const node = cluster.node('n1')
  const views = [...(node.machine?.views.keys() ?? [])]
  const before = node.machine?.boot
  cluster.crash(node)
  t.notOk(node.running)
  cluster.start(node)
  cluster.start(node)
  await clock.runSettled(200)
  t.same([...(node.machine?.views.keys() ?? [])], views)
  const starts = [before, node.machine?.boot].map(boot => (boot === undefined ? 0 : diskBootOf(boot)))
  t.same(starts, [1, 2], 'two calls are one start')
  t.not(node.machine?.boot.nonce, before?.nonce)
})

t.test('no effect leaves before its writes are durable', async t => {
  const { clock, cluster } = await chainBench()
  const node = cluster.node('n1')
  const viewId = [...(node.machine?.views.values() ?? [])].find(({ view }) => view.replicas[0] === node.id)
    ?.view.id
  const { sent } = cluster.network.counts
  node.handle({ kind: 'renew', viewId: viewId as ViewId })
  const others = cluster.network.counts.sent - sent
  t.equal(others, 0, 'the own promise is not stable yet, and PREPAREs went into the same batch')
  await clock.runSettled(clock.monotonicMs() + 4)
  t.ok(cluster.network.counts.sent > sent)
})

t.test('a paused node does nothing until it is resumed', async t => {
  const { clock, cluster } = await chainBench()
  const node = cluster.node('n1')
  cluster.pause(node)
  t.ok(node.paused && !node.running)
  await clock.runSettled(300)
  cluster.resume(node)
  t.ok(node.running)
})
