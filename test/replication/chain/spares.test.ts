import t from 'tap'
import type { Message } from '../../../src/replication/chain/messages.ts'
import { isSettled, isSuperseded } from '../../../src/replication/chain/spares.ts'
import { asSource, childrenOf, type NodeId, type View } from '../../../src/views/view.ts'
import { Bench, large, path, wholeView } from './bench.ts'

const NAMES = ['n1', 'n2', 'n3', 'n4', 'n5']
const V1 = wholeView(['n1', 'n2', 'n3'], NAMES)
const child = (...replicas: string[]): View => ({
  ...wholeView(replicas, NAMES, 'v2', 2),
  sources: [asSource(V1)],
})

/** Five nodes; the first three have a file at `a`, one with a body of its own at `b`, and have been followed by a view. */
function followedBy(view: View, settings = {}) {
  const bench = new Bench({ nodes: NAMES, view: V1, settings })
  for (const name of NAMES) bench.event(name, { kind: 'members', members: bench.members(...NAMES) })
  bench.put('n1', 'w1', 'a')
  bench.put('n1', 'w2', 'b', 'none', large('b1'))
  bench.deliver('n2', view.replicas[0] as string, { kind: 'decided', view: V1, children: [view] })
  for (let round = 0; round < 4; round++) bench.fire('back-fill')
  const has = (name: string) =>
    bench.machine(name).records.get(path('a')) !== undefined && bench.machine(name).blobs.has('b1' as never)
  return { bench, holders: () => NAMES.filter(has) }
}

t.test('a view with fewer replicas than there could be is not complete, whoever has everything', async t => {
  const { bench, holders } = followedBy(child('n1'))
  t.match(bench.state('n1', 'v2'), { active: true, complete: false })
  bench.fire('spare')
  t.same(holders(), ['n1', 'n2', 'n3'])
  for (const name of NAMES.slice(1)) bench.machine('n1').suspects.add(name as NodeId)
  bench.deliver('n1', 'n1', { kind: 'back-filled', viewId: 'v2' as never })
  t.ok(bench.state('n1', 'v2').complete, 'when all others seem to be dead there is nobody to wait for')
  bench.fire('spare')
  t.same(holders(), ['n1', 'n2', 'n3'], 'a spare that lives knows better')
})

t.test('a former replica keeps its copy for its time, though others have everything', async t => {
  const { bench, holders } = followedBy(child('n1', 'n4', 'n5'))
  t.ok(bench.state('n4', 'v2').complete)
  t.same(holders(), NAMES)
  t.ok(isSuperseded(bench.machine('n2'), bench.state('n2')))
  t.equal(bench.machine('n1').views.has(V1.id), false, 'who goes on with the range is no spare')
  bench.fire('spare', 'n2')
  t.same(holders(), ['n1', 'n3', 'n4', 'n5'])
  bench.restart('n3')
  t.same(holders(), ['n1', 'n3', 'n4', 'n5'], 'the time begins anew with a start')
  bench.event('n3', { kind: 'members', members: bench.members(...NAMES) })
  bench.lose = ({ message }) => message.kind === 'complete'
  bench.fire('spare', 'n3')
  t.same(holders(), ['n1', 'n3', 'n4', 'n5'])
  bench.lose = () => false
  bench.fire('spare', 'n3')
  t.same(holders(), ['n1', 'n4', 'n5'], 'an answer that was lost is asked for again')
})

t.test('a disk that is short of space keeps no spare for longer than it is needed', async t => {
  const { bench, holders } = followedBy(child('n1', 'n4', 'n5'))
  bench.event('n2', { kind: 'short-of-space' })
  bench.run()
  t.same(holders(), ['n1', 'n3', 'n4', 'n5'])
  const lone = followedBy(child('n1'))
  lone.bench.event('n2', { kind: 'short-of-space' })
  lone.bench.run()
  t.same(lone.holders(), ['n1', 'n2', 'n3'])
})

t.test('a node that leaves gives its copy to those who stay, however few', async t => {
  const { bench, holders } = followedBy(child('n1'))
  const [n1, n2] = bench.members('n1', 'n2')
  const members = [n1, { ...n2, status: 'leaving' }] as never
  bench.event('n1', { kind: 'members', members })
  bench.deliver('n1', 'n1', { kind: 'back-filled', viewId: 'v2' as never })
  t.ok(bench.state('n1', 'v2').complete)
  bench.event('n2', { kind: 'members', members })
  bench.run()
  t.same(holders(), ['n1', 'n3'])
})

t.test('a replica that leaves is not one to rely on', async t => {
  const { bench, holders } = followedBy(child('n1', 'n4', 'n5'))
  const members = bench.members(...NAMES).map(member => {
    return member.node === 'n5' ? { ...member, status: 'leaving' as const } : member
  })
  bench.event('n2', { kind: 'members', members })
  bench.fire('spare', 'n2')
  t.same(holders(), NAMES)
})

