import t from 'tap'
import type { NetworkConfig } from '../../src/calls/calls.ts'
import { realEnv } from '../../src/env.ts'
import {
  assertWish,
  isNewer,
  keepNetwork,
  NetworkState,
  readMembers,
  readNetwork,
  withCopies,
} from '../../src/membership/network-config.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { NETWORK } from '../ring-node/founded-ring.ts'
import { record } from '../routing/any.ts'

t.test('a network and its members are kept, and each news replaces only its own', async t => {
  const store = new MemoryStorage({ env: realEnv() }).replica
  t.equal(readNetwork(store), undefined)
  await keepNetwork(store, NETWORK, [record('a'), record('b')])
  await keepNetwork(store, NETWORK, [record('b', { incarnation: 4, zone: 'z' })])
  t.same(readNetwork(store), NETWORK)
  const kept = readMembers(store).sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
  t.same(kept, [record('a'), record('b', { incarnation: 4, zone: 'z' })])
})

t.test('a wish that contradicts names every setting that does', async t => {
  assertWish({}, NETWORK)
  assertWish({ replicas: 3, virtualNodes: 8 }, NETWORK)
  const fault = () => assertWish({ replicas: 2, minReplicas: 2, virtualNodes: 1 }, NETWORK)
  t.throws(fault, { code: 'INVALID_REQUEST', message: /replicas is 3.*not 2; virtualNodes is 8.*not 1/ })
})

t.test('of two configurations everybody takes the same one', async t => {
  const now = { ...NETWORK, revision: 2 }
  const rows: [Partial<NetworkConfig>, boolean][] = [
    [{}, false],
    [{ revision: 1, replicas: 7 }, false],
    [{ revision: 3, replicas: 1 }, true],
    [{ replicas: 4 }, true],
    [{ replicas: 2 }, false],
    [{ minReplicas: 3 }, true],
    [{ revision: undefined }, false],
    [{ revision: 9, networkId: 'another' }, false],
  ]
  for (const [change, wins] of rows) {
    const told = { ...now, ...change }
    t.equal(isNewer(told, now), wins, JSON.stringify(change))
    let changes = 0
    const store = new MemoryStorage({ env: realEnv() }).replica
    const state = new NetworkState({ store, changed: () => changes++ }, { network: now })
    await state.take(told)
    t.same(state.now, wins ? told : now)
    t.equal(changes, wins ? 1 : 0)
    t.same(readNetwork(store), wins ? told : undefined)
  }
})

t.test(
  'the copies that a write needs follow those that there are, unless somebody has said otherwise',
  async t => {
    const rows: [from: [number, number], to: [number, number?], min: number][] = [
      [[3, 2], [5], 2],
      [[3, 2], [1], 1],
      [[1, 1], [3], 2],
      [[5, 4], [3], 3],
      [[5, 4], [7], 4],
      [[3, 2], [4, 3], 3],
    ]
    for (const [[replicas, minReplicas], [count, min], wanted] of rows) {
      const next = withCopies({ ...NETWORK, replicas, minReplicas }, count, min)
      t.match(next, { replicas: count, minReplicas: wanted, revision: 1 })
    }
    t.throws(() => withCopies(NETWORK, 2, 3), { code: 'INVALID_REQUEST' })
  },
)
