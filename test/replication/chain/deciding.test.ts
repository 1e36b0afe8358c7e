import t from 'tap'
import {
  learnDecided,
  noteThere,
  onPromised,
  type Proposing,
  proposePlan,
  take,
} from '../../../src/replication/chain/deciding.ts'
import { putView, sealMark } from '../../../src/replication/chain/machine-state.ts'
import type { Envelope, Tag } from '../../../src/replication/chain/messages.ts'
import { asSource, freshState, type View, type ViewId } from '../../../src/views/view.ts'
import { Bench, node, wholeView } from './bench.ts'

const V1 = wholeView(['n1', 'n2', 'n3'])
const V2: View = { ...wholeView(['n2', 'n3'], ['n1', 'n2', 'n3'], 'v2', 2), sources: [asSource(V1)] }

t.test('a proposer that dies after one ACCEPT blocks nobody', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  const ballot = { round: 1, node: node('n1'), boot: '1.x' }
  bench.lose = ({ message }) => message.kind === 'accepted'
  bench.deliver('n1', 'n2', { kind: 'accept', view: V1, ballot, children: [V2] })
  bench.lose = ({ message }) => message.kind === 'complete' || message.kind === 'back-filled'
  t.match(bench.state('n2'), { sealed: true, next: undefined })
  bench.restart('n2')
  for (const name of ['n1', 'n2', 'n3']) t.equal(bench.state(name).next?.[0]?.id, 'v2', name)
})

t.test('whoever meets a decided view is told', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.lose = ({ message }) => message.kind === 'back-filled'
  bench.deliver('n1', 'n2', { kind: 'decided', view: V1, children: [V2] })
  const ballot = { round: 9, node: node('n3'), boot: '1.x' }
  bench.deliver('n3', 'n2', { kind: 'prepare', view: V1, ballot })
  t.ok(bench.log.includes('n2>n3 decided'))
  t.equal(bench.state('n3').next?.[0]?.id, 'v2')
})

t.test('whoever teaches a view that was superseded is taught the newer one, once', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2'], view: V1 })
  bench.event('n2', { kind: 'members', members: bench.members('n1', 'n2') })
  bench.event('n1', { kind: 'members', members: bench.members('n1', 'n2') })
  bench.lose = ({ message }) => message.kind !== 'teach'
  bench.deliver('n2', 'n2', { kind: 'teach', views: [V2] })
  bench.log.length = 0
  bench.deliver('n1', 'n2', { kind: 'teach', views: [V1] })
  const taught = () => bench.log.filter(line => line.endsWith('teach'))
  t.same(taught(), ['n2>n1 teach'], 'and nothing after that')
  t.ok(bench.state('n1').sealed, 'it has heard that its view is over')
  bench.deliver('n1', 'n2', { kind: 'teach', views: [V2] })
  bench.deliver('n1', 'n2', { kind: 'teach', views: [V1, V2] })
  bench.deliver('n2', 'n2', { kind: 'teach', views: [V1] })
  t.same(taught(), ['n2>n1 teach'], 'not when it knows the newest, and no node teaches itself')
})

t.test(
  'a node answers only for views that it holds, and never again for one that it has dropped',
  async t => {
    const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
    const machine = bench.machine('n1')
    machine.views.delete('v1' as ViewId)
    sealMark(machine, { lo: V1.lo, hi: V1.hi, epoch: 1 })
    const ballot = { round: 1, node: node('n2'), boot: '1.x' }
    bench.deliver('n2', 'n1', { kind: 'prepare', view: V1, ballot })
    t.ok(bench.log.includes('n1>n2 outbid'))
    t.notOk(machine.views.has('v1' as ViewId))
  },
)

t.test('a view that was known as a source alone is whole once it is told', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  const V3: View = { ...wholeView(['n2', 'n3'], ['n1', 'n2', 'n3'], 'v3', 3), sources: [asSource(V2)] }
  putView(bench.machine('n2'), { ...freshState({ ...V2, acceptors: [], sources: [] }), sealed: true })
  const ballot = { round: 1, node: node('n3'), boot: '1.x' }
  bench.lose = () => true
  bench.deliver('n3', 'n2', { kind: 'accept', view: V2, ballot, children: [V3] })
  t.match(bench.state('n2', 'v2'), { view: V2, sealed: true, accepted: { children: [V3] } })
})

