import t from 'tap'
import type { PeerAnswer, PeerCall } from '../../src/calls/calls.ts'
import { type Env, realEnv } from '../../src/env.ts'
import { StoreError } from '../../src/errors.ts'
import type { Members } from '../../src/membership/members.ts'
import { Strangers, strangersTo } from '../../src/membership/strangers.ts'
import type { ChainDriver } from '../../src/replication/chain/driver.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'
import type { MapRecord } from '../../src/routing/map-record.ts'
import { Suspects } from '../../src/routing/suspects.ts'

const record = (name: string): MapRecord => ({
  nodeId: name as NodeId,
  address: `${name}:1` as Address,
  ringAddress: `${name}:1` as Address,
  incarnation: 1,
  status: 'alive',
  zone: undefined,
})

/** This node is `a` and knows `known`; the nodes of `knowing` know everybody. */
function strangersOf(known: readonly string[], knowing: readonly string[]) {
  const calls: [Address, PeerCall][] = []
  const map = new Map(['a', ...known].map(name => [name as NodeId, record(name)]))
  const rests: (() => void)[] = []
  const unknown: [NodeId, readonly NodeId[]][] = []
  const back: NodeId[] = []
  const members = {
    suspects: new Suspects(),
    self: record('a'),
    others: () => [...map.values()].filter(({ nodeId }) => nodeId !== 'a'),
    isThere: (node: NodeId) => map.get(node)?.status === 'alive',
    map: { record: (node: NodeId) => map.get(node) },
    replacedBy: ({ nodeId, address }: MapRecord) =>
      [...map.values()]
        .filter(one => one.address === address && one.nodeId !== nodeId)
        .map(one => ({ ...one, status: 'dead' as const })),
    learn: (records: MapRecord[]) => {
      for (const one of records) map.set(one.nodeId, one)
    },
  }
  const timers = {
    after: (_ms: number, then: () => void) => {
      rests.push(then)
      return { cancel: () => undefined }
    },
  }
  const strangers = new Strangers({
    env: { ...realEnv(), timers } as unknown as Env,
    members: members as unknown as Members,
    call: async (to, call) => {
      calls.push([to, call])
      const name = to.replace(':1', '')
      if (name === 'silent') throw new StoreError('UNAVAILABLE', 'silent')
      const about = (call as { about: readonly NodeId[] }).about
      return { record: record(name), records: knowing.includes(name) ? about.map(record) : [] } as PeerAnswer
    },
    sharers: () => new Set(['z' as NodeId]),
    unknown: (node, by) => unknown.push([node, [...by].sort()]),
    isBack: async node => void back.push(node),
    signal: new AbortController().signal,
  })
  return { strangers, calls, map, rests, unknown, back, suspects: members.suspects }
}

t.test('others are asked about a node that one does not know', async t => {
  const { strangers, calls, map } = strangersOf(['b', 'silent', 'c'], ['c'])
  t.ok(await strangers.meet('x' as NodeId))
  t.same(map.get('x' as NodeId), record('x'))
  t.same(calls.map(([to]) => to).sort(), ['b:1', 'c:1', 'silent:1'])
  t.match(calls[0]?.[1], { kind: 'learn', records: [{ nodeId: 'a' }], about: ['x'] }, 'and told of this one')
})

t.test('a node whose address is known is asked itself', async t => {
  const { strangers, calls, map } = strangersOf(['b'], [])
  t.ok(await strangers.meet('x' as NodeId, 'x:1' as Address))
  t.same(
    calls.map(([to]) => to),
    ['x:1'],
  )
  t.ok(map.has('x' as NodeId))
})

t.test('another node at that address is not taken for the one that was meant', async t => {
  const { strangers, map } = strangersOf(['b'], [])
  t.notOk(await strangers.meet('x' as NodeId, 'y:1' as Address))
  t.notOk(map.has('y' as NodeId))
})

