import t from 'tap'
import { activeLock, deadOf, isLive, responseOf, withDead } from '../../src/dav/properties.ts'
import { elementsOf, parseXml } from '../../src/dav/xml.ts'

const [author, colour] = elementsOf(parseXml('<p><a xmlns="urn:z">Ä &amp; B</a><b>red</b></p>')) as [
  ReturnType<typeof parseXml>,
  ReturnType<typeof parseXml>,
]

const described = {
  href: '/dav/a%20b',
  name: 'a b',
  file: {
    size: 3,
    etag: '"1.1-x"',
    mediaType: 'text/plain',
    writtenAtMs: Date.parse('2026-11-27T12:00:00Z'),
  },
  dead: [author],
  locks: [],
}

t.test('dead properties go into metadata and come back, beside what else is there', async t => {
  const user = withDead([['other', 'kept']], [author, colour])
  t.match(user, [
    ['dav-properties', /^[\w+/=]+$/],
    ['other', 'kept'],
  ])
  t.same(deadOf(user), [author, colour])
  t.same(withDead(user, []), [['other', 'kept']])
  t.equal(withDead(undefined, []), undefined)
  t.same(deadOf([['dav-properties', 'nonsense<']]), [], 'other endpoints may write anything')
  t.throws(() => withDead(undefined, [{ ...author, children: ['x'.repeat(2000)] }]), {
    code: 'METADATA_TOO_LARGE',
  })
})

t.test('what is asked for is answered, and what there is not is said', async t => {
  t.ok(isLive({ namespace: 'DAV:', name: 'getetag' }))
  t.notOk(isLive({ namespace: 'urn:z', name: 'getetag' }))
  const all = responseOf(described, 'all', 0)
  t.match(all, '<D:getcontentlength>3</D:getcontentlength>')
  t.match(all, '<D:getlastmodified>Fri, 27 Nov 2026 12:00:00 GMT</D:getlastmodified>')
  t.match(all, '<x:a xmlns:x="urn:z">Ä &amp; B</x:a>')
  t.match(responseOf(described, 'names', 0), '<D:getetag/>')
  const some = responseOf(
    described,
    [
      { namespace: 'urn:z', name: 'a' },
      { namespace: '', name: 'b' },
    ],
    0,
  )
  t.match(some, /200 OK.*<b\/><\/D:prop><D:status>HTTP\/1.1 404 Not Found/)
  const folder = responseOf({ ...described, file: undefined, dead: [] }, 'all', 0)
  t.match(folder, '<D:resourcetype><D:collection/></D:resourcetype>')
  t.notMatch(folder, 'getcontentlength')
})

t.test('a lock is shown with what is left of its time', async t => {
  const lock = {
    token: 'urn:uuid:1',
    scope: 'shared',
    depth: '0',
    owner: '',
    endsAtMs: 5000,
    href: '/dav/a',
  } as const
  t.match(activeLock(lock, 1500), '<D:timeout>Second-4</D:timeout>')
  t.match(activeLock(lock, 1500), '<D:lockscope><D:shared/></D:lockscope>')
})
