import t from 'tap'
import { realEnv } from '../../../src/env.ts'
import type { Write } from '../../../src/replication/chain/machine-state.ts'
import { batchOf, loadStableState, StoredViews } from '../../../src/replication/chain/stable-state.ts'
import { StoredRecords } from '../../../src/replication/chain/stored-records.ts'
import type { Identifier } from '../../../src/ring/identifier.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import type { BlobId } from '../../../src/storage/record.ts'
import { freshState, type ViewId, type ViewState } from '../../../src/views/view.ts'
import { node, path, wholeView } from './bench.ts'

const boot = { counter: 3, nonce: 'c' }
const view = freshState(wholeView(['a', 'b']))
const blobId = 'b'.repeat(32) as BlobId
const blob = {
  blob: { blobId, sha256: 's' },
  stagedUntilMs: undefined,
  replacedBy: { path: path('p'), version: { epoch: 1, seq: 2 } },
}
const marks = [{ lo: '0' as Identifier, hi: '1' as Identifier, epoch: 4 }]

const writes: Write[] = [
  { kind: 'view', id: view.view.id, state: view },
  { kind: 'view', id: 'gone' as ViewId, state: view },
  { kind: 'view', id: 'gone' as ViewId, state: undefined },
  { kind: 'blob', id: blobId, blob },
  { kind: 'blob', id: 'c'.repeat(32) as BlobId, blob },
  { kind: 'blob', id: 'c'.repeat(32) as BlobId, blob: undefined },
  { kind: 'marks', marks: [] },
  { kind: 'marks', marks },
  { kind: 'peer', node: node('a'), boot },
  { kind: 'boot', boot },
]

t.test('what the writes of a step say is what the next start finds', async t => {
  const store = new MemoryStorage({ env: realEnv() }).replica
  await store.apply({ records: [], ...batchOf(writes) })
  const loaded = loadStableState(store, new StoredRecords({ store }), boot)
  t.same([...loaded.views], [[view.view.id, view]])
  t.same([...loaded.blobs], [[blobId, blob]])
  t.same(loaded.marks, marks)
  t.same([...loaded.peers], [['a', boot]])
  t.equal(loaded.boot, boot)
})

t.test('the last write of a body decides whether its bytes stay', async t => {
  t.match(batchOf(writes), { keepBlobs: [blobId], dropBlobs: ['c'.repeat(32)] })
  const again: Write[] = [
    { kind: 'blob', id: blobId, blob: undefined },
    { kind: 'blob', id: blobId, blob },
  ]
  t.match(batchOf(again), { keepBlobs: [blobId], dropBlobs: [] })
  t.same(batchOf([]), { values: [], keepBlobs: [], dropBlobs: [] })
})

t.test('an empty store is an empty node', async t => {
  const store = new MemoryStorage({ env: realEnv() }).replica
  const loaded = loadStableState(store, new StoredRecords({ store }), boot)
  t.equal(loaded.views.size + loaded.blobs.size + loaded.peers.size + loaded.marks.length, 0)
})

const busy: ViewState = { ...view, installed: true, active: true, seq: 7, clean: 5, timeMs: 2.5 }
const viewKey = `view/${view.view.id}`
const progressKey = `progress/${view.view.id}`
const written = (state: ViewState | undefined): Write => ({ kind: 'view', id: view.view.id, state })

t.test('a write to a view changes its numbers on the disk and nothing else of it', async t => {
  const store = new MemoryStorage({ env: realEnv() }).replica
  const keys = async (stored: StoredViews, ...states: (ViewState | undefined)[]) => {
    const batch = batchOf(states.map(written), stored)
    await store.apply({ records: [], ...batch })
    return batch.values.filter(([, value]) => value !== undefined).map(([key]) => key)
  }
  const onDisk = () => loadStableState(store, new StoredRecords({ store }), boot).views
  const next = { ...busy, seq: 8, clean: 7, timeMs: 3 }
  const sealed = { ...next, sealed: true }

  const stored = new StoredViews()
  t.same(await keys(stored, busy), [viewKey], 'a view that is new')
  t.same(await keys(stored, next), [progressKey])
  t.same([...onDisk()], [[view.view.id, next]])
  t.same(await keys(stored, { ...next, seq: 9 }, sealed), [viewKey], 'what else changes in the same batch')
  t.same([...onDisk()], [[view.view.id, sealed]])
  const { clean: _, ...without } = sealed
  t.same(await keys(stored, without), [progressKey])
  t.strictSame([...onDisk()], [[view.view.id, without]], 'a number that is no more')
  t.same(await keys(stored, { ...sealed, seq: 10 }), [progressKey])

  const read = onDisk()
  const restarted = new StoredViews(read)
  const [[, loaded]] = [...read] as [[ViewId, ViewState]]
  t.equal(loaded.seq, 10)
  t.same(
    await keys(restarted, { ...loaded, seq: 11 }),
    [progressKey],
    'a start goes on from what it has read',
  )
  t.same(
    await keys(new StoredViews(), { ...loaded, seq: 12 }),
    [viewKey],
    'all is written where nobody knows',
  )
  t.equal(onDisk().get(view.view.id)?.seq, 12)
  await keys(restarted, { ...loaded, seq: 13 }, undefined)
  t.same(
    [...store.values('view/'), ...store.values('progress/')],
    [],
    'nothing is left of a view that is dropped',
  )
})

// Bytes that are on disks: a change of these means a new format of the data directory.
const PROGRESS_4 = '930705cb4004000000000000'
const PROGRESS_4_WITHOUT_MARK = '9307c0c0'

t.test('the numbers of a view are read as they were written', async t => {
  const read = async (values: readonly (readonly [string, Uint8Array])[]) => {
    const store = new MemoryStorage({ env: realEnv() }).replica
    await store.apply({ records: [], ...batchOf([written(view)]) })
    await store.apply({ records: [], ...batchOf([]), values })
    return loadStableState(store, new StoredRecords({ store }), boot).views.get(view.view.id)
  }
  const stored = new StoredViews([[view.view.id, view]] as unknown as ReadonlyMap<ViewId, ViewState>)
  const values = (state: ViewState) => batchOf([written(state)], stored).values as [string, Uint8Array][]
  for (const [hex, moved] of [
    [PROGRESS_4, { seq: 7, clean: 5, timeMs: 2.5 }],
    [PROGRESS_4_WITHOUT_MARK, { seq: 7 }],
  ] as const) {
    const [[key, value]] = values({ ...view, ...moved }) as [[string, Uint8Array]]
    t.equal(key, progressKey)
    t.equal(Buffer.from(value).toString('hex'), hex)
    t.strictSame(await read([[progressKey, Buffer.from(hex, 'hex')]]), { ...view, ...moved })
  }
  t.strictSame(await read([]), view, 'a disk of before format 4 has no such value')
  const orphan = ['progress/other', Buffer.from(PROGRESS_4, 'hex')] as const
  await t.rejects(read([orphan]), { code: 'CORRUPT' }, 'numbers of no view')
})