t.test('a view that has lost a node while it was decided is looked at soon', async t => {
  for (const isDead of [true, false]) {
    const machine = new Bench({ nodes: ['n1', 'n2', 'n3'] }).machine('n2')
    if (isDead) machine.suspects.add(node('n3'))
    take(machine, V2)
    t.equal(machine.series.repair.has(V2.id), isDead)
  }
})

t.test('a newer view seals the older one, also where this node has no part in the newer', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  take(bench.machine('n1'), { ...V2, acceptors: [node('n3')] })
  t.ok(bench.state('n1').sealed)
  t.notOk(bench.machine('n1').views.has('v2' as ViewId))
})

t.test('two successors of one view end the process', async t => {
  const machine = new Bench({ nodes: ['n1', 'n2', 'n3'] }).machine('n1')
  learnDecided(machine, V1, [V2])
  t.throws(() => learnDecided(machine, V1, [{ ...V2, id: 'other' as ViewId }]), { name: 'InvariantError' })
})

t.test('an unstable promise is no promise: it is written before it is sent', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  const ballot = { round: 4, node: node('n2'), boot: '1.x' }
  bench.deliver('n2', 'n1', { kind: 'prepare', view: V1, ballot })
  bench.restart('n1')
  t.same(bench.state('n1').promised, ballot)
  bench.deliver('n3', 'n1', { kind: 'prepare', view: V1, ballot: { ...ballot, round: 3, node: node('n3') } })
  t.ok(bench.log.includes('n1>n3 outbid'))
})

t.test('a plan goes on only when most of the acceptors that it names are there', async t => {
  const view = wholeView(['n3', 'n6'], ['n1', 'n2', 'n3'], 'v1', 1)
  for (const isThere of [false, true]) {
    const nodes = ['n1', 'n2', 'n3', ...(isThere ? ['n4'] : [])]
    const bench = new Bench({ nodes, view })
    const machine = bench.machine('n3')
    // n3 takes n1 and n2 for dead, and has not heard that n5 is gone.
    for (const name of ['n1', 'n2', 'n4', 'n5', 'n6']) machine.suspects.add(node(name))
    bench.event('n3', { kind: 'members', members: bench.members('n3', 'n4', 'n5', 'n1', 'n2', 'n6') })
    bench.lose = ({ message }) => message.kind === 'decided'
    bench.fire('repair', 'n3')
    t.ok(bench.log.includes('n1>n3 promise'))
    // An answer of n5 to an older question is late, and its disk is lost.
    if (!isThere) bench.deliver('n5', 'n3', { kind: 'pong' })
    t.equal(bench.log.includes('n3>n1 accept'), isThere, 'that others promise is not enough')
    if (isThere) {
      t.match(bench.state('n3').next, [{ acceptors: ['n3', 'n4', 'n5'] }])
      continue
    }
    bench.fire('proposal', 'n3')
    t.equal(machine.proposals.size, 0)
    for (const name of ['n4', 'n5', 'n6']) machine.suspects.add(node(name))
    bench.fire('repair', 'n3')
    t.match(bench.state('n3').next, [{ acceptors: ['n3', 'n1', 'n2'] }], 'who has answered lives')
  }
})

t.test(
  'that an acceptor is there is shown by its answer to this attempt: anything else may be late',
  async t => {
    const view = wholeView(['n3'], ['n2', 'n3', 'n4'], 'v1', 1)
    for (const alone of [node('n1'), node('n2')]) {
      const machine = new Bench({ nodes: ['n1', 'n2', 'n3', 'n4'], view }).machine('n3')
      proposePlan(machine, view, [
        { ...view, id: 'v2' as ViewId, epoch: 2, acceptors: [alone], sources: [asSource(view)] },
      ])
      const { tag, proposal } = machine.proposals.get(view.id) as Proposing
      const { ballot } = proposal
      const promise = { kind: 'promise', viewId: view.id, ballot, accepted: undefined } as const
      for (const name of ['n3', 'n4']) onPromised(machine, node(name), promise)
      // The disk of the only acceptor has been lost since it answered.
      noteThere(machine, alone, `${tag}0` as Tag)
      t.match(machine.proposals.get(view.id), { proposal: { phase: 'accept' }, asked: false })
      if (view.acceptors.includes(alone)) onPromised(machine, alone, promise)
      else noteThere(machine, alone, tag)
      t.match(machine.proposals.get(view.id), { asked: true })
    }
  },
)

