import t from 'tap'
import { isWantedBy, refuseSource, writeConditionOf } from '../../src/s3/conditions.ts'
import type { S3Request } from '../../src/s3/request.ts'
import type { FileRecord } from '../../src/storage/record.ts'

const record = {
  path: 'bucket/key',
  version: { epoch: 4, seq: 1 },
  body: { sha256: 'ab'.repeat(32) },
  writtenAtMs: Date.UTC(2026, 0, 1),
} as unknown as FileRecord
const ETAG = '"4.1-abababab"'
const NOW = Date.UTC(2026, 0, 2)

const asking = (headers: Record<string, string>) =>
  ({
    headers: new Map(Object.entries(headers).map(([name, value]) => [name, [value]])),
    query: [],
  }) as unknown as S3Request

t.test('reads, with tags that have their quotes or not', async t => {
  const wanted = (headers: Record<string, string>) => isWantedBy(asking(headers), record, NOW)
  t.ok(wanted({}))
  t.ok(wanted({ 'if-match': ETAG }))
  t.ok(wanted({ 'if-match': '4.1-abababab' }))
  t.ok(wanted({ 'if-match': '*' }))
  t.notOk(wanted({ 'if-none-match': ETAG }))
  t.notOk(wanted({ 'if-none-match': `"other", ${ETAG}` }))
  t.notOk(wanted({ 'if-none-match': '4.1-abababab' }))
  t.notOk(wanted({ 'if-modified-since': 'Thu, 01 Jan 2026 12:00:00 GMT' }))
  t.ok(wanted({ 'if-modified-since': 'Wed, 31 Dec 2025 12:00:00 GMT' }))
  t.throws(() => wanted({ 'if-match': 'other' }), { code: 'PRECONDITION_FAILED' })
  t.throws(() => wanted({ 'if-unmodified-since': 'Wed, 31 Dec 2025 12:00:00 GMT' }), {
    code: 'PRECONDITION_FAILED',
  })
})

t.test('sources of copies', async t => {
  const refused = (name: string, value: string) => () =>
    refuseSource(asking({ [`x-amz-copy-source-${name}`]: value }), record, NOW)
  t.doesNotThrow(refused('if-match', ETAG))
  t.throws(refused('if-match', 'other'), { code: 'PRECONDITION_FAILED' })
  t.throws(refused('if-none-match', ETAG), { code: 'PreconditionFailed' })
  t.throws(refused('if-modified-since', 'Thu, 01 Jan 2026 12:00:00 GMT'), { code: 'PreconditionFailed' })
  t.doesNotThrow(
    () => refuseSource(asking({ 'if-match': 'other' }), record, NOW),
    'which is about the destination',
  )
})

t.test('writes', async t => {
  const condition = (headers: Record<string, string>) => writeConditionOf(asking(headers))
  t.equal(condition({}), 'none')
  t.equal(condition({ 'if-none-match': '*' }), 'absent')
  t.equal(condition({ 'if-match': '*' }), 'exists')
  t.same(condition({ 'if-match': '4.1-abababab' }), { etags: [ETAG] })
  t.same(condition({ 'if-match': `W/${ETAG}` }), { etags: [] }, 'a weak tag is equal to nothing')
  t.throws(() => condition({ 'if-none-match': ETAG }), { code: 'NotImplemented' })
  t.throws(() => condition({ 'if-none-match': '*', 'if-match': ETAG }), { code: 'InvalidRequest' })
  t.throws(() => condition({ 'if-unmodified-since': 'x' }), { code: 'NotImplemented' })
})
