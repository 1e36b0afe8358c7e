import t from 'tap'
import {
  comparePathNames,
  PATH_BYTES_MAX,
  parsePathName,
  parsePathNameFromUrl,
  parsePathPrefix,
} from '../../src/ring/path-name.ts'

t.test('a path is taken as it is, without one leading slash', async t => {
  t.equal(parsePathName('a/b.txt'), 'a/b.txt')
  t.equal(parsePathName('/a/b.txt'), 'a/b.txt')
  t.equal(parsePathName('日本/😀 x'), '日本/😀 x')
  t.equal(parsePathName('a'.repeat(PATH_BYTES_MAX)).length, PATH_BYTES_MAX)
  t.equal(parsePathNameFromUrl('a%2Fb+c%20d'), 'a/b+c d')
})

t.test('every refusal names its fault', async t => {
  const refusals: [string, RegExp][] = [
    ['', /it is empty/],
    ['/', /it is empty/],
    ['//a', /empty segment/],
    ['a//b', /empty segment/],
    ['a/', /empty segment/],
    ['.', /segment is "\."/],
    ['a/../b', /segment is "\.\."/],
    ['..', /segment is "\.\."/],
    ['a\0b', /control character/],
    ['a\nb', /control character/],
    ['a\u0085b', /control character/],
    ['\ud800', /not valid Unicode/],
    ['é'.repeat(513), /1026 bytes/],
  ]
  for (const [path, message] of refusals) {
    t.throws(() => parsePathName(path), { code: 'INVALID_PATH', message }, JSON.stringify(path.slice(0, 20)))
  }
})

t.test('malformed percent-encoding and malformed UTF-8 are refused, in every disguise', async t => {
  for (const encoded of [
    '%',
    '%2',
    '%zz',
    '%c0%af',
    '%c0%ae%c0%ae',
    '%ff',
    '%ed%a0%80',
    '%f4%90%80%80',
    '%e2%82',
    '%2e%2e',
    '%2e%2e%2fetc%2fpasswd',
    'a%00b',
    '%2F%2Fa',
  ]) {
    t.throws(() => parsePathNameFromUrl(encoded), { code: 'INVALID_PATH' }, encoded)
  }
})

t.test('a prefix may be empty and may end with a slash', async t => {
  t.equal(parsePathPrefix(''), '')
  t.equal(parsePathPrefix('/'), '')
  t.equal(parsePathPrefix('a/'), 'a/')
  t.equal(parsePathPrefix('/a/b'), 'a/b')
  t.throws(() => parsePathPrefix('a//'), { code: 'INVALID_PATH' })
  t.throws(() => parsePathPrefix('../'), { code: 'INVALID_PATH' })
})

t.test('paths sort by their bytes, not by UTF-16 units', async t => {
  t.same(['\u{1F600}', '\uFF5E', 'a'].sort(comparePathNames), ['a', '\uFF5E', '\u{1F600}'])
})
