import t from 'tap'
import {
  isWanted,
  lastModifiedMs,
  parseETags,
  parseHttpDate,
  rangeApplies,
  refuseConditions,
  writeCondition,
} from '../../src/http/conditions.ts'
import type { PathName } from '../../src/ring/path-name.ts'
import type { ETag, FileRecord } from '../../src/storage/record.ts'

const sha256 = 'ab'.repeat(32)
const record: FileRecord = {
  path: 'a' as PathName,
  version: { epoch: 1, seq: 2 },
  body: { size: 0, sha256, blockChecksums: [], content: { inline: new Uint8Array() } },
  meta: { mediaType: 'a/b' },
  writtenAtMs: Date.UTC(2020, 0, 1, 12, 0, 0, 500),
}
const etag = '"1.2-abababab"'
const other = '"1.1-abababab"'
const modified = Date.UTC(2020, 0, 1, 12)
const now = modified + 60_000
const at = 'Wed, 01 Jan 2020 12:00:00 GMT'
const before = 'Wed, 01 Jan 2020 11:59:59 GMT'
const after = 'Wed, 01 Jan 2020 12:00:01 GMT'

t.test('the date of a file has whole seconds and is not in the future', async t => {
  t.equal(lastModifiedMs(record, Number.MAX_SAFE_INTEGER), modified)
  t.equal(lastModifiedMs(record, modified - 5000), modified - 5000)
})

t.test('dates are read in the three forms of RFC 9110, and in no other', async t => {
  const ms = Date.UTC(1994, 10, 6, 8, 49, 37)
  t.equal(parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT'), ms)
  t.equal(parseHttpDate('Sunday, 06-Nov-94 08:49:37 GMT'), ms)
  t.equal(parseHttpDate('Sun Nov  6 08:49:37 1994'), ms)
  for (const text of [
    '',
    'now',
    '1994-11-06',
    'Sun, 06 Nov 1994 08:49:37 +0100',
    'Sun, 99 Nov 1994 08:49:37 GMT',
  ]) {
    t.equal(parseHttpDate(text), undefined, text)
  }
})

t.test('tags are read one by one, weak ones and commas in them included', async t => {
  t.equal(parseETags('If-Match', ' * '), '*')
  t.same(parseETags('If-Match', '"a", W/"b,c" ,"d"'), ['"a"', 'W/"b,c"', '"d"'])
  for (const text of ['', 'abc', '"a" "b"', '"a', '*, "a"', '"a",,x', `${'"a",'.repeat(1000)}"a"`]) {
    t.throws(() => parseETags('If-Match', text), { code: 'INVALID_REQUEST' }, text.slice(0, 20))
  }
})

t.test('a read is answered in the order of section 13.2.2', async t => {
  const cases: [Record<string, string>, boolean | 'refused'][] = [
    [{}, true],
    [{ 'if-match': etag }, true],
    [{ 'if-match': '*' }, true],
    [{ 'if-match': other }, 'refused'],
    [{ 'if-match': `W/${etag}` }, 'refused'],
    [{ 'if-match': etag, 'if-unmodified-since': before }, true],
    [{ 'if-unmodified-since': before }, 'refused'],
    [{ 'if-unmodified-since': at }, true],
    [{ 'if-unmodified-since': 'nonsense' }, true],
    [{ 'if-none-match': etag }, false],
    [{ 'if-none-match': `W/${etag}` }, false],
    [{ 'if-none-match': `${other}, ${etag}` }, false],
    [{ 'if-none-match': '*' }, false],
    [{ 'if-none-match': other }, true],
    [{ 'if-none-match': other, 'if-modified-since': after }, true],
    [{ 'if-modified-since': at }, false],
    [{ 'if-modified-since': after }, false],
    [{ 'if-modified-since': before }, true],
    [{ 'if-modified-since': 'nonsense' }, true],
    [{ 'if-match': etag, 'if-none-match': etag }, false],
    [{ 'if-match': other, 'if-none-match': etag }, 'refused'],
  ]
  for (const [headers, expected] of cases) {
    const name = JSON.stringify(headers)
    if (expected === 'refused') {
      t.throws(() => isWanted(headers, record, now), { code: 'PRECONDITION_FAILED' }, name)
    } else {
      t.equal(isWanted(headers, record, now), expected, name)
    }
  }
})

t.test('a range goes with its own version only, and never with a date', async t => {
  t.equal(rangeApplies({}, etag as ETag), true)
  t.equal(rangeApplies({ 'if-range': etag }, etag as ETag), true)
  for (const ifRange of [other, `W/${etag}`, at, after]) {
    t.equal(rangeApplies({ 'if-range': ifRange }, etag as ETag), false, ifRange)
  }
})

t.test('what a write asks of the file that is there', async t => {
  const of = (headers: Record<string, string>, overwrite?: boolean) =>
    writeCondition(headers, overwrite, 'absent')
  t.equal(of({}), 'absent')
  t.equal(of({}, true), 'none')
  t.equal(of({}, false), 'absent')
  t.equal(of({ 'if-none-match': '*' }), 'absent')
  t.equal(of({ 'if-match': '*' }), 'exists')
  t.same(of({ 'if-match': `${etag}, ${other}` }), { etags: [etag, other] })
  t.same(of({ 'if-match': `W/${etag}` }), { etags: [] }, 'a weak tag is equal to nothing')
  t.same(of({ 'if-match': etag }, true), { etags: [etag] }, 'If-Match is the narrower of the two')
  t.equal(writeCondition({}, undefined, 'exists'), 'exists')
})

t.test('what a write cannot promise it refuses', async t => {
  const refused: [Record<string, string>, boolean?][] = [
    [{ 'if-match': etag }, false],
    [{ 'if-match': 'abc' }],
    [{ 'if-none-match': etag }],
    [{ 'if-none-match': '*' }, true],
    [{ 'if-none-match': '*', 'if-match': etag }],
    [{ 'if-unmodified-since': at }],
  ]
  for (const [headers, overwrite] of refused) {
    t.throws(
      () => writeCondition(headers, overwrite, 'absent'),
      { code: 'INVALID_REQUEST' },
      JSON.stringify(headers),
    )
  }
  t.throws(() => refuseConditions({ 'if-match': '*' }), { code: 'INVALID_REQUEST' })
  t.doesNotThrow(() => refuseConditions({ 'if-modified-since': at }))
})

t.test('elements of a list of tags may be empty', async t => {
  t.same(parseETags('If-Match', `, ${etag},, ${other} ,`), [etag, other])
  t.throws(() => parseETags('If-Match', ' , '), { code: 'INVALID_REQUEST' })
})

t.test('a date of the future says nothing of what was written since', async t => {
  const asked = { 'if-modified-since': after }
  t.equal(isWanted(asked, record, modified + 2000), false)
  t.equal(isWanted(asked, record, modified + 900), true, 'the clock went back')
  const future = { ...record, writtenAtMs: modified + 3_600_000 }
  t.equal(isWanted(asked, future, modified + 2000), true)
})
