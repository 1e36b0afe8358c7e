import fc from 'fast-check'
import t from 'tap'
import { compactJson, jsonTextOf, membersOf } from '../../src/files/json-text.ts'

t.test('whitespace goes, digits stay, strings are written one way', async t => {
  const cases: [string, string][] = [
    [' 1 ', '1'],
    ['12345678901234567890.10', '12345678901234567890.10'],
    ['-0.0e+10', '-0.0e+10'],
    ['{ "a" : [ 1 ,\n2 ] , "b c" : "d  e" }', '{"a":[1,2],"b c":"d  e"}'],
    ['"\\u00e9\\/"', '"é/"'],
    ['"\\ud800"', '"\\ud800"'],
    ['["\\\\", " \\" ", "\\\\\\""]', '["\\\\"," \\" ","\\\\\\""]'],
    ['{"a":1,"a":2}', '{"a":1,"a":2}'],
    ['[]', '[]'],
    ['null', 'null'],
  ]
  for (const [text, compact] of cases) t.equal(compactJson(text), compact, text)
})

t.test('what is no JSON is refused', async t => {
  for (const text of [
    '',
    ' ',
    'x',
    "'a'",
    '{a:1}',
    '[1,]',
    '01',
    '"a',
    '"\n"',
    '1 2',
    'NaN',
    '\ufeff1',
    'undefined',
  ]) {
    t.throws(() => compactJson(text), { code: 'INVALID_REQUEST' }, JSON.stringify(text))
  }
})

t.test('nesting of any depth is no recursion', async t => {
  const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`
  t.equal(compactJson(deep).length, deep.length)
  t.same(
    membersOf(compactJson(`{"a":${deep},"b":1}`))?.map(([name, json]) => [name, json.length]),
    [
      ['a', deep.length],
      ['b', 1],
    ],
  )
})

t.test('members in order, with their text', async t => {
  t.same(membersOf(compactJson('{"a": {"x": "}, \\""}, "\\u0062": [1, "]"], "a": 1.0}')), [
    ['a', '{"x":"}, \\""}'],
    ['b', '[1,"]"]'],
    ['a', '1.0'],
  ])
  t.same(membersOf(compactJson('{}')), [])
  for (const text of ['[]', '1', '"{}"', 'null']) t.equal(membersOf(compactJson(text)), undefined, text)
})

t.test('law: a compact text means the same, and is compact', async _t => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(undefined, 1, '\t'), (text, indent) => {
      const value = JSON.parse(text)
      const shown = JSON.stringify(value, undefined, indent)
      return compactJson(shown) === JSON.stringify(value) && jsonTextOf(text) === JSON.stringify(text)
    }),
  )
})

t.test('law: the members are those of JSON.parse', async _t => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()), object => {
      const members = membersOf(compactJson(JSON.stringify(object, undefined, 2))) ?? []
      const shown = members.map(([name, json]) => [name, JSON.stringify(JSON.parse(json))])
      return (
        JSON.stringify(shown) ===
        JSON.stringify(Object.entries(object).map(([name, value]) => [name, JSON.stringify(value)]))
      )
    }),
  )
})
