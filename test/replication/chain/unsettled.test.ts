import t from 'tap'
import type { TimerEvent } from '../../../src/replication/chain/machine-state.ts'
import { putView } from '../../../src/replication/chain/machine-state.ts'
import { asSource, freshState, type View } from '../../../src/views/view.ts'
import { Bench, node, wholeView } from './bench.ts'

const THREE = ['n1', 'n2', 'n3']
const V1 = wholeView(THREE)
const V2: View = { ...wholeView(THREE, THREE, 'v2', 2), sources: [asSource(V1)] }

/** Three that know each other, and how long n1 waits between two looks. */
function three() {
  const bench = new Bench({ nodes: THREE })
  // All at the end of the one range, which is not cut.
  const members = bench.members(...THREE).map(member => ({ ...member, identifiers: [V1.hi] }))
  for (const name of THREE) bench.event(name, { kind: 'members', members })
  for (const kind of ['repair', 'back-fill'] as const) bench.fire(kind)
  const looks = () =>
    bench.timers.filter(({ node: name, timer }) => name === 'n1' && timer.kind === 'look') as {
      timer: TimerEvent & { kind: 'look' }
    }[]
  return { bench, machine: bench.machine('n1'), looks, members }
}

/** n1 takes n3 for dead. */
function lose(bench: Bench): void {
  bench.lose = ({ from, to }) => from === 'n3' || to === 'n3'
  bench.deliver('n2', 'n1', { kind: 'suspect', node: node('n3') })
  for (let sign = 0; sign < 2; sign++) bench.fire('question', 'n1')
}

t.test('whoever counts as dead is asked again and again, and nobody else', async t => {
  const { bench, machine, looks } = three()
  t.equal(looks().length, 0, 'all is settled')
  lose(bench)
  t.ok(machine.suspects.has(node('n3')))
  for (const kind of ['repair', 'proposal', 'watch', 'back-fill', 'repair', 'back-fill'] as const)
    bench.fire(kind)
  bench.log.length = 0
  bench.lose = () => false
  bench.fire('look', 'n1')
  t.ok(bench.log.includes('n1>n3 ping'))
  t.notOk(bench.log.includes('n1>n2 ping'))
  t.notOk(machine.suspects.has(node('n3')), 'it has answered')
})

t.test('whoever has left and is named in no view is not asked for ever', async t => {
  const { bench, machine, members } = three()
  lose(bench)
  bench.event('n1', {
    kind: 'members',
    members: members.map(each => (each.node === node('n3') ? { ...each, status: 'leaving' } : each)),
  })
  bench.lose = ({ from }) => from === 'n3'
  bench.log.length = 0
  bench.fire('look', 'n1')
  t.ok(bench.log.includes('n1>n3 ping'), 'a view names it still')
  for (let round = 0; round < 5; round++)
    for (const kind of ['repair', 'proposal', 'watch', 'back-fill'] as const) bench.fire(kind)
  bench.log.length = 0
  bench.fire('look', 'n1')
  t.ok(machine.suspects.has(node('n3')))
  t.notOk(bench.log.includes('n1>n3 ping'))
  t.notOk(machine.look.isDue, 'nothing is left to be done')
})

t.test('nobody asks for a node that is gone for good', async t => {
  const { bench, machine, members } = three()
  lose(bench)
  bench.event('n1', {
    kind: 'members',
    members: members.map(each => (each.node === node('n3') ? { ...each, status: 'gone' } : each)),
  })
  bench.lose = ({ from }) => from === 'n3'
  for (let round = 0; round < 5; round++)
    for (const kind of ['repair', 'proposal', 'watch', 'back-fill'] as const) bench.fire(kind)
  bench.log.length = 0
  bench.fire('look', 'n1')
  t.notOk(bench.log.includes('n1>n3 ping'))
  t.notOk(machine.look.isDue, 'nothing is left to be done')
})

t.test('the longer it lasts the rarer it is looked at, and what is new is looked at soon', async t => {
  const { bench, looks } = three()
  lose(bench)
  const tries: number[] = []
  for (let look = 0; look < 4; look++) {
    tries.push(looks().at(-1)?.timer.tries ?? 0)
    bench.fire('look', 'n1')
  }
  t.same(tries, [1, 2, 3, 4])
  bench.lose = ({ from, to }) => from !== to
  bench.deliver('n2', 'n1', { kind: 'suspect', node: node('n2') })
  for (let sign = 0; sign < 2; sign++) bench.fire('question', 'n1')
  t.equal(looks().at(-1)?.timer.tries, 1)
  bench.log.length = 0
  const before = looks().length
  bench.fire('look', 'n1')
  t.ok(before > 1)
  t.equal(looks().length, 1, 'of several only the last one counts')
})

t.test('a view that nobody finishes is taken up again when all tries are over', async t => {
  const { bench, machine, looks } = three()
  bench.lose = ({ message }) => message.kind === 'install'
  bench.deliver('n2', 'n1', { kind: 'decided', view: V1, children: [V2] })
  bench.deliver('n2', 'n2', { kind: 'decided', view: V1, children: [V2] })
  for (let round = 0; round < 60; round++) bench.fire('watch')
  t.notOk(bench.state('n1', 'v2').active)
  t.equal(bench.timers.filter(({ timer }) => timer.kind === 'watch').length, 0)
  t.not(looks().length, 0)
  bench.lose = () => false
  bench.fire('look', 'n1')
  for (let round = 0; round < 3; round++) bench.fire('watch')
  t.ok(bench.state('n1', 'v2').active)
  for (let round = 0; round < 3; round++) {
    bench.fire('look', 'n1')
    bench.fire('back-fill')
    bench.fire('repair')
  }
  t.notOk(machine.look.isDue, 'then it is silent')
})

t.test('what was accepted and is not decided is finished when all tries are over', async t => {
  const { bench, machine } = three()
  const accepted = { ballot: { round: 1, node: node('n2'), boot: '1.x' }, children: [V2] }
  putView(machine, { ...bench.state('n1'), sealed: true, promised: accepted.ballot, accepted })
  lose(bench)
  bench.lose = ({ message }) => message.kind !== 'prepare' && message.kind !== 'promise'
  bench.fire('look', 'n1')
  t.ok(bench.log.includes('n1>n2 prepare'))
})

t.test('a view that others have gone on from needs nothing', async t => {
  const { bench, machine, looks } = three()
  putView(machine, { ...freshState({ ...V2, id: 'old' as never }), sealed: true })
  machine.table.learn({ ...V2, epoch: 3 })
  machine.hear({ kind: 'given-up' })
  bench.event('n1', { kind: 'expire' })
  t.equal(looks().length, 0, 'a fact outside of a step sets no timer of the bench')
  bench.event('n1', { kind: 'timer', timer: { kind: 'look', look: machine.look.latest, tries: 1 } })
  t.notOk(machine.look.isDue)
})
