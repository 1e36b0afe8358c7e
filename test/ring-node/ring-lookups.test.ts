import t from 'tap'
import { Members } from '../../src/membership/members.ts'
import type { CallOptions } from '../../src/peer/peers.ts'
import type { ChainDriver } from '../../src/replication/chain/driver.ts'
import type { Machine } from '../../src/replication/chain/machine-parts.ts'
import { networkViewOf } from '../../src/replication/chain/network-view.ts'
import type { Address, Identifier } from '../../src/ring/identifier.ts'
import { ringLookups } from '../../src/ring-node/ring-lookups.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { View } from '../../src/views/view.ts'
import { manualEnv } from '../manual-env.ts'
import { record } from '../routing/any.ts'
import { NETWORK } from './founded-ring.ts'

t.test('the next node is asked by name, and who is responsible here is told by its view', async t => {
  const env = manualEnv()
  const store = new MemoryStorage({ env }).replica
  const nothing = () => undefined
  const members = new Members(
    { env, store, changed: nothing, refuted: nothing, died: nothing, returned: nothing, contested: nothing },
    { network: NETWORK, self: record('a'), records: [record('b')], learn: 'path' },
  )
  const asked: [Address, CallOptions][] = []
  const self = record('a').nodeId
  const view = { id: 'v', replicas: [self], acceptors: [self] } as unknown as View
  const views = new Map([['v', { view, active: true, sealed: false, installed: true }]])
  let covering: View | undefined
  const machine = { self, views, table: { covering: () => covering } } as unknown as Machine
  const driver = { known: networkViewOf(() => machine) } as unknown as ChainDriver
  const lookups = ringLookups({
    env,
    members,
    driver,
    call: async (to, _call, options) => {
      asked.push([to, options])
      return { view, chain: [record('b')], hops: 1, failed: 0 } as never
    },
    observe: nothing,
    keepView: nothing,
  })
  const key = '8'.repeat(40) as Identifier
  const { signal } = new AbortController()
  await lookups.lookup(key, { budgetMs: 1_000, signal }).catch(nothing)
  t.match(asked[0], [record('b').address, { node: record('b').nodeId }])
  covering = view
  t.same((await lookups.lookup(key, { budgetMs: 1_000, signal })).view, view)
  t.equal(asked.length, 1, 'nobody else is asked')
})
