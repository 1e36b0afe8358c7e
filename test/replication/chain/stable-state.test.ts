import t from 'tap'
import { realEnv } from '../../../src/env.ts'
import type { Write } from '../../../src/replication/chain/machine-state.ts'
import { batchOf, loadStableState } from '../../../src/replication/chain/stable-state.ts'
import { StoredRecords } from '../../../src/replication/chain/stored-records.ts'
import type { Identifier } from '../../../src/ring/identifier.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import type { BlobId } from '../../../src/storage/record.ts'
import { freshState, type ViewId } from '../../../src/views/view.ts'
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
