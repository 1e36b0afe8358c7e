import t from 'tap'
import { realEnv } from '../../../src/env.ts'
import type { Actor } from '../../../src/replication/eventual/dot.ts'
import { EventualTable } from '../../../src/replication/eventual/eventual-table.ts'
import { WHOLE_RING } from '../../../src/ring/arc.ts'
import { identifierOfPath, type NodeId } from '../../../src/ring/identifier.ts'
import type { PathName } from '../../../src/ring/path-name.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import type { BlobId } from '../../../src/storage/record.ts'
import type { KeptRecord } from '../../../src/storage/replica-store.ts'
import { nothing, PATH, siblingOf } from './records.ts'

const actor = 'x/1' as Actor
const custody = { actor, since: 0, owed: [] as NodeId[] }

t.test('a record never names a body that another change takes away at the same time', async t => {
  const env = realEnv()
  const { replica: store } = new MemoryStorage({ env })
  const bodies = new Set(['large'])
  const applying: { notify?: () => void } = {}
  const watched = new Proxy(store, {
    get(target, name: keyof typeof store) {
      if (name === 'hasBlob') return async (blob: BlobId) => bodies.has(blob)
      if (name !== 'apply') return (target[name] as CallableFunction).bind(target)
      return async (batch: Parameters<typeof store.apply>[0]) => {
        applying.notify?.()
        await env.timers.sleep(10)
        await store.apply({ ...batch, keepBlobs: [], dropBlobs: [] })
        for (const blob of batch.dropBlobs) bodies.delete(blob)
      }
    },
  })
  const table = new EventualTable({ store: watched, changed: () => undefined }, { actor })
  const sibling = siblingOf({ actor, n: 1 }, 1)
  const large = { ...sibling, body: { ...sibling.body, content: { blobId: 'large' as BlobId } } }
  const holding = (path: PathName) => ({
    record: { ...nothing(), path, position: identifierOfPath(path), siblings: [large] },
    custody,
  })
  const other = 'b/file' as PathName
  await table.change(PATH, identifierOfPath(PATH), () => holding(PATH))
  const isApplying = new Promise<void>(resolve => {
    applying.notify = resolve
  })
  const gone = table.change(PATH, identifierOfPath(PATH), () => undefined)
  await isApplying
  const taken = table.change(other, identifierOfPath(other), () => holding(other))
  await Promise.all([gone, t.rejects(taken, { code: 'UNAVAILABLE' })])
  t.equal(table.get(other), undefined)
  t.notOk(table.hasBody('large' as BlobId))
  bodies.add('large')
  await table.change(other, identifierOfPath(other), () => holding(other))
  await table.change(PATH, identifierOfPath(PATH), () => holding(PATH))
  await table.change(other, identifierOfPath(other), () => undefined)
  t.ok(bodies.has('large'), 'a body that another record names stays')
})

t.test('a record that cannot be read hinders nothing, and what others have takes its place', async t => {
  const { replica: store } = new MemoryStorage({ env: realEnv() })
  const told: PathName[] = []
  const open = () => new EventualTable({ store, changed: path => told.push(path) }, { actor })
  const first = open()
  const other = 'b/file' as PathName
  const holding = (path: PathName, n: number) => ({
    record: {
      ...nothing(),
      path,
      position: identifierOfPath(path),
      siblings: [siblingOf({ actor, n }, n)],
    },
    custody,
  })
  for (const [n, path] of [PATH, other].entries())
    await first.change(path, identifierOfPath(path), () => holding(path, n + 1))
  const kept = store.record(PATH)
  const notes = Uint8Array.from(kept?.notes ?? [])
  notes[notes.length - 1] = (notes[notes.length - 1] ?? 0) ^ 1
  await store.apply({
    records: [{ path: PATH, record: { ...(kept as KeptRecord), notes }, sizeBefore: undefined }],
    values: [],
    keepBlobs: [],
    dropBlobs: [],
  })
  told.length = 0
  const second = open()
  t.same(told, [other], 'the node starts with what can be read')
  t.throws(() => second.get(PATH), { code: 'CORRUPT' }, 'and shows nothing that is damaged')
  t.equal(second.counts.records, 1)
  await second.change(PATH, identifierOfPath(PATH), now => {
    t.equal(now, undefined)
    return holding(PATH, 7)
  })
  t.equal(second.get(PATH)?.record.siblings[0]?.dot.n, 7)
  t.equal(second.counts.records, 2)
  t.same(
    second.digest(WHOLE_RING, ''),
    open().digest(WHOLE_RING, ''),
    'digests are those of a node that starts anew',
  )
})
