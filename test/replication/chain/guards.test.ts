/**
 * One message or one state, one guard: what a node does not do because somebody else said so. Each of these was a change
 * of the sources that no other test noticed (docs/mutants.md).
 */

import t from 'tap'
import { chainOf } from '../../../src/replication/chain/chain-of-view.ts'
import {
  absentRecord,
  type ChainRecord,
  type RequestId,
} from '../../../src/replication/chain/chain-record.ts'
import type { Transfer } from '../../../src/replication/chain/copies.ts'
import { learnDecided, take } from '../../../src/replication/chain/deciding.ts'
import { acknowledgedUpTo, isClean } from '../../../src/replication/chain/dirty.ts'
import { finishSealed, meetSealed, onFinish } from '../../../src/replication/chain/finishing.ts'
import { onCopied } from '../../../src/replication/chain/installing.ts'
import type { Message, Tag } from '../../../src/replication/chain/messages.ts'
import { readAtOnce } from '../../../src/replication/chain/reading.ts'
import { currentRecord } from '../../../src/replication/chain/serving.ts'
import { stateOf } from '../../../src/replication/chain/transfers.ts'
import { identifierOfPath } from '../../../src/ring/identifier.ts'
import {
  asSource,
  bootName,
  freshState,
  type View,
  type ViewId,
  type ViewState,
} from '../../../src/views/view.ts'
import { Bench, inline, large, node, path, wholeView } from './bench.ts'

const THREE = ['n1', 'n2', 'n3']
const V1 = wholeView(THREE)
const V2: View = { ...wholeView(THREE, THREE, 'v2', 2), sources: [asSource(V1)] }
const V3: View = { ...wholeView(THREE, THREE, 'v3', 3), sources: [asSource(V2)] }

const at = path('a')
const position = identifierOfPath(at)

/** A file that has been written with this number. */
function recordOf(seq: number, epoch = 1): ChainRecord {
  const version = { epoch, seq }
  const body = inline(`w${seq}`)
  const written = { version, requestId: `w${seq}` as RequestId }
  return { ...absentRecord(at, position, version), body, meta: { mediaType: 'text/plain' }, written }
}

const pass = (seq: number): Message => ({ kind: 'pass', viewId: V1.id, record: recordOf(seq), cleanSeq: 0 })

function set(bench: Bench, name: string, view: View, change: Partial<ViewState>): void {
  const before = bench.machine(name).views.get(view.id) ?? freshState(view)
  bench.machine(name).views.set(view.id, { ...before, ...change })
}

/** All that nodes say is written down, and nothing arrives. */
function listen(bench: Bench): { to: string; message: Message }[] {
  const heard: { to: string; message: Message }[] = []
  bench.lose = ({ to, message }) => heard.push({ to, message }) > 0
  return heard
}

t.test('a record is taken from the replica before, an acknowledgement from the one after', async t => {
  const bench = new Bench({ nodes: THREE })
  bench.deliver('n1', 'n3', pass(1))
  t.equal(bench.machine('n3').records.get(at), undefined)
  bench.lose = ({ message }) => message.kind === 'pass'
  bench.put('n1', 'w', 'a')
  bench.deliver('n3', 'n1', { kind: 'acknowledge', viewId: V1.id, path: at, version: { epoch: 1, seq: 1 } })
  t.equal(bench.answers.get('w'), undefined)
})

t.test('an older record that comes again is not acknowledged while the newer one is dirty', async t => {
  const bench = new Bench({ nodes: THREE })
  const heard = listen(bench)
  bench.deliver('n1', 'n2', pass(2))
  bench.deliver('n1', 'n2', pass(1))
  t.same(
    heard.map(({ to, message }) => `${to} ${message.kind}`),
    ['n3 pass'],
  )
})

t.test('a path that is written twice is dirty from its first write on', async t => {
  const bench = new Bench({ nodes: THREE })
  bench.lose = ({ message }) => message.kind === 'pass'
  bench.put('n1', 'w1', 'a')
  bench.put('n1', 'w2', 'a')
  const machine = bench.machine('n1')
  t.equal(acknowledgedUpTo(bench.state('n1'), chainOf(machine, bench.state('n1'))), 0)
})

