import t from 'tap'
import { Bench, node, wholeView } from './bench.ts'

t.test('a clean record is read at any replica, a dirty one at the tail', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w1', 'a')
  bench.log.length = 0
  t.equal(bench.get('n2', 'r1', 'a'), 'w1')
  t.notOk(
    bench.log.some(line => line.endsWith('read')),
    'nobody else was asked for the record',
  )
  bench.lose = ({ message }) => message.kind === 'acknowledge'
  bench.put('n1', 'w2', 'a')
  t.equal(bench.get('n2', 'r2', 'a'), 'w2')
  t.ok(bench.log.includes('n2>n3 read'))
})

t.test('after a restart every record is dirty except at the tail', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w1', 'a')
  bench.restart('n2')
  bench.log.length = 0
  t.equal(bench.get('n2', 'r', 'a'), 'w1')
  t.ok(bench.log.includes('n2>n3 read'))
})

t.test('nothing is read in a view that this node has sealed, or does not hold', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3', 'n4'], view: wholeView(['n1', 'n2', 'n3']) })
  bench.machine('n2').views.set(bench.state('n2').view.id, { ...bench.state('n2'), sealed: true })
  bench.machine('n4').table.learn(bench.state('n1').view)
  bench.lose = ({ from, to }) => (from === node('n4') || to === node('n4')) && !['n2', 'n4'].includes(to)
  bench.event('n4', { kind: 'request', id: 'r', request: { kind: 'get', path: 'a' as never } })
  t.equal(bench.get('n2', 'r2', 'a'), 'no answer', 'it is asked again, but not answered by this replica')
  t.notOk(bench.log.includes('n2>n4 value'))
})
