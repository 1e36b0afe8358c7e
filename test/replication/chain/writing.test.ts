import t from 'tap'
import type { RequestId } from '../../../src/replication/chain/chain-record.ts'
import type { Envelope, Message, Tag, WriteBinding } from '../../../src/replication/chain/messages.ts'
import { REFUSALS_PER_PATH_MAX } from '../../../src/replication/chain/outcomes.ts'
import { identifierOfPath } from '../../../src/ring/identifier.ts'
import type { ETag } from '../../../src/storage/record.ts'
import { asSource, type NodeId, type View, type ViewId } from '../../../src/views/view.ts'
import { Bench, inline, path, wholeView } from './bench.ts'

const first = (counter: number, headBoot = '1.x'): WriteBinding => ({ kind: 'first', headBoot, counter })

function writeMessage(id: string, binding: WriteBinding, viewId = 'v1'): Message {
  const at = path('a')
  return {
    kind: 'write',
    tag: id as Tag,
    viewId: viewId as ViewId,
    binding,
    request: {
      path: at,
      position: identifierOfPath(at),
      requestId: id as RequestId,
      condition: 'none',
      operation: { kind: 'put', body: inline(id), meta: { mediaType: 'text/plain' }, writtenAtMs: 0 },
    },
  }
}

t.test('the head says whether a file was replaced, and says the same again under a key', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  t.match(bench.put('n2', 'w1', 'a'), { kind: 'done', replaced: false })
  t.match(bench.put('n2', 'w2', 'a'), { kind: 'done', replaced: true })
  t.match(bench.ask('n3', 'd', { kind: 'remove', condition: 'none', path: path('a') }), { replaced: true })
  t.match(bench.put('n2', 'w3', 'a'), { kind: 'done', replaced: false })
  const key = { key: 'k', fingerprint: 'f', expiresAtMs: 9e15 }
  const put = { kind: 'put', path: path('b'), body: inline('w'), meta: { mediaType: 'a/b' } } as const
  const keyed = { ...put, writtenAtMs: 0, condition: 'none', key } as const
  t.match(bench.ask('n2', 'w4', keyed), { kind: 'done', replaced: false })
  t.match(bench.ask('n3', 'w5', keyed), { kind: 'done', replaced: false }, 'though it stands there by now')
})

t.test(
  'the first try of a write is one round trip to the head, and one down the chain and up again',
  async t => {
    const bench = new Bench({ nodes: ['n1', 'n2', 'n3', 'n4'], view: wholeView(['n1', 'n2', 'n3']) })
    bench.machine('n4').table.learn(wholeView(['n1', 'n2', 'n3']))
    t.match(bench.put('n4', 'w1', 'a'), { kind: 'done', version: { epoch: 1, seq: 1 } })
    t.same(bench.log.slice(-6), [
      'n4>n1 write',
      'n1>n2 pass',
      'n2>n3 pass',
      'n3>n2 acknowledge',
      'n2>n1 acknowledge',
      'n1>n4 written',
    ])
  },
)

t.test('of many that race, one wins', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  t.match(bench.put('n2', 'w1', 'a', 'absent'), { kind: 'done' })
  t.match(bench.put('n3', 'w2', 'a', 'absent'), { kind: 'failed', reason: 'condition' })
  t.equal(bench.get('n3', 'r', 'a'), 'w1')
  t.match(bench.put('n1', 'w3', 'a', { etags: ['"1.1-w1"' as ETag] }), { kind: 'done' })
  t.match(bench.put('n1', 'w4', 'a', { etags: ['"1.1-w1"' as ETag] }), { kind: 'failed' })
  t.match(bench.ask('n2', 'd1', { kind: 'remove', condition: 'exists', path: path('a') }), { kind: 'done' })
  t.match(bench.ask('n2', 'd2', { kind: 'remove', condition: 'exists', path: path('a') }), { kind: 'failed' })
})