t.test('a floor comes from the replica before, rises only, and not in a sealed view', async t => {
  const bench = new Bench({ nodes: THREE })
  const floor = (seq: number): Message => ({
    kind: 'floor',
    viewId: V1.id,
    floor: { epoch: 1, seq },
    nowMs: 1_000,
  })
  listen(bench)
  bench.deliver('n1', 'n3', floor(5))
  t.equal(bench.state('n3').floor.seq, 0)
  bench.deliver('n1', 'n2', floor(5))
  bench.deliver('n1', 'n2', floor(3))
  t.equal(bench.state('n2').floor.seq, 5)
  set(bench, 'n2', V1, { sealed: true })
  bench.deliver('n1', 'n2', floor(9))
  t.equal(bench.state('n2').floor.seq, 5)
})

t.test('a view is active when its tail says so to its head, and its head to the others', async t => {
  const bench = new Bench({ nodes: THREE })
  listen(bench)
  for (const name of THREE) set(bench, name, V2, { installed: true })
  bench.deliver('n2', 'n1', { kind: 'installed', viewId: V2.id })
  t.notOk(bench.state('n1', 'v2').active, 'not by another replica')
  bench.deliver('n3', 'n2', { kind: 'active', viewId: V2.id })
  t.notOk(bench.state('n2', 'v2').active, 'not by another replica')
  set(bench, 'n2', V2, { installed: false })
  bench.deliver('n1', 'n2', { kind: 'active', viewId: V2.id })
  t.notOk(bench.state('n2', 'v2').active, 'not before it is installed')
  set(bench, 'n1', V2, { sealed: true })
  bench.deliver('n3', 'n1', { kind: 'installed', viewId: V2.id })
  t.notOk(bench.state('n1', 'v2').active, 'not when it is sealed')
})

t.test('a replica adopts the state of the one before it only', async t => {
  const bench = new Bench({ nodes: THREE })
  const heard = listen(bench)
  bench.deliver('n1', 'n3', { kind: 'install', view: V2 })
  t.notOk(heard.some(({ message }) => message.kind === 'compare'))
  bench.deliver('n2', 'n3', { kind: 'install', view: V2 })
  t.ok(heard.some(({ to, message }) => to === 'n2' && message.kind === 'compare'))
})

t.test('what has been installed or sealed meanwhile adopts nothing', async t => {
  for (const change of [{ installed: true }, { sealed: true }]) {
    const bench = new Bench({ nodes: THREE })
    const machine = bench.machine('n2')
    machine.records.put(recordOf(7))
    set(bench, 'n2', V2, { ...change, seq: 7 })
    const transfer: Transfer = {
      tag: 'tag' as Tag,
      purpose: 'parent',
      view: V2,
      source: asSource(V1),
      from: node('n1'),
      todo: [],
      asked: [],
      changes: new Map([[at, undefined]]),
      trash: new Map(),
      steps: 1,
    }
    onCopied(machine, transfer, { floor: { epoch: 1, seq: 1 }, seq: 1, active: true })
    t.ok(machine.records.get(at), JSON.stringify(change))
    t.equal(bench.state('n2', 'v2').seq, 7)
  }
})

t.test('floor and numbers go on in the next view', async t => {
  const bench = new Bench({ nodes: THREE })
  for (const name of THREE) set(bench, name, V1, { floor: { epoch: 1, seq: 5 }, seq: 9 })
  bench.lose = ({ message }) => message.kind === 'complete'
  bench.deliver('n1', 'n1', { kind: 'decided', view: V1, children: [V2] })
  for (const name of THREE)
    t.match(bench.state(name, 'v2'), { active: true, floor: { epoch: 1, seq: 5 }, seq: 9 })
})

