import { join } from 'node:path'
import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { identifierOfPath } from '../../src/ring/identifier.ts'
import { parsePathName } from '../../src/ring/path-name.ts'
import { digestOf } from '../../src/storage/body-digest.ts'
import { FreeSpace } from '../../src/storage/disk-errors.ts'
import { LmdbIndex } from '../../src/storage/lmdb-index.ts'
import type { BlobId, FileRecord } from '../../src/storage/record.ts'
import type { RecordWrite } from '../../src/storage/replica-store.ts'

const SPACE = new FreeSpace(realEnv(), { folder: '.' })

function recordOf(path: string, bytes = path): FileRecord {
  const inline = Buffer.from(bytes)
  return {
    path: parsePathName(path),
    version: { epoch: 1, seq: 1 },
    body: { ...digestOf(inline), content: { inline } },
    meta: { mediaType: 'text/x' },
    writtenAtMs: 5,
  }
}

const keep = (file: FileRecord, before?: FileRecord): RecordWrite => ({
  path: file.path,
  record: { path: file.path, position: identifierOfPath(file.path), file, notes: Buffer.alloc(0) },
  sizeBefore: before?.body.size,
})

const forget = ({ path, body }: FileRecord): RecordWrite => ({
  path,
  record: undefined,
  sizeBefore: body.size,
})

t.test('a write changes everything at once, or nothing', async t => {
  const index = await LmdbIndex.open(join(t.testdir(), 'index.mdb'), 'node', SPACE)
  t.teardown(() => index.close())
  const [old, source, blobId] = [recordOf('a', 'old'), recordOf('b', '12345'), 'ab'.repeat(16) as BlobId]
  await index.write({ keep: [keep(old)] })
  await index.write({ keep: [keep(source)], unsettle: [blobId] })
  t.match(index.totals, { files: 2, bytes: 8 })
  t.same(index.unsettledBlobs(), [blobId])
  const moved = { ...source, path: old.path }
  const change = { keep: [forget(source), keep(moved, old)], settle: [blobId] }
  // A key that LMDB refuses, after everything else was put.
  const refused = ['k'.repeat(4_000), Buffer.of(1)] as const
  await t.rejects(index.write({ ...change, values: [['v', Buffer.of(1)], refused] }))
  t.same(index.record(old.path), old)
  t.same(index.record(source.path), source)
  t.same([...index.values('')], [])
  t.match(index.totals, { files: 2, bytes: 8 })
  await index.write({ ...change, values: [['v', Buffer.of(1)]] })
  t.same(index.record(old.path), moved)
  t.equal(index.record(source.path), undefined)
  t.same(
    [...index.lines('')].map(({ path }) => path),
    ['a'],
  )
  t.match(index.totals, { files: 1, bytes: 5 })
  t.same(index.unsettledBlobs(), [])
  t.same([...index.values('')], [['v', Buffer.of(1)]])
})

t.test('a walk goes on over more than one part, and over what changes', async t => {
  const index = await LmdbIndex.open(join(t.testdir(), 'index.mdb'), 'node', SPACE)
  t.teardown(() => index.close())
  const names = Array.from({ length: 700 }, (_, i) => `file ${String(i).padStart(4, '0')}`)
  await index.write({ keep: names.map(name => keep(recordOf(name))) })
  const seen: string[] = []
  for (const { path } of index.lines('file')) {
    seen.push(path)
    if (seen.length === 10) await index.write({ keep: [forget(recordOf(names[500] ?? ''))] })
  }
  t.same(seen, names.toSpliced(500, 1))
})

t.test('the name of the disk stays, the count of starts grows', async t => {
  const file = join(t.testdir(), 'index.mdb')
  for (const [boot, newNodeId] of ['first', 'second', 'third'].entries()) {
    const index = await LmdbIndex.open(file, newNodeId, SPACE)
    t.equal(index.nodeId, 'first')
    t.equal(index.boot, boot + 1)
    await index.close()
  }
})

t.test('a tombstone is read as it was written', async t => {
  const index = await LmdbIndex.open(join(t.testdir(), 'index.mdb'), 'node', SPACE)
  t.teardown(() => index.close())
  const path = parsePathName('removed')
  const notes = Buffer.from('what replication notes')
  const record = { path, position: identifierOfPath(path), file: undefined, notes }
  await index.write({ keep: [{ path, record, sizeBefore: undefined }] })
  t.same(index.kept(path), record)
})

t.test('what LMDB lends ends where the value ends, whichever length subarray goes by', async t => {
  const index = await LmdbIndex.open(join(t.testdir(), 'index.mdb'), 'node', SPACE)
  t.teardown(() => index.close())
  const [file, removed] = [recordOf('kept'), parsePathName('removed')]
  const notes = Buffer.from('what replication notes')
  await index.write({
    keep: [
      {
        path: file.path,
        record: { path: file.path, position: identifierOfPath(file.path), file, notes },
        sizeBefore: undefined,
      },
      {
        path: removed,
        record: { path: removed, position: identifierOfPath(removed), file: undefined, notes },
        sizeBefore: undefined,
      },
    ],
  })
  // Until Node.js 20, Buffer's own subarray believes the `length` that LMDB writes over the true one; from 24 on it does not.
  const interception = t.intercept(Buffer.prototype, 'subarray', { value: Uint8Array.prototype.subarray })
  const kept = [index.kept(file.path), index.kept(removed)]
  interception.restore()
  // Booleans: what is read without the end is as long as the whole buffer, and a comparison that shows it takes minutes.
  for (const one of kept) t.ok(one?.notes.byteLength === notes.byteLength && notes.equals(one.notes))
})

t.test('a tombstone with a trash is shown to those who ask for it', async t => {
  const index = await LmdbIndex.open(join(t.testdir(), 'index.mdb'), 'node', SPACE)
  t.teardown(() => index.close())
  const path = parsePathName('removed')
  const position = identifierOfPath(path)
  const record = { path, position, file: undefined, notes: Buffer.from('notes'), hasTrash: true }
  await index.write({ keep: [{ path, record, sizeBefore: undefined }] })
  t.same([...index.tombstonesWithin(position, position)], [])
  t.match([...index.tombstonesWithin(position, position, true)], [{ path, position }])
  t.match([...index.keptWithin(position, position)], [{ path, position }])
})
