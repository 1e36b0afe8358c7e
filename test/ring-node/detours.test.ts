import t from 'tap'
import type { Forwarded, PeerAnswer, PeerCall } from '../../src/calls/calls.ts'
import type { Envelope } from '../../src/calls/envelope.ts'
import { PeerVersions } from '../../src/peer/protocol.ts'
import { encode } from '../../src/peer/wire.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'
import { Detours } from '../../src/ring-node/detours.ts'
import type { MapRecord } from '../../src/routing/map-record.ts'
import { manualEnv } from '../manual-env.ts'

const turn = () => new Promise(resolve => setImmediate(resolve))
const peer = (name: string) => ({ nodeId: name as NodeId, address: `${name}:1` as Address })
/** A message that another one can be told from. */
const word = (text: string): Envelope => [text as NodeId, { kind: 'ping' }]

/** Node a of some nodes; `reach` says whether a call from a gets through, and what is answered. */
function node(others: readonly string[], reach: (to: string, call: PeerCall) => PeerAnswer | undefined) {
  const env = manualEnv()
  const waits = new Map<string, number>()
  const limit = { ms: 1 }
  const calls: [string, PeerCall][] = []
  const gone: NodeId[] = []
  const elsewhere: NodeId[] = []
  const heard: [string, readonly Envelope[]][] = []
  const detours = new Detours({
    env,
    members: {
      others: () => others.map(name => peer(name) as MapRecord),
      there: () => [...others, 'leaving'].map(name => peer(name) as MapRecord),
    },
    reached: { meet: async node => elsewhere.push(node) > 0 },
    call: async (to, call) => {
      const name = to.split(':')[0] as string
      calls.push([name, call])
      const answer = reach(name, call)
      if (answer === undefined) throw new Error('silent')
      return answer
    },
    roundTrips: { limitMs: () => limit.ms },
    peers: { waitsMs: to => waits.get(to.split(':')[0] as string) ?? 0 },
    credentials: {
      self: () => ({ ...peer('a'), boot: { counter: 1, nonce: 'n' } }),
      versions: new PeerVersions(),
    },
    driver: { dispatch: event => gone.push(event.node) },
    messages: (from, messages) => heard.push([from.nodeId, messages]),
    signal: new AbortController().signal,
  })
  return { env, detours, calls, gone, elsewhere, heard, waits, limit }
}

t.test('what waits for a link that carries nothing goes round as well, all that waits together', async t => {
  const { detours, calls, waits, limit } = node(['b', 'c', 'd'], () => ({ reached: true }))
  detours.sent(peer('b'), word('one'))
  await turn()
  t.same(calls, [], 'a link that carries something needs no way round')
  waits.set('b', 600)
  limit.ms = 200
  detours.sent(peer('b'), word('late'))
  await turn()
  t.same(calls, [], 'nor one that is as slow as ever')
  limit.ms = 100
  for (const text of ['one', 'two', 'three']) detours.sent(peer('b'), word(text))
  await turn()
  const words = calls.map(([, call]) => (call as Forwarded).messages.length)
  t.same(words, [1, 2])
  t.ok(calls.every(([to]) => to === 'c' || to === 'd'))
  t.match(calls[0]?.[1], { kind: 'forward', to: 'b', from: { nodeId: 'a' } })
  waits.set('c', 600)
  calls.length = 0
  detours.sent(peer('b'), word('four'))
  await turn()
  t.same(
    calls.map(([to]) => to),
    ['d'],
    'not by way of a node that is not reached either',
  )
})

t.test(
  'a node that refuses this one is gone when nobody reaches it, and goes on through others else',
  async t => {
    let isReached = true
    const { detours, calls, gone, env } = node(['b', 'c', 'd'], () => ({ reached: isReached }))
    detours.refused(peer('b'))
    detours.refused(peer('b'))
    await turn()
    t.same(gone, [])
    t.equal(calls.length, 2, 'the others are asked once')
    detours.sent(peer('b'), word('one'))
    await turn()
    t.equal(calls.length, 3)
    detours.took('b:1' as Address)
    detours.sent(peer('b'), word('two'))
    await turn()
    t.equal(calls.length, 3, 'the direct way is enough again')
    isReached = false
    detours.refused(peer('b'))
    await turn()
    t.same(gone, ['b'])
    calls.length = 0
    detours.refused(peer('b'))
    t.same(gone, ['b', 'b'], 'at once')
    t.same(calls, [], 'without asking again, since that makes others ask')
    detours.sent(peer('b'), word('three'))
    await turn()
    t.same(calls, [], 'and nothing goes round in vain')
    await env.advance(1_000)
    detours.refused(peer('b'))
    await turn()
    t.equal(calls.length, 2)
  },
)

t.test('a node that nobody reaches is asked about ever more rarely, until it is heard', async t => {
  const { detours, calls, env } = node(['b', 'c', 'd'], () => ({ reached: false }))
  const seconds: number[] = []
  const pass = async (count: number) => {
    seconds.length = 0
    for (let second = 0; second < count; second++) {
      calls.length = 0
      detours.refused(peer('b'))
      await turn()
      if (calls.length > 0) seconds.push(second)
      await env.advance(1_000)
    }
  }
  await pass(64)
  t.same(seconds, [0, 1, 3, 7, 15, 31, 47, 63])
  detours.heardFrom('b:1' as Address)
  await pass(3)
  t.same(seconds, [0, 1], 'from the beginning')
})

