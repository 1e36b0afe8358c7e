import t from 'tap'
import { believe, heardFrom, isAlive, seekSuspects } from '../../../src/replication/chain/liveness.ts'
import { Bench, node } from './bench.ts'

/** A node that knows two others, which never answer. */
function alone(name = 'n1') {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.lose = () => true
  const machine = bench.machine(name)
  machine.members = new Map(bench.members('n1', 'n2', 'n3').map(member => [member.node, member]))
  const suspect = (times = 1) => {
    for (let time = 0; time < times; time++)
      bench.event(name, {
        kind: 'message',
        envelope: {
          from: node('n3'),
          boot: { counter: 1, nonce: 'x' },
          to: machine.self,
          message: { kind: 'suspect', node: node('n2') },
        },
      })
  }
  return { bench, machine, suspect }
}

t.test('a node counts as dead after questions that stayed unanswered one after the other', async t => {
  const { bench, machine, suspect } = alone()
  suspect()
  for (const wanted of [true, false]) {
    t.ok(isAlive(machine, node('n2')) || !wanted)
    bench.fire('question', 'n1')
    t.equal(isAlive(machine, node('n2')), wanted)
  }
  heardFrom(machine, node('n2'))
  t.ok(isAlive(machine, node('n2')), 'its first word makes it alive')
  suspect()
  bench.fire('question', 'n1')
  t.ok(isAlive(machine, node('n2')), 'and the count begins anew')
})

t.test('many that notice one silence at once are one sign', async t => {
  const { bench, machine, suspect } = alone()
  suspect(50)
  t.ok(isAlive(machine, node('n2')))
  t.equal(
    bench.timers.filter(({ timer }) => timer.kind === 'question').length,
    1,
    'one question is under way',
  )
  heardFrom(machine, node('n2'))
  bench.fire('question', 'n1')
  bench.fire('question', 'n1')
  t.ok(isAlive(machine, node('n2')), 'an answer in time ends it')
})

t.test('nobody doubts itself', async t => {
  const { bench, machine } = alone()
  for (let times = 0; times < 9; times++) bench.event('n1', { kind: 'unreachable', node: machine.self })
  t.ok(isAlive(machine, machine.self))
})

t.test('the survivors go on without a dead head, and it comes back when it does', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  for (const name of ['n1', 'n2', 'n3'])
    bench.event(name, { kind: 'members', members: bench.members('n1', 'n2', 'n3') })
  bench.put('n2', 'w1', 'a')
  bench.lose = ({ from, to }) => from === 'n1' || to === 'n1'
  bench.event('n3', {
    kind: 'request',
    id: 'w2',
    request: { kind: 'remove', condition: 'exists', path: 'a' as never },
  })
  const kinds = ['task', 'question', 'repair', 'proposal', 'watch', 'retry'] as const
  for (let round = 0; round < 20; round++) for (const kind of kinds) bench.fire(kind)
  t.match(bench.answers.get('w2'), { kind: 'done' })
  t.notOk(bench.viewAt('n3', 'a')?.replicas.includes(node('n1')))
  bench.lose = () => false
  bench.event('n1', { kind: 'verify' })
  for (const name of ['n2', 'n3']) bench.event(name, { kind: 'verify' })
  for (let round = 0; round < 40; round++) for (const kind of kinds) bench.fire(kind)
  t.ok(bench.viewAt('n3', 'a')?.replicas.includes(node('n1')))
  t.equal(bench.get('n1', 'r', 'a'), 'absent')
})

t.test('refused connections count at once', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.lose = ({ to }) => to === 'n3'
  const isSuspect = () => bench.machine('n1').suspects.has('n3' as never)
  let times = 0
  for (; !isSuspect() && times < 10; times++) bench.event('n1', { kind: 'unreachable', node: 'n3' as never })
  t.equal(times, bench.machine('n1').settings.silencesMax + 1)
})

t.test(
  'a node that was only paused is found by those who have something to do, and no message is idle',
  async t => {
    const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
    bench.machine('n2').suspects.add(node('n3'))
    bench.run()
    bench.log.length = 0
    bench.fire('seek')
    t.same(bench.log, [], 'nobody asked for anything')
    bench.lose = ({ from }) => from === 'n3'
    bench.get('n2', 'r1', 'a')
    bench.get('n2', 'r2', 'a')
    t.equal(bench.timers.filter(({ timer }) => timer.kind === 'seek').length, 1, 'it is not asked each time')
    t.ok(bench.machine('n2').suspects.has(node('n3')))
    bench.lose = () => false
    bench.fire('seek')
    bench.get('n2', 'r3', 'a')
    t.notOk(bench.machine('n2').suspects.has(node('n3')), 'it has answered')
    t.equal(bench.machine('n2').seeks, 0)
  },
)

t.test('the longer a suspect does not answer, the rarer it is asked', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2'] })
  const machine = bench.machine('n1')
  machine.suspects.add(node('n2'))
  const waits: number[] = []
  for (let times = 0; times < 7; times++) {
    machine.effects = []
    seekSuspects(machine)
    for (const effect of machine.effects) if (effect.kind === 'timer') waits.push(effect.afterMs)
    machine.seeking = false
  }
  t.same(waits, [500, 1000, 2000, 4000, 8000, 8000, 8000])
})

t.test('whom others have looked for in vain is asked once, and its word counts more than theirs', async t => {
  const { bench, machine } = alone()
  let asked = 0
  bench.lose = ({ message }) => {
    if (message.kind === 'ping') asked++
    return true
  }
  believe(machine, node('n2'), 'alive')
  t.equal(asked, 0, 'nothing is new')
  bench.event('n1', { kind: 'belief', node: node('n2'), belief: 'failed' })
  t.ok(isAlive(machine, node('n2')), 'a belief of gossip alone kills nobody')
  bench.fire('question', 'n1')
  t.notOk(isAlive(machine, node('n2')), 'one unanswered question is enough')
  t.equal(asked, 1)
  bench.event('n1', { kind: 'belief', node: node('n2'), belief: 'alive' })
  bench.run()
  t.equal(asked, 2, 'it is asked whether it is back')
  t.notOk(isAlive(machine, node('n2')))
  heardFrom(machine, node('n2'))
  bench.event('n1', { kind: 'belief', node: node('n2'), belief: 'failed' })
  heardFrom(machine, node('n2'))
  bench.fire('question', 'n1')
  t.ok(isAlive(machine, node('n2')), 'it has answered')
})

t.test('who is gone from the network is not there, whatever it was heard to say', async t => {
  const { machine } = alone()
  heardFrom(machine, node('n2'))
  const [n1, n2, n3] = [...machine.members.values()]
  machine.members = new Map([n1, { ...n2, status: 'gone' }, n3].map(each => [each?.node, each])) as never
  t.notOk(isAlive(machine, node('n2')))
  t.ok(isAlive(machine, node('n3')))
})
