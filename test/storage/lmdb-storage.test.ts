import { cp, mkdir, open as openFile, readdir, rm, truncate, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { open as openLmdb } from 'lmdb'
import t, { type Test } from 'tap'
import { realEnv } from '../../src/env.ts'
import type { Identifier } from '../../src/ring/identifier.ts'
import { type PathName, parsePathName } from '../../src/ring/path-name.ts'
import { LmdbStorage } from '../../src/storage/lmdb-storage.ts'
import { BLOCK_BYTES, type BlobId, type FileRecord } from '../../src/storage/record.ts'
import { recordKey } from '../../src/storage/record-codec.ts'
import { bodyOf, bytesOf, chunksOf, move, put, remove, storageConformance, whole } from './conformance.ts'

storageConformance(t, t => open(t, join(t.testdir(), 'data')))

async function open(t: Test, directory: string): Promise<LmdbStorage> {
  const storage = await LmdbStorage.open({ env: realEnv() }, { directory })
  t.teardown(() => storage.close())
  return storage
}

function fileOf(directory: string, record: FileRecord): string {
  if (!('blobId' in record.body.content)) throw new TypeError('an inline body has no file')
  const { blobId } = record.body.content
  return join(directory, 'blobs', blobId.slice(0, 2), blobId)
}

async function blobFiles(directory: string): Promise<string[]> {
  const entries = await readdir(join(directory, 'blobs'), { recursive: true, withFileTypes: true })
  return entries.filter(entry => entry.isFile()).map(entry => entry.name)
}

async function flipByte(file: string, position: number): Promise<void> {
  const handle = await openFile(file, 'r+')
  const byte = Buffer.alloc(1)
  await handle.read(byte, 0, 1, position)
  byte[0] = (byte[0] ?? 0) ^ 0x10
  await handle.write(byte, 0, 1, position)
  await handle.close()
}

/** Changes a stored record behind the back of the storage, which has to be closed. */
async function tamper(directory: string, path: PathName, change: (value: Buffer) => Buffer): Promise<void> {
  const root = openLmdb<Buffer, Buffer>({
    path: join(directory, 'index.mdb'),
    noSubdir: true,
    overlappingSync: false,
  })
  const records = root.openDB<Buffer, Buffer>({ name: 'records', encoding: 'binary', keyEncoding: 'binary' })
  await records.put(recordKey(path), change(Buffer.from(records.get(recordKey(path)) ?? '')))
  await root.close()
}

t.test('everything is there after a restart', async t => {
  const directory = join(t.testdir(), 'data')
  const first = await open(t, directory)
  const bodies = [0, 10, 70_000, 2 * BLOCK_BYTES + 1].map(size => bodyOf(size, size))
  for (const [i, bytes] of bodies.entries()) await put(first, `${i}`, bytes)
  await put(first, 'gone', bodyOf(100_000))
  await remove(first, 'gone')
  const [records, lines, statistics] = [recordsOf(first), [...first.list('')], first.statistics()]
  await first.close()

  const second = await open(t, directory)
  t.equal(second.nodeId, first.nodeId)
  t.match(second.nodeId, /^[0-9a-f]{32}$/)
  t.equal(second.boot, first.boot + 1)
  t.same(recordsOf(second), records)
  t.same([...second.list('')], lines)
  t.same(second.statistics(), statistics)
  for (const [i, bytes] of bodies.entries())
    t.ok(bytes.equals((await bytesOf(second, `${i}`)) ?? Buffer.of(1)))
})

function recordsOf(storage: LmdbStorage): FileRecord[] {
  const zero = '0'.repeat(40) as Identifier
  return Array.from(storage.replica.records(zero, zero), ({ file }) => file).filter(
    file => file !== undefined,
  )
}

t.test('bodies that nothing names any more leave the disk', async t => {
  const directory = join(t.testdir(), 'data')
  const storage = await open(t, directory)
  const large = bodyOf(2 * BLOCK_BYTES)
  await put(storage, 'replaced', large)
  await put(storage, 'replaced', 'small')
  await put(storage, 'removed', large)
  await remove(storage, 'removed')
  await storage.discard(await storage.stage(chunksOf(large), { sizeMax: large.length }))
  await storage.stage(chunksOf(large), { sizeMax: large.length })
  const kept = await put(storage, 'kept', large)
  await move(storage, 'kept', 'moved')
  await storage.close()
  t.same(await blobFiles(directory), [fileOf('', kept).split('/').at(-1)])
  t.same(await readdir(join(directory, 'staging')), [])
})

t.test('a body that a batch has kept stays, though storage was closed before it was handed over', async t => {
  const directory = join(t.testdir(), 'data')
  const storage = await open(t, directory)
  const { content } = await storage.stage(chunksOf(bodyOf(100_000)), { sizeMax: 1e6 })
  const { blobId } = content as { blobId: BlobId }
  await storage.stage(chunksOf(bodyOf(200_000)), { sizeMax: 1e6 })
  const keeping = storage.replica.apply({ records: [], values: [], keepBlobs: [blobId], dropBlobs: [] })
  await storage.close()
  await keeping
  t.same(await blobFiles(directory), [blobId])
  await open(t, directory)
  t.same(await blobFiles(directory), [blobId])
})

t.test('a start removes what a crash left: staging, and blobs without a record', async t => {
  const directory = join(t.testdir(), 'data')
  const first = await open(t, directory)
  const kept = await put(first, 'kept', bodyOf(100_000))
  await first.stage(chunksOf(bodyOf(200_000)), { sizeMax: 1e6 })
  await writeFile(join(directory, 'staging', 'half'), 'unfinished')
  // What a killed process leaves is a directory at any moment: copy it while the storage is open.
  const copied = `${directory} as it was`
  await cp(directory, copied, { recursive: true })
  t.equal((await blobFiles(copied)).length, 2)

  const second = await open(t, copied)
  t.same(await blobFiles(copied), [fileOf('', kept).split('/').at(-1)])
  t.same(await readdir(join(copied, 'staging')), [])
  t.ok(bodyOf(100_000).equals((await bytesOf(second, 'kept')) ?? Buffer.of()))
})

t.test('a damaged block is never handed out, whichever bytes of it were asked for', async t => {
  const directory = join(t.testdir(), 'data')
  const storage = await open(t, directory)
  const bytes = bodyOf(4 * BLOCK_BYTES + 10)
  const record = await put(storage, 'a', bytes)
  await flipByte(fileOf(directory, record), 2 * BLOCK_BYTES + 500)
  const corrupt = { code: 'CORRUPT', path: 'a' }
  await t.rejects(
    storage.read(record, { first: 2 * BLOCK_BYTES, last: 2 * BLOCK_BYTES }),
    corrupt,
    'the first block asked for',
  )
  const good = await whole(await storage.read(record, { first: 0, last: 2 * BLOCK_BYTES - 1 }))
  t.ok(good.equals(bytes.subarray(0, 2 * BLOCK_BYTES)), 'the blocks before it')
  t.ok(
    (await whole(await storage.read(record, { first: 3 * BLOCK_BYTES, last: 3 * BLOCK_BYTES }))).length === 1,
    'and after',
  )

  const seen: Buffer[] = []
  const stream = await storage.read(record)
  t.ok(stream instanceof Readable)
  const reading = (async () => {
    for await (const chunk of stream as Readable) seen.push(chunk)
  })()
  await t.rejects(reading, corrupt, 'the stream breaks')
  t.ok(Buffer.concat(seen).equals(bytes.subarray(0, 2 * BLOCK_BYTES)), 'right before the damaged block')
})

t.test('a blob that is cut short or missing is corrupt, not absent', async t => {
  const directory = join(t.testdir(), 'data')
  const storage = await open(t, directory)
  const record = await put(storage, 'a', bodyOf(100_000))
  await truncate(fileOf(directory, record), 99_999)
  await t.rejects(storage.read(record), { code: 'CORRUPT' })
  await unlink(fileOf(directory, record))
  await t.rejects(storage.read(record), { code: 'CORRUPT', message: /missing/ })
})

t.test('a damaged record is corrupt, in its head and in its inline body', async t => {
  const directory = join(t.testdir(), 'data')
  const path = parsePathName('a')
  const length = await (async () => {
    const storage = await open(t, directory)
    await put(storage, path, bodyOf(500))
    await storage.close()
    let valueBytes = 0
    await tamper(directory, path, value => {
      valueBytes = value.length
      return value
    })
    return valueBytes
  })()
  const faults: [string, (value: Buffer) => Buffer][] = [
    ['cut short', value => value.subarray(0, 30)],
    ['empty head', value => Buffer.alloc(value.length)],
    ...[0, 9, 41, 80, length - 501].map((at): [string, (value: Buffer) => Buffer] => [
      `head, byte ${at}`,
      flipped(at),
    ]),
    ['body, first byte', flipped(length - 500)],
    ['body, last byte', flipped(length - 1)],
  ]
  for (const [name, change] of faults) {
    let original: Buffer = Buffer.alloc(0)
    await tamper(directory, path, value => {
      original = value
      return change(value)
    })
    const storage = await open(t, directory)
    await t.rejects(bytesOf(storage, path), { code: 'CORRUPT', path: 'a' }, name)
    t.equal([...storage.list('')].length, 1, 'a list goes on')
    await storage.close()
    await tamper(directory, path, () => original)
  }
  const storage = await open(t, directory)
  t.ok(bodyOf(500).equals((await bytesOf(storage, path)) ?? Buffer.of()))
})

function flipped(at: number): (value: Buffer) => Buffer {
  return value => {
    const changed = Buffer.from(value)
    changed[at] = (changed[at] ?? 0) ^ 1
    return changed
  }
}

t.test('whatever is done, and whenever it restarts, it holds what a plain map holds', async t => {
  const paths = ['a', 'a/b', 'b', 'é', '\u{1f600}'].map(parsePathName)
  const path = fc.constantFrom(...paths)
  const size = fc.constantFrom(0, 5, 70_000, BLOCK_BYTES + 1)
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('put' as const), path, size, seed: fc.nat(1000) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), path }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('move' as const), path, to: path }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  )
  let run = 0
  const base = t.testdir()
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async steps => {
      run += 1
      const directory = join(base, `run ${run}`)
      let storage = await LmdbStorage.open({ env: realEnv() }, { directory })
      const model = new Map<string, Buffer>()
      for (const one of steps) {
        if (one.kind === 'restart') {
          await storage.close()
          storage = await LmdbStorage.open({ env: realEnv() }, { directory })
        } else await applyStep(storage, model, one)
      }
      await checkAgainst(storage, model)
      await storage.close()
      const large = [...model.values()].filter(bytes => bytes.length > 65_536)
      if ((await blobFiles(directory)).length !== large.length) throw new Error('blobs without a record')
    }),
    { numRuns: 40 },
  )
})

