import { Readable } from 'node:stream'
import t from 'tap'
import type { PeerCall } from '../../src/calls/calls.ts'
import { realEnv } from '../../src/env.ts'
import type { Address, Identifier, NodeId } from '../../src/ring/identifier.ts'
import { parsePathName } from '../../src/ring/path-name.ts'
import { Answers } from '../../src/ring-node/answers.ts'
import { Detours } from '../../src/ring-node/detours.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { ViewId } from '../../src/views/view.ts'
import { foundedRing, NETWORK } from './founded-ring.ts'

const ZERO = '0'.repeat(40) as Identifier
const from = { address: 'x:1' as Address, nodeId: 'd'.repeat(32) as NodeId, boot: { counter: 1, nonce: 'a' } }

async function node() {
  const env = realEnv()
  const storage = new MemoryStorage({ env })
  const ring = foundedRing(env, storage)
  t.teardown(() => ring.close())
  for (const path of ['a', 'b']) {
    const body = await ring.replication.stage(Readable.from([Buffer.from(path)]), { sizeMax: 100 })
    const put = { kind: 'put', path: parsePathName(path), condition: 'none', body } as const
    await ring.replication.commit({ ...put, meta: { mediaType: 'a/b' } })
  }
  const ask = (call: PeerCall) => ring.call(from, call, new AbortController().signal)
  return { ring, ask, storage }
}

t.test('what a check asks is answered from what is kept', async t => {
  const { ask } = await node()
  const arc = { lo: ZERO, hi: ZERO }
  t.match(await ask({ kind: 'digests', ...arc, prefixes: ['', '86'] }), {
    digests: [{ count: 2 }, { count: 1 }],
  })
  t.same((await ask({ kind: 'versions', ...arc, prefix: '86f7' })) as object, {
    versions: [['a', 1, 1, true]],
  })
  t.match(await ask({ kind: 'record', path: parsePathName('a') }), {
    record: { path: 'a', body: { size: 1 } },
  })
  t.same(await ask({ kind: 'record', path: parsePathName('c') }), {})
  await t.rejects(ask({ kind: 'record', path: '../c' as never }), { code: 'INVALID_PATH' })
  t.same(await ask({ kind: 'heal', silent: [] }), { missing: 0 })
})

t.test(
  'a newcomer is offered the place of one that is gone, and stands there only when it says so itself',
  async t => {
    const { ring, ask } = await node()
    const usual = { incarnation: 1, status: 'alive', zone: undefined } as const
    const recordOf = (name: string, digit: string) => {
      const address = `${name}:1` as Address
      return { ...usual, nodeId: digit.repeat(32) as NodeId, address, ringAddress: address }
    }
    const gone = { ...recordOf('gone', 'e'), status: 'left' } as const
    await ask({ kind: 'learn', records: [gone] })
    const record = recordOf('new', 'f')
    t.match(await ask({ kind: 'join', record, takesPlace: true }), { place: gone.address })
    t.equal(ring.members.map.record(record.nodeId), undefined)
    t.notOk('place' in (await ask({ kind: 'join', record })), 'a program of before stands where it lives')
    t.match(ring.members.map.record(record.nodeId), { ringAddress: record.address })
  },
)

t.test('news that are to go on are passed on', async t => {
  const { ring, ask } = await node()
  const told: unknown[] = []
  t.intercept(Detours.prototype, 'tell', { value: (...given: unknown[]) => told.push(given) })
  const { self } = ring.members
  await ask({ kind: 'learn', records: [self], onward: [self.nodeId] })
  await ask({ kind: 'configure', network: NETWORK, onward: [self.nodeId] })
  t.same(told, [
    [{ kind: 'learn', records: [self] }, [self.nodeId]],
    [{ kind: 'configure', network: NETWORK }, [self.nodeId]],
  ])
})

t.test('a node that reaches nobody takes nobody for living whom it only hears', async t => {
  for (const isCutOff of [true, false]) {
    const { ring, storage } = await node()
    const heard: string[] = []
    const driver = Object.create(ring.driver, {
      known: { value: ring.driver.known },
      deliver: { value: ({ message }: { message: { kind: string } }) => heard.push(message.kind) },
    })
    const detours = {
      isCutOff,
      passOn: async () => ({ reached: false }),
      arrived: () => undefined,
      tell: () => undefined,
    }
    const others = {
      lookups: undefined as never,
      rangeCheck: undefined as never,
      gossip: undefined,
      eventual: undefined,
      versions: ring.credentials.versions,
    }
    const network = { now: ring.network, take: async () => undefined }
    const parts = { env: realEnv(), members: ring.members, network, driver, storage, detours, ...others }
    const answers = new Answers(parts, {})
    const learn = { kind: 'learn', records: [] } as const
    await answers.answer(from, learn, new AbortController().signal)
    t.same(heard, isCutOff ? [] : ['pong'])
  }
})

