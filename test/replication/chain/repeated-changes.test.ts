import t from 'tap'
import { learnDecided } from '../../../src/replication/chain/deciding.ts'
import { noteChange, restMs } from '../../../src/replication/chain/repeated-changes.ts'
import { asSource, type Plan, type View, type ViewId } from '../../../src/views/view.ts'
import { Bench, node, SETTINGS, wholeView } from './bench.ts'

const [V1, V2, V3] = ['v1', 'v2', 'v3'] as ViewId[] as [ViewId, ViewId, ViewId]
const plan = (...names: string[]): Plan[] => [wholeView(names)]

t.test('two nodes that believe different things of a third do not change the view to and fro', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'], view: wholeView(['n2', 'n1', 'n3']) })
  // n1 hears nothing of n3, for ever, and would go on without it; n2 wants it back.
  bench.machine('n1').suspects.add(node('n3'))
  bench.lose = ({ from, to }) => from === 'n3' && to === 'n1'
  const members = bench.members('n2', 'n1', 'n3')
  for (const name of ['n1', 'n2', 'n3']) bench.event(name, { kind: 'members', members })
  const epochAfter = (answers: number) => {
    for (let wait = 0; wait < answers; wait++) {
      bench.nowMs += SETTINGS.answerTimeoutMs
      bench.monotonicMs += SETTINGS.answerTimeoutMs
      for (const kind of ['repair', 'proposal', 'watch', 'transfer'] as const) bench.fire(kind)
      // However loud the timers are, a silence of this bench is none.
      bench.timers.splice(
        0,
        bench.timers.length,
        ...bench.timers.filter(({ timer }) => timer.kind !== 'question'),
      )
    }
    return bench.viewAt('n2', 'a')?.epoch ?? 0
  }
  const early = epochAfter(100)
  t.ok(early > 2, 'each has made its change')
  const late = epochAfter(900)
  t.ok(late - early <= 8, `${early} views in 100 waits for an answer, ${late} in 1,000`)
})

t.test('a change waits when it was made before and undone, each time twice as long', async t => {
  const machine = new Bench({ nodes: ['n1', 'n2', 'n3'] }).machine('n1')
  machine.steppedAtMs = 5_000
  const ab = plan('n1', 'n2')
  t.equal(restMs(machine, V1, ab), 0, 'what was never done before')
  noteChange(machine, V1, ab)
  t.equal(restMs(machine, V1, ab), 0, 'one that has not been decided yet is tried again')
  t.equal(restMs(machine, V2, ab), 800)
  t.equal(restMs(machine, V2, plan('n1', 'n3')), 0, 'another change')
  machine.steppedAtMs = 5_600
  t.equal(restMs(machine, V2, ab), 200)
  noteChange(machine, V2, ab)
  t.equal(restMs(machine, V3, ab), 1_600)
  for (let times = 0; times < 20; times++) noteChange(machine, `w${times}` as ViewId, ab)
  t.equal(restMs(machine, V1, ab), 800 * 128, 'it has an end')
})

t.test('a change in whose place another one was decided was never made, and does not wait', async t => {
  for (const decided of [
    ['n1', 'n2'],
    ['n1', 'n3'],
  ]) {
    const machine = new Bench({ nodes: ['n1', 'n2', 'n3'] }).machine('n1')
    machine.steppedAtMs = 5_000
    const ab = [wholeView(['n1', 'n2'], ['n1'])]
    noteChange(machine, V1, ab)
    const view = machine.views.get(V1)?.view as View
    const child: View = { ...wholeView(decided, decided.slice(0, 1), 'v2', 2), sources: [asSource(view)] }
    learnDecided(machine, view, [child])
    t.equal(restMs(machine, V2, ab), decided.includes('n2') ? 800 : 0)
  }
})

t.test('whoever has learned something since makes its change', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  const machine = bench.machine('n1')
  const members = bench.members('n1', 'n2', 'n3')
  bench.event('n1', { kind: 'members', members })
  noteChange(machine, V1, plan('n1', 'n2'))
  bench.event('n1', { kind: 'members', members: structuredClone(members) })
  t.not(restMs(machine, V2, plan('n1', 'n2')), 0, 'the same members are no news')
  bench.event('n1', { kind: 'members', members: members.map(each => ({ ...each, zone: 'a' })) })
  t.equal(restMs(machine, V2, plan('n1', 'n2')), 0)
  noteChange(machine, V2, plan('n1', 'n2'))
  t.equal(restMs(machine, V3, plan('n1', 'n2')), 800, 'and it counts anew')
  machine.suspects.add(node('n3'))
  bench.deliver('n3', 'n1', { kind: 'pong' })
  t.equal(restMs(machine, V3, plan('n1', 'n2')), 0, 'somebody is back')
})

t.test('what is remembered of changes has a limit', async t => {
  const machine = new Bench({ nodes: ['n1', 'n2', 'n3'] }).machine('n1')
  for (let index = 0; index < 2_000; index++) noteChange(machine, V1, plan(`n${index}`))
  t.equal(machine.changes.size, 1_024)
  t.equal(restMs(machine, V2, plan('n0')), 0)
  t.not(restMs(machine, V2, plan('n1999')), 0)
})