type Step =
  | { kind: 'put'; path: PathName; size: number; seed: number }
  | { kind: 'remove'; path: PathName }
  | { kind: 'move'; path: PathName; to: PathName }

/** Does a step to both, where there is something to do. */
async function applyStep(storage: LmdbStorage, model: Map<string, Buffer>, step: Step): Promise<void> {
  const bytes = model.get(step.path)
  if (step.kind === 'put') {
    const body = bodyOf(step.size, step.seed)
    await put(storage, step.path, body)
    model.set(step.path, body)
    return
  }
  if (((await storage.find(step.path)) === undefined) !== (bytes === undefined))
    throw new Error(`${step.path} differs`)
  if (bytes === undefined || (step.kind === 'move' && step.to === step.path)) return
  model.delete(step.path)
  if (step.kind === 'remove') await remove(storage, step.path)
  else {
    await move(storage, step.path, step.to)
    model.set(step.to, bytes)
  }
}

async function checkAgainst(storage: LmdbStorage, model: Map<string, Buffer>): Promise<void> {
  const lines = [...storage.list('')]
  const paths = [...model.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  if (JSON.stringify(lines.map(({ path }) => path)) !== JSON.stringify(paths))
    throw new Error('the list differs')
  for (const { path, size } of lines) {
    const [bytes, expected] = [await bytesOf(storage, path), model.get(path)]
    if (size !== expected?.length || !bytes?.equals(expected)) throw new Error(`the bytes of ${path} differ`)
  }
  const { files, bytes, staged } = storage.statistics()
  const sum = [...model.values()].reduce((total, { length }) => total + length, 0)
  if (files !== model.size || bytes !== sum || staged !== 0) throw new Error('the statistics differ')
  if (recordsOf(storage).length !== model.size) throw new Error('the records differ')
}

t.test('a data directory that has lost its index is not taken for a new disk', async t => {
  const directory = join(t.testdir(), 'data')
  const storage = await LmdbStorage.open({ env: realEnv() }, { directory })
  await storage.close()
  await rm(join(directory, 'index.mdb'))
  await t.rejects(open(t, directory), { code: 'CORRUPT', message: /index\.mdb is missing/ })
  await t.rejects(open(t, directory), { code: 'CORRUPT' }, 'the refusal has changed nothing')
})

t.test('a body in whose place a folder lies is corrupt here, and its good copy takes the place', async t => {
  const directory = join(t.testdir(), 'data')
  const storage = await open(t, directory)
  const bytes = bodyOf(200_000)
  const record = await put(storage, 'a', bytes)
  const file = fileOf(directory, record)
  await rm(file)
  await mkdir(file)
  await t.rejects(storage.read(record), { code: 'CORRUPT' })
  const { content, sha256 } = record.body
  const { blobId } = content as { blobId: BlobId }
  t.equal(await storage.replica.hasBlob(blobId), false)
  await storage.replica.replaceBlob(blobId, sha256, chunksOf(bytes))
  await storage.replica.tryBody()
  t.same(await whole(await storage.read(record)), bytes)
})