t.test('a newer view seals the older ones of its range, whoever hears of it', async t => {
  const bench = new Bench({ nodes: [...THREE, 'n4'], view: wholeView(THREE, [...THREE, 'n4', 'n5']) })
  const others = { ...wholeView(['n2', 'n3'], ['n2'], 'v2', 2), sources: [asSource(V1)] }
  listen(bench)
  take(bench.machine('n4'), others)
  t.ok(bench.state('n4').sealed)
  t.notOk(bench.machine('n4').views.has(others.id), 'it has no part in it')
})

t.test('a view that was superseded before it was heard of never serves', async t => {
  const bench = new Bench({ nodes: THREE })
  listen(bench)
  bench.machine('n1').table.learn(V3)
  take(bench.machine('n1'), V2)
  t.ok(bench.state('n1', 'v2').sealed)
})

t.test('a node that learns of two successors ends', async t => {
  const machine = new Bench({ nodes: THREE }).machine('n1')
  learnDecided(machine, V1, [V2])
  t.throws(() => learnDecided(machine, V1, [{ ...V2, id: 'other' as ViewId }]), /one succession/)
})

t.test('a proposer goes above what it was told, and gives up at last', async t => {
  const bench = new Bench({ nodes: THREE })
  listen(bench)
  const machine = bench.machine('n1')
  bench.event('n1', { kind: 'renew', viewId: V1.id })
  bench.run()
  const { ballot } = machine.proposals.get(V1.id)?.proposal ?? {}
  if (ballot === undefined) throw new TypeError('It proposes.')
  const promised = { ...ballot, round: 41 }
  bench.deliver('n2', 'n1', { kind: 'outbid', viewId: V1.id, ballot, promised })
  bench.fire('proposal')
  t.equal(machine.proposals.get(V1.id)?.proposal.ballot.round, 42)
  for (let tries = 0; tries < 20; tries++) bench.fire('proposal')
  t.equal(machine.proposals.size, 0)
})

t.test('what was accepted in a sealed view is not proposed when there is a newer one', async t => {
  const bench = new Bench({ nodes: THREE })
  const machine = bench.machine('n1')
  const accepted = { ballot: { round: 1, node: node('n2'), boot: '1.x' }, children: [V2] }
  set(bench, 'n1', V1, { sealed: true, accepted })
  machine.table.learn(V3)
  finishSealed(machine, bench.state('n1'))
  t.equal(machine.proposals.size, 0)
})

t.test('a state is handed out until a newer view was active over it', async t => {
  const machine = new Bench({ nodes: THREE }).machine('n1')
  const source = { ...freshState(V1), installed: true, active: true, floor: { epoch: 1, seq: 2 }, seq: 3 }
  const newer = { ...freshState(V2), installed: true, floor: { epoch: 1, seq: 5 }, seq: 7 }
  machine.views.set(V2.id, newer)
  t.same(stateOf(machine, source, V3), { floor: { epoch: 1, seq: 5 }, seq: 7, active: true, timeMs: 0 })
  machine.views.set(V2.id, { ...newer, active: true })
  t.equal(stateOf(machine, source, V3), undefined)
})

