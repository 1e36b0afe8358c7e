import t from 'tap'
import {
  checksumHeaders,
  checksumOf,
  DEFAULT_MEDIA_TYPE,
  metaHeaders,
  metaOfRequest,
  partsOf,
  withExtras,
} from '../../src/s3/object-meta.ts'
import type { S3Request } from '../../src/s3/request.ts'
import type { FileMeta, FileRecord } from '../../src/storage/record.ts'

const metaOf = (headers: Record<string, string>, query: [string, string][] = []) =>
  metaOfRequest({
    headers: new Map(Object.entries(headers).map(([name, value]) => [name, [value]])),
    query,
  } as unknown as S3Request)

const recordOf = (meta: FileMeta, size = 0) =>
  ({ meta, body: { size, sha256: '00'.repeat(32) } }) as unknown as FileRecord

t.test('what a user says of an object comes back as it was said', async t => {
  const headers = {
    'content-type': 'text/plain; charset=utf-8',
    'x-amz-meta-mtime': '1700000000.5',
    'cache-control': 'no-cache',
    'content-encoding': 'gzip',
    'content-language': 'de',
    expires: 'Thu, 01 Jan 2026 00:00:00 GMT',
    'content-disposition': 'attachment; filename="a"',
  }
  t.same(metaHeaders(recordOf(metaOf({ ...headers, host: 'h', 'x-amz-date': 'x' }))), headers)
  t.same(metaOf({}), { mediaType: DEFAULT_MEDIA_TYPE })
})

t.test('the encoding of the transfer is not kept', async t => {
  t.same(metaOf({ 'content-encoding': 'aws-chunked' }).user, undefined)
  t.same(metaOf({ 'content-encoding': 'aws-chunked, gzip' }).user, [['$content-encoding', 'gzip']])
})

t.test('metadata in the query of a presigned URL', async t => {
  t.same(metaOf({}, [['X-Amz-Meta-A', '1']]).user, [['a', '1']])
})

t.test('what cannot be kept is refused', async t => {
  t.throws(() => metaOf({ 'x-amz-meta-$parts': '1' }), { code: 'InvalidArgument' })
  t.throws(() => metaOf({ 'x-amz-meta-a': 'ü' }), { code: 'InvalidArgument' })
  t.throws(() => metaOf({ 'x-amz-meta-a': 'x'.repeat(2048) }), { code: 'MetadataTooLarge' })
})

t.test('checksums and parts are kept beside it, and are in no answer as metadata', async t => {
  const parts = [5_242_880, 5_242_880, 5_242_880, 17, 0]
  const checksum = { algorithm: 'CRC64NVME', value: 'AAAAAAAAAAA=', type: 'FULL_OBJECT' } as const
  const meta = withExtras(metaOf({ 'x-amz-meta-a': '1' }), { checksum, parts })
  const record = recordOf(
    meta,
    parts.reduce((sum, size) => sum + size),
  )
  t.same(partsOf(record), parts)
  t.same(checksumOf(record), checksum)
  t.same(checksumHeaders(checksum), {
    'x-amz-checksum-crc64nvme': 'AAAAAAAAAAA=',
    'x-amz-checksum-type': 'FULL_OBJECT',
  })
  t.same(metaHeaders(record), { 'content-type': DEFAULT_MEDIA_TYPE, 'x-amz-meta-a': '1' })
  t.same(withExtras(meta, {}).user, [['a', '1']], 'another body has its own')
  const composite = recordOf(
    withExtras(meta, { checksum: { algorithm: 'SHA1', value: 'AAAA-2', type: 'COMPOSITE' } }),
  )
  t.equal(checksumOf(composite).type, 'COMPOSITE')
})

t.test('the SHA-256 of the file stands in where no checksum came', async t => {
  const record = recordOf({ mediaType: 'a/b' })
  t.same(checksumOf(record), { algorithm: 'SHA256', value: `${'A'.repeat(43)}=`, type: 'FULL_OBJECT' })
  t.equal(partsOf(record), undefined)
})

t.test('sizes of parts that somebody made up are none', async t => {
  const recordOf = (text: string) => ({
    meta: { mediaType: 'a/b', user: [['$parts', text]] },
    body: { size: 12 },
  })
  const parts = (text: string) => partsOf(recordOf(text) as never)
  t.same(parts('5x2,2'), [5, 5, 2])
  for (const text of ['1x150000000', '0x150000000,12', '5,5', 'x', '', '-1x-12', '12x0.5', '1e1,2x1,1e400'])
    t.equal(parts(text), undefined, text)
})

t.test('sizes of parts that do not fit beside the metadata of a user are left out', async t => {
  const meta = { mediaType: 'a/b', user: [['m', 'x'.repeat(2040)]] } as const
  const checksum = { algorithm: 'CRC32', value: 'AAAAAA==', type: 'FULL_OBJECT' } as const
  t.same(withExtras(meta, { parts: [5, 6, 7] }).user, [['m', 'x'.repeat(2040)]])
  t.same(
    withExtras({ mediaType: 'a/b' }, { parts: [5, 5, 7], checksum }).user?.map(([name]) => name),
    ['$checksum-crc32', '$parts'],
  )
})
