/**
 * The tests that every replica store passes. `open` gives a storage that the test closes at its end.
 */
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import type { Test } from 'tap'
import { arcContains } from '../../src/ring/arc.ts'
import { type Identifier, identifierOfPath } from '../../src/ring/identifier.ts'
import { parsePathName } from '../../src/ring/path-name.ts'
import { trashPathOf } from '../../src/ring/trash-path.ts'
import { BLOCK_BYTES, type BlobId, type FileRecord } from '../../src/storage/record.ts'
import type { KeptRecord, RecordWrite, ReplicaBatch } from '../../src/storage/replica-store.ts'
import { bodyOf, chunksOf, type ReplicaStorage, sha256Of } from './conformance.ts'

export type OpenReplica = (t: Test) => Promise<ReplicaStorage>

const EMPTY: ReplicaBatch = { records: [], values: [], keepBlobs: [], dropBlobs: [] }
const zero = '0'.repeat(40) as Identifier
const sizeMax = 64 * BLOCK_BYTES

export const blobNamed = (digit: string) => digit.repeat(32) as BlobId

/** A file of `size` bytes that lies in its record. */
export function keptFile(name: string, size: number, seq = 1): KeptRecord {
  const path = parsePathName(name)
  const inline = bodyOf(size, seq)
  const body = { size, sha256: sha256Of(inline), blockChecksums: size === 0 ? [] : [1], content: { inline } }
  const file: FileRecord = {
    path,
    version: { epoch: 1, seq },
    body,
    meta: { mediaType: 'text/x' },
    writtenAtMs: seq,
  }
  return { path, position: identifierOfPath(path), file, notes: Buffer.from(`notes ${seq}`) }
}

export function tombstone(name: string, seq = 1): KeptRecord {
  const path = parsePathName(name)
  return { path, position: identifierOfPath(path), file: undefined, notes: Buffer.from(`gone ${seq}`) }
}

/** The write that puts a record in the place of another. */
export function writeOf(record: KeptRecord, before: KeptRecord | undefined): RecordWrite {
  return { path: record.path, record, sizeBefore: before?.file?.body.size, isNew: before === undefined }
}

/** Comparable, whatever the class of its bytes. */
function plain(record: KeptRecord | undefined) {
  if (record === undefined) return undefined
  const { path, file, notes } = record
  const inline = file && 'inline' in file.body.content ? sha256Of(file.body.content.inline) : undefined
  return { path, seq: file?.version.seq, size: file?.body.size, inline, notes: Buffer.from(notes).toString() }
}

const ordered = (records: Iterable<KeptRecord>) =>
  Array.from(records, plain).sort((a, b) => ((a?.path ?? '') < (b?.path ?? '') ? -1 : 1))

