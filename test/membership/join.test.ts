import fastify from 'fastify'
import t from 'tap'
import type { JoinAnswer, PeerCall } from '../../src/calls/calls.ts'
import { realEnv } from '../../src/env.ts'
import { StoreError } from '../../src/errors.ts'
import { type JoinInit, joinNetwork, takePart } from '../../src/membership/join.ts'
import { readNetwork } from '../../src/membership/network-config.ts'
import { peerRoutes } from '../../src/peer/peer-routes.ts'
import { PeerVersions } from '../../src/peer/protocol.ts'
import { Turns } from '../../src/peer/turns.ts'
import { batchOf } from '../../src/replication/chain/stable-state.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { NETWORK } from '../ring-node/founded-ring.ts'
import { record } from '../routing/any.ts'

const env = realEnv()
const NODE_ID = 'a'.repeat(32) as NodeId

/** A boot node that answers joins as told. */
async function bootNode(t: { teardown(end: () => unknown): unknown }, answer: () => JoinAnswer) {
  const app = fastify()
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _body, done) => done(null))
  app.setErrorHandler((error, _request, reply) =>
    reply
      .code(409)
      .send({ error: { code: (error as StoreError).code, message: (error as StoreError).message } }),
  )
  const asked: PeerCall[] = []
  const never = () => Promise.reject(new TypeError('not asked for'))
  await app.register(async scope =>
    peerRoutes<never, PeerCall, JoinAnswer>(scope, {
      env,
      credentials: {
        secret: undefined,
        networkId: () => NETWORK.networkId,
        self: () => ({ address: 'boot:1' as Address, nodeId: NODE_ID, boot: { counter: 1, nonce: 'b' } }),
        versions: new PeerVersions(),
        turns: new Turns(realEnv()),
      },
      reception: {
        isMessage: (value): value is never => value === never,
        isCall: (value): value is PeerCall => (value as PeerCall).kind === 'join',
        messages: () => [],
        async call(_from, call: PeerCall) {
          asked.push(call)
          return answer()
        },
        isStream: (value): value is never => value === never,
        async *stream() {},
        openBody: never,
        stageBody: never,
      },
    }),
  )
  await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => app.close())
  return { address: `127.0.0.1:${(app.server.address() as { port: number }).port}` as Address, asked }
}

function initOf(change: Partial<JoinInit>): JoinInit {
  return {
    nodeId: 'c'.repeat(32) as NodeId,
    diskBoot: 1,
    address: 'me:1' as Address,
    zone: undefined,
    boots: [],
    foundsWhenNoneHas: false,
    wish: {},
    secret: undefined,
    scheme: 'http',
    joinTimeoutMs: 10_000,
    signal: new AbortController().signal,
    waiting() {},
    ...change,
  }
}

const storeOf = () => new MemoryStorage({ env }).replica
const good = (): JoinAnswer => ({ network: NETWORK, records: [record('b')] })

t.test('without boot nodes a network is founded, with what the flags ask for', async t => {
  const store = storeOf()
  const joined = await joinNetwork({ env, store }, initOf({ wish: { replicas: 2 } }))
  t.match(joined, { how: 'founded', network: { replicas: 2, virtualNodes: 8 }, records: [] })
  t.same(readNetwork(store), joined.network)
})

t.test(
  'a founder that crashed before its first views were kept founds when it comes back, and never again',
  async t => {
    const store = storeOf()
    t.equal((await joinNetwork({ env, store }, initOf({}))).founds, true)
    const again = await joinNetwork({ env, store }, initOf({}))
    t.match(again, { how: 'resumed', founds: true })
    await store.apply({ records: [], ...batchOf([{ kind: 'founded' }]) })
    t.match(await joinNetwork({ env, store }, initOf({})), { how: 'resumed', founds: false })
  },
)

t.test('who joins a network never founds one', async t => {
  const boot = await bootNode(t, good)
  const store = storeOf()
  t.equal((await joinNetwork({ env, store }, initOf({ boots: [boot.address] }))).founds, false)
  t.equal((await joinNetwork({ env, store }, initOf({ boots: [boot.address] }))).founds, false)
})

t.test('a boot node that comes late is waited for, and the others are tried too', async t => {
  let refusals = 2
  const boot = await bootNode(t, () => {
    if (refusals-- > 0) throw new StoreError('UNAVAILABLE', 'starting')
    return good()
  })
  const waits: string[] = []
  const dead = '127.0.0.1:1' as Address
  const store = storeOf()
  const init = initOf({ boots: [dead, boot.address], waiting: address => waits.push(address) })
  const joined = await joinNetwork({ env, store }, init)
  t.match(joined, { how: 'joined', network: NETWORK, records: [record('b')] })
  t.match(boot.asked[0], { kind: 'join', record: { address: 'me:1', ringAddress: 'me:1', status: 'alive' } })
  t.ok(waits.length > 0)
  t.same(readNetwork(store), NETWORK)
})

