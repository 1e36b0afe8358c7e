import t from 'tap'
import { rowsOf, stateOf } from '../../src/console/node-rows.js'

const node = (address: string, more = {}) => ({ address, status: 'alive' as const, identifier: '0', ...more })
const range = (head: string, share: number, replicas: string[]) => ({
  ...{ lo: '0', hi: '1', witnesses: [], epoch: 1, state: 'serving' as const },
  ...{ head, share, replicas },
})

t.test('each node has its part of the ring, and the asked one what it keeps', async t => {
  const nodes = [node('a:1', { self: true }), node('b:1'), node('c:1', { status: 'left' })]
  const network = { networkId: 'n', replicas: 2, minReplicas: 1, virtualNodes: 1, nodes }
  const ranges = [range('a:1', 0.75, ['a:1', 'b:1']), range('b:1', 0.25, ['b:1'])]
  const status = {
    ...{ address: 'a:1', version: '1', uptimeSeconds: 5, durable: true, replication: 'running' },
    ...{ files: 2, bytes: 3000, memory: { rssBytes: 10 } },
  }
  const overlay = { networkId: 'n', ranges, recoveries: [] }
  const rows = rowsOf(network, overlay, status, { bytes: 1000, seconds: 4 })
  t.match(rows, [
    { address: 'a:1', share: 0.75, heads: 1, keeps: 1, own: { files: 2 }, bytesPerSecond: 500 },
    { address: 'b:1', share: 0.25, heads: 1, keeps: 2 },
  ])
  t.equal(rows.length, 2, 'who left is gone')
  t.notOk('own' in (rows[1] as object))
})

t.test('what is wrong with a node', async t => {
  const row = { ...node('a:1'), share: 0, heads: 0, keeps: 0 }
  t.same(stateOf(row), ['good', 'alive'])
  t.same(stateOf({ ...row, suspect: true }), ['bad', 'suspect'])
  t.same(stateOf({ ...row, status: 'dead', suspect: true }), ['bad', 'dead'])
})
