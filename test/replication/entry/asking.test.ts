import t from 'tap'
import { putView } from '../../../src/replication/chain/machine-state.ts'
import { freshState } from '../../../src/views/view.ts'
import { Bench, node, path, wholeView } from '../chain/bench.ts'

t.test('a write that got no answer is burnt, then looked for, then tried again', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  let first = true
  bench.lose = ({ message }) => {
    const lost = first && message.kind === 'write'
    if (lost) first = false
    return lost
  }
  bench.put('n2', 'w', 'a')
  bench.lose = () => false
  bench.fire('task')
  t.same(
    bench.log.filter(line => /write|burn|stale|written/.test(line)),
    ['n2>n1 burn', 'n1>n2 stale', 'n2>n1 write', 'n1>n2 written'],
  )
  t.match(bench.answers.get('w'), { kind: 'done' })
})

t.test('a write whose answer was lost is found in the history', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.lose = ({ message }) => message.kind === 'written'
  bench.put('n2', 'w', 'a', 'absent')
  bench.lose = () => false
  bench.fire('task')
  t.match(bench.answers.get('w'), { kind: 'done', version: { epoch: 1, seq: 1 } })
})

t.test('when the history does not reach back, the outcome is not guessed', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.lose = ({ message }) => message.kind === 'written'
  bench.put('n2', 'w', 'a')
  bench.lose = () => false
  for (let other = 0; other < 9; other++) bench.put('n1', `o${other}`, 'a')
  bench.fire('task', 'n2')
  t.match(bench.answers.get('w'), { kind: 'indeterminate' })
})

t.test('an outdated map costs a hop and no wrong answer', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3', 'n4'], view: wholeView(['n1', 'n2', 'n3']) })
  bench.machine('n4').members = new Map(bench.members('n1', 'n2', 'n3', 'n4').map(each => [each.node, each]))
  bench.event('n4', { kind: 'request', id: 'r', request: { kind: 'get', path: path('a') } })
  bench.run()
  bench.fire('task')
  t.match(bench.answers.get('r'), { kind: 'value' })
})

t.test('without an answer in time a read is unavailable and a write indeterminate', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.lose = () => true
  bench.put('n2', 'w', 'a')
  bench.ask('n2', 'r', { kind: 'get', path: path('a') })
  bench.fire('deadline')
  t.match(bench.answers.get('w'), { kind: 'indeterminate' })
  t.match(bench.answers.get('r'), { kind: 'unavailable' })
  t.equal(bench.machine('n2').entry.tasks.size, 0)
})

t.test('when the head refuses connections, nobody waits for its silence', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  for (const name of ['n1', 'n2', 'n3'])
    bench.event(name, { kind: 'members', members: bench.members('n1', 'n2', 'n3') })
  bench.lose = ({ from, to }) => from === 'n1' || to === 'n1'
  bench.put('n3', 'w', 'a')
  for (let round = 0; round < 10; round++) {
    for (const name of ['n2', 'n3']) bench.event(name, { kind: 'unreachable', node: 'n1' as never })
    for (const kind of ['repair', 'retry'] as const) bench.fire(kind)
  }
  t.match(bench.answers.get('w'), { kind: 'done' }, 'and no time for an answer has run out')
})

t.test(
  'a write does not wait for a head that counts as dead, and goes to one that only seems dead',
  async t => {
    const heads = ['n1', 'n3']
    const afterHead = { ...wholeView(['n3', 'n2'], ['n1', 'n2', 'n3'], 'v2', 2), sources: [] }
    for (const head of heads) {
      const bench = new Bench({ nodes: ['n1', 'n2', 'n3', 'n4'], view: wholeView(['n1', 'n2', 'n3']) })
      const entry = bench.machine('n4')
      entry.table.learn(wholeView(['n1', 'n2', 'n3']))
      if (head === 'n3') {
        for (const name of ['n2', 'n3']) {
          const state = { ...freshState(afterHead), installed: true, active: true, complete: true }
          putView(bench.machine(name), state)
          bench.machine(name).table.learn(afterHead)
        }
        bench.lose = ({ to, from }) => to === 'n1' || from === 'n1'
      }
      entry.suspects.add(node('n1'))
      bench.put('n4', 'w', 'a')
      for (let tries = 0; tries < 4 && !bench.answers.has('w'); tries++) bench.fire('retry')
      t.match(
        bench.answers.get('w'),
        { kind: 'done' },
        `${head} is the head; no time for an answer has run out`,
      )
      t.ok(bench.log.includes(`n4>${head} write`))
    }
  },
)

