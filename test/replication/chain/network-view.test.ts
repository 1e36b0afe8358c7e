import t from 'tap'
import { Bench, node, path } from './bench.ts'

t.test('the ports show what the machine that runs at the moment knows and keeps', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w1', 'a')
  const { known, kept } = bench.ports('n2')
  const record = kept.record(path('a'))
  t.match(record, { path: 'a', version: { epoch: 1, seq: 1 } })
  t.equal(known.self, 'n2')
  const view = known.covering(record?.position as NonNullable<typeof record>['position'])
  t.same(view?.replicas, ['n1', 'n2', 'n3'])
  t.same(known.newest(), [view])
  t.same(
    known.held().map(state => state.view),
    [view],
  )
  t.equal(known.isSuperseded(known.held()[0] as never), false)
  t.same([...known.sharersOf(node('n1'))].sort(), ['n1', 'n2', 'n3'])
  t.same(known.starts().at(-1), ['n2', known.boot])
  t.same([known.isSuspect(node('n3')), known.isAlive(node('n3')), known.suspects()], [false, true, []])
  t.same(
    [...kept.within({ lo: view?.lo as never, hi: view?.hi as never })].map(each => each.path),
    ['a'],
  )
  t.equal(kept.digest(view as never, '').count, 1)
  t.equal(kept.missingBodies(), 0)
})

t.test('a body that a record names and that is not here is missing', async t => {
  const bench = new Bench({ nodes: ['n1'] })
  const { kept } = bench.ports('n1')
  const machine = bench.machine('n1')
  machine.references.set('b1' as never, 1)
  t.equal(kept.missingBodies(), 1)
  t.equal(kept.hasBody('b1' as never), false)
})
