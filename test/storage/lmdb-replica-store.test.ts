import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { realEnv } from '../../src/env.ts'
import { parsePathName } from '../../src/ring/path-name.ts'
import { LmdbStorage } from '../../src/storage/lmdb-storage.ts'
import { bodyOf, chunksOf } from './conformance.ts'
import { blobNamed, keptFile, replicaConformance, tombstone, writeOf } from './replica-conformance.ts'

const env = realEnv()
const EMPTY = { records: [], values: [], keepBlobs: [], dropBlobs: [] }

replicaConformance(t, async t => {
  const storage = await LmdbStorage.open({ env }, { directory: t.testdir() })
  t.teardown(() => storage.close())
  return storage
})

/** The names of all blob files in a data directory. */
function blobFiles(directory: string): string[] {
  const files = readdirSync(join(directory, 'blobs'), { recursive: true, withFileTypes: true })
  return files.filter(file => file.isFile()).map(({ name }) => name)
}

async function reopened(t: Test, before: (storage: LmdbStorage) => Promise<void>) {
  const directory = t.testdir()
  const first = await LmdbStorage.open({ env }, { directory })
  await before(first)
  await first.close()
  const storage = await LmdbStorage.open({ env }, { directory })
  t.teardown(() => storage.close())
  return { storage, directory }
}

t.test('a body that comes in again after its receipt was ended has nothing to do with the first', async t => {
  const [blobId, other] = [blobNamed('a'), blobNamed('b')]
  const { directory } = await reopened(t, async ({ replica }) => {
    // What removes bodies has something else to do first.
    await replica.receive(other, chunksOf(bodyOf(100_000)), { sizeMax: 1e6 })
    await replica.apply({ ...EMPTY, dropBlobs: [other] })
    const ending = new AbortController()
    async function* standing() {
      yield bodyOf(400_000)
      ending.abort(new Error('ended'))
      await new Promise(() => {})
    }
    const first = replica.receive(blobId, standing(), { sizeMax: 1e6, signal: ending.signal })
    await t.rejects(first, { message: 'ended' })
    await replica.receive(blobId, chunksOf(bodyOf(100_000)), { sizeMax: 1e6 })
    t.ok(await replica.hasBlob(blobId))
    await replica.receive(other, chunksOf(bodyOf(100_000)), { sizeMax: 1e6 })
    t.ok(await replica.hasBlob(blobId), 'whatever was removed before the other one could come in')
  })
  t.same(blobFiles(directory), [], 'no batch has kept it')
})

t.test('a body that comes in while its name is being dropped does not go with the old one', async t => {
  const blobId = blobNamed('a')
  const { directory } = await reopened(t, async ({ replica }) => {
    for (let turn = 0; turn < 20; turn++) {
      await replica.receive(blobId, chunksOf(bodyOf(100_000)), { sizeMax: 1e6 })
      const dropped = replica.apply({ ...EMPTY, dropBlobs: [blobId] })
      await replica.receive(blobId, chunksOf(bodyOf(100_000)), { sizeMax: 1e6 })
      await dropped
      t.ok(await replica.hasBlob(blobId))
    }
    await replica.apply({ ...EMPTY, keepBlobs: [blobId] })
  })
  t.same(blobFiles(directory), [blobId])
})

t.test('a start keeps what was applied, and of the bodies those that a batch has kept', async t => {
  const [kept, loose, dropped] = [blobNamed('a'), blobNamed('b'), blobNamed('c')]
  const { storage, directory } = await reopened(t, async ({ replica }) => {
    for (const blobId of [kept, loose, dropped])
      await replica.receive(blobId, chunksOf(bodyOf(100_000)), { sizeMax: 1e6 })
    await replica.apply({
      ...EMPTY,
      records: [writeOf(keptFile('a', 5), undefined), writeOf(tombstone('b'), undefined)],
      values: [['v', Buffer.from('1')]],
      keepBlobs: [kept, dropped],
    })
    await replica.apply({ ...EMPTY, dropBlobs: [dropped] })
  })
  t.same(blobFiles(directory), [kept])
  t.ok(await storage.replica.hasBlob(kept))
  t.equal(storage.replica.record(parsePathName('a'))?.file?.body.size, 5)
  t.equal(Buffer.from(storage.replica.record(parsePathName('b'))?.notes ?? []).toString(), 'gone 1')
  t.equal([...storage.replica.values('v')].length, 1)
  t.match(storage.statistics(), { files: 1, bytes: 5 })
})

t.test('a batch that LMDB refuses changes nothing, not even the names of bodies', async t => {
  const storage = await LmdbStorage.open({ env }, { directory: t.testdir() })
  t.teardown(() => storage.close())
  const { replica } = storage
  const blobId = blobNamed('d')
  await replica.receive(blobId, chunksOf(bodyOf(100_000)), { sizeMax: 1e6 })
  await replica.apply({ ...EMPTY, keepBlobs: [blobId] })
  const tooLong = 'k'.repeat(4_000)
  const records = [writeOf(keptFile('a', 5), undefined)]
  await t.rejects(
    replica.apply({ ...EMPTY, records, values: [[tooLong, Buffer.from('x')]], dropBlobs: [blobId] }),
  )
  t.equal(replica.record(parsePathName('a')), undefined)
  t.match(storage.statistics(), { files: 0, bytes: 0 })
  t.ok(await replica.hasBlob(blobId))
})
