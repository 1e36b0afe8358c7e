import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { assertWish, keepNetwork, readMembers, readNetwork } from '../../src/membership/network-config.ts'
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
