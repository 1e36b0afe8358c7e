import fc from 'fast-check'
import t from 'tap'
import {
  endpointOf,
  parseFlag,
  parseForm,
  pathOf,
  queryOf,
  restOf,
  twoPathsOf,
} from '../../src/http/request-target.ts'

t.test('the path is what stands behind the endpoint, decoded once', async t => {
  const cases: [string, string][] = [
    ['/get/a/b', 'a/b'],
    ['/get/a%2Fb', 'a/b'],
    ['/get/a%252Fb', 'a%2Fb'],
    ['/get/a+b', 'a+b'],
    ['/get/%C3%A9?x=/y', 'é'],
    ['/get//a', 'a'],
    ['http://other:1/get/a', 'a'],
    ['/%67et/a', 'a'],
  ]
  for (const [url, path] of cases) t.equal(pathOf(url), path, url)
  t.equal(endpointOf('/get/a'), 'get')
  t.equal(endpointOf('http://h/list?x'), 'list')
  t.equal(endpointOf('http://h'), '')
})

t.test('what is no path is refused', async t => {
  const urls = [
    '/get',
    '/get/',
    '/get/.',
    '/get/%2e%2e/x',
    '/get/a/%2E%2E',
    '/get/..%2f..%2fetc%2fpasswd',
    '/get/a//b',
    '/get/%00',
    '/get/a%0d%0ab',
    '/get/%c0%ae%c0%ae/x',
    '/get/%e0%80%af',
    '/get/%ed%a0%80',
    '/get/%',
    '/get/%u0041',
    '/get/a#b',
    '/get/a b',
    '/get/\u00c3\u00a9',
    `/get/${'a'.repeat(1025)}`,
  ]
  for (const url of urls) t.throws(() => pathOf(url), { code: 'INVALID_PATH' }, url.slice(0, 40))
})

t.test('law: no URL gives a path that could leave its place', async _t => {
  const piece = fc.constantFrom(
    '.',
    '..',
    '%2e',
    '%2E%2e',
    '/',
    '%2f',
    '%2F',
    '%5c',
    '\\',
    'a',
    '%00',
    '%c0%ae',
    '%',
  )
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 8 }), pieces => {
      let path: string
      try {
        path = pathOf(`/get/${pieces.join('')}`)
      } catch (error) {
        return (error as { code?: string }).code === 'INVALID_PATH'
      }
      return !path.split('/').some(segment => segment === '' || segment === '.' || segment === '..')
    }),
    { numRuns: 2000 },
  )
})

t.test('law: what is encoded comes out as it was', async _t => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }), text => {
      if (/^[./]|\p{Cc}|\/|^\.{1,2}$/u.test(text) || !text.isWellFormed()) return true
      return pathOf(`/get/${encodeURIComponent(text)}`) === text
    }),
  )
})

t.test('two paths have one slash between them', async t => {
  t.same(twoPathsOf('/copy/a%2Fb/c?overwrite=true'), { source: 'a/b', destination: 'c' })
  for (const url of ['/copy/a', '/copy/a/b/c', '/copy/a//b', '/copy/', '/copy']) {
    t.throws(() => twoPathsOf(url), { code: 'INVALID_PATH' }, url)
  }
  t.throws(() => twoPathsOf('/copy/a/b/c'), { message: /%2F/ })
  t.throws(() => twoPathsOf('/copy/%2e%2e/b'), { code: 'INVALID_PATH' })
})

t.test('a query has known names, each once', async t => {
  t.same(queryOf('/list', ['limit']), {})
  t.same(queryOf('/list?', ['limit']), {})
  t.same(queryOf('/list?limit=3&after=a+b%2Bc', ['limit', 'after']), { limit: '3', after: 'a b+c' })
  t.same(queryOf('/list?limit', ['limit']), { limit: '' })
  t.throws(() => queryOf('/put/a?overwite=true', ['overwrite']), {
    code: 'INVALID_REQUEST',
    message: /overwite/,
  })
  t.throws(() => queryOf('/put/a?overwrite=true&overwrite=false', ['overwrite']), { code: 'INVALID_REQUEST' })
  t.throws(() => queryOf('/put/a?__proto__=1', ['overwrite']), { code: 'INVALID_REQUEST' })
  t.throws(() => queryOf('/list?after=%ff', ['after']), { code: 'INVALID_PATH' })
  t.same(parseForm('a=1&&b=2', ['a', 'b']), { a: '1', b: '2' })
})

t.test('a flag is true or false', async t => {
  t.equal(parseFlag('x', undefined), undefined)
  t.equal(parseFlag('x', 'true'), true)
  t.equal(parseFlag('x', 'false'), false)
  for (const text of ['', '1', 'True', 'yes'])
    t.throws(() => parseFlag('x', text), { code: 'INVALID_REQUEST' })
})

t.test('the rest of a URL is as it was sent', async t => {
  t.equal(restOf('/query/a%2Fb/c?d'), 'a%2Fb/c')
  t.equal(restOf('/list'), '')
})
