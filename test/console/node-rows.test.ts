import t from 'tap'
import { rowsOf, stateOf } from '../../src/console/node-rows.js'

const node = (address: string, more = {}) => ({ address, status: 'alive' as const, identifier: '0', ...more })
const range = (head: string, share: number, replicas: string[]) => ({
  ...{ lo: '0', hi: '1', witnesses: [], epoch: 1, state: 'serving' as const },
  ...{ head, share, replicas },
})

t.test('each node has its part of the ring, and what it says of itself', async t => {
  const nodes = [node('a:1', { self: true }), node('b:1'), node('c:1', { status: 'left' })]
  const network = { networkId: 'n', replicas: 2, minReplicas: 1, virtualNodes: 1, nodes }
  const ranges = [range('a:1', 0.75, ['a:1', 'b:1']), range('b:1', 0.25, ['b:1'])]
  const vitals = (address: string, more: object) => ({
    ...{ address, uptimeSeconds: 9, files: 2, bytes: 0, memoryBytes: 10, requests: 0 },
    ...more,
  })
  const looks = [
    { at: 1000, nodes: [vitals('a:1', { bytes: 1000, requests: 5 }), vitals('b:1', { uptimeSeconds: 99 })] },
    { at: 5000, nodes: [vitals('a:1', { bytes: 3000, requests: 7 }), vitals('b:1', { uptimeSeconds: 1 })] },
  ]
  const overlay = { networkId: 'n', ranges, recoveries: [] }
  const rows = rowsOf(network, overlay, looks)
  const rates = { bytesPerSecond: 500, requestsPerSecond: 0.5 }
  t.match(rows, [
    { address: 'a:1', share: 0.75, heads: 1, keeps: 1, vitals: { bytes: 3000 }, ...rates },
    { address: 'b:1', share: 0.25, heads: 1, keeps: 2, vitals: { uptimeSeconds: 1 } },
  ])
  t.equal(rows.length, 2, 'who left is gone')
  t.notOk('bytesPerSecond' in (rows[1] as object), 'one that has started again counts from nothing')
  t.notOk('vitals' in (rowsOf(network, overlay, [])[0] as object), 'nobody has said anything')
})

t.test('what is wrong with a node', async t => {
  const row = { ...node('a:1'), share: 0, heads: 0, keeps: 0 }
  t.same(stateOf(row), ['good', 'alive'])
  t.same(stateOf({ ...row, suspect: true }), ['bad', 'suspect'])
  t.same(stateOf({ ...row, status: 'dead', suspect: true }), ['bad', 'dead'])
})