t.test('who may not hand a state out says so', async t => {
  const asked = (bench: Bench, purpose: 'parent' | 'upstream' | 'pre-copy', source = asSource(V1)) => {
    const heard = listen(bench)
    const compare = { kind: 'compare', tag: 'tag' as Tag, step: 1, purpose, view: V2, source } as const
    bench.deliver('n3', 'n1', { ...compare, comparisons: [] })
    return heard.flatMap(({ message }) => (message.kind === 'no-difference' ? [message.reason] : []))
  }
  const sealed = new Bench({ nodes: THREE })
  set(sealed, 'n1', V1, { sealed: true })
  t.same(asked(sealed, 'upstream'), ['elsewhere'], 'a sealed one does not go down the chain')
  const inactive = new Bench({ nodes: THREE })
  set(inactive, 'n1', V1, { active: false })
  t.same(asked(inactive, 'pre-copy'), ['elsewhere'], 'one that does not serve is not copied ahead')
  const empty = new Bench({ nodes: THREE })
  set(empty, 'n1', V1, { installed: false, active: false, complete: false })
  t.same(asked(empty, 'parent'), ['not-installed'], 'nor what was never adopted, held or not')
  const unheld = new Bench({ nodes: THREE })
  unheld.machine('n1').views.clear()
  t.same(asked(unheld, 'parent'), ['not-installed'])
  const other = new Bench({ nodes: THREE })
  t.same(asked(other, 'parent', { ...asSource(V1), id: 'vx' as ViewId, replicas: [node('n9')] }), [
    'elsewhere',
  ])
  t.notOk(other.machine('n1').views.has('vx' as ViewId), 'and notes nothing')
  const forgotten = new Bench({ nodes: THREE })
  forgotten.machine('n1').views.delete(V1.id)
  forgotten.machine('n1').marks.seal({ lo: V1.lo, hi: V1.hi, epoch: 1 })
  t.same(asked(forgotten, 'parent'), ['elsewhere'], 'what was forgotten is not what never was')
})

const WITNESSED = wholeView(['n1'], ['n1', 'n4', 'n5'])

t.test('a node does not vote for a view that it has sealed, or does not hold', async t => {
  for (const state of ['sealed', 'forgotten']) {
    const bench = new Bench({ nodes: ['n1', 'n4', 'n5'], view: WITNESSED })
    if (state === 'sealed') set(bench, 'n4', WITNESSED, { sealed: true })
    else bench.machine('n4').views.delete(WITNESSED.id)
    bench.machine('n4').marks.seal({ lo: WITNESSED.lo, hi: WITNESSED.hi, epoch: 1 })
    bench.lose = ({ message }) => message.kind === 'confirm'
    t.equal(bench.get('n4', 'r', 'a'), 'no answer', `as the entry node: ${state}`)
    const heard = listen(bench)
    bench.deliver('n5', 'n4', { kind: 'confirm', tag: 'tag' as Tag, views: [WITNESSED] })
    const votes = heard.flatMap(({ message }) => (message.kind === 'confirmed' ? message.viewIds : []))
    t.same(votes, [], `when it is asked: ${state}`)
  }
})

t.test('only acceptors confirm, and each counts once', async t => {
  const bench = new Bench({ nodes: ['n1', 'n4', 'n5', 'n6'], view: WITNESSED })
  bench.machine('n6').table.learn(WITNESSED)
  bench.lose = ({ to }) => to === 'n4' || to === 'n5'
  t.equal(bench.get('n6', 'r', 'a'), 'no answer')
  const [tag] = [...bench.machine('n6').confirms.rounds.keys()]
  if (tag === undefined) throw new TypeError('A round is under way.')
  for (const name of ['n7', 'n8', 'n9', 'n1'])
    bench.deliver(name, 'n6', { kind: 'confirmed', tag, viewIds: [WITNESSED.id], sealed: [] })
  t.equal(bench.answers.get('r'), undefined)
})

t.test('a replica that is no acceptor does not vote with its answer', async t => {
  const view = wholeView(['n1'], ['n4', 'n5', 'n6'])
  const bench = new Bench({ nodes: ['n1', 'n4', 'n5', 'n6'], view })
  bench.lose = ({ message }) => message.kind === 'confirm'
  t.equal(bench.get('n4', 'r', 'a'), 'no answer', 'its own vote is one of three')
})

t.test('a replica refuses to read what it may not show', async t => {
  const asked = (bench: Bench, name = 'n1') => {
    const heard = listen(bench)
    const read = { kind: 'read', tag: 'tag' as Tag, viewId: V1.id, path: at, position, vote: false } as const
    bench.deliver('n2', name, { ...read, unconfirmed: true })
    return heard.map(({ message }) => (message.kind === 'refused' ? message.reason : message.kind))
  }
  const inactive = new Bench({ nodes: THREE })
  set(inactive, 'n1', V1, { active: false })
  t.same(asked(inactive), ['not-active'])
  const witness = new Bench({ nodes: ['n1', 'n4', 'n5'], view: WITNESSED })
  t.same(asked(witness, 'n4'), ['unknown-view'])
  const bodiless = new Bench({ nodes: THREE })
  bodiless.machine('n1').records.put({ ...recordOf(1), version: { epoch: 0, seq: 1 }, body: large('b') })
  t.same(asked(bodiless), ['body-missing'])
})