export function replicaConformance(t: Test, open: OpenReplica): void {
  t.test(
    'files are inspected in the order of the ring, and a body can be replaced by a good copy',
    async t => {
      const { replica } = await open(t)
      const names = ['a', 'b', 'c', 'd']
      const records = names.map(name => ({
        path: parsePathName(name),
        record: keptFile(name, 10),
        sizeBefore: undefined,
      }))
      await replica.apply({ ...EMPTY, records })
      const lo = identifierOfPath(parsePathName('b'))
      const seen = Array.from(replica.inspect(lo, lo), ({ path }) => identifierOfPath(path))
      const turned = seen.map(position => (position > lo ? `0${position}` : `1${position}`))
      t.equal(seen.length, 4)
      t.same(turned, [...turned].sort())
      t.equal(seen.at(-1), lo)
      const [good, bad] = [bodyOf(100_000, 1), bodyOf(100_000, 2)]
      await replica.receive(blobNamed('9'), chunksOf(bad), { sizeMax })
      await replica.apply({ ...EMPTY, keepBlobs: [blobNamed('9')] })
      await t.rejects(replica.replaceBlob(blobNamed('9'), sha256Of(good), chunksOf(bad)), { code: 'CORRUPT' })
      t.ok((await buffer(await replica.openBlob(blobNamed('9'), 0))).equals(bad))
      await replica.replaceBlob(blobNamed('9'), sha256Of(good), chunksOf(good))
      t.ok((await buffer(await replica.openBlob(blobNamed('9'), 0))).equals(good))
    },
  )

  t.test('an arc leaves out its first position and has its last, clockwise and with wrap-around', async t => {
    const { replica } = await open(t)
    const files = Array.from({ length: 40 }, (_, i) => keptFile(`scanned/${i}`, 1))
    await replica.apply({ ...EMPTY, records: files.map(file => writeOf(file, undefined)) })
    const keys = files.map(({ path }) => identifierOfPath(path)).sort()
    const scanned = (lo: Identifier, hi: Identifier) => {
      const inspected = Array.from(replica.inspect(lo, hi), ({ path }) => identifierOfPath(path))
      const read = Array.from(replica.records(lo, hi), ({ path }) => identifierOfPath(path))
      t.same(read.sort(), inspected.toSorted(), 'records and inspect agree')
      return inspected
    }
    const [k3, k30] = [keys[3] as Identifier, keys[30] as Identifier]
    t.same(scanned(k3, k30), keys.slice(4, 31))
    t.same(scanned(k30, k3), [...keys.slice(31), ...keys.slice(0, 4)])
    t.same(scanned(k3, k3), [...keys.slice(4), ...keys.slice(0, 4)])
    const top = 'f'.repeat(40) as Identifier
    t.same(scanned(zero, top), keys)
    t.same(scanned(top, zero), [])
    t.same(scanned(zero, zero), keys)
    t.same(scanned(top, top), keys)
  })

  t.test('files and tombstones take each other’s place, and the totals follow', async t => {
    const storage = await open(t)
    const { replica } = storage
    const path = parsePathName('a')
    const steps = [
      keptFile('a', 10),
      keptFile('a', 7, 2),
      tombstone('a', 3),
      tombstone('a', 4),
      keptFile('a', 0, 5),
    ]
    let before: KeptRecord | undefined
    for (const record of steps) {
      await replica.apply({ ...EMPTY, records: [writeOf(record, before)] })
      before = record
      t.same(plain(replica.record(path)), plain(record))
      const size = record.file?.body.size
      t.match(storage.statistics(), { files: size === undefined ? 0 : 1, bytes: size ?? 0 })
      t.equal([...storage.list('')].length, size === undefined ? 0 : 1)
      t.equal([...replica.tombstones(zero, zero)].length, size === undefined ? 1 : 0)
    }
    await replica.apply({ ...EMPTY, records: [{ path, record: undefined, sizeBefore: 0 }] })
    t.equal(replica.record(path), undefined)
    t.match(storage.statistics(), { files: 0, bytes: 0 })
    await replica.apply({ ...EMPTY, records: [writeOf(tombstone('a'), undefined)] })
    await replica.apply({ ...EMPTY, records: [{ path, record: undefined, sizeBefore: undefined }] })
    t.equal(replica.record(path), undefined, 'a tombstone is forgotten too')
  })

  t.test(
    'trashed versions are listed and counted apart, and tombstones with a trash are not collected',
    async t => {
      const storage = await open(t)
      const { replica } = storage
      const at = parsePathName('a')
      const trashPath = trashPathOf(at, `${'0'.repeat(68)}r`)
      const file = { ...keptFile('a', 10).file, path: trashPath } as FileRecord
      const position = identifierOfPath(at)
      const trashed: KeptRecord = { path: trashPath, position, file, notes: Buffer.from('notes 1') }
      const gone: KeptRecord = { ...tombstone('a', 2), hasTrash: true }
      await replica.apply({ ...EMPTY, records: [writeOf(trashed, undefined), writeOf(gone, undefined)] })
      t.same(plain(replica.record(trashPath)), plain(trashed))
      t.same(plain(replica.record(at)), plain(gone))
      t.match(storage.statistics(), { files: 0, bytes: 0, trash: { versions: 1, bytes: 10 } })
      t.same([...storage.list('')], [])
      t.same(
        Array.from(storage.list('.altered-chord/trash/'), ({ path }) => path),
        [trashPath],
      )
      t.same(ordered(replica.records(zero, zero)), ordered([trashed, gone]), 'beside each other')
      const near = identifierOfPath(at)
      const before = (BigInt(`0x${near}`) - 1n).toString(16).padStart(40, '0') as Identifier
      t.equal([...replica.records(before, near)].length, 2, 'at the position of the path')
      t.same([...replica.tombstones(zero, zero)], [], 'whoever collects does not meet it')
      t.same(plain([...replica.tombstones(zero, zero, true)][0]), plain(gone))
      await replica.apply({
        ...EMPTY,
        records: [{ path: trashPath, record: undefined, sizeBefore: 10 }, writeOf(tombstone('a', 3), gone)],
      })
      t.match(storage.statistics(), { trash: { versions: 0, bytes: 0 } })
      t.equal([...replica.tombstones(zero, zero)].length, 1)
      const kept = { ...tombstone('a', 4), hasTrash: true }
      await replica.apply({ ...EMPTY, records: [writeOf(kept, gone)] })
      t.equal([...replica.tombstones(zero, zero)].length, 0, 'it stays as long as its trash')
      t.equal([...replica.tombstones(zero, zero, true)].length, 1)
      t.equal([...replica.records(zero, zero)].length, 1)
      await replica.apply({ ...EMPTY, records: [writeOf(gone, kept)] })
      t.equal([...replica.records(zero, zero)].length, 1)
    },
  )

  t.test('random batches leave what a map would hold', async t => {
    const storage = await open(t)
    const { replica } = storage
    const name = fc.constantFrom('a', 'b', 'c/d', 'é', 'zz')
    const kind = fc.constantFrom('file', 'tombstone', 'nothing')
    const batch = fc.uniqueArray(fc.tuple(name, kind, fc.nat(40)), {
      selector: ([path]) => path,
      maxLength: 5,
    })
    const model = new Map<string, KeptRecord>()
    let seq = 0
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { maxLength: 6 }), async batches => {
        for (const changes of batches) {
          const records = changes.map(([path, what, size]): RecordWrite => {
            const record = what === 'file' ? keptFile(path, size, ++seq) : tombstone(path, ++seq)
            const write = writeOf(record, model.get(path))
            if (what === 'nothing') model.delete(path)
            else model.set(path, record)
            return what === 'nothing' ? { ...write, record: undefined } : write
          })
          await replica.apply({ ...EMPTY, records })
        }
        const files = [...model.values()].flatMap(({ file }) => file ?? [])
        t.match(storage.statistics(), {
          files: files.length,
          bytes: files.reduce((sum, { body }) => sum + body.size, 0),
        })
        for (const [lo, hi] of [
          [zero, zero],
          [identifierOfPath(parsePathName('a')), identifierOfPath(parsePathName('b'))],
          [identifierOfPath(parsePathName('b')), identifierOfPath(parsePathName('a'))],
        ] as const) {
          const wanted = [...model.values()].filter(({ path }) =>
            arcContains({ lo, hi }, identifierOfPath(path)),
          )
          t.same(ordered(replica.records(lo, hi)), ordered(wanted))
          t.same(
            ordered(replica.tombstones(lo, hi)),
            ordered(wanted.filter(({ file }) => file === undefined)),
          )
        }
      }),
      { numRuns: 15 },
    )
  })

  t.test('values are found by prefix and replaced one by one', async t => {
    const { replica } = await open(t)
    const bytes = (text: string) => Buffer.from(text)
    await replica.apply({
      ...EMPTY,
      values: [
        ['a/1', bytes('x')],
        ['a/2', bytes('y')],
        ['b', bytes('')],
      ],
    })
    await replica.apply({
      ...EMPTY,
      values: [
        ['a/1', undefined],
        ['a/2', bytes('z')],
        ['aa', bytes('n')],
      ],
    })
    const found = (prefix: string) =>
      Array.from(replica.values(prefix), ([key, value]) => [key, Buffer.from(value).toString()]).sort()
    t.same(found('a/'), [['a/2', 'z']])
    t.same(found('b'), [['b', '']])
    t.same(found(''), [
      ['a/2', 'z'],
      ['aa', 'n'],
      ['b', ''],
    ])
  })

  t.test('a body comes in under its name, and can be read from any byte', async t => {
    const { replica } = await open(t)
    const blobId = blobNamed('a')
    const bytes = bodyOf(2 * BLOCK_BYTES + 5)
    t.notOk(await replica.hasBlob(blobId))
    await t.rejects(replica.openBlob(blobId, 0), { code: 'FILE_NOT_FOUND' })
    const body = await replica.receive(blobId, chunksOf(bytes), { sizeMax })
    t.match(body, { size: bytes.length, sha256: sha256Of(bytes), content: { blobId } })
    t.ok(await replica.hasBlob(blobId))
    for (const first of [0, 1, BLOCK_BYTES, BLOCK_BYTES + 1, bytes.length - 1]) {
      t.ok((await buffer(await replica.openBlob(blobId, first))).equals(bytes.subarray(first)), `${first}`)
      const part = await buffer(await replica.openBlob(blobId, first, first + 9))
      t.ok(part.subarray(0, 10).equals(bytes.subarray(first, first + 10)), `${first} and nine more`)
    }
  })

  t.test('a body that is cut short, too long or breaks off is not there', async t => {
    const { replica } = await open(t)
    const blobId = blobNamed('b')
    async function* broken() {
      yield bodyOf(BLOCK_BYTES)
      throw new Error('cut')
    }
    await t.rejects(replica.receive(blobId, chunksOf(bodyOf(10)), { sizeMax }), { code: 'CORRUPT' })
    await t.rejects(replica.receive(blobId, chunksOf(bodyOf(BLOCK_BYTES)), { sizeMax: 100_000 }), {
      code: 'FILE_TOO_LARGE',
    })
    await t.rejects(replica.receive(blobId, broken(), { sizeMax }), /cut/)
    t.notOk(await replica.hasBlob(blobId))
    await replica.receive(blobId, chunksOf(bodyOf(BLOCK_BYTES)), { sizeMax })
    t.ok(await replica.hasBlob(blobId), 'and can come again')
  })

  t.test('a dropped body is gone at once, and may come again under its name', async t => {
    const { replica } = await open(t)
    const blobId = blobNamed('c')
    for (let seed = 1; seed <= 10; seed++) {
      const bytes = bodyOf(100_000, seed)
      await replica.receive(blobId, chunksOf(bytes), { sizeMax })
      await replica.apply({ ...EMPTY, keepBlobs: [blobId] })
      t.ok((await buffer(await replica.openBlob(blobId, 0))).equals(bytes))
      await replica.apply({ ...EMPTY, dropBlobs: [blobId] })
      t.equal(await replica.hasBlob(blobId), false, 'also while its file is still being removed')
    }
    await replica.receive(blobId, chunksOf(bodyOf(100_000)), { sizeMax })
    await new Promise(resolve => setImmediate(resolve))
    t.ok(await replica.hasBlob(blobId), 'a late removal does not take the new one')
  })
}
