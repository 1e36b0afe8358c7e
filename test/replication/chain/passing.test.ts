import t from 'tap'
import type { Message } from '../../../src/replication/chain/messages.ts'
import { Bench, path } from './bench.ts'

t.test('what is lost on the way down or up is passed on again', async t => {
  for (const lost of ['pass', 'acknowledge'] as Message['kind'][]) {
    const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
    bench.lose = ({ message }) => message.kind === lost
    bench.put('n2', 'w', 'a')
    t.equal(bench.answers.size, 0)
    bench.lose = () => false
    bench.fire('resend')
    t.match(bench.answers.get('w'), { kind: 'done' }, lost)
    t.equal(bench.machine('n3').records.get(path('a'))?.version.seq, 1)
  }
})

t.test('an older record never replaces a newer one, however late it comes', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  const late: Message[] = []
  bench.lose = ({ to, message }) => {
    if (to !== 'n2' || message.kind !== 'pass' || late.length > 0) return false
    late.push(message)
    return true
  }
  bench.put('n1', 'w1', 'a')
  bench.put('n1', 'w2', 'a')
  bench.deliver('n1', 'n2', late[0] as Message)
  for (const name of ['n1', 'n2', 'n3'])
    t.equal(bench.machine(name).records.get(path('a'))?.body?.sha256, 'w2')
  t.match(
    [...bench.answers.keys()],
    ['w1', 'w2'],
    'the acknowledgement of the newer one is that of the older one, too',
  )
})

t.test(
  'tombstones go when all below the floor is acknowledged, and what comes late for them stays out',
  async t => {
    const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
    const passes: Message[] = []
    bench.lose = ({ to, message }) => {
      if (to === 'n2' && message.kind === 'pass') passes.push(message)
      return false
    }
    bench.put('n1', 'w1', 'a')
    bench.ask('n1', 'd1', { kind: 'remove', condition: 'exists', path: path('a') })
    bench.event('n1', { kind: 'collect' })
    bench.run()
    for (const name of ['n1', 'n2', 'n3']) {
      t.equal(bench.machine(name).records.get(path('a')), undefined)
      t.same(bench.state(name).floor, { epoch: 1, seq: 2 })
    }
    bench.deliver('n1', 'n2', passes[0] as Message)
    t.equal(bench.machine('n2').records.get(path('a')), undefined)
    t.equal(bench.log.at(-1), 'n2>n1 acknowledge')
  },
)

t.test('the floor stays below what is not acknowledged', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w1', 'a')
  bench.ask('n1', 'd1', { kind: 'remove', condition: 'exists', path: path('a') })
  bench.put('n1', 'w2', 'b')
  bench.lose = ({ message }) => message.kind === 'pass'
  bench.ask('n1', 'd2', { kind: 'remove', condition: 'exists', path: path('b') })
  bench.event('n1', { kind: 'collect' })
  t.same(bench.state('n1').floor, { epoch: 1, seq: 3 })
  t.equal(bench.machine('n1').records.get(path('a')), undefined)
  t.ok(bench.machine('n1').records.get(path('b')), 'a tombstone above the floor')
})

t.test('after a restart the head passes on again what it does not know to be acknowledged', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.lose = ({ message }) => message.kind === 'pass'
  bench.put('n2', 'w', 'a')
  bench.lose = () => false
  bench.restart('n1')
  t.equal(bench.machine('n3').records.get(path('a'))?.body?.sha256, 'w')
})
