import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import t from 'tap'
import { compactJson } from '../../src/files/json-text.ts'
import {
  checkedValue,
  KEY_BYTES_MAX,
  type Key,
  keyOfJson,
  keyOfPath,
  parseKey,
  parsePair,
  pathOfKey,
  VALUE_BYTES_MAX,
} from '../../src/files/key-values.ts'
import { comparePathNames, parsePathName } from '../../src/ring/path-name.ts'

t.test('the path of a key', async t => {
  const cases: [string, string][] = [
    ['greeting', 'kv/greeting'],
    ['two words', 'kv/two words'],
    ['😀', 'kv/😀'],
    ['a/b', 'kv/a/b'],
    ['*', 'kv/*'],
    ['100%', 'kv/100%25'],
    ['%2F', 'kv/%252F'],
    ['a\u0000b\n', 'kv/a%00b%0A'],
    ['\u0085', 'kv/%C2%85'],
    ['.', 'kv/%2E'],
    ['..', 'kv/%2E%2E'],
    ['...', 'kv/...'],
    ['.a', 'kv/.a'],
    ['../../etc/passwd', 'kv/%2E%2E/%2E%2E/etc/passwd'],
    ['a/./b', 'kv/a/%2E/b'],
    ['/', 'kv/%2F'],
    ['//', 'kv/%2F%2F'],
    ['/a', 'kv/%2Fa'],
    ['a/', 'kv/a%2F'],
    ['a//b', 'kv/a/%2Fb'],
    ['a///b', 'kv/a/%2F%2Fb'],
    ['a//', 'kv/a/%2F'],
  ]
  for (const [key, path] of cases) {
    t.equal(pathOfKey(parseKey(key)), path, JSON.stringify(key))
    t.equal(keyOfPath(path), key, path)
  }
})

const anyKey = fc
  .oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 256 }),
    fc.string({
      unit: fc.constantFrom('/', '.', '%', '2', 'F', 'E', 'a', '\0', '\n', 'é'),
      minLength: 1,
      maxLength: 40,
    }),
  )
  .filter(text => text.isWellFormed() && Buffer.byteLength(text) <= KEY_BYTES_MAX)
  .map(text => text as Key)

t.test('law: every key has a legal path, which gives the key back', async _t => {
  fc.assert(
    fc.property(anyKey, key => {
      const path = pathOfKey(key)
      return parsePathName(path) === path && keyOfPath(path) === key
    }),
    { numRuns: 2000 },
  )
})

t.test('law: the key of a path has that path, so a file is the pair of one key at the most', async _t => {
  const piece = fc.constantFrom('%2F', '%2E', '%25', '%', '%41', '%c2%85', '.', '/', 'a')
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 12 }), pieces => {
      const path = `kv/${pieces.join('')}`
      const key = keyOfPath(path)
      return key === undefined || pathOfKey(key) === path
    }),
    { numRuns: 2000 },
  )
})

t.test('names under kv/ that are no keys', async t => {
  for (const path of [
    'kv',
    'kv/',
    'kv/%41',
    'kv/%',
    'kv/%ff',
    'kv/%2f',
    'kv/a%2Fb',
    `kv/${'a'.repeat(257)}`,
    'other/a',
  ]) {
    t.equal(keyOfPath(path), undefined, path)
  }
})

t.test('keys that are none', async t => {
  for (const [text, fault] of [
    ['', /it is empty/],
    ['a'.repeat(257), /it has 257 bytes and 256 are allowed/],
    ['é'.repeat(129), /it has 258 bytes/],
    ['a\ud800', /not valid Unicode/],
  ] as const) {
    t.throws(() => parseKey(text), { code: 'INVALID_REQUEST', message: fault })
  }
  t.equal(parseKey('é'.repeat(128)).length, 128)
})

t.test('a key that is no string stands for its JSON text', async t => {
  for (const [json, key] of [
    ['"a"', 'a'],
    ['1', '1'],
    ['1.0', '1.0'],
    ['12345678901234567890', '12345678901234567890'],
    ['true', 'true'],
    ['null', 'null'],
    ['[1, "\\u00e9"]', '[1,"é"]'],
    ['{"a": {"b": 1}}', '{"a":{"b":1}}'],
    ['"\\u0061"', 'a'],
  ] as const) {
    t.equal(keyOfJson(compactJson(json)), key, json)
  }
})

t.test('a pair as it is sent', async t => {
  t.same(parsePair('{"key": "a", "value": [1.50, null]}'), { key: 'a', value: '[1.50,null]' })
  t.same(parsePair('{"value": "", "key": 7}'), { key: '7', value: '""' })
  const refused: [string, RegExp][] = [
    ['', /The body is empty/],
    [' \n', /The body is empty/],
    ['key=a', /The body is not JSON/],
    ['{"key":"a","value":1', /The body is not JSON/],
    ['["a",1]', /not a JSON object/],
    ['null', /not a JSON object/],
    ['{"value":1}', /no member named key/],
    ['{"key":"a"}', /no member named value/],
    ['{"key":"a","value":1,"ttl":5}', /the unknown member "ttl"/],
    ['{"key":"a","key":"b","value":1}', /two members named key/],
    ['{"key":"","value":1}', /it is empty/],
    ['{"key":"\\udfff","value":1}', /not valid Unicode/],
  ]
  for (const [text, message] of refused)
    t.throws(() => parsePair(text), { code: 'INVALID_REQUEST', message }, text)
})

t.test('a value has a size', async t => {
  const longest = compactJson(JSON.stringify('x'.repeat(VALUE_BYTES_MAX - 2)))
  t.equal(checkedValue(longest), longest)
  t.throws(() => checkedValue(compactJson(JSON.stringify('x'.repeat(VALUE_BYTES_MAX - 1)))), {
    code: 'FILE_TOO_LARGE',
  })
  t.throws(() => checkedValue(compactJson(JSON.stringify('é'.repeat(VALUE_BYTES_MAX / 2)))), {
    code: 'FILE_TOO_LARGE',
  })
})

t.test('paths of pairs sort as their keys do, but for what is encoded', async t => {
  const keys = ['b', 'a/b', 'a', 'ä', 'a b'].map(parseKey)
  const sorted = keys.map(pathOfKey).sort(comparePathNames).map(keyOfPath)
  t.same(sorted, ['a', 'a b', 'a/b', 'b', 'ä'])
})
