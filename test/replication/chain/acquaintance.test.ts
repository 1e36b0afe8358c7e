import t from 'tap'
import { onUnknown } from '../../../src/replication/chain/acquaintance.ts'
import { step } from '../../../src/replication/chain/machine.ts'
import type { Address, Identifier } from '../../../src/ring/identifier.ts'
import { nonceOf, RESTARTS_MAX } from '../../../src/views/boot.ts'
import type { Boot, View } from '../../../src/views/view.ts'
import { Bench, node, wholeView } from './bench.ts'

const NAMES = ['n1', 'n2', 'n3', 'n4', 'n5']
const contact = (name: string) => ({
  address: `${name}:5000` as Address,
  ringAddress: `${name}:5000` as Address,
  incarnation: 1,
})

/** The range up to the first of five nodes, which are well; two of its acceptors are known to none of them. */
const HI = '1'.padEnd(40, '0') as Identifier
const LO = '5'.padEnd(40, '0') as Identifier
const strange = { ...wholeView(['n1', 'n2', 'n3'], ['n1', 'n2', 'n3', 'x', 'y']), lo: LO, hi: HI }

/** What routing tells everybody. */
function tell(bench: Bench, ...names: string[]): void {
  const members = bench.members(...names).map(member => ({ ...member, contact: contact(member.node) }))
  for (const name of bench.machines.keys()) bench.event(name, { kind: 'members', members })
}

function settle(bench: Bench): readonly string[] {
  for (let round = 0; round < 20; round++) {
    for (const kind of ['repair', 'proposal', 'question', 'watch', 'transfer'] as const) bench.fire(kind)
  }
  return bench.machine('n1').table.covering(HI)?.acceptors ?? []
}

t.test('acceptors that nobody has ever heard of do not block repair for ever', async t => {
  const bench = new Bench({ nodes: NAMES, view: strange })
  tell(bench, ...NAMES)
  const heard = (by: string[]) => {
    for (const name of ['n1', 'n2', 'n3'])
      for (const stranger of ['x', 'y'])
        bench.event(name, { kind: 'unknown', node: node(stranger), by: by.map(node) })
  }
  t.same(settle(bench), strange.acceptors, 'as long as nobody was asked, they may well live')
  t.ok(bench.log.includes('n1>x ping'), 'but they are asked about')
  heard(['n4', 'n5'])
  t.same(settle(bench), strange.acceptors, 'what other nodes know does not count, nor one acceptor')
  heard(NAMES)
  t.same(settle(bench), NAMES, 'a majority of the acceptors has never heard of them')
})

t.test('whoever comes to be known is missing no more', async t => {
  const bench = new Bench({ nodes: NAMES, view: strange })
  const machine = bench.machine('n1')
  onUnknown(machine, node('x'), [node('n2'), node('n3')])
  t.ok(machine.unknown.has(node('x')))
  tell(bench, ...NAMES, 'x')
  t.notOk(machine.unknown.has(node('x')))
  onUnknown(machine, node('x'), [node('n2'), node('n3')])
  t.notOk(machine.unknown.has(node('x')), 'and is not taken for missing any more')
})

t.test('a view says where its members are reached, so that nobody who holds it needs to ask', async t => {
  const bench = new Bench({ nodes: NAMES, view: wholeView(['n1', 'n2', 'n3'], NAMES) })
  tell(bench, ...NAMES)
  bench.event('n1', { kind: 'renew', viewId: wholeView(NAMES).id })
  bench.run()
  const view = bench.viewAt('n2', 'a') as View
  t.equal(view.epoch, 2)
  t.same(
    view.members?.map(member => [member.node, member.contact?.address]),
    NAMES.map(name => [name, `${name}:5000`]),
  )
  const ignorant = new Bench({ nodes: ['n4'], view: wholeView(['z']) })
  const machine = ignorant.machine('n4')
  ignorant.event('n4', { kind: 'members', members: ignorant.members('n1') })
  const envelope = { from: node('n1'), boot: { counter: 1, nonce: 'x' }, to: node('n4') }
  const teach = {
    kind: 'message',
    envelope: { ...envelope, message: { kind: 'teach', views: [view] } },
  } as const
  const { effects } = step(machine, teach, 1)
  const met = effects.flatMap(effect =>
    effect.kind === 'meet' ? effect.members.map(member => member.node) : [],
  )
  t.same(met, ['n2', 'n3', 'n5'], 'but itself, and whom it knows')
  t.same(
    step(machine, teach, 2).effects.filter(({ kind }) => kind === 'meet'),
    [],
    'once',
  )
})

