import t from 'tap'
import { Bench, path, wholeView } from './bench.ts'

t.test('a read without a majority of unsealed acceptors is not answered', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w', 'a')
  bench.lose = ({ message }) => message.kind === 'confirmed'
  t.equal(bench.get('n2', 'r', 'a'), 'no answer')
  bench.lose = () => false
  bench.fire('confirm')
  bench.fire('retry')
  t.equal(bench.answers.get('r')?.kind, 'value')
})

t.test('one round serves all reads that wait for it', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  for (const id of ['r1', 'r2', 'r3'])
    bench.event('n2', { kind: 'request', id, request: { kind: 'get', path: path(id) } })
  bench.run()
  t.equal(bench.answers.size, 3)
  t.equal(
    bench.log.filter(line => line === 'n2>n1 confirm').length,
    2,
    'the first, and one for the two that came meanwhile',
  )
})

t.test("the entry node's own vote rides on its request", async t => {
  const view = wholeView(['n1', 'n2', 'n3'], ['n1', 'n4', 'n5'])
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3', 'n4', 'n5'], view })
  bench.lose = ({ from, to }) => from === 'n5' || to === 'n5' || (from === 'n4' && to !== 'n1')
  const reads = () => bench.log.filter(line => line === 'n4>n1 read').length
  for (let id = 0; id < 3 && reads() === 0; id++) {
    bench.event('n4', { kind: 'request', id: `r${id}`, request: { kind: 'get', path: path('a') } })
    bench.run()
  }
  t.equal(bench.log.at(-1), 'n1>n4 value', 'n1 and n4 are a majority, and nobody else was asked')
})

t.test('a sealed acceptor says what it has accepted, and the reader finishes it', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  const { view } = bench.state('n1')
  const child = { ...view, id: 'v2' as typeof view.id, epoch: 2, sources: [view] }
  const ballot = { round: 1, node: view.replicas[2] as never, boot: '1.x' }
  bench.deliver('n3', 'n1', { kind: 'accept', view, ballot, children: [child] })
  t.ok(bench.state('n1').sealed)
  t.equal(bench.get('n2', 'r', 'a'), 'absent', 'two of three have not sealed')
  for (const name of ['n1', 'n2', 'n3']) t.ok(bench.state(name, 'v2').active)
})