t.test('a read at once is of what a majority of one can vouch for', async t => {
  const alone = () => {
    const bench = new Bench({ nodes: ['n1'], view: wholeView(['n1']) })
    bench.put('n1', 'w', 'a')
    return bench
  }
  const read = (bench: Bench) => readAtOnce(bench.machine('n1'), at, position)?.body?.sha256
  t.equal(read(alone()), 'w')
  const sealed = alone()
  set(sealed, 'n1', V1, { sealed: true })
  t.equal(read(sealed), undefined)
  const moving = alone()
  const record = moving.machine('n1').records.get(at) as ChainRecord
  const intent = { moveId: 'm' as never, destination: path('b'), destinationVersion: { epoch: 0, seq: 0 } }
  moving.machine('n1').records.put({ ...record, intent })
  t.equal(read(moving), undefined)
  const dirty = new Bench({ nodes: ['n1', 'n2'], view: wholeView(['n1', 'n2'], ['n1']) })
  dirty.lose = ({ message }) => message.kind === 'pass'
  dirty.put('n1', 'w', 'a')
  t.equal(read(dirty), undefined)
  const three = new Bench({ nodes: ['n1', 'n4', 'n5'], view: WITNESSED })
  three.put('n1', 'w', 'a')
  t.equal(read(three), undefined)
})

t.test('whoever waits in a view that is sealed is sent on', async t => {
  const bench = new Bench({ nodes: THREE })
  bench.lose = ({ message }) => message.kind === 'pass'
  bench.put('n2', 'w', 'a')
  const heard = listen(bench)
  bench.deliver('n3', 'n1', { kind: 'teach', views: [V3] })
  t.ok(
    heard.some(({ to, message }) => to === 'n2' && message.kind === 'refused' && message.reason === 'sealed'),
  )
})

t.test(
  'who meets a value that was accepted in a sealed view finishes it, in a ballot of this start',
  async t => {
    const machine = new Bench({ nodes: THREE }).machine('n1')
    meetSealed(machine, { view: V1, accepted: [V2], next: undefined })
    t.equal(machine.proposals.size, 0, 'its proposer comes to its end first')
    onFinish(machine, V1.id)
    t.equal(machine.proposals.get(V1.id)?.proposal.ballot.boot, bootName(machine.boot))
    const other = new Bench({ nodes: THREE })
    const accepted = { ballot: { round: 1, node: node('n2'), boot: '1.x' }, children: [V2] }
    set(other, 'n1', V1, { sealed: true, accepted })
    finishSealed(other.machine('n1'), other.state('n1'))
    t.same(other.machine('n1').proposals.get(V1.id)?.proposal.value, [V2])
  },
)

t.test('a view that is sealed here is not installed from above, and whoever tries is told why', async t => {
  const bench = new Bench({ nodes: THREE })
  set(bench, 'n2', V2, { sealed: true })
  const heard = listen(bench)
  bench.deliver('n1', 'n2', { kind: 'install', view: V2 })
  t.same(
    heard.map(({ message }) => message.kind),
    ['teach'],
  )
})

t.test('a view that was recovered by force numbers its writes from where it was told', async t => {
  const bench = new Bench({ nodes: THREE })
  bench.lose = ({ message }) => message.kind === 'complete'
  bench.deliver('n1', 'n1', { kind: 'decided', view: V1, children: [{ ...V2, firstSeq: 1_000 }] })
  t.equal(bench.state('n1', 'v2').seq, 1_000)
})

