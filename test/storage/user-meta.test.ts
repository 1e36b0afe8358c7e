import fc from 'fast-check'
import t from 'tap'
import {
  decodeUserMeta,
  encodeUserMeta,
  isUserMeta,
  USER_META_BYTES_MAX,
  userMetaOf,
} from '../../src/storage/user-meta.ts'

const ascii = (from: number, to: number) =>
  fc.string({
    unit: fc.integer({ min: from, max: to }).map(code => String.fromCharCode(code)),
    maxLength: 60,
  })
const given = fc.dictionary(
  fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}$/),
  ascii(0x20, 0x7e).map(text => text.trim()),
  { maxKeys: 10, noNullPrototype: true },
)

t.test('what is given comes back from its bytes, in lower case and in the order of the names', async t => {
  fc.assert(
    fc.property(given, fields => {
      const lower = new Map(Object.entries(fields).map(([name, value]) => [name.toLowerCase(), value]))
      fc.pre(lower.size === Object.keys(fields).length)
      const user = userMetaOf(Object.entries(fields))
      if (user === undefined) return t.equal(lower.size, 0)
      t.same(
        user,
        [...lower].sort(([a], [b]) => (a < b ? -1 : 1)),
      )
      t.ok(isUserMeta(user))
      return t.same(decodeUserMeta(encodeUserMeta(user)), user)
    }),
  )
})

t.test('names and values that no header field can carry are refused', async t => {
  const rows: [string, [string, string][]][] = [
    ['an empty name', [['', 'x']]],
    ['a name with a space', [['a b', 'x']]],
    ['a name with a colon', [['a:b', 'x']]],
    ['a name that is not ASCII', [['é', 'x']]],
    ['a line break', [['a', 'x\ny']]],
    ['a value that is not ASCII', [['a', 'é']]],
    ['a space at the end', [['a', 'x ']]],
    [
      'one name twice',
      [
        ['a', 'x'],
        ['A', 'y'],
      ],
    ],
  ]
  for (const [what, fields] of rows) t.throws(() => userMetaOf(fields), { code: 'INVALID_REQUEST' }, what)
  t.equal(userMetaOf([]), undefined)
})

t.test('the limit is on names and values together', async t => {
  const fits: [string, string] = ['name', 'x'.repeat(USER_META_BYTES_MAX - 4)]
  t.same(userMetaOf([fits]), [fits])
  t.throws(() => userMetaOf([['name', `${fits[1]}x`]]), { code: 'METADATA_TOO_LARGE', message: /2049 bytes/ })
})

t.test('what another node says is looked at', async t => {
  const bad = [
    undefined,
    null,
    [],
    'a',
    [['a']],
    [['a', 1]],
    [['A', 'x']],
    [['a', 'é']],
    [
      ['b', 'x'],
      ['a', 'x'],
    ],
    [
      ['a', 'x'],
      ['a', 'x'],
    ],
    [['a', 'x'.repeat(USER_META_BYTES_MAX)]],
  ]
  for (const value of bad) t.notOk(isUserMeta(value), JSON.stringify(value)?.slice(0, 60) ?? 'nothing')
})