t.test('a first try is good for one view, one start of the head, and once', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  const replies: string[] = []
  bench.lose = ({ to, message }) => {
    if (to === 'n2' && 'tag' in message && message.tag === 'w') {
      replies.push(message.kind === 'refused' ? message.reason : message.kind)
    }
    return false
  }
  bench.deliver('n2', 'n1', writeMessage('w', first(1)))
  bench.deliver('n2', 'n1', writeMessage('w', first(1)))
  bench.deliver('n2', 'n1', writeMessage('w', first(2, '9.y')))
  bench.deliver('n2', 'n1', writeMessage('w', first(2), 'v0'))
  bench.deliver('n2', 'n1', writeMessage('w', first(3_000)))
  bench.deliver('n2', 'n1', writeMessage('w', first(1_000)))
  t.same(replies, ['written', 'burnt', 'burnt', 'unknown-view', 'written', 'burnt'])
})

t.test('a burnt try does nothing any more, and the answer says what is there', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  const at = path('a')
  const burn = {
    kind: 'burn',
    viewId: 'v1' as ViewId,
    path: at,
    position: identifierOfPath(at),
    counter: 7,
  } as const
  bench.deliver('n2', 'n1', { ...burn, tag: 'b' as Tag, requestId: 'w' as RequestId })
  t.equal(bench.log.at(-1), 'n1>n2 stale')
  bench.deliver('n2', 'n1', writeMessage('w', first(7)))
  t.equal(bench.log.at(-1), 'n1>n2 refused')
  bench.deliver('n2', 'n1', writeMessage('w', { kind: 'expected', version: { epoch: 0, seq: 0 } }))
  t.equal(bench.log.at(-1), 'n1>n2 written')
  bench.deliver('n2', 'n1', { ...burn, tag: 'b2' as Tag, requestId: 'w' as RequestId })
  t.equal(bench.log.at(-1), 'n1>n2 written', 'decided once, answered as it was')
})

t.test('the expected version has to be the current one', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.deliver('n2', 'n1', writeMessage('w1', { kind: 'expected', version: { epoch: 0, seq: 0 } }))
  bench.deliver('n2', 'n1', writeMessage('w2', { kind: 'expected', version: { epoch: 0, seq: 0 } }))
  t.equal(bench.log.at(-1), 'n1>n2 stale')
  t.equal(bench.get('n1', 'r', 'a'), 'w1')
})

t.test('no answer reveals what the tail has not acknowledged', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.lose = ({ to, message }) => to === 'n3' && message.kind === 'pass'
  bench.put('n1', 'w1', 'a')
  bench.put('n2', 'w2', 'a', 'absent')
  t.equal(bench.answers.size, 0, 'neither the write nor that the file exists')
  bench.lose = () => false
  bench.fire('resend')
  t.match(
    [...bench.answers],
    [
      ['w1', { kind: 'done' }],
      ['w2', { kind: 'failed' }],
    ],
  )
})

const HOUR_MS = 3_600_000
const KEPT_MS = 25 * HOUR_MS

/** Three nodes that keep outcomes for 25 hours, and removals of one path under one key. */
function keyedRemovals() {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'], settings: { outcomesKeptMs: KEPT_MS } })
  const remove = (id: string, fingerprint = 'f', expiresAtMs = 5_000) =>
    bench.ask('n2', id, {
      kind: 'remove',
      condition: 'exists',
      path: path('a'),
      key: { key: 'k', fingerprint, expiresAtMs },
    })
  bench.put('n1', 'w1', 'a')
  return { bench, remove }
}

/** So many hours pass, in which the nodes are at work. */
function passHours(bench: Bench, hours: number): void {
  for (let hour = 0; hour < hours; hour++) {
    bench.monotonicMs += HOUR_MS
    for (const name of bench.machines.keys()) bench.event(name, { kind: 'collect' })
  }
}

