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

t.test('after a restart only what was written after the mark is in doubt', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  for (const name of ['a', 'b', 'c']) bench.put('n1', name, name)
  bench.lose = ({ message }) => message.kind === 'pass'
  bench.put('n1', 'late', 'b')
  bench.lose = () => false
  bench.log.splice(0)
  bench.restart('n1')
  t.equal(bench.log.filter(line => line === 'n1>n2 pass').length, 1, 'and not the two others')
  t.equal(bench.get('n3', 'r', 'b'), 'late')
})

t.test('when nothing was open, a restart looks nothing over', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  for (const name of ['a', 'b', 'c']) bench.put('n1', name, name)
  bench.fire('resend')
  const { clean, seq } = bench.state('n1')
  t.equal(clean, seq)
  bench.log.splice(0)
  bench.restart('n1')
  t.equal(bench.machine('n1').chains.get('v1' as never)?.resuming, undefined)
  t.notOk(bench.log.some(line => line.endsWith(' pass')))
})

t.test('many records are looked over in turns, while reads and writes go on', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  for (let i = 0; i < 600; i++) bench.put('n1', `w${i}`, `p${i}`)
  bench.lose = ({ message }) => message.kind === 'pass'
  bench.put('n1', 'late', 'p7')
  bench.lose = () => false
  bench.restart('n1')
  const chain = () => bench.machine('n1').chains.get('v1' as never)
  t.ok(chain()?.resuming, 'one turn is not enough')
  t.match(bench.put('n1', 'meanwhile', 'p8'), { kind: 'done' })
  t.equal(bench.get('n1', 'r', 'p9'), 'w9')
  for (let turns = 0; turns < 10 && chain()?.resuming !== undefined; turns++) bench.fire('resume')
  t.equal(chain()?.resuming, undefined)
  t.equal(chain()?.dirty.size, 0)
  t.equal(bench.get('n3', 'r2', 'p7'), 'late')
  t.equal(bench.get('n3', 'r3', 'p8'), 'meanwhile')
})

t.test('after a restart the head passes on again what it does not know to be acknowledged', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.lose = ({ message }) => message.kind === 'pass'
  bench.put('n2', 'w', 'a')
  bench.lose = () => false
  bench.restart('n1')
  t.equal(bench.machine('n3').records.get(path('a'))?.body?.sha256, 'w')
})

t.test('a mark of what is clean leaves out what was written before it and is not acknowledged', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.lose = ({ message }) => message.kind === 'pass' && message.record.path === path('a')
  bench.put('n1', 'w1', 'a')
  t.match(bench.put('n1', 'w2', 'b'), { kind: 'done' })
  t.equal(bench.answers.get('w1'), undefined)
  bench.restart('n1')
  t.equal(bench.state('n1').clean, 0)
  t.not(bench.get('n1', 'r', 'a'), 'w1', 'what only the head has is not shown')
})