t.test('a read goes on to another replica when the first one has dropped the view', async t => {
  // n3 has heard of an old view of its own from a late message; it keeps no header of it, and of nothing newer.
  for (const name of ['n1', 'n2', 'n3']) {
    const old = wholeView(['n1', 'n2', 'n3'])
    const now = wholeView(['n1', 'n2', 'n4'], ['n1', 'n2', 'n4'], 'v2', 2)
    const bench = new Bench({ nodes: ['n1', 'n2', 'n3', 'n4'], view: now })
    const machine = bench.machine('n3')
    machine.members = new Map(bench.members('n1', 'n2', 'n3', 'n4').map(each => [each.node, each]))
    machine.table.learn(old)
    machine.marks.seal({ lo: old.lo, hi: old.hi, epoch: 1 })
    // Of the other two, one has forgotten the range as well.
    if (name !== 'n3') bench.machine(name).views.clear()
    bench.event('n3', { kind: 'request', id: 'r', request: { kind: 'get', path: path('a') } })
    bench.run()
    for (let tries = 0; tries < 4 && !bench.answers.has('r'); tries++) bench.fire('retry')
    t.match(bench.answers.get('r'), { kind: 'value' }, `without ${name}`)
  }
})

t.test('a node that is left alone with an old view asks others who has the range now', async t => {
  for (const change of [{}, { sealed: true }, { active: false, complete: false }]) {
    const bench = new Bench({ nodes: ['n1', 'n2', 'n3', 'n4', 'n5'], view: wholeView(['n1', 'n2', 'n3']) })
    const now = wholeView(['n4', 'n5'], ['n4', 'n5', 'n3'], 'v2', 2)
    for (const name of ['n4', 'n5']) {
      putView(bench.machine(name), { ...freshState(now), installed: true, active: true })
      bench.machine(name).table.learn(now)
    }
    bench.event('n1', { kind: 'members', members: bench.members('n1', 'n2', 'n3', 'n4', 'n5') })
    bench.machine('n1').views.set(bench.state('n1').view.id, { ...bench.state('n1'), ...change })
    // Of those who had the range with n1 nobody is left.
    for (const name of ['n2', 'n3']) bench.machine('n1').suspects.add(node(name))
    bench.lose = ({ from, to }) => [from, to].some(each => each === 'n2' || each === 'n3')
    bench.get('n1', 'r', 'a')
    for (let times = 0; times < 8; times++)
      for (const kind of ['confirm', 'retry', 'task'] as const) bench.fire(kind, 'n1')
    t.equal(bench.viewAt('n1', 'a')?.id, 'v2', JSON.stringify(change))
  }
})

t.test('what a node asks itself it asks others, one after the other, and none of the dead', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3', 'n4'] })
  bench.event('n1', { kind: 'members', members: bench.members('n1', 'n2', 'n3', 'n4') })
  bench.machine('n1').suspects.add(node('n4'))
  bench.log.length = 0
  for (let times = 0; times < 4; times++)
    bench.deliver('n1', 'n1', { kind: 'where', position: wholeView(['n1']).hi })
  const asked = bench.log.filter(line => line.endsWith('where'))
  t.same(new Set(asked), new Set(['n1>n2 where', 'n1>n3 where']))
  t.ok(bench.log.includes('n2>n1 teach'))
})