t.test('rounds of votes do not say the members, and nobody takes such a view in', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  tell(bench, 'n1', 'n2', 'n3')
  bench.lose = ({ to, message }) => to === 'n3' && message.kind !== 'confirm' && message.kind !== 'teach'
  bench.event('n1', {
    kind: 'renew',
    viewId: wholeView(NAMES).id,
  })
  bench.run()
  const view = bench.viewAt('n1', 'a') as View
  t.equal(view.members?.length, 3)
  t.notOk(bench.machine('n3').views.has(view.id), 'n3 has not heard of it')
  bench.event('n1', {
    kind: 'message',
    envelope: {
      from: node('n2'),
      boot: { counter: 1, nonce: 'x' },
      to: node('n1'),
      message: { kind: 'ping' },
    },
  })
  const shown = { ...view, members: [] }
  bench.deliver('n1', 'n3', { kind: 'confirm', tag: 't' as never, views: [shown] })
  t.notOk(bench.machine('n3').views.has(view.id), 'and does not from a view that leaves its members out')
  bench.lose = () => false
  bench.deliver('n1', 'n3', { kind: 'confirm', tag: 't' as never, views: [view] })
  t.same(bench.state('n3', view.id).view.members, view.members)
  bench.deliver('n1', 'n3', { kind: 'confirm', tag: 't' as never, views: [shown] })
  t.same(bench.state('n3', view.id).view.members, view.members, 'which it keeps')
})

/** Starts of one disk, as driver.ts counts them. */
const boot = (start: number, name: string, before?: Boot): Boot => ({
  counter: start * RESTARTS_MAX,
  nonce: nonceOf(name.padEnd(16, 'e'), start, before),
})
const first = boot(1, 'a1b1')
const second = boot(2, 'a2b2', first)
/** The disk as it was in its first start, put back and started again, and again. */
const restored = boot(2, 'c2d2', first)
const again = boot(3, 'c3d3', restored)
const oneMore = boot(4, 'c4d4', again)

/** How a node answers a vote's question from one start of n9. */
function answersTo(bench: Bench, shown: Boot): string[] {
  const message = { kind: 'ping' } as const
  const envelope = { from: node('n9'), boot: shown, to: node('n1'), message }
  const { effects } = step(bench.machine('n1'), { kind: 'message', envelope }, 1)
  return effects.flatMap(effect => (effect.kind === 'send' ? [effect.message.kind] : []))
}

/** A node that has never met n9, and holds a view which says of n9 what its proposer knew. */
function joiner(): Bench {
  const bench = new Bench({ nodes: ['n1'], view: wholeView(['z']) })
  const view = {
    ...wholeView(['n2'], ['n1', 'n2', 'n9'], 'v2', 2),
    members: [{ node: node('n9'), contact: contact('n9'), boot: second }],
  }
  bench.deliver('n2', 'n1', { kind: 'teach', views: [view] })
  return bench
}

t.test(
  'a restored disk is refused by whoever holds a view that knows better, and has never met it',
  async t => {
    t.same(answersTo(joiner(), second), ['pong'], 'the start that is remembered')
    t.same(answersTo(joiner(), boot(3, 'a3b3', second)), ['pong'], 'and the next one')
    t.same(answersTo(joiner(), first), ['impostor'], 'an earlier start')
    t.same(answersTo(joiner(), restored), ['impostor'], 'a restored disk')
    t.same(answersTo(joiner(), again), ['impostor'], 'which was started twice')
    t.same(answersTo(joiner(), oneMore), ['impostor'], 'and once more')
  },
)

t.test('a node that joins is told the starts that the network remembers', async t => {
  const bench = new Bench({ nodes: ['n1'], view: wholeView(['z']) })
  bench.event('n1', { kind: 'boots', boots: [[node('n9'), second]] })
  bench.restart('n1')
  t.same(answersTo(bench, again), ['impostor'], 'for good')
  bench.event('n1', { kind: 'boots', boots: [[node('n9'), again]] })
  t.same(bench.machine('n1').peers.get(node('n9')), second, 'what cannot be of the same disk is not taken')
  bench.event('n1', { kind: 'boots', boots: [[node('n9'), first]] })
  t.same(bench.machine('n1').peers.get(node('n9')), second, 'nor what is older')
})

t.test('a restored disk finds out by itself what others remember of it', async t => {
  for (const [shown, halts] of [
    [second, false],
    [first, false],
    [boot(2, 'f2f2', first), true],
    [boot(4, 'f4f4'), true],
  ] as const) {
    const bench = new Bench({ nodes: ['n1'], view: wholeView(['z']) })
    const machine = { ...bench.machine('n1'), self: node('n9'), boot: boot(3, 'a3b3', second) }
    const view = { ...wholeView(['n2'], ['n2'], 'v2', 2), members: [{ node: node('n9'), boot: shown }] }
    const envelope = { from: node('n2'), boot: { counter: 1, nonce: 'x' }, to: node('n9') }
    const teach = {
      kind: 'message',
      envelope: { ...envelope, message: { kind: 'teach', views: [view] } },
    } as const
    const { effects } = step(machine, teach, 1)
    t.equal(
      effects.some(({ kind }) => kind === 'halt'),
      halts,
      JSON.stringify(shown),
    )
  }
})