t.test('as many checks at once as the disk can bear', async t => {
  const { ring } = await node()
  const call = { kind: 'check', lo: ZERO, hi: ZERO, heal: false } as const
  const words = Array.from({ length: 5 }, () => ring.stream(from, call)[Symbol.asyncIterator]())
  const firsts = await Promise.allSettled(words.map(word => word.next()))
  t.same(
    firsts.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled', 'rejected'],
  )
  t.match(firsts[4], { reason: { code: 'OVERLOADED' } })
  for (const word of words) await word.return?.()
  t.match(await ring.stream(from, call)[Symbol.asyncIterator]().next(), { value: { kind: 'end', files: 2 } })
})

t.test('what shows views or records leaves only when it is durable', async t => {
  const { ring, ask, storage } = await node()
  const { apply } = storage.replica
  let open = () => {}
  const opened = new Promise<void>(resolve => {
    open = resolve
  })
  Object.assign(storage.replica, {
    apply: async (...given: Parameters<typeof apply>) => {
      await opened
      return apply.apply(storage.replica, given)
    },
  })
  const [view] = ring.driver.known.newest()
  ring.driver.dispatch({ kind: 'renew', viewId: view?.id as ViewId })
  const arc = { lo: ZERO, hi: ZERO }
  const request = { key: view?.hi as Identifier, visited: [], hopsLeft: 4, budgetMs: 1_000, suspects: [] }
  const calls: PeerCall[] = [
    { kind: 'lookup', request },
    { kind: 'ranges' },
    { kind: 'holdings' },
    { kind: 'digests', ...arc, prefixes: [''] },
    { kind: 'versions', ...arc, prefix: '' },
    { kind: 'record', path: parsePathName('a') },
    { kind: 'list', prefix: '', limit: 1 },
    { kind: 'heal', silent: [] },
  ]
  const answered: string[] = []
  const answers = calls.map(async call => {
    await ask(call)
    answered.push(call.kind)
  })
  const listing = ring.replication.list({ prefix: '', limit: 1 }).then(() => answered.push('own list'))
  const overlay = ring.allNodes.overlay().then(() => answered.push('overlay'))
  await ask({ kind: 'recoveries' })
  await new Promise(resolve => setImmediate(resolve))
  t.same(answered, [], 'a crash at this moment takes back the view that they show')
  open()
  await Promise.all([...answers, listing, overlay])
  t.equal(answered.length, calls.length + 2)
})

t.test('a node that does not gossip says nothing to one that does', async t => {
  const { ask, ring } = await node()
  t.equal(ring.gossip, undefined)
  const said = { beats: [{ node: from.nodeId, boot: 1, seq: 1 }], doubts: [], pairs: [] }
  t.same(await ask({ kind: 'gossip', said }), {})
  t.same(await ask({ kind: 'gossip-probe', node: from.nodeId }), {})
})

t.test('eventual: a disk that was restored neither tells what it has nor is asked for it', async t => {
  const env = realEnv()
  const network = { ...NETWORK, consistency: 'eventual' } as const
  const ring = foundedRing(env, new MemoryStorage({ env }), undefined, network)
  t.teardown(() => ring.close())
  const { signal } = new AbortController()
  const earlier = { ...from, boot: { counter: 1_000_000, nonce: 'a' } }
  const later = { ...from, boot: { counter: 2_000_000, nonce: 'b' } }
  const calls: PeerCall[] = [
    { kind: 'eventual-fetch', path: parsePathName('a') },
    { kind: 'versions', lo: ZERO, hi: ZERO, prefix: '' },
  ]
  ring.driver.dispatch({ kind: 'boots', boots: [[from.nodeId, later.boot]] })
  for (const call of calls) {
    await t.rejects(ring.call(earlier, call, signal), { code: 'UNAVAILABLE' }, call.kind)
    await t.resolves(ring.call(later, call, signal), call.kind)
    const { boot } = ring.driver.known
    await t.resolves(
      ring.call(later, { ...call, met: boot } as PeerCall, signal),
      'it runs the start that is known',
    )
  }
  const met = { ...ring.driver.known.boot, counter: ring.driver.known.boot.counter + 1_000_000 }
  for (const call of calls)
    await t.rejects(ring.call(later, { ...call, met } as PeerCall, signal), { code: 'UNAVAILABLE' })
  t.ok(ring.driver.known.isHalted, 'its own disk was restored')
})
