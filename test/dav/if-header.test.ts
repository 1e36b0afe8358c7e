import t from 'tap'
import { holds, parseIf, tokensOf } from '../../src/dav/if-header.ts'

t.test('lists, tags and negations', async t => {
  const lists = parseIf(
    '<http://h/dav/a> (<urn:uuid:1> ["1.2-x"]) (Not <urn:uuid:2>) <http://h/dav/b> ([W/"y"])',
  )
  t.same(lists, [
    {
      resource: 'http://h/dav/a',
      conditions: [
        { not: false, kind: 'token', value: 'urn:uuid:1' },
        { not: false, kind: 'etag', value: '"1.2-x"' },
      ],
    },
    { resource: 'http://h/dav/a', conditions: [{ not: true, kind: 'token', value: 'urn:uuid:2' }] },
    { resource: 'http://h/dav/b', conditions: [{ not: false, kind: 'etag', value: 'W/"y"' }] },
  ])
  t.same([...tokensOf(lists)], ['urn:uuid:1'], 'what must not hold is not shown')
  t.same([...tokensOf(parseIf('(<a>)(<b>)'))], ['a', 'b'])
})

t.test('one list must hold, with all its conditions', async t => {
  const state = async () => ({ etag: '"e"', tokens: new Set(['mine']) })
  for (const [text, is] of [
    ['(<mine>)', true],
    ['(<mine> ["e"])', true],
    ['(<mine> ["f"])', false],
    ['(<other>) (["e"])', true],
    ['(Not <DAV:no-lock>)', true],
    ['(Not <mine>)', false],
    ['(<DAV:no-lock>)', false],
  ] as const)
    t.equal(await holds(parseIf(text), state), is, text)
})

t.test('anything else is refused', async t => {
  for (const text of [
    '',
    '()',
    '(<a>',
    '<a>',
    '(<a>))',
    'nonsense',
    '(Not)',
    '(Not Not <a>)',
    '["e"]',
    '(("e"))',
  ])
    t.throws(() => parseIf(text), /If header/, text)
})
