import t from 'tap'
import { EPOCHS_SKIPPED } from '../../../src/views/recovery.ts'
import { asSource, type View } from '../../../src/views/view.ts'
import { Bench, node, wholeView } from './bench.ts'

const before = wholeView(['n1', 'n2', 'n3'])
const alone = (name: string, epoch = 1 + EPOCHS_SKIPPED): View => ({
  ...wholeView([name], [name], `${epoch}-forced`, epoch),
  sources: [asSource(before)],
})

t.test('the survivor goes on alone from what it has', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'], settings: { minReplicas: 1 } })
  bench.put('n1', 'w1', 'a')
  bench.lose = () => true
  bench.event('n3', { kind: 'recover', view: alone('n3'), basis: 1 })
  t.equal(bench.get('n3', 'r', 'a'), 'w1')
  t.match(bench.put('n3', 'w2', 'b'), { kind: 'done', version: { epoch: 1 + EPOCHS_SKIPPED } })
  bench.restart('n3')
  t.equal(bench.get('n3', 'r2', 'b'), 'w2', 'also after a restart')
})

t.test('whoever was given up finds its view superseded, and can decide nothing in it', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'], settings: { minReplicas: 1 } })
  bench.put('n1', 'w1', 'a')
  bench.lose = () => true
  bench.event('n3', { kind: 'recover', view: alone('n3'), basis: 1 })
  bench.put('n3', 'w2', 'a')
  bench.lose = () => false
  bench.run()
  bench.deliver('n3', 'n1', { kind: 'teach', views: [alone('n3')] })
  bench.deliver('n3', 'n2', { kind: 'teach', views: [alone('n3')] })
  for (const name of ['n1', 'n2']) {
    t.ok(bench.state(name).sealed)
    t.equal(bench.get(name, `r ${name}`, 'a'), 'w2', 'it asks the one that went on')
    bench.restart(name)
    t.ok(bench.state(name).sealed, 'which it remembers')
  }
})

t.test('nothing is forced on a range that has moved on, nor on somebody else', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.event('n1', { kind: 'renew', viewId: before.id })
  bench.run()
  const { id } = bench.viewAt('n3', 'a') as View
  bench.event('n3', { kind: 'recover', view: alone('n3'), basis: 1 })
  t.equal(bench.viewAt('n3', 'a')?.id, id)
  bench.event('n3', { kind: 'recover', view: alone('n2'), basis: 9 })
  t.equal(bench.viewAt('n3', 'a')?.id, id)
  bench.event('n3', {
    kind: 'recover',
    view: { ...alone('n3'), replicas: [node('n3'), node('n2')] },
    basis: 9,
  })
  t.equal(bench.viewAt('n3', 'a')?.id, id)
})