t.test('a key is answered as it was, and refused for something else', async t => {
  const { bench, remove } = keyedRemovals()
  t.match(remove('d1'), { kind: 'done', version: { epoch: 1, seq: 2 } })
  t.match(remove('d2'), { kind: 'done', version: { epoch: 1, seq: 2 } })
  t.match(remove('d3', 'g'), { kind: 'failed', reason: 'key-reused' })
  passHours(bench, 24)
  t.match(remove('d4'), { kind: 'done', version: { epoch: 1, seq: 2 } })
  passHours(bench, 1)
  t.match(remove('d5'), { kind: 'failed', reason: 'condition' })
})

t.test('no wall clock decides whether a key still counts', async t => {
  for (const [jumpMs, expiresAtMs] of [
    [30 * HOUR_MS, 24 * HOUR_MS],
    [-30 * HOUR_MS, 24 * HOUR_MS],
    [0, -HOUR_MS],
  ] as const) {
    const { bench, remove } = keyedRemovals()
    t.match(remove('d1', 'f', expiresAtMs), { kind: 'done', version: { epoch: 1, seq: 2 } })
    bench.nowMs += jumpMs
    bench.put('n3', 'w2', 'a')
    bench.nowMs -= jumpMs
    t.match(remove('d2', 'f', expiresAtMs), { kind: 'done', version: { epoch: 1, seq: 2 } })
    t.equal(bench.get('n1', 'r', 'a'), 'w2', 'it is not done twice, over what came between')
  }
})

t.test('the time that a key is kept is counted on by the next head, and not while nobody serves', async t => {
  const { bench, remove } = keyedRemovals()
  remove('d1')
  passHours(bench, 20)
  bench.put('n3', 'w2', 'a')
  for (const name of ['n1', 'n2', 'n3']) t.equal(bench.state(name).timeMs, 20 * HOUR_MS)
  bench.restart('n1')
  bench.monotonicMs += 90 * HOUR_MS
  t.match(remove('d2'), { kind: 'done', version: { epoch: 1, seq: 2 } })
  passHours(bench, 5)
  t.match(remove('d3'), { kind: 'done', version: { epoch: 1, seq: 4 } }, 'it counts no more')
})

t.test('a path that remembers as many refusals as it may takes no other key for one', async t => {
  const { bench, remove } = keyedRemovals()
  const create = (key: string) => {
    const put = { kind: 'put', path: path('a'), body: inline('w'), meta: { mediaType: 'a/b' } } as const
    const request = { key, fingerprint: 'f', expiresAtMs: 0 }
    return bench.ask('n2', `${key} ${Math.random()}`, {
      ...put,
      writtenAtMs: 0,
      condition: 'absent',
      key: request,
    })
  }
  for (let count = 0; count < REFUSALS_PER_PATH_MAX; count++)
    t.match(create(`k${count}`), { kind: 'failed', reason: 'condition' })
  t.match(create('more'), { kind: 'failed', reason: 'too-many-keys' })
  remove('d')
  t.match(create('k0'), { kind: 'failed', reason: 'condition' }, 'what was told stays so')
  t.match(create('more'), { kind: 'done' }, 'and what was not told may happen')
})

/**
 * A removal under a key whose first try is held up at n2; repeated at n3 it is refused, because nothing is there. Then a
 * file is created, and the first try arrives.
 */
function lateFirstTry(): { readonly told: string | undefined; readonly left: string } {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  const key = { key: 'k', fingerprint: 'f', expiresAtMs: 5_000 }
  const remove = { kind: 'remove', condition: 'exists', path: path('a'), key } as const
  const held: Envelope[] = []
  bench.lose = envelope =>
    envelope.from === 'n2' && envelope.message.kind === 'write' && held.push(envelope) > 0
  bench.ask('n2', 'd1', remove)
  bench.lose = () => false
  const told = bench.ask('n3', 'd2', remove)?.kind
  bench.put('n1', 'w', 'a', 'absent')
  for (const { message } of held) bench.deliver('n2', 'n1', message)
  return { told, left: bench.get('n3', 'r', 'a') }
}

t.test('once a refusal was told under a key, an earlier try that comes late does nothing', async t => {
  t.same(lateFirstTry(), { told: 'failed', left: 'w' })
})