t.test('a spare that is taken in again copies nothing that it has', async t => {
  const { bench } = followedBy(child('n1', 'n3'))
  bench.put('n1', 'w3', 'c')
  bench.event('n1', {
    kind: 'request',
    id: 'gone',
    request: { kind: 'remove', path: path('a'), condition: 'none' },
  })
  bench.run()
  const moved: Message[] = []
  bench.lose = ({ message }) => {
    if (message.kind === 'difference' || message.kind === 'blob') moved.push(message)
    return false
  }
  bench.deliver('n1', 'n2', { kind: 'pre-copy', view: bench.state('n1', 'v2').view })
  const records = moved.flatMap(message => (message.kind === 'difference' ? message.records : []))
  t.same(records.map(record => record.path).sort(), ['a', 'c'], 'what was written meanwhile')
  t.notOk(moved.some(({ kind }) => kind === 'blob'))
  t.equal(bench.machine('n2').records.get(path('a'))?.body, undefined, 'what was removed does not come back')
})

t.test('what was removed and forgotten does not come back with a spare', async t => {
  const { bench } = followedBy(child('n1', 'n3'))
  bench.event('n1', {
    kind: 'request',
    id: 'gone',
    request: { kind: 'remove', path: path('a'), condition: 'none' },
  })
  bench.run()
  bench.event('n1', { kind: 'collect' })
  bench.run()
  t.equal(bench.machine('n1').records.get(path('a')), undefined)
  t.ok(bench.machine('n2').records.get(path('a'))?.body)
  const { view } = bench.state('n1', 'v2')
  const next = childrenOf(view, [{ ...view, replicas: ['n2', 'n1', 'n3'] as never }], 'x', false, true)
  bench.deliver('n3', 'n2', { kind: 'decided', view, children: next })
  t.ok(bench.state('n1', next[0]?.id).active)
  for (const name of ['n1', 'n2', 'n3']) t.equal(bench.machine(name).records.get(path('a')), undefined, name)
})

t.test('a head that has started asks who has everything', async t => {
  const bench = new Bench({ nodes: NAMES, view: V1 })
  const members = bench.members('n1', 'n2', 'n3')
  for (const name of NAMES) bench.event(name, { kind: 'members', members })
  for (let round = 0; round < 20; round++) bench.fire('repair')
  const view = bench.viewAt('n1', 'a') as View
  const head = view.replicas[0] as string
  t.ok(bench.state(head, view.id).complete)
  for (const name of view.replicas) {
    bench.disks.get(name)?.views.set(view.id, { ...bench.state(name, view.id), complete: false })
    bench.lose = ({ message }) => message.kind === 'back-filled'
    bench.restart(name)
  }
  bench.timers.length = 0
  bench.lose = () => false
  t.notOk(bench.state(head, view.id).complete)
  bench.event(head, { kind: 'members', members })
  bench.fire('repair', head)
  for (const name of view.replicas) t.ok(bench.state(name, view.id).complete, name)
})

t.test('min-replicas is not passed by with another view of a range that has lost its others', async t => {
  const V2 = { ...wholeView(['n1'], ['n1'], 'v2', 2), sources: [asSource(wholeView(['n1', 'n2'], ['n1']))] }
  const bench = new Bench({ nodes: ['n1', 'n2'], view: V2, settings: { minReplicas: 2 } })
  const members = bench.members('n1', 'n2')
  bench.machine('n1').suspects.add('n2' as NodeId)
  bench.event('n1', { kind: 'members', members })
  t.match(bench.put('n1', 'w1', 'a'), { kind: 'done' }, 'of two, one goes on')
  for (let round = 0; round < 3; round++) {
    bench.event('n1', { kind: 'renew', viewId: bench.viewAt('n1', 'a')?.id as never })
    bench.run()
  }
  t.equal(bench.viewAt('n1', 'a')?.epoch, 5)
  bench.machine('n1').suspects.clear()
  t.equal(bench.put('n1', 'w2', 'a'), undefined)
})

t.test('only the head of a view says that all have everything', async t => {
  const { bench } = followedBy(child('n1', 'n4', 'n5'))
  const n4 = bench.machine('n4')
  n4.views.set('v2' as never, { ...bench.state('n4', 'v2'), complete: false })
  bench.log.length = 0
  // A message that was meant for another view's head, or comes late, tells nobody anything.
  for (const name of ['n1', 'n4', 'n5'])
    bench.deliver(name, 'n4', { kind: 'back-filled', viewId: 'v2' as never })
  t.notOk(bench.state('n4', 'v2').complete)
  t.same(
    bench.log.filter(line => line.endsWith('complete')),
    [],
  )
})

t.test(
  'a view is the only source of its children when it served, has all bodies and leaves no member out',
  async t => {
    const bench = new Bench({ nodes: NAMES, view: V1 })
    const machine = bench.machine('n1')
    bench.event('n1', { kind: 'members', members: bench.members(...NAMES) })
    const state = bench.state('n1')
    t.ok(isSettled(machine, state))
    t.notOk(isSettled(machine, { ...state, complete: false }), 'others may have a body that is missing')
    t.notOk(isSettled(machine, { ...state, active: false }), 'the state lies in the view before it')
    bench.event('n1', { kind: 'members', members: bench.members('n1', 'n2', 'n3') })
    const pair = { ...state, view: wholeView(['n1', 'n2'], ['n1', 'n2', 'n3']) }
    t.notOk(isSettled(machine, pair))
    machine.suspects.add('n3' as NodeId)
    t.notOk(isSettled(machine, pair), 'one that nobody reaches may come back')
  },
)
