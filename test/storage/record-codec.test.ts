import fc from 'fast-check'
import t from 'tap'
import { identifierOfPath } from '../../src/ring/identifier.ts'
import { parsePathName } from '../../src/ring/path-name.ts'
import { type BlobId, etagOf, type FileRecord } from '../../src/storage/record.ts'
import {
  decodeLine,
  decodeRecord,
  encodeLine,
  encodeRecord,
  pathOfRecordKey,
  recordKey,
} from '../../src/storage/record-codec.ts'

const hex = (digits: number) =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'), { minLength: digits, maxLength: digits })
    .map(d => d.join(''))
const plain = { noNullPrototype: true } as const
const checksums = fc.array(fc.nat(0xffffffff), { maxLength: 9 })
const inlineBody = fc.tuple(fc.uint8Array(), fc.nat(0xffffffff)).map(([bytes, checksum]) => ({
  size: bytes.length,
  blockChecksums: bytes.length === 0 ? [] : [checksum],
  content: { inline: Buffer.from(bytes) },
}))
const blobBody = fc.tuple(fc.maxSafeNat(), hex(32), checksums).map(([size, blobId, blockChecksums]) => ({
  size,
  blockChecksums,
  content: { blobId: blobId as BlobId },
}))
// No media type that an endpoint lets in has a zero byte, with which the media type of a line ends.
const mediaType = fc.string({ unit: 'grapheme', maxLength: 300 }).filter(text => !text.includes('\0'))
const user = fc
  .uniqueArray(fc.tuple(fc.stringMatching(/^[a-z0-9.-]{1,40}$/), fc.stringMatching(/^[!-~]{0,40}$/)), {
    minLength: 1,
    maxLength: 6,
    selector: ([name]) => name,
  })
  .map(fields => fields.sort(([a], [b]) => (a < b ? -1 : 1)))
const records: fc.Arbitrary<FileRecord> = fc
  .record({
    path: fc.constantFrom('a', 'a/é', '\u{1f600}').map(parsePathName),
    version: fc.record({ epoch: fc.nat(0xffffffff), seq: fc.maxSafeNat() }, plain),
    body: fc.oneof(inlineBody, blobBody),
    sha256: hex(64),
    meta: fc.oneof(fc.record({ mediaType }, plain), fc.record({ mediaType, user }, plain)),
    writtenAtMs: fc.maxSafeNat(),
  })
  .map(({ sha256, body, ...rest }) => ({ ...rest, body: { ...body, sha256 } }))

t.test('a record comes back as it was', async t => {
  fc.assert(
    fc.property(records, record => {
      t.strictSame(decodeRecord(record.path, encodeRecord(record)), record)
    }),
    { numRuns: 200 },
  )
})

t.test(
  'a change of any one bit is found, in the head here, in an inline body by its block checksum',
  async t => {
    fc.assert(
      fc.property(records, fc.nat(), fc.nat(7), (record, somewhere, bit) => {
        const value = encodeRecord(record)
        const inlineBytes = 'inline' in record.body.content ? record.body.content.inline.length : 0
        const at = somewhere % (value.length - inlineBytes)
        value[at] = (value[at] ?? 0) ^ (1 << bit)
        t.throws(() => decodeRecord(record.path, value), { code: 'CORRUPT' })
      }),
      { numRuns: 300 },
    )
  },
)

t.test('a value of whatever bytes is corrupt and nothing worse', async t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
      t.throws(() => decodeRecord(parsePathName('a'), Buffer.from(bytes)), { code: 'CORRUPT' })
    }),
    { numRuns: 300 },
  )
})

t.test('the key of a record is its position, then its path', async t => {
  const path = parsePathName('a/é')
  const key = recordKey(path)
  t.equal(key.toString('hex'), identifierOfPath(path) + Buffer.from(path).toString('hex'))
  t.equal(pathOfRecordKey(key), path)
})

t.test('a line says what the record says', async t => {
  fc.assert(
    fc.property(records, record => {
      const { path, body, meta, writtenAtMs } = record
      const { size, sha256 } = body
      const { mediaType, user } = meta
      const line = { path, size, etag: etagOf(record), mediaType, writtenAtMs, sha256, ...(user && { user }) }
      t.strictSame(decodeLine(path, encodeLine(record)), line)
    }),
    { numRuns: 100 },
  )
})

const golden = {
  path: parsePathName('a/b'),
  version: { epoch: 3, seq: 7 },
  body: {
    size: 2,
    sha256: '8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4',
    blockChecksums: [0xd8932aac],
    content: { inline: Buffer.from('hi') },
  },
  meta: { mediaType: 'text/plain' },
  writtenAtMs: 1_700_000_000_000,
} as const

// Bytes that are on disks: a change of these means a new format of the data directory.
const COMMON =
  '030000000000000000001c4000008056febc78420000000000000040' +
  '8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa40a00746578742f706c61696e'
const LINE =
  '030000000000000000001c4000008056febc784200000000000000408f434346746578742f706c61696e' +
  '008f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4'
const USER_META = '05000400636f6c6f72626c7565'
const kept = [
  {
    record: golden,
    value: `5fe05fb15800000000000000${COMMON}ac2a93d86869`,
    line: LINE,
  },
  {
    record: { ...golden, meta: { ...golden.meta, user: [['color', 'blue']] } },
    value: `a04f5eaf6700000002000000${COMMON}0d00${USER_META}ac2a93d86869`,
    line: LINE + USER_META,
  },
] as const

t.test('records and lines that are on disks are read, and what is written is the same', async t => {
  for (const { record, value, line } of kept) {
    t.equal(encodeRecord(record).toString('hex'), value)
    t.equal(encodeLine(record).toString('hex'), line)
    t.strictSame(decodeRecord(record.path, Buffer.from(value, 'hex')), record)
    t.match(decodeLine(record.path, Buffer.from(line, 'hex')), {
      sha256: record.body.sha256,
      user: 'user' in record.meta ? record.meta.user : undefined,
    })
  }
})

t.test('lines of the first format are read: they end with the media type', async t => {
  const [first] = LINE.split('008f4343')
  t.strictSame(decodeLine(golden.path, Buffer.from(first as string, 'hex')), {
    path: golden.path,
    size: 2,
    etag: etagOf(golden),
    mediaType: 'text/plain',
    writtenAtMs: golden.writtenAtMs,
  })
})
