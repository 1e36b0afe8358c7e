/**
 * The tests that every storage passes, whatever it keeps its files on. Each test opens a fresh storage.
 */

import { createCipheriv, createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { Test } from 'tap'
import { identifierOfPath } from '../../src/ring/identifier.ts'
import { type PathName, parsePathName } from '../../src/ring/path-name.ts'
import type { BlobId, FileRecord } from '../../src/storage/record.ts'
import { BLOCK_BYTES, etagOf, INLINE_BYTES_MAX } from '../../src/storage/record.ts'
import type { RecordWrite, ReplicaBatch, ReplicaStore } from '../../src/storage/replica-store.ts'
import type { StagedBody, Storage } from '../../src/storage/storage.ts'
import { WholeBody } from '../../src/whole-body.ts'

/** Opens an empty storage that the test closes at its end. */
export type OpenStorage = (t: Test) => Promise<ReplicaStorage>

const sizeMax = 64 * BLOCK_BYTES

/** Bytes that differ from block to block and from seed to seed. */
export function bodyOf(size: number, seed = 1): Buffer {
  const key = Buffer.alloc(16)
  key.writeDoubleLE(seed)
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size))
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The body in chunks of a size that fits neither pieces nor blocks. */
export async function* chunksOf(bytes: Uint8Array, chunkBytes = 60_001): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
}

/** A storage, and what changes the files in it. */
export type ReplicaStorage = Storage & { readonly replica: ReplicaStore }

/** Puts a file as replication does: it comes whole when it is small, its body is staged, a batch names it and lets go of what it replaces. */
export async function put(
  storage: ReplicaStorage,
  path: string,
  bytes: Uint8Array | string,
): Promise<FileRecord> {
  const body = Buffer.from(bytes)
  const whole = body.length > INLINE_BYTES_MAX ? undefined : new WholeBody(body)
  const staged = whole && storage.stageAtOnce?.(whole, { sizeMax })
  return putStaged(storage, path, staged ?? (await storage.stage(whole ?? chunksOf(body), { sizeMax })))
}

export async function putStaged(
  storage: ReplicaStorage,
  name: string,
  staged: StagedBody,
): Promise<FileRecord> {
  const path = parsePathName(name)
  const before = storage.replica.record(path)?.file
  const { size, sha256, blockChecksums, content } = staged
  const file: FileRecord = {
    path,
    version: { epoch: 1, seq: (before?.version.seq ?? 0) + 1 },
    body: { size, sha256, blockChecksums, content },
    meta: { mediaType: 'text/x' },
    writtenAtMs: (before?.writtenAtMs ?? 0) + 7,
  }
  try {
    await change(storage, [file], { keepBlobs: blobsOf(file), dropBlobs: blobsOf(before) })
  } catch (error) {
    await storage.discard(staged)
    throw error
  }
  storage.handOver(staged)
  return file
}

/** Removes a file that is there, and its body. */
export async function remove(storage: ReplicaStorage, path: string): Promise<void> {
  const before = storage.replica.record(parsePathName(path))?.file
  if (before === undefined) throw new TypeError(`no file at ${path}`)
  await change(storage, [before.path], { dropBlobs: blobsOf(before) })
}

/** Moves a file that is there, in one batch. */
export async function move(storage: ReplicaStorage, from: string, to: string): Promise<void> {
  const source = storage.replica.record(parsePathName(from))?.file
  if (source === undefined) throw new TypeError(`no file at ${from}`)
  const path = parsePathName(to)
  const replaced = storage.replica.record(path)?.file
  await change(storage, [source.path, { ...source, path }], { dropBlobs: blobsOf(replaced) })
}

/** One batch; of a path that is given without a file nothing stays. */
async function change(
  { replica }: ReplicaStorage,
  files: readonly (FileRecord | PathName)[],
  blobs: Partial<Pick<ReplicaBatch, 'keepBlobs' | 'dropBlobs'>>,
): Promise<void> {
  const records = files.map((one): RecordWrite => {
    const [path, file] = typeof one === 'string' ? [one, undefined] : [one.path, one]
    const sizeBefore = replica.record(path)?.file?.body.size
    return {
      path,
      record: file && { path, position: identifierOfPath(path), file, notes: new Uint8Array() },
      sizeBefore,
    }
  })
  await replica.apply({ records, values: [], keepBlobs: [], dropBlobs: [], ...blobs })
}

