import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { parsePathName } from '../../src/ring/path-name.ts'
import { blobStream } from '../../src/storage/blob-stream.ts'
import { BodyDigest } from '../../src/storage/body-digest.ts'
import { BLOCK_BYTES, type BlobId, type FileRecord } from '../../src/storage/record.ts'
import { bodyOf, whole } from './conformance.ts'

function recordOf(bytes: Buffer): FileRecord {
  const digest = new BodyDigest()
  digest.update(bytes)
  const content = { blobId: '' as BlobId }
  const version = { epoch: 1, seq: 1 }
  return {
    path: parsePathName('a'),
    version,
    body: { ...digest.finish(), content },
    meta: { mediaType: '' },
    writtenAtMs: 0,
  }
}

const bytes = bodyOf(6 * BLOCK_BYTES)
const all = { first: 0, last: bytes.length - 1 }

t.test('reading stays one block ahead of a reader that does not read', async t => {
  const file = join(t.testdir(), 'blob')
  await writeFile(file, bytes)
  const handle = await open(file)
  let reads = 0
  const read = handle.read.bind(handle)
  handle.read = ((...args: Parameters<typeof read>) => {
    reads += 1
    return read(...args)
  }) as typeof handle.read
  const stream = await blobStream(recordOf(bytes), all, handle)
  for (let i = 0; i < 20; i += 1) await new Promise(resolve => setImmediate(resolve))
  t.ok(reads <= 3, `${reads} blocks were read`)
  t.ok(bytes.equals(await whole(stream)))
  t.equal(handle.fd, -1, 'the file is closed')
})

t.test('a stream that is destroyed closes its file, also while a block is being read', async t => {
  const file = join(t.testdir(), 'blob')
  await writeFile(file, bytes)
  for (const start of [false, true]) {
    const handle = await open(file)
    const stream = await blobStream(recordOf(bytes), all, handle)
    if (start) stream.resume()
    await new Promise(resolve => stream.on('close', resolve).destroy())
    t.equal(handle.fd, -1)
  }
})

t.test('a first block that is damaged is met at once and closes the file', async t => {
  const file = join(t.testdir(), 'blob')
  await writeFile(file, Buffer.alloc(bytes.length))
  const handle = await open(file)
  await t.rejects(blobStream(recordOf(bytes), all, handle), { code: 'CORRUPT' })
  t.equal(handle.fd, -1)
})

t.test('a disk that can not read is a corrupt file, in a sentence that says so', async t => {
  const directory = await open(t.testdir())
  await t.rejects(blobStream(recordOf(bytes), all, directory), {
    code: 'CORRUPT',
    message: /can't read block 0/,
  })
})