t.test('a stranger nobody knows is asked about once at a time, and again only after a rest', async t => {
  const { strangers, calls, rests } = strangersOf(['b'], [])
  const both = await Promise.all([strangers.meet('x' as NodeId), strangers.meet('x' as NodeId)])
  t.same(both, [false, false])
  t.notOk(await strangers.meet('x' as NodeId))
  t.equal(calls.length, 1)
  for (const end of rests) end()
  t.notOk(await strangers.meet('x' as NodeId))
  t.equal(calls.length, 2)
})

t.test('many at once, and a network of nobody else, are answered without a question', async t => {
  const { strangers, calls } = strangersOf(['b'], [])
  await Promise.all(Array.from({ length: 200 }, (_, index) => strangers.meet(`x${index}` as NodeId)))
  t.equal(calls.length, 64)
  const alone = strangersOf([], [])
  t.notOk(await alone.strangers.meet('x' as NodeId))
  t.equal(alone.calls.length, 0)
})

t.test('one that is said to be dead and speaks is told so, and refutes it', async t => {
  const { strangers, calls, map } = strangersOf(['b'], [])
  map.set('x' as NodeId, { ...record('x'), status: 'dead' })
  const from = { address: 'x:1' as Address, boot: { counter: 1, nonce: 'n' } }
  strangers.heardFrom({ ...from, nodeId: 'x' as NodeId })
  t.match(calls, [['x:1', { records: [{ nodeId: 'a' }, { nodeId: 'x', status: 'dead' }], about: ['x'] }]])
  await new Promise(resolve => setImmediate(resolve))
  t.equal(map.get('x' as NodeId)?.status, 'alive')
  strangers.heardFrom({ ...from, nodeId: 'x' as NodeId })
  t.equal(calls.length, 1, 'one that is there needs no question')
})

t.test('one that speaks by way of others and cannot be asked is asked about', async t => {
  const from = { address: 'silent:1' as Address, boot: { counter: 1, nonce: 'n' } }
  const silent = 'silent' as NodeId
  const known = strangersOf(['b', 'c'], ['b'])
  known.map.set(silent, { ...record('silent'), status: 'dead' })
  known.strangers.heardFrom({ nodeId: silent, ...from })
  await new Promise(resolve => setImmediate(resolve))
  t.same(known.map.get(silent), record('silent'), 'as the others know it')
  const toOthers = known.calls.filter(([to]) => to !== 'silent:1')
  t.notMatch(toOthers[0]?.[1], { records: [{}, {}] }, 'none of whom is told that it is dead')
})

t.test('one that speaks by way of others and is dead here alone is told so by one of them', async t => {
  const { strangers, calls, map } = strangersOf(['b', 'c'], [])
  const silent = 'silent' as NodeId
  map.set(silent, { ...record('silent'), status: 'dead' })
  strangers.heardFrom({
    nodeId: silent,
    address: 'silent:1' as Address,
    boot: { counter: 1, nonce: 'n' },
  })
  await new Promise(resolve => setImmediate(resolve))
  const told = calls.filter(([, call]) => JSON.stringify(call).includes('"dead"'))
  t.equal(told.filter(([to]) => to !== 'silent:1').length, 1)
})

t.test('one that somebody else could not reach is tried: it answers, or is dead to two', async t => {
  const { strangers, map, suspects } = strangersOf(['b', 'silent'], [])
  const turn = () => new Promise(resolve => setImmediate(resolve))
  const names = ['b', 'silent'] as NodeId[]
  const nowMs = realEnv().clock.monotonicMs()
  for (const name of names) suspects.observe(record(name), 'x' as NodeId, nowMs)
  for (const name of names) strangers.observe(record(name))
  await turn()
  t.equal(map.get('silent' as NodeId)?.status, 'dead')
  t.equal(map.get('b' as NodeId)?.status, 'alive')
  t.notOk(suspects.isSuspect('b' as NodeId, nowMs))
})