function blobsOf(file: FileRecord | undefined): BlobId[] {
  return file && 'blobId' in file.body.content ? [file.body.content.blobId] : []
}

export async function bytesOf(storage: Storage, path: string): Promise<Buffer | undefined> {
  const record = await storage.find(parsePathName(path))
  return record && whole(await storage.read(record))
}

export async function whole(read: Uint8Array | Readable): Promise<Buffer> {
  return read instanceof Readable ? buffer(read) : Buffer.from(read)
}

/** Why a version that was let go of can't be read any more: its file goes a moment after the batch. */
async function faultOfGone(storage: Storage, record: FileRecord): Promise<unknown> {
  const deadline = performance.now() + 60_000
  while (performance.now() < deadline) {
    try {
      const bytes = await whole(await storage.read(record))
      if (sha256Of(bytes) !== record.body.sha256) return new Error('the bytes are others')
    } catch (error) {
      return error
    }
    await new Promise(resolve => setImmediate(resolve))
  }
  return undefined
}

export function storageConformance(t: Test, open: OpenStorage): void {
  bodies(t, open)
  ranges(t, open)
  order(t, open)
  endings(t, open)
}

function bodies(t: Test, open: OpenStorage): void {
  t.test('bodies of every size come back as they were, with size and hash', async t => {
    const storage = await open(t)
    const sizes = [0, 1, 4096, INLINE_BYTES_MAX, INLINE_BYTES_MAX + 1, BLOCK_BYTES - 1, BLOCK_BYTES]
    for (const size of [...sizes, BLOCK_BYTES + 1, 5 * BLOCK_BYTES + 77]) {
      const bytes = bodyOf(size, size)
      const record = await put(storage, `sizes/${size}`, bytes)
      t.equal(record.body.size, size)
      t.equal(record.body.sha256, sha256Of(bytes))
      t.equal(record.body.blockChecksums.length, Math.ceil(size / BLOCK_BYTES))
      t.same(await storage.find(record.path), record)
      t.ok(bytes.equals((await bytesOf(storage, record.path)) ?? Buffer.of(1)), `${size} bytes`)
    }
    t.match(storage.statistics(), { files: 9, staged: 0 })
  })

  t.test('a whole body is the same as one that comes in pieces', async t => {
    const storage = await open(t)
    for (const size of [0, 1, INLINE_BYTES_MAX]) {
      const whole = new WholeBody(bodyOf(size))
      const all = [
        storage.stageAtOnce?.(whole, { sizeMax }) as StagedBody,
        await storage.stage(whole, { sizeMax }),
        await storage.stage(chunksOf(bodyOf(size)), { sizeMax }),
      ]
      for (const one of all) t.same({ ...one, stageId: '' }, { ...all[2], stageId: '' }, `${size} bytes`)
      t.equal(storage.statistics().staged, 3)
      for (const staged of all) await storage.discard(staged)
      t.equal(storage.statistics().staged, 0)
    }
  })

  t.test('nothing is visible before a batch names it, and a dropped body never is', async t => {
    const storage = await open(t)
    const bytes = bodyOf(BLOCK_BYTES + 5)
    const staged = await storage.stage(chunksOf(bytes), { sizeMax })
    t.equal(storage.statistics().staged, 1)
    t.equal(await storage.find(parsePathName('a')), undefined)
    t.same([...storage.list('')], [])
    await storage.discard(staged)
    await storage.discard(staged)
    t.match(storage.statistics(), { files: 0, bytes: 0, staged: 0 })
    t.throws(() => storage.handOver(staged), TypeError)
  })

  t.test('a body that was handed over can be neither dropped nor handed over again', async t => {
    const storage = await open(t)
    for (const size of [10, BLOCK_BYTES]) {
      const staged = await storage.stage(chunksOf(bodyOf(size)), { sizeMax })
      await putStaged(storage, 'a', staged)
      await t.rejects(storage.discard(staged), TypeError)
      t.throws(() => storage.handOver(staged), TypeError)
      t.ok(bodyOf(size).equals((await bytesOf(storage, 'a')) ?? Buffer.of()))
    }
  })

  t.test('a body over the limit, one that breaks off and one that is aborted leave nothing', async t => {
    const storage = await open(t)
    for (const size of [100, 3 * BLOCK_BYTES]) {
      await t.rejects(storage.stage(chunksOf(bodyOf(size + 1)), { sizeMax: size }), {
        code: 'FILE_TOO_LARGE',
      })
      if (size <= INLINE_BYTES_MAX)
        t.equal(storage.stageAtOnce?.(new WholeBody(bodyOf(size + 1)), { sizeMax: size }), undefined)
      const exact = await storage.stage(chunksOf(bodyOf(size)), { sizeMax: size })
      await storage.discard(exact)
      const broken = async function* () {
        yield* chunksOf(bodyOf(size))
        throw new Error('cut off')
      }
      await t.rejects(storage.stage(broken(), { sizeMax }), { message: 'cut off' })
      const controller = new AbortController()
      const endless = new Readable({ read() {} })
      endless.push(bodyOf(size))
      const staging = storage.stage(endless, { sizeMax, signal: controller.signal })
      setImmediate(() => controller.abort(new Error('enough')))
      await t.rejects(staging, { message: 'enough' })
    }
    t.match(storage.statistics(), { files: 0, bytes: 0, staged: 0 })
  })

  t.test('the bytes of a version that was replaced or removed are soon not found', async t => {
    const storage = await open(t)
    const replaced = await put(storage, 'a', bodyOf(BLOCK_BYTES))
    const removed = await put(storage, 'a', bodyOf(BLOCK_BYTES, 2))
    t.match(await faultOfGone(storage, replaced), { code: 'FILE_NOT_FOUND', path: 'a' })
    await remove(storage, 'a')
    t.match(await faultOfGone(storage, removed), { code: 'FILE_NOT_FOUND', path: 'a' })
  })

  t.test('a large body moves with its record, and replaces the one at the destination', async t => {
    const storage = await open(t)
    const bytes = bodyOf(3 * BLOCK_BYTES)
    await put(storage, 'a', bytes)
    const target = await put(storage, 'b', bodyOf(2 * BLOCK_BYTES))
    await move(storage, 'a', 'b')
    t.ok(bytes.equals((await bytesOf(storage, 'b')) ?? Buffer.of()))
    t.equal(await storage.find(parsePathName('a')), undefined)
    t.match(await faultOfGone(storage, target), { code: 'FILE_NOT_FOUND' })
    t.match(storage.statistics(), { files: 1, bytes: bytes.length })
  })

  t.test('a reader of a path with a batch under way sees the old file or the new one', async t => {
    const storage = await open(t)
    await put(storage, 'a', 'old')
    const putting = put(storage, 'a', 'new')
    for (let i = 0; i < 50; i += 1) t.match((await bytesOf(storage, 'a'))?.toString(), /^(old|new)$/)
    await putting
    t.equal((await bytesOf(storage, 'a'))?.toString(), 'new')
  })

  t.test('a body that is replaced or removed while it is read stays whole', async t => {
    const storage = await open(t)
    const bytes = bodyOf(6 * BLOCK_BYTES + 3)
    const record = await put(storage, 'a', bytes)
    const [first, second] = [await storage.read(record), await storage.read(record)]
    await put(storage, 'a', bodyOf(6 * BLOCK_BYTES, 2))
    t.ok(bytes.equals(await whole(first)))
    await remove(storage, 'a')
    t.ok(bytes.equals(await whole(second)))
    t.match(storage.statistics(), { files: 0, bytes: 0 })
  })
}

