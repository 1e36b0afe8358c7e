import t from 'tap'
import { realEnv } from '../../../src/env.ts'
import type { Actor } from '../../../src/replication/eventual/dot.ts'
import { EventualTable } from '../../../src/replication/eventual/eventual-table.ts'
import { identifierOfPath, type NodeId } from '../../../src/ring/identifier.ts'
import type { PathName } from '../../../src/ring/path-name.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import type { BlobId } from '../../../src/storage/record.ts'
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
