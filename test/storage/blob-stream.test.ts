import { type FileHandle, open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { parsePathName } from '../../src/ring/path-name.ts'
import { blobStream, SMALL_PIECE_BYTES } from '../../src/storage/blob-stream.ts'
import { BodyDigest } from '../../src/storage/body-digest.ts'
import { DiskWatch } from '../../src/storage/disk-watch.ts'
import { DownloadRoom } from '../../src/storage/download-room.ts'
import { BLOCK_BYTES, type BlobId, type FileRecord } from '../../src/storage/record.ts'
import { manualEnv } from '../manual-env.ts'
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

const env = manualEnv()
const watch = new DiskWatch(env, { onHang: () => undefined })

function partsOf(file: FileHandle, room = new DownloadRoom(), range = all) {
  return { record: recordOf(bytes), range, file, room, watch }
}

/** Room without place for one more download that holds whole blocks. */
function crowdedRoom(): DownloadRoom {
  const room = new DownloadRoom()
  while (room.tryTakeWhole());
  return room
}

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
  const stream = await blobStream(partsOf(handle))
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
    const stream = await blobStream(partsOf(handle))
    if (start) stream.resume()
    await new Promise(resolve => stream.on('close', resolve).destroy())
    t.equal(handle.fd, -1)
  }
})

t.test('a first block that is damaged is met at once and closes the file', async t => {
  const file = join(t.testdir(), 'blob')
  await writeFile(file, Buffer.alloc(bytes.length))
  const handle = await open(file)
  await t.rejects(blobStream(partsOf(handle)), { code: 'CORRUPT' })
  t.equal(handle.fd, -1)
})

t.test('a disk that cannot read is a corrupt file, in a sentence that says so', async t => {
  const directory = await open(t.testdir())
  await t.rejects(blobStream(partsOf(directory)), {
    code: 'CORRUPT',
    message: /can't read block 0/,
  })
})

t.test('in a crowd, small pieces are handed out and nothing is read ahead', async t => {
  const file = join(t.testdir(), 'blob')
  await writeFile(file, bytes)
  const ranges = [all, { first: BLOCK_BYTES - 3, last: 2 * BLOCK_BYTES + 5 }, { first: 20_000, last: 20_000 }]
  for (const range of ranges) {
    const handle = await open(file)
    const stream = await blobStream(partsOf(handle, crowdedRoom(), range))
    const pieces: Buffer[] = []
    for await (const piece of stream) {
      t.ok(piece.buffer.byteLength <= SMALL_PIECE_BYTES, 'no piece keeps a block alive')
      pieces.push(piece)
    }
    t.ok(Buffer.concat(pieces).equals(bytes.subarray(range.first, range.last + 1)))
    t.equal(handle.fd, -1, 'the file is closed')
  }
})

t.test('in a crowd, a damaged block is met before any of its bytes goes on', async t => {
  const file = join(t.testdir(), 'blob')
  const damaged = Buffer.from(bytes)
  damaged[2 * BLOCK_BYTES - 1] = (damaged[2 * BLOCK_BYTES - 1] as number) ^ 1
  await writeFile(file, damaged)
  const handle = await open(file)
  const stream = await blobStream(partsOf(handle, crowdedRoom()))
  let passed = 0
  await t.rejects(
    (async () => {
      for await (const piece of stream) passed += piece.length
    })(),
    { code: 'CORRUPT' },
  )
  t.equal(passed, BLOCK_BYTES)
  t.equal(handle.fd, -1, 'the file is closed')
})

t.test('in a crowd, bytes that change after their check are not handed on', async t => {
  const file = join(t.testdir(), 'blob')
  await writeFile(file, bytes)
  const handle = await open(file)
  const stream = await blobStream(partsOf(handle, crowdedRoom()))
  await writeFile(file, Buffer.alloc(bytes.length))
  let passed = 0
  await t.rejects(
    (async () => {
      for await (const piece of stream) passed += piece.length
    })(),
    { code: 'CORRUPT' },
  )
  t.ok(passed <= 2 * SMALL_PIECE_BYTES, `${passed} bytes had been read before`)
})

t.test('a stream of a crowd takes the place of one that ends, for its next block', async t => {
  const file = join(t.testdir(), 'blob')
  await writeFile(file, bytes)
  const room = crowdedRoom()
  const stream = await blobStream(partsOf(await open(file), room))
  room.giveWhole()
  const sizes: number[] = []
  for await (const piece of stream) sizes.push(piece.length)
  t.equal(sizes.at(0), SMALL_PIECE_BYTES)
  t.equal(sizes.at(-1), BLOCK_BYTES)
  t.ok(room.tryTakeWhole(), 'it gave its place back')
  t.notOk(room.tryTakeWhole(), 'once')
})

t.test('a stream that is destroyed gives its place back', async t => {
  const file = join(t.testdir(), 'blob')
  await writeFile(file, bytes)
  const room = crowdedRoom()
  room.giveWhole()
  const stream = await blobStream(partsOf(await open(file), room))
  t.notOk(room.tryTakeWhole(), 'it has the place')
  await new Promise(resolve => stream.on('close', resolve).destroy())
  t.ok(room.tryTakeWhole())
})

t.test('the readers of a disk that hangs are told so, and the file is closed once it goes on', async t => {
  const file = join(t.testdir(), 'blob')
  await writeFile(file, bytes)
  for (const piecesRead of [0, 2]) {
    const handle = await open(file)
    const read = handle.read.bind(handle)
    let goOn = () => {}
    const hanging = new Promise<void>(resolve => {
      goOn = resolve
    })
    let reads = 0
    handle.read = (async (...args: Parameters<typeof read>) => {
      if (reads++ >= piecesRead) await hanging
      return read(...args)
    }) as typeof handle.read
    const reading = blobStream(partsOf(handle)).then(whole)
    const refused = t.rejects(reading, { code: 'CORRUPT' }, 'somebody else may have the bytes')
    for (let second = 0; second < 30; second++) await env.advance(1_000)
    await refused
    goOn()
    while (handle.fd !== -1) await new Promise(resolve => setImmediate(resolve))
  }
})