function ranges(t: Test, open: OpenStorage): void {
  t.test('ranges at and around the boundaries of blocks', async t => {
    const storage = await open(t)
    for (const size of [1, 5000, 3 * BLOCK_BYTES + 10]) {
      const bytes = bodyOf(size, size)
      const record = await put(storage, `ranges/${size}`, bytes)
      const edges = [0, 1, 4999, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES, size - 1]
      for (const first of edges) {
        for (const last of edges) {
          if (first > last || last >= size) continue
          const part = await whole(await storage.read(record, { first, last }))
          t.ok(part.equals(bytes.subarray(first, last + 1)), `${first}-${last} of ${size}`)
        }
      }
    }
  })

  t.test('a range that does not lie within the body is a programmer error', async t => {
    const storage = await open(t)
    const record = await put(storage, 'a', 'abc')
    for (const [first, last] of [
      [0, 3],
      [2, 1],
      [-1, 1],
      [0.5, 1],
    ] as const) {
      await t.rejects(storage.read(record, { first, last }), TypeError)
    }
  })
}

function order(t: Test, open: OpenStorage): void {
  t.test('a list is in the order of UTF-8 bytes, under a prefix, after a path', async t => {
    const storage = await open(t)
    // In UTF-16 the astral character would come before the last of the basic plane; in UTF-8 it comes after.
    const sorted = [
      'a',
      'a b',
      'a!',
      'a-b',
      'a/b',
      'a/b/c',
      'a/c',
      'a0',
      'b',
      'é',
      '\uff5e',
      '\u{1f600}',
      '\u{1f600}/x',
    ]
    for (const path of sorted.toReversed()) await put(storage, path, path)
    const paths = (prefix: string, after?: string) =>
      [...storage.list(prefix, after)].map(entry => entry.path as string)
    t.same(paths(''), sorted)
    t.same(paths('a'), sorted.slice(0, 8))
    t.same(paths('a/'), ['a/b', 'a/b/c', 'a/c'])
    t.same(paths('a/', 'a/b'), ['a/b/c', 'a/c'])
    t.same(paths('a/', 'a/bx'), ['a/c'])
    t.same(paths('a/', 'a'), ['a/b', 'a/b/c', 'a/c'])
    t.same(paths('', 'é'), ['\uff5e', '\u{1f600}', '\u{1f600}/x'])
    t.same(paths('', '\u{1f600}/x'), [])
    t.same(paths('a/', 'b'), [])
    t.same(paths('c'), [])
  })

  t.test('a line of the list says what the record says', async t => {
    const storage = await open(t)
    for (const size of [3, 2 * BLOCK_BYTES]) {
      const record = await put(storage, 'a', bodyOf(size))
      const { path, writtenAtMs, meta } = record
      const { sha256 } = record.body
      t.same(
        [...storage.list('')],
        [{ path, size, etag: etagOf(record), mediaType: meta.mediaType, writtenAtMs, sha256 }],
      )
    }
  })

  t.test('a list goes on while files come and go', async t => {
    const storage = await open(t)
    for (const path of ['a', 'c', 'e', 'g']) await put(storage, path, path)
    const seen: string[] = []
    for (const { path } of storage.list('')) {
      seen.push(path)
      if (path === 'a') await remove(storage, path)
      if (path === 'c') await put(storage, 'b', 'behind')
    }
    t.same(seen, ['a', 'c', 'e', 'g'])
    t.same(
      [...storage.list('')].map(entry => entry.path),
      ['b', 'c', 'e', 'g'],
    )
  })
}

function endings(t: Test, open: OpenStorage): void {
  t.test('a closed storage ends what is being received and refuses everything', async t => {
    const storage = await open(t)
    const record = await put(storage, 'a', 'a')
    const endless = new Readable({ read() {} })
    endless.push(bodyOf(3 * BLOCK_BYTES))
    const staging = t.rejects(storage.stage(endless, { sizeMax }), { code: 'UNAVAILABLE' })
    await storage.close()
    await staging
    const refused = { code: 'UNAVAILABLE' }
    await t.rejects(storage.find(record.path), refused)
    await t.rejects(storage.read(record), refused)
    await t.rejects(storage.stage(chunksOf(Buffer.of(1)), { sizeMax }), refused)
    t.throws(() => storage.stageAtOnce?.(new WholeBody(Buffer.of(1)), { sizeMax }), refused)
    t.throws(() => [...storage.list('')], refused)
    await storage.close()
  })
}
