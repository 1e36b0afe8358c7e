import t from 'tap'
import { SeededRandom } from '../../../src/lab/simulator/seeded-random.ts'
import { SimulatedDisk } from '../../../src/lab/simulator/simulated-disk.ts'
import { SimulatedReplicaStore } from '../../../src/lab/simulator/simulated-replica-store.ts'
import { VirtualClock } from '../../../src/lab/simulator/virtual-clock.ts'
import { type Identifier, identifierOfPath } from '../../../src/ring/identifier.ts'
import { parsePathName } from '../../../src/ring/path-name.ts'
import type { BlobId, FileRecord } from '../../../src/storage/record.ts'
import type { KeptRecord, ReplicaBatch } from '../../../src/storage/replica-store.ts'

const ZERO = '0'.repeat(40) as Identifier
const notes = Uint8Array.from([1, 2, 3])

function bench() {
  const clock = new VirtualClock()
  const disk = new SimulatedDisk<Uint8Array>(
    { timers: clock, random: new SeededRandom(1) },
    { syncMinMs: 1, syncMaxMs: 2, tear: 0 },
  )
  return { clock, disk, store: new SimulatedReplicaStore({ disk }) }
}

const batchOf = (change: Partial<ReplicaBatch>): ReplicaBatch => ({
  records: [],
  values: [],
  keepBlobs: [],
  dropBlobs: [],
  ...change,
})

function fileAt(name: string, content: FileRecord['body']['content']): KeptRecord {
  const path = parsePathName(name)
  const body = { size: 1, sha256: 'a'.repeat(64), blockChecksums: [7], content }
  const file = {
    path,
    version: { epoch: 2, seq: 3 },
    body,
    meta: { mediaType: 'text/plain' },
    writtenAtMs: 5,
  }
  return { path, position: identifierOfPath(path), file, notes }
}

const writeOf = (record: KeptRecord) => ({ path: record.path, record, sizeBefore: undefined })

t.test('what is applied is shown when it is durable, and lasts through a crash', async t => {
  const { clock, disk, store } = bench()
  const inline = fileAt('a', { inline: Buffer.from('x') })
  const large = fileAt('b', { blobId: '1'.repeat(32) as BlobId })
  const c = parsePathName('c')
  const tombstone: KeptRecord = { path: c, position: identifierOfPath(c), file: undefined, notes }
  const values = [['v/1', notes]] as const
  const applied = store.apply(batchOf({ records: [inline, large, tombstone].map(writeOf), values }))
  t.equal(store.record(inline.path), undefined)
  await clock.runSettled(3)
  await applied
  disk.crash()
  for (const record of [inline, large, tombstone]) {
    const kept = store.record(record.path)
    t.same(kept?.file, record.file)
    t.same([...(kept?.notes ?? [])], [1, 2, 3])
  }
  const paths = (records: Iterable<KeptRecord>) => [...records].map(({ path }) => path as string).sort()
  t.same(paths(store.records(ZERO, ZERO)), ['a', 'b', 'c'])
  t.same(paths(store.tombstones(ZERO, ZERO)), ['c'])
  t.same(paths(store.records(ZERO, identifierOfPath(parsePathName('a')))).includes('a'), true)
  t.same([...store.inspect(ZERO, ZERO)].length, 2)
  t.same(
    [...store.values('v/')].map(([key]) => key),
    ['v/1'],
  )
})

t.test('a file takes the place of its tombstone, and what is forgotten leaves nothing', async t => {
  const { clock, store } = bench()
  const path = parsePathName('a')
  const run = async (record: KeptRecord | undefined) => {
    void store.apply(batchOf({ records: [{ path, record, sizeBefore: undefined }] }))
    await clock.runSettled(clock.monotonicMs() + 3)
  }
  await run({ path, position: identifierOfPath(path), file: undefined, notes })
  t.equal(store.record(path)?.file, undefined)
  await run(fileAt('a', { inline: Buffer.from('x') }))
  t.ok(store.record(path)?.file)
  t.same([...store.tombstones(ZERO, ZERO)], [])
  await run(undefined)
  t.equal(store.record(path), undefined)
})

t.test('a full disk refuses a batch whole', async t => {
  const { disk, store } = bench()
  disk.setFault('full')
  await t.rejects(store.apply(batchOf({ values: [['v', notes]] })), { code: 'DISK_FULL' })
  t.same([...store.values('')], [])
})
