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
const records: fc.Arbitrary<FileRecord> = fc
  .record({
    path: fc.constantFrom('a', 'a/é', '\u{1f600}').map(parsePathName),
    version: fc.record({ epoch: fc.nat(0xffffffff), seq: fc.maxSafeNat() }, plain),
    body: fc.oneof(inlineBody, blobBody),
    sha256: hex(64),
    meta: fc.record({ mediaType: fc.string({ unit: 'grapheme', maxLength: 300 }) }, plain),
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
      const { size } = body
      const line = { path, size, etag: etagOf(record), mediaType: meta.mediaType, writtenAtMs }
      t.strictSame(decodeLine(path, encodeLine(record)), line)
    }),
    { numRuns: 100 },
  )
})