t.test('what left messages without an answer is gone round until it takes one', async t => {
  const { detours, calls } = node(['b', 'c'], () => ({ reached: true }))
  detours.silent(peer('b'))
  for (let minute = 0; minute < 3; minute++) {
    detours.sent(peer('b'), word('one a minute'))
    await turn()
  }
  t.equal(calls.length, 3, 'each is the first that waits')
  detours.took(peer('b').address)
  detours.sent(peer('b'), word('one more'))
  await turn()
  t.equal(calls.length, 3)
})

t.test('where all are silent messages go round to a few of them at a time', async t => {
  const names = Array.from({ length: 30 }, (_, index) => `n${index}`)
  const { detours, calls } = node(names, () => ({ reached: true }))
  for (const name of names) detours.silent(peer(name))
  for (const name of names) detours.sent(peer(name), word(name))
  await turn()
  t.equal(calls.length, 8)
  detours.sent(peer('n29'), word('later'))
  await turn()
  t.equal(calls.length, 9, 'when these are done there is room again')
})

t.test('a third node that does not reach the other one is not asked first again', async t => {
  const { detours, calls } = node(['b', 'c', 'd', 'e'], to => ({ reached: to === 'e' }))
  detours.refused(peer('b'))
  await turn()
  for (const text of ['one', 'two']) {
    calls.length = 0
    detours.sent(peer('b'), word(text))
    for (let turns = 0; turns < 4; turns++) await turn()
    const asked = calls.map(([to]) => to)
    t.equal(asked.at(-1), 'e', 'what one of them does not bring another one does')
    t.ok(text === 'one' || asked.length === 1, 'the one that has brought something is the first from then on')
  }
})

t.test('a node that reaches nobody knows it, until it reaches somebody', async t => {
  const { detours, gone, heard } = node(['b', 'c', 'd'], () => undefined)
  t.notOk(detours.isCutOff)
  detours.refused(peer('b'))
  await turn()
  t.ok(detours.isCutOff)
  t.same(gone, ['b'])
  const from = { ...peer('c'), boot: { counter: 1, nonce: 'n' } }
  detours.arrived({ from, messages: [encode(word('one'))] })
  t.same(heard, [], 'what comes round is not heard either')
  detours.took('c:1' as Address)
  detours.arrived({ from, messages: [encode(word('two'))] })
  t.equal(heard.length, 1)
  t.notOk(detours.isCutOff)
  const alone = node(['b'], () => undefined)
  alone.detours.refused(peer('b'))
  await turn()
  t.same(alone.gone, ['b'])
  t.notOk(alone.detours.isCutOff, 'one node that is away says nothing of this one')
})

t.test('the third node passes on, and says whether it could', async t => {
  const { detours, calls } = node(['b', 'c'], to => (to === 'c' ? {} : undefined))
  const from = { ...peer('x'), boot: { counter: 3, nonce: 'm' } }
  const messages = [encode(word('one'))]
  t.same(await detours.passOn({ to: 'c' as NodeId, from, messages }), { reached: true })
  t.same(calls, [['c', { kind: 'forwarded', from, messages }]])
  t.same(await detours.passOn({ to: 'b' as NodeId, from, messages }), { reached: false })
  t.same(await detours.passOn({ to: 'unknown' as NodeId, from, messages }), { reached: false })
})

t.test('news go on to those whom their sender does not reach', async t => {
  const { detours, calls } = node(['b', 'c', 'd'], to => (to === 'd' ? undefined : {}))
  const records = [peer('x') as MapRecord]
  detours.tell({ kind: 'learn', records }, ['c', 'd', 'nobody'] as NodeId[])
  await turn()
  t.same(calls, [
    ['c', { kind: 'learn', records }],
    ['d', { kind: 'learn', records }],
  ])
})

t.test('what came round is as if its sender had brought it, when it is well formed', async t => {
  const { detours, heard } = node([], () => undefined)
  const from = { ...peer('x'), boot: { counter: 3, nonce: 'm' } }
  detours.arrived({ from, messages: [encode(word('one')), encode(word('two'))] })
  t.same(heard, [['x', [word('one'), word('two')]]])
  t.throws(() => detours.arrived({ from, messages: [encode(word('three')), encode(4)] }), {
    code: 'INVALID_REQUEST',
  })
  t.equal(heard.length, 1)
})

t.test('a node that refuses and is reached by others is looked for anew', async t => {
  const { detours, gone, elsewhere } = node(['b', 'c'], () => ({ reached: true }))
  detours.refused(peer('b'))
  await turn()
  t.same(elsewhere, ['b'])
  t.same(gone, [])
})

t.test('what is for a node that leaves is passed on, too', async t => {
  const { detours, calls } = node(['b'], () => ({}))
  const from = { ...peer('c'), boot: { counter: 1, nonce: 'n' } }
  t.same(await detours.passOn({ to: peer('leaving').nodeId, from, messages: [] }), { reached: true })
  t.same(
    calls.map(([to]) => to),
    ['leaving'],
  )
  t.same(await detours.passOn({ to: peer('stranger').nodeId, from, messages: [] }), { reached: false })
})