t.test('who lives at an address proves dead who was there before', async t => {
  const { strangers, map, calls } = strangersOf(['b', 'silent', 'ghost'], [])
  map.set('ghost' as NodeId, { ...record('ghost'), address: 'b:1' as Address })
  await strangers.askWhoLivesAt('b:1' as Address)
  t.same([map.get('ghost' as NodeId)?.status, map.get('b' as NodeId)?.status], ['dead', 'alive'])
  await strangers.askWhoLivesAt('silent:1' as Address)
  t.equal(map.get('silent' as NodeId)?.status, 'alive', 'silence proves nothing')
  t.equal(calls.length, 2)
  map.set('own' as NodeId, { ...record('own'), address: 'a:1' as Address })
  await strangers.askWhoLivesAt('a:1' as Address)
  t.same([map.get('own' as NodeId)?.status, calls.length], ['dead', 2], 'a node knows who lives here')
})

t.test('who has answered that it does not know a node either is told', async t => {
  const { strangers, unknown } = strangersOf(['b', 'silent', 'c'], [])
  t.notOk(await strangers.meet('x' as NodeId))
  t.same(unknown, [['x', ['b', 'c']]], 'without the one that did not answer')
  const found = strangersOf(['b', 'c'], ['c'])
  await found.strangers.meet('x' as NodeId)
  t.same(found.unknown, [], 'one word is enough')
})

t.test('of many, those that share a view with the node are asked', async t => {
  const many = Array.from({ length: 30 }, (_, at) => `n${at}`)
  const { strangers, calls } = strangersOf([...many, 'z'], [])
  await strangers.meet('x' as NodeId)
  t.equal(calls.length, 16)
  t.ok(calls.some(([to]) => to === 'z:1'))
})

t.test('who speaks from another address, or has started anew since it left, is asked who it is', async t => {
  const { strangers, calls, map } = strangersOf(['b', 'c'], [])
  const said = (counter: number, address = 'b:1') => {
    strangers.heardFrom({ nodeId: 'b' as NodeId, address: address as Address, boot: { counter, nonce: 'n' } })
    return new Promise(setImmediate)
  }
  await said(1)
  t.same(calls, [], 'all is as it is known')
  await said(1, 'c:1')
  t.match(calls, [['c:1', { kind: 'learn', about: ['b'] }]], 'asked where it speaks from')
  map.set('b' as NodeId, { ...record('b'), status: 'left' })
  calls.length = 0
  const { strangers: other, calls: asked, map: known } = strangersOf(['b'], [])
  known.set('b' as NodeId, { ...record('b'), status: 'left' })
  const speaks = async (counter: number) => {
    other.heardFrom({ nodeId: 'b' as NodeId, address: 'b:1' as Address, boot: { counter, nonce: 'n' } })
    await new Promise(setImmediate)
    known.set('b' as NodeId, { ...record('b'), status: 'left' })
  }
  await speaks(1)
  await speaks(1)
  t.equal(asked.length, 1, 'once for each start')
})

t.test('a node that is introduced counts as there before the introduction is over', async t => {
  const { strangers, back, map } = strangersOf([], [])
  await strangers.introduce('x:1' as Address)
  t.same(map.get('x' as NodeId), record('x'))
  t.same(back, ['x'])
  await t.rejects(strangers.introduce('silent:1' as Address), { code: 'UNAVAILABLE' })
  t.same(back, ['x'])
})

t.test('whoever is introduced is tried by gossip, then asked, and waited for', async t => {
  const told: string[] = []
  let isSuspect = true
  const driver = {
    known: { isSuspect: () => isSuspect },
    dispatch: ({ kind, node, belief }: Record<string, string>) => told.push(`${kind} ${node} ${belief}`),
  }
  const sleep = async () => {
    told.push('sleep')
    isSuspect = told.length < 4
  }
  const gossip = { meet: async (node: NodeId) => void told.push(`meet ${node}`) }
  const { isBack } = strangersTo(
    driver as unknown as ChainDriver,
    { sleep } as unknown as Env['timers'],
    () => gossip,
  )
  await isBack('x' as NodeId)
  t.same(told, ['meet x', 'belief x alive', 'sleep', 'sleep'])
})
