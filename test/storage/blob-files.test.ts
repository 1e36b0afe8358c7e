import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { BlobFiles, type StagingFile } from '../../src/storage/blob-files.ts'
import type { BlobId } from '../../src/storage/record.ts'
import { bodyOf, chunksOf, sha256Of } from './conformance.ts'

const blobId = 'ab00000000000000000000000000000f' as BlobId
const otherId = 'cd00000000000000000000000000000f' as BlobId

async function write(file: StagingFile, bytes: Uint8Array): Promise<void> {
  await file.write(bytes.subarray(0, 1000))
  await file.write(bytes.subarray(1000))
}

t.test('a blob has its name only when it is finished, and then all its bytes', async t => {
  const directory = t.testdir()
  const files = await BlobFiles.open(directory)
  const bytes = bodyOf(70 * 1024 * 1024)
  const file = await files.begin(blobId)
  await write(file, bytes)
  await t.rejects(files.open(blobId), { code: 'ENOENT' })
  t.same(await readdir(join(directory, 'staging')), [blobId])
  await file.finish(Promise.resolve())
  t.same(await readdir(join(directory, 'staging')), [])
  t.ok(bytes.equals(await readFile(join(directory, 'blobs', 'ab', blobId))))
  const again = await BlobFiles.open(directory)
  const opened = await again.open(blobId)
  await again.remove([blobId, otherId])
  t.ok(
    bytes.subarray(0, 10).equals((await opened.read(Buffer.alloc(10), 0, 10, 0)).buffer),
    'an open blob can be read',
  )
  await opened.close()
  t.same(await readdir(join(directory, 'blobs', 'ab')), [])
})

t.test('a blob gets no name before its mark is durable, and none when that fails', async t => {
  const directory = t.testdir()
  const files = await BlobFiles.open(directory)
  const file = await files.begin(blobId)
  await write(file, bodyOf(2000))
  const mark = Promise.reject(new Error('no mark'))
  mark.catch(() => undefined)
  await t.rejects(file.finish(mark), { message: 'no mark' })
  await t.rejects(files.open(blobId), { code: 'ENOENT' })
  await file.abandon()
  await file.abandon()
  t.same(await readdir(join(directory, 'staging')), [])
})

t.test('opening drops unfinished staging', async t => {
  const directory = t.testdir({ staging: { one: 'x', two: 'y' } })
  await mkdir(join(directory, 'blobs', 'ab'), { recursive: true })
  await writeFile(join(directory, 'blobs', 'ab', blobId), 'kept')
  const files = await BlobFiles.open(directory)
  t.same(await readdir(join(directory, 'staging')), [])
  const kept = await files.open(blobId)
  t.equal(await kept.readFile('utf8'), 'kept')
  await kept.close()
})

t.test('a good copy takes the place of a blob at once, or of nothing; a bad one changes nothing', async t => {
  const directory = t.testdir()
  const files = await BlobFiles.open(directory)
  const bytes = bodyOf(100_000)
  const path = join(directory, 'blobs', 'ab', blobId)
  const file = await files.begin(blobId)
  await write(file, bodyOf(100_000, 2))
  await file.finish(Promise.resolve())
  const bad = await readFile(path)
  const reader = await files.open(blobId)
  await t.rejects(files.replace(blobId, sha256Of(bytes), chunksOf(bodyOf(100_000, 3))), { code: 'CORRUPT' })
  async function* breaking() {
    yield bytes.subarray(0, 10)
    throw new Error('cut off')
  }
  await t.rejects(files.replace(blobId, sha256Of(bytes), breaking()), { message: 'cut off' })
  t.ok(bad.equals(await readFile(path)))
  t.same(await readdir(join(directory, 'staging')), [])
  await files.replace(blobId, sha256Of(bytes), chunksOf(bytes))
  t.ok(bytes.equals(await readFile(path)))
  t.ok(bad.subarray(0, 10).equals((await reader.read(Buffer.alloc(10), 0, 10, 0)).buffer), 'a reader goes on')
  await reader.close()
  await rm(join(directory, 'blobs'), { recursive: true })
  await rm(join(directory, 'staging'), { recursive: true })
  await files.replace(blobId, sha256Of(bytes), chunksOf(bytes))
  t.ok(bytes.equals(await readFile(path)), 'even where the folders were gone')
  await rm(join(directory, 'blobs'), { recursive: true })
  const another = await files.begin(blobId)
  await write(another, bytes)
  await another.finish(Promise.resolve())
  t.ok(bytes.equals(await readFile(path)), 'as a new blob is')
})

t.test(
  'folders that are gone from a running node are made again, and one in the place of a body goes',
  async t => {
    const directory = t.testdir()
    const files = await BlobFiles.open(directory)
    await files.tryBody(blobId)
    for (const name of ['staging', 'blobs']) {
      await rm(join(directory, name), { recursive: true })
      await files.tryBody(blobId)
    }
    const place = join(directory, 'blobs', 'ab', blobId)
    await mkdir(join(place, 'deep'), { recursive: true })
    t.equal(await files.has(blobId), false)
    const good = Buffer.from('good')
    await files.replace(blobId, sha256Of(good), chunksOf(good))
    t.equal(await readFile(place, 'utf8'), 'good')
    await rm(place)
    await mkdir(place)
    await files.remove([blobId])
    await t.rejects(stat(place), { code: 'ENOENT' })
    await rm(join(directory, 'staging'), { recursive: true })
    await writeFile(join(directory, 'staging'), 'a file')
    await t.rejects(files.tryBody(blobId), { code: 'ENOTDIR' }, 'what cannot be put right is told')
  },
)