t.test(
  'nobody in time is UNAVAILABLE; a refusal is final; a contradiction is named and leaves nothing',
  async t => {
    const dead = ['127.0.0.1:1' as Address]
    await t.rejects(joinNetwork({ env, store: storeOf() }, initOf({ boots: dead, joinTimeoutMs: 1 })), {
      code: 'UNAVAILABLE',
      message: /within 0.001 s/,
    })
    const stopped = new AbortController()
    const joining = joinNetwork({ env, store: storeOf() }, initOf({ boots: dead, signal: stopped.signal }))
    stopped.abort(new StoreError('UNAVAILABLE', 'stopped'))
    await t.rejects(joining)
    const strict = await bootNode(t, () => {
      throw new StoreError('WRONG_NETWORK', 'no')
    })
    await t.rejects(joinNetwork({ env, store: storeOf() }, initOf({ boots: [strict.address] })), {
      code: 'WRONG_NETWORK',
    })
    t.equal(strict.asked.length, 1)
    const store = storeOf()
    const boot = await bootNode(t, good)
    const wish = { replicas: 5 }
    await t.rejects(joinNetwork({ env, store }, initOf({ boots: [boot.address], wish })), {
      code: 'INVALID_REQUEST',
    })
    t.equal(readNetwork(store), undefined)
    const conflicting = initOf({ boots: [], wish: { conflicts: 'newest' } })
    await t.rejects(joinNetwork({ env, store }, conflicting), {
      code: 'INVALID_REQUEST',
      message: /only a network with consistency eventual has any/,
    })
    t.equal(readNetwork(store), undefined)
  },
)

t.test(
  'a node resumes in its network whatever its flags say, at its new address and its old place',
  async t => {
    const store = storeOf()
    const boot = await bootNode(t, good)
    const first = await joinNetwork({ env, store }, initOf({ boots: [boot.address] }))
    const moved = initOf({ boots: ['127.0.0.1:1' as Address], address: 'new:2' as Address, diskBoot: 2 })
    const again = await joinNetwork({ env, store }, moved)
    t.match(again, {
      how: 'resumed',
      network: NETWORK,
      records: [record('b')],
      self: { address: 'new:2', ringAddress: 'me:1', incarnation: first.self.incarnation + 1 },
    })
    t.equal(boot.asked.length, 1)
  },
)

t.test('a newcomer stands at the place that it is offered, and keeps it', async t => {
  const place = 'gone:1' as Address
  const boot = await bootNode(t, () => ({ ...good(), place }))
  const store = storeOf()
  const joined = await joinNetwork({ env, store }, initOf({ boots: [boot.address] }))
  t.match(boot.asked[0], { takesPlace: true, record: { ringAddress: 'me:1' } })
  t.match(joined.self, { address: 'me:1', ringAddress: place })
  const again = await joinNetwork({ env, store }, initOf({ boots: [boot.address], diskBoot: 2 }))
  t.match(again, { how: 'resumed', self: { address: 'me:1', ringAddress: place } })
})

t.test('whoever may have been heard of already takes no place', async t => {
  const boot = await bootNode(t, good)
  const dead = '127.0.0.1:1' as Address
  await joinNetwork({ env, store: storeOf() }, initOf({ boots: [dead, boot.address] }))
  await joinNetwork({ env, store: storeOf() }, initOf({ boots: [boot.address], diskBoot: 2 }))
  t.same(
    boot.asked.map(call => (call as { takesPlace?: boolean }).takesPlace),
    [false, false],
  )
})

t.test('of nodes that start together, the one that never comes is named', async t => {
  const boot = await bootNode(t, () => {
    throw new StoreError('NO_NETWORK', 'This node has no network yet.')
  })
  const dead = '127.0.0.1:1' as Address
  for (const boots of [
    [dead, boot.address],
    [boot.address, dead],
  ]) {
    const waits: string[] = []
    const waiting = (address: Address) => waits.push(address)
    const store = storeOf()
    const init = initOf({ boots, foundsWhenNoneHas: true, joinTimeoutMs: 500, waiting })
    const found = boots.map(address =>
      address === dead ? `${dead} does not answer` : `${address} has none either`,
    )
    await t.rejects(joinNetwork({ env, store }, init), {
      code: 'UNAVAILABLE',
      message: `No network was found within 0.5 s: ${found.join(', ')}. Of nodes that start a network together, all have to be up once.`,
    })
    t.same(new Set(waits), new Set([dead]))
    t.equal(readNetwork(store), undefined, 'nobody founds one meanwhile')
  }
})

t.test('a node listens before it takes part, and tells everybody that it is there', async t => {
  const order = async (how: 'founded' | 'joined' | 'resumed', namesBoots = false) => {
    const done: string[] = []
    const ring = {
      start: ({ founds }: { founds: boolean }) => done.push(founds ? 'founds' : 'starts'),
      allNodes: {
        learnRecoveries: async () => void done.push('learns recoveries'),
        announce: async () => void done.push('announces'),
        meetNamed: async () => {
          done.push('asks those that were named')
          throw new StoreError('WRONG_NETWORK', 'They have another one.')
        },
      },
    }
    const named = {
      env: realEnv(),
      boots: ['a:1' as Address],
      namesBoots,
      joinTimeoutMs: 1_000,
      dataDirectory: 'd',
      isForeign: () => void done.push('ends'),
    }
    const founds = how === 'founded'
    await takePart(ring, { how, founds, boots: undefined, named }, async () => void done.push('listens'))
    await new Promise(resolve => setImmediate(resolve))
    return done
  }
  t.same(await order('founded'), ['listens', 'founds'])
  t.same(await order('joined'), ['listens', 'starts', 'announces'])
  const resumed = ['learns recoveries', 'listens', 'starts', 'announces']
  t.same(await order('resumed'), resumed)
  t.same(await order('resumed', true), [...resumed, 'asks those that were named', 'ends'])
})
