import t from 'tap'
import type { Identifier } from '../../../src/ring/identifier.ts'
import { RESTARTS_MAX } from '../../../src/views/boot.ts'
import type { Boot } from '../../../src/views/view.ts'
import { Bench, node, path, wholeView } from './bench.ts'

const at = (digit: string) => digit.padEnd(40, '0') as Identifier

t.test('the first node is the network', async t => {
  const bench = new Bench({ nodes: ['n1'], view: wholeView(['elsewhere']) })
  const writes = bench.event('n1', { kind: 'found', identifiers: [at('8'), at('2')] })
  t.same(
    writes.map(({ kind }) => kind),
    ['view', 'view', 'founded'],
    'in one step, so in one commit',
  )
  t.same(
    [...bench.machine('n1').views.values()].map(({ view }) => [view.lo[0], view.hi[0]]),
    [
      ['8', '2'],
      ['2', '8'],
    ],
  )
  t.match(bench.put('n1', 'w', 'a'), { kind: 'done' })
  t.equal(bench.get('n1', 'r', 'a'), 'w')
  bench.restart('n1')
  t.equal(bench.get('n1', 'r2', 'a'), 'w')
  t.throws(() => bench.event('n1', { kind: 'found', identifiers: [at('1')] }), TypeError)
})

t.test('what is stable goes out before, or with, what depends on it', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w1', 'a')
  const writes = bench.event('n1', {
    kind: 'request',
    id: 'd',
    request: { kind: 'remove', condition: 'exists', path: path('a') },
  })
  t.same(
    writes.map(({ kind }) => kind),
    ['record', 'view'],
  )
  t.ok(bench.wire.some(({ message }) => message.kind === 'pass'))
})

t.test('a message for somebody else counts for nothing', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2'] })
  const envelope = {
    from: node('n2'),
    boot: { counter: 1, nonce: 'x' },
    to: node('n9'),
    message: { kind: 'ping' },
  } as const
  bench.event('n1', { kind: 'message', envelope })
  t.equal(bench.wire.length, 0)
})

t.test('a disk that was restored or copied is told so, and stops', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2'] })
  const ping = (counter: number, nonce: string) => {
    const boot = { counter, nonce }
    bench.event('n1', {
      kind: 'message',
      envelope: { from: node('n2'), boot, to: node('n1'), message: { kind: 'ping' } },
    })
    return bench.wire.splice(0).map(({ message }) => message.kind)
  }
  t.same(ping(3, 'x'), ['pong'])
  t.same(ping(3, 'y'), ['impostor'])
  t.same(ping(2, 'x'), ['impostor'])
  bench.deliver('n1', 'n2', { kind: 'impostor', remembered: { counter: 1, nonce: 'x' } })
  t.notOk(bench.machine('n2').halted, 'that was this very start')
  bench.deliver('n1', 'n2', { kind: 'impostor', remembered: { counter: 3, nonce: 'x' } })
  t.ok(bench.machine('n2').halted)
  bench.deliver('n1', 'n2', { kind: 'ping' })
  t.notOk(bench.log.includes('n2>n1 pong'), 'it answers nothing any more')
})

t.test('a node that starts greets those it has met, but not all who ever left', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  const boot = { counter: 1, nonce: 'x' }
  bench.event('n1', { kind: 'boots', boots: ['n2', 'left'].map(name => [node(name), boot] as const) })
  const left = { ...bench.members('n3')[0], node: node('left'), status: 'leaving' } as never
  bench.event('n1', { kind: 'members', members: [...bench.members('n1', 'n2', 'n3'), left] })
  bench.wire.length = 0
  bench.event('n1', { kind: 'start' })
  const greeted = bench.wire.filter(({ message }) => message.kind === 'ping').map(({ to }) => to)
  t.ok(greeted.includes(node('n2')))
  t.notOk(greeted.includes(node('left')))
})

t.test('of those that are gone a start greets a few, each time others', async t => {
  const names = Array.from({ length: 40 }, (_, index) => `gone${index}`)
  const greetedBy = (diskBoot: number) => {
    const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
    const machine = bench.machine('n1') as { boot: Boot }
    machine.boot = { counter: diskBoot * RESTARTS_MAX, nonce: '0' }
    const boots = ['n2', ...names].map(name => [node(name), { counter: 1, nonce: 'x' }] as const)
    bench.event('n1', { kind: 'boots', boots })
    const gone = names.map(name => ({ ...bench.members('n3')[0], node: node(name), status: 'gone' }) as never)
    bench.event('n1', { kind: 'members', members: [...bench.members('n1', 'n2', 'n3'), ...gone] })
    bench.wire.length = 0
    bench.event('n1', { kind: 'start' })
    return bench.wire.filter(({ message }) => message.kind === 'ping').map(({ to }) => to)
  }
  t.same(greetedBy(1), [], 'a disk that starts for the first time is waited for by nobody')
  const starts = [2, 3, 4].map(greetedBy)
  for (const greeted of starts) t.equal(greeted.length, 2 + 16)
  t.equal(new Set(starts.flat()).size, 2 + 40, 'three starts greet all of them')
})

t.test('verify heals what nobody has asked for', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.machine('n1').suspects.add(node('n2'))
  bench.event('n1', { kind: 'verify' })
  t.equal(bench.machine('n1').suspects.size, 0)
  bench.run()
  t.ok(bench.log.includes('n2>n1 pong'))
})

t.test('a view can be renewed by its like', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n2', 'w', 'a')
  bench.event('n3', { kind: 'renew', viewId: wholeView(['n1']).id })
  bench.run()
  t.equal(bench.viewAt('n1', 'a')?.epoch, 2)
  t.equal(bench.get('n3', 'r', 'a'), 'w')
})
