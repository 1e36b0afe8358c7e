import { Readable } from 'node:stream'
import t from 'tap'
import { parsePathName } from '../../src/ring/path-name.ts'
import { digestOf } from '../../src/storage/body-digest.ts'
import {
  checkBlock,
  checkedBlocks,
  checkedInline,
  hashedBody,
  wholeRange,
} from '../../src/storage/checked-blocks.ts'
import { BLOCK_BYTES, type BlobId, type FileRecord } from '../../src/storage/record.ts'
import { bodyOf, sha256Of } from './conformance.ts'

function recordOf(bytes: Buffer): FileRecord {
  const blocks = Array.from({ length: Math.ceil(bytes.length / BLOCK_BYTES) }, (_, i) =>
    bytes.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES),
  )
  return {
    path: parsePathName('a'),
    version: { epoch: 1, seq: 1 },
    body: {
      size: bytes.length,
      sha256: '',
      blockChecksums: blocks.flatMap(block => digestOf(block).blockChecksums),
      content: { blobId: '' as BlobId },
    },
    meta: { mediaType: '' },
    writtenAtMs: 0,
  }
}

t.test('a range reads only the whole blocks around it', async t => {
  const bytes = bodyOf(4 * BLOCK_BYTES)
  const read: [number, number][] = []
  const readBlock = async (index: number, length: number) => {
    read.push([index, length])
    return bytes.subarray(index * BLOCK_BYTES, index * BLOCK_BYTES + length)
  }
  const range = { first: BLOCK_BYTES + 7, last: 2 * BLOCK_BYTES }
  const parts: Uint8Array[] = []
  for await (const part of checkedBlocks(recordOf(bytes), range, readBlock)) parts.push(part)
  t.same(read, [
    [1, BLOCK_BYTES],
    [2, BLOCK_BYTES],
  ])
  t.ok(Buffer.concat(parts).equals(bytes.subarray(range.first, range.last + 1)))
})

t.test('a block that is changed, too short or too long is corrupt', async t => {
  const bytes = bodyOf(BLOCK_BYTES + 10)
  const record = recordOf(bytes)
  checkBlock(record, 1, bytes.subarray(BLOCK_BYTES))
  const corrupt = { code: 'CORRUPT', path: 'a' }
  t.throws(() => checkBlock(record, 0, bytes.subarray(BLOCK_BYTES)), corrupt)
  t.throws(() => checkBlock(record, 1, bytes.subarray(BLOCK_BYTES + 1)), corrupt)
  t.throws(() => checkBlock(record, 1, bytes.subarray(BLOCK_BYTES - 1)), corrupt)
  t.throws(() => checkBlock(record, 1, Buffer.alloc(10)), corrupt)
})

t.test('an inline body is checked too, and an empty one has to be empty', async t => {
  const empty = recordOf(Buffer.of())
  t.equal(checkedInline(empty, Buffer.of(), wholeRange(empty, undefined)).length, 0)
  t.throws(() => checkedInline(empty, Buffer.of(1), wholeRange(empty, undefined)), { code: 'CORRUPT' })
  const record = recordOf(Buffer.from('abc'))
  t.equal(checkedInline(record, Buffer.from('abc'), { first: 1, last: 1 }).toString(), 'b')
  t.throws(() => checkedInline(record, Buffer.from('abd'), { first: 0, last: 0 }), { code: 'CORRUPT' })
})

const record = (sha256: string) => ({ path: parsePathName('a'), body: { sha256 } }) as FileRecord

t.test('all bytes are counted, and only the right ones pass', async t => {
  const bytes = Buffer.from('hello')
  for (const body of [bytes, Readable.from([bytes.subarray(0, 2), bytes.subarray(2)])]) {
    let count = 0
    for await (const passed of hashedBody({ read: async () => body }, record(sha256Of(bytes))))
      count += passed
    t.equal(count, 5)
  }
  const wrong = hashedBody({ read: async () => bytes }, record('ab'.repeat(32)))
  t.equal((await wrong.next()).value, 5)
  await t.rejects(wrong.next(), { code: 'CORRUPT', path: 'a' })
})
