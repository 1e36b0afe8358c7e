import t from 'tap'
import type { ChainNode } from '../../../src/lab/simulator/chain-node.ts'
import type { BlobState } from '../../../src/replication/chain/blob-table.ts'
import type { PathName } from '../../../src/ring/path-name.ts'
import type { BlobId } from '../../../src/storage/record.ts'
import { diskBootOf, STARTS_NOTED } from '../../../src/views/boot.ts'
import type { Boot } from '../../../src/views/view.ts'
import { chainBench } from './chain-bench.ts'

t.test('trouble is drawn, kept and ended', async t => {
  const { clock, cluster, nemesis } = await chainBench({ nodes: 5 })
  nemesis.draw(3_000)
  await clock.runSettled(3_000)
  t.ok(nemesis.done.length > 20)
  t.ok(new Set(nemesis.done.map(({ kind }) => kind)).size > 6)
  nemesis.heal()
  await clock.runSettled(3_200)
  for (const node of cluster.nodes) t.ok(node.running || cluster.members.get(node.id)?.status === 'gone')
})

t.test('what a schedule says is done, and nothing that nobody knows', async t => {
  const { clock, cluster, nemesis } = await chainBench()
  nemesis.follow([{ atMs: 10, kind: 'crash', node: 'n1', lastsMs: 50 }])
  await clock.runSettled(clock.monotonicMs() + 20)
  t.notOk(cluster.node('n1').running)
  await clock.runSettled(clock.monotonicMs() + 100)
  t.ok(cluster.node('n1').running)
  nemesis.follow([{ atMs: 1, kind: 'meteor', node: 'n1' }])
  await t.rejects(clock.runSettled(clock.monotonicMs() + 10), TypeError)
})

t.test('a schedule keeps messages of one kind back, sets links, and has single clients ask', async t => {
  const { clock, nemesis, workload } = await chainBench({ nodes: 3, untilMs: 0 })
  const startMs = clock.monotonicMs()
  const ask = { kind: 'ask', client: 'c', node: 'n3' }
  nemesis.follow([
    { atMs: 0, kind: 'links', delayMinMs: 1, delayMaxMs: 1 },
    { atMs: 1, kind: 'hold', from: 'n3', to: 'n1', message: 'write', count: 1, lastsMs: 300 },
    { atMs: 2, ...ask, request: { kind: 'remove', path: 'p0', key: 'k' } },
    { atMs: 3, ...ask, request: { kind: 'get', path: 'p0' } },
  ])
  await clock.runSettled(startMs + 20)
  const open = workload
    .operations()
    .filter(({ client, answer }) => client === 'c' && answer.kind === 'unknown')
  t.equal(open.length, 1, 'the removal waits, the read does not')
  await clock.runSettled(startMs + 2_000)
  const asked = workload.operations().filter(({ client }) => client === 'c')
  t.same(
    asked.map(({ action, answer }) => [action.kind, answer.kind]),
    [
      ['remove', 'FILE_NOT_FOUND'],
      ['get', 'FILE_NOT_FOUND'],
    ],
  )
})

t.test('no disk is taken that the network cannot do without', async t => {
  const { clock, cluster, nemesis } = await chainBench()
  const ids = () => cluster.nodes.map(({ id }) => id)
  const before = ids()
  nemesis.follow(
    ['n1', 'n2', 'n3'].map((node, index) => ({ atMs: index + 1, kind: 'wipe', node, lastsMs: 5_000 })),
  )
  await clock.runSettled(clock.monotonicMs() + 10)
  t.equal(ids().filter(id => !before.includes(id)).length, 1)
})

t.test('a body that records name rots only where another replica of the serving view has it', async t => {
  const { clock, cluster, invariants, workload, nemesis } = await chainBench({ nodes: 4 })
  const path = workload.paths[0] as PathName
  const blobId = '7'.repeat(32) as BlobId
  const body = { size: 1, sha256: '7'.repeat(64), blockChecksums: [0], content: { blobId } }
  const meta = { mediaType: '' }
  workload.ask('c', cluster.node('n1'), { kind: 'put', path, body, meta, writtenAtMs: 0, condition: 'none' })
  await clock.runSettled(clock.monotonicMs() + 400)
  const replicas = invariants.newestActive(path)?.replicas ?? []
  const nodeOf = (id: string) => cluster.nodes.find(node => node.id === id) as ChainNode
  const [kept, ...others] = replicas.map(nodeOf) as [ChainNode, ...ChainNode[]]
  const blob = kept.machine?.blobs.get(blobId) as BlobState
  t.match(blob.stagedUntilMs, undefined, 'the file was written')
  const outsider = cluster.nodes.find(({ id }) => !replicas.includes(id))
  for (const node of others) node.machine?.blobs.delete(blobId)
  outsider?.machine?.blobs.set(blobId, blob)
  const rot = { atMs: 0, kind: 'rot', node: kept.name, lastsMs: 1, all: true }
  nemesis.follow([rot])
  t.ok(kept.machine?.blobs.has(blobId), 'an old replica is none to rely on')
  others[0]?.machine?.blobs.set(blobId, blob)
  nemesis.follow([rot])
  t.notOk(kept.machine?.blobs.has(blobId))
})

t.test('a restored disk is started as often as that can be told', async t => {
  const { cluster, nemesis } = await chainBench()
  const node = cluster.node('n1')
  node.restored = true
  const boot = diskBootOf(node.machine?.boot as Boot)
  node.restoredBoot = boot - STARTS_NOTED
  for (const kind of ['crash', 'fill', 'half-renew'])
    nemesis.follow([{ atMs: 0, kind, node: 'n1', lastsMs: 10, pick: 1 }])
  t.ok(node.running)
  t.equal(node.disk.fault, 'none')
  node.restoredBoot = boot - 1
  nemesis.follow([{ atMs: 0, kind: 'crash', node: 'n1', lastsMs: 10 }])
  t.notOk(node.running)
})

t.test('a clock is set by hours, and a slow disk answers late', async t => {
  const { clock, cluster, nemesis } = await chainBench()
  const node = cluster.node('n1')
  const before = node.wallClock.nowMs() - clock.nowMs()
  nemesis.follow([
    { atMs: 0, kind: 'skew', node: 'n1', byMs: 3_600_000 },
    { atMs: 0, kind: 'slow', node: 'n1', syncMs: 100_000, lastsMs: 1 },
  ])
  t.ok(node.wallClock.nowMs() - clock.nowMs() - before > 3_599_000)
  let synced = false
  node.disk.sync(() => {
    synced = true
  })
  await clock.runSettled(clock.monotonicMs() + 10)
  t.notOk(synced)
  nemesis.heal()
})