t.test('a node that was cut off takes nobody out of a range once it hears them again', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'], view: V1 })
  const machine = bench.machine('n3')
  bench.event('n3', { kind: 'members', members: bench.members('n1', 'n2', 'n3') })
  for (const name of ['n1', 'n2']) machine.suspects.add(node(name))
  bench.lose = ({ message }) => message.kind === 'promise'
  bench.fire('repair', 'n3')
  t.ok(bench.log.includes('n3>n1 prepare'), 'it has planned to go on alone')
  bench.lose = () => false
  bench.fire('proposal', 'n3')
  t.notOk(bench.log.includes('n3>n1 accept'), 'those whom the plan leaves out have answered')
  t.equal(machine.proposals.size, 0)
  for (const name of ['n1', 'n2', 'n3']) t.match(bench.state(name), { sealed: false, next: undefined }, name)
})

t.test('a proposer begins above what it has promised itself', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'], view: V1 })
  const machine = bench.machine('n1')
  const promised = { round: 4, node: node('n1'), boot: '1.x' }
  putView(machine, { ...bench.state('n1'), promised })
  bench.lose = () => true
  bench.event('n1', { kind: 'renew', viewId: V1.id })
  t.match(machine.proposals.get(V1.id)?.proposal, { ballot: { round: 5 }, answered: new Set(['n1']) })
})

t.test('whoever meets an accepted value lets its proposer finish', async t => {
  for (const isThere of [true, false]) {
    const bench = new Bench({ nodes: ['n1', 'n2', 'n3'], view: V1 })
    const ballot = { round: 1, node: node('n1'), boot: '1.x' }
    bench.lose = ({ message }) => message.kind === 'accepted'
    bench.deliver('n1', 'n2', { kind: 'accept', view: V1, ballot, children: [V2] })
    bench.lose = ({ message }) => message.kind === 'complete' || message.kind === 'back-filled'
    const sealed = { view: V1, accepted: [V2], next: undefined }
    const refused = { kind: 'refused', tag: 't' as Tag, reason: 'sealed', teaches: [], sealed } as const
    for (let times = 0; times < 3; times++) bench.deliver('n2', 'n3', refused)
    t.notOk(bench.log.includes('n3>n2 prepare'), 'at once nobody outbids it')
    if (isThere) bench.deliver('n1', 'n3', { kind: 'decided', view: V1, children: [V2] })
    bench.fire('finish', 'n3')
    t.equal(bench.log.includes('n3>n2 prepare'), !isThere)
    t.equal(bench.state('n3').next?.[0]?.id, 'v2')
    t.equal(bench.machine('n3').unfinished.size, 0)
  }
})

t.test(
  'of two proposers that outbid each other, the one that the view names first comes to its end',
  async t => {
    const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
    let held: Envelope[] = []
    bench.lose = envelope => {
      if (envelope.message.kind === 'accept') held.push(envelope)
      return envelope.message.kind === 'accept' || envelope.message.kind === 'decided'
    }
    for (const name of ['n1', 'n2']) bench.event(name, { kind: 'renew', viewId: V1.id })
    bench.run()
    // Whenever one is about to be accepted, an attempt of the other comes in between.
    for (let turn = 0; turn < 12; turn++) {
      const name = turn % 2 === 0 ? 'n2' : 'n1'
      bench.fire('proposal', name)
      const late = held.filter(({ from }) => from !== node(name))
      held = held.filter(({ from }) => from === node(name))
      for (const { from, to, message } of late) bench.deliver(from, to, message)
    }
    t.not(bench.state('n1').next, undefined, 'n2 has let n1 come to its end')
  },
)