/** A range that one replica is left of. */
function shrunkView(acceptors: string[]): View {
  const parent = wholeView(['n1', 'n2'], acceptors, 'v0', 1)
  return { ...wholeView(['n1'], acceptors, 'v1', 2), sources: [asSource(parent)] }
}

t.test('a write needs its number of replicas, unless the network has fewer nodes', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2'], view: shrunkView(['n1']), settings: { minReplicas: 2 } })
  bench.machine('n1').members = new Map(bench.members('n1').map(member => [member.node, member]))
  t.match(bench.put('n1', 'w1', 'a'), { kind: 'done' })
  bench.machine('n1').members = new Map(bench.members('n1', 'n2').map(member => [member.node, member]))
  t.equal(bench.put('n1', 'w2', 'a'), undefined)
  bench.fire('deadline')
  t.match(bench.answers.get('w2'), { kind: 'unavailable' }, 'it has not happened, and that is said')
  t.equal(bench.get('n1', 'r', 'a'), 'w1')
})

/** A head that knows of a second node which could hold a copy and does not; n2 is where clients come. */
function loneHead() {
  const view = shrunkView(['n1', 'n2', 'n3'])
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'], view, settings: { minReplicas: 2 } })
  const head = bench.machine('n1')
  head.members = new Map(bench.members('n1', 'n3').map(member => [member.node, member]))
  return { bench, enough: () => head.suspects.add('n3' as NodeId) }
}

t.test('a write that too few replicas could keep is given up soon', async t => {
  for (const entry of ['n1', 'n2']) {
    const { bench } = loneHead()
    bench.put(entry, 'w', 'a')
    for (let tries = 0; tries < 10; tries++) {
      t.equal(bench.answers.get('w'), undefined, 'a range may be about to get its next view')
      bench.fire('retry', entry)
    }
    t.match(bench.answers.get('w'), { kind: 'unavailable' })
    t.equal(bench.machine(entry).entry.tasks.size, 0)
    t.equal(bench.get(entry, 'r', 'a'), 'absent')
  }
})

t.test('no try of a write that was refused can come late', async t => {
  const { bench, enough } = loneHead()
  const tries: Envelope[] = []
  bench.lose = envelope => envelope.message.kind === 'write' && tries.push(envelope) < 0
  bench.put('n2', 'w', 'a')
  for (let round = 0; round < 10; round++) bench.fire('retry', 'n2')
  t.match(bench.answers.get('w'), { kind: 'unavailable' })
  t.equal(tries.length, 11)
  enough()
  for (const { message } of tries) bench.deliver('n2', 'n1', message)
  t.equal(bench.get('n1', 'r', 'a'), 'absent', 'though it could be kept now')
})

t.test('when there are replicas enough again, the write that waited for them happens', async t => {
  const { bench, enough } = loneHead()
  bench.put('n2', 'w', 'a', 'absent')
  bench.fire('retry', 'n2')
  enough()
  bench.fire('retry', 'n2')
  t.match(bench.answers.get('w'), { kind: 'done', version: { epoch: 2, seq: 1 } })
})

t.test(
  'a range that never had more copies takes writes while a node that has joined gets its own',
  async t => {
    const bench = new Bench({ nodes: ['n1', 'n2'], view: wholeView(['n1']), settings: { minReplicas: 2 } })
    bench.machine('n1').members = new Map(bench.members('n1', 'n2').map(member => [member.node, member]))
    t.match(bench.put('n1', 'w1', 'a'), { kind: 'done' })
  },
)

t.test('a node that is taken for dead can hold no copy: the last one goes on alone', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2'], view: shrunkView(['n1']), settings: { minReplicas: 2 } })
  bench.machine('n1').members = new Map(bench.members('n1', 'n2').map(member => [member.node, member]))
  bench.machine('n1').suspects.add('n2' as NodeId)
  t.match(bench.put('n1', 'w1', 'a'), { kind: 'done' })
})