t.test('a sealed replica says so to whoever passes something on', async t => {
  const bench = new Bench({ nodes: THREE })
  set(bench, 'n2', V1, { sealed: true })
  const heard = listen(bench)
  bench.deliver('n1', 'n2', pass(1))
  t.match(heard, [{ to: 'n1', message: { kind: 'refused', reason: 'sealed', sealed: { view: V1 } } }])
})

t.test('a replica that is not installed yet takes no passes', async t => {
  const bench = new Bench({ nodes: THREE })
  set(bench, 'n2', V1, { installed: false, active: false })
  listen(bench)
  bench.deliver('n1', 'n2', pass(1))
  t.equal(bench.machine('n2').records.get(at), undefined)
})

t.test('a record that names a body waits for it, and goes on when it is there', async t => {
  const bench = new Bench({ nodes: THREE })
  const heard = listen(bench)
  const record = { ...recordOf(1), body: large('b') }
  bench.deliver('n1', 'n2', { kind: 'pass', viewId: V1.id, record, cleanSeq: 0 })
  t.equal(bench.machine('n2').records.get(at), undefined)
  t.same(
    heard.map(({ message }) => message.kind),
    ['blob-wanted'],
  )
  bench.deliver('n1', 'n2', { kind: 'blob', blob: { blobId: 'b' as never, sha256: 'b' } })
  t.ok(bench.machine('n2').records.get(at))
})

t.test('an acknowledgement is of its own version and of older ones', async t => {
  const bench = new Bench({ nodes: THREE })
  bench.lose = ({ message }) => message.kind === 'pass'
  bench.put('n1', 'w1', 'a')
  bench.put('n1', 'w2', 'a')
  const acknowledge = (seq: number): Message => {
    return { kind: 'acknowledge', viewId: V1.id, path: at, version: { epoch: 1, seq } }
  }
  bench.deliver('n2', 'n1', acknowledge(1))
  t.same([...bench.answers.keys()], ['w1'])
  const machine = bench.machine('n1')
  const chain = chainOf(machine, bench.state('n1'))
  t.ok(chain.dirty.has(at))
  t.notOk(isClean(machine, bench.state('n1'), machine.records.get(at) as ChainRecord))
  listen(bench)
  bench.deliver('n1', 'n2', pass(2))
  bench.deliver('n3', 'n2', acknowledge(2))
  bench.deliver('n3', 'n2', acknowledge(1))
  t.ok(isClean(bench.machine('n2'), bench.state('n2'), recordOf(2)), 'an older one takes nothing back')
  chain.resuming = { prefixes: [''], open: [] }
  chain.dirty.clear()
  t.equal(acknowledgedUpTo(bench.state('n1'), chain), chain.cleanSeq, 'what is not looked over yet is open')
})

t.test('a write that was decided is told as it was, whatever version it expects now', async t => {
  const bench = new Bench({ nodes: THREE })
  bench.put('n1', 'w', 'a')
  const { history } = bench.machine('n1').records.get(at) as ChainRecord
  const [{ requestId }] = history as [ChainRecord['history'][number]]
  const operation = {
    kind: 'put',
    body: inline('again'),
    meta: { mediaType: 'text/plain' },
    writtenAtMs: 0,
  } as const
  const request = { path: at, position, requestId, operation, condition: 'none' } as const
  const binding = { kind: 'expected', version: { epoch: 1, seq: 1 } } as const
  const heard = listen(bench)
  bench.deliver('n2', 'n1', { kind: 'write', tag: 'tag' as Tag, viewId: V1.id, request, binding })
  t.match(heard, [{ to: 'n2', message: { kind: 'written', version: { epoch: 1, seq: 1 } } }])
  t.equal(bench.machine('n1').records.get(at)?.body?.sha256, 'w')
})

t.test('a path without a record stands at the floor', async t => {
  const bench = new Bench({ nodes: THREE })
  set(bench, 'n1', V1, { floor: { epoch: 1, seq: 5 } })
  t.same(currentRecord(bench.machine('n1'), bench.state('n1'), at, position).version, { epoch: 1, seq: 5 })
})
