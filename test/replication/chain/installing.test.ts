import t from 'tap'
import type { BlobId } from '../../../src/storage/record.ts'
import type { View, ViewId } from '../../../src/views/view.ts'
import { asSource } from '../../../src/views/view.ts'
import { Bench, large, node, wholeView } from './bench.ts'

const V1 = wholeView(['n1', 'n2', 'n3'])
const childOf = (parent: View, replicas: string[], id: string, sources = [asSource(parent)]): View => ({
  ...wholeView(replicas, ['n1', 'n2', 'n3'], id, parent.epoch + 1),
  sources,
})

t.test('active is a view when its tail is installed, and not before', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3', 'n4'], view: V1 })
  bench.put('n1', 'w', 'a')
  const child = childOf(V1, ['n2', 'n3', 'n4'], 'v2')
  bench.lose = ({ message }) => message.kind === 'installed'
  bench.deliver('n1', 'n2', { kind: 'decided', view: V1, children: [child] })
  for (const name of ['n2', 'n3', 'n4'])
    t.match(bench.state(name, 'v2'), { installed: true, active: false }, name)
  t.equal(bench.get('n2', 'r1', 'a'), 'no answer')
  bench.lose = () => false
  bench.fire('watch')
  for (const name of ['n2', 'n3', 'n4']) t.ok(bench.state(name, 'v2').active, name)
  t.equal(bench.get('n4', 'r2', 'a'), 'w')
})

t.test('a head without the state fetches it from a replica of the parent, which seals first', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3', 'n4'], view: V1 })
  bench.put('n1', 'w', 'a')
  bench.lose = ({ message }) => message.kind === 'complete'
  bench.deliver('n1', 'n4', { kind: 'teach', views: [childOf(V1, ['n4'], 'v2')] })
  t.ok(bench.state('n1').sealed)
  t.equal(bench.get('n4', 'r', 'a'), 'w')
})

t.test('a view that was never installed has never served: its parent is asked', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3', 'n4'], view: V1 })
  bench.put('n1', 'w', 'a')
  const v2 = childOf(V1, ['n4', 'n1'], 'v2')
  const v3 = childOf(v2, ['n3'], 'v3', [asSource(v2), asSource(V1)])
  bench.lose = ({ message }) => message.kind === 'complete'
  bench.deliver('n1', 'n3', { kind: 'teach', views: [v3] })
  t.match(bench.state('n4', 'v2'), { sealed: true, installed: false }, 'it will never be')
  t.equal(bench.get('n3', 'r', 'a'), 'w')
  bench.deliver('n1', 'n4', { kind: 'teach', views: [v2] })
  t.notOk(bench.state('n4', 'v2').installed)
})

t.test(
  'a state over which a newer view was installed is still a source, as long as that never served',
  async t => {
    const bench = new Bench({ nodes: ['n1', 'n2', 'n3', 'n4'], view: V1 })
    bench.put('n1', 'w', 'a')
    const v2 = childOf(V1, ['n1', 'n4'], 'v2')
    const v3 = childOf(v2, ['n4'], 'v3', [asSource(v2), asSource(V1)])
    bench.lose = ({ to, message }) => to === 'n4' && message.kind === 'install'
    bench.deliver('n3', 'n1', { kind: 'teach', views: [v2] })
    t.match(bench.state('n1', 'v2'), { installed: true, active: false })
    bench.deliver('n3', 'n4', { kind: 'teach', views: [v3] })
    bench.deliver('n3', 'n2', { kind: 'teach', views: [v3] })
    t.ok(bench.state('n4', 'v3').active)
    t.equal(bench.get('n4', 'r', 'a'), 'w')
  },
)

t.test('what was sealed is not installed any more', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3', 'n4'], view: V1 })
  const child = childOf(V1, ['n1', 'n4'], 'v2')
  bench.lose = ({ message }) => message.kind === 'difference'
  bench.deliver('n3', 'n1', { kind: 'teach', views: [child] })
  const machine = bench.machine('n4')
  machine.views.set('v2' as ViewId, { ...bench.state('n4', 'v2'), sealed: true })
  bench.lose = () => false
  bench.fire('transfer')
  bench.fire('watch', 'n1')
  t.notOk(bench.state('n4', 'v2').installed)
  t.notOk(bench.state('n1', 'v2').active)
  t.equal(machine.self, node('n4'))
})

t.test(
  'former replicas are told that a view is complete when its replicas have their bodies, and not before',
  async t => {
    const bench = new Bench({ nodes: ['n1', 'n2', 'n3', 'n4'], view: V1 })
    bench.put('n1', 'w', 'a', 'none', large('b1'))
    for (const name of ['n1', 'n2', 'n3', 'n4'])
      bench.event(name, { kind: 'members', members: bench.members('n1', 'n4') })
    bench.lose = ({ message }) => message.kind === 'blob'
    bench.log.length = 0
    bench.deliver('n3', 'n1', { kind: 'teach', views: [childOf(V1, ['n1', 'n4'], 'v2')] })
    t.ok(bench.state('n1', 'v2').active)
    t.notOk(
      bench.log.some(line => line.endsWith(' complete')),
      bench.log.join(', '),
    )
    bench.lose = () => false
    for (let round = 0; round < 4; round++) bench.fire('back-fill')
    t.ok(bench.machine('n4').blobs.has('b1' as BlobId))
    t.ok(bench.log.includes('n1>n2 complete'))
  },
)
