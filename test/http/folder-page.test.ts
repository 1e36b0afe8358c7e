import t from 'tap'
import { escaped, folderPage } from '../../src/http/folder-page.ts'
import { parsePathName } from '../../src/ring/path-name.ts'
import type { ETag } from '../../src/storage/record.ts'

const file = (path: string) => ({
  path: parsePathName(path),
  size: 1536,
  etag: '"1.1-0"' as ETag,
  mediaType: 'text/plain',
  writtenAtMs: Date.parse('2026-11-27T12:34:56Z'),
})

t.test('names are text, and links relative', async t => {
  const listed = [file('a/javascript:alert(1)'), file(`a/"<b>&'`), 'a/sub/']
  const page = folderPage({ folder: 'a/', listed, next: 'a/z?' })
  t.match(page, '<a href="./javascript%3Aalert(1)">javascript:alert(1)</a>')
  t.match(page, '&quot;&lt;b&gt;&amp;&#39;</a>')
  t.match(page, '<a href="./sub/">sub/</a>')
  t.match(page, '1.5 KiB')
  t.match(page, '2026-11-27 12:34')
  t.match(page, '<a href="?after=a%2Fz%3F">')
  t.match(page, '<title>a</title>')
  t.notMatch(page, '<b>')
  t.notMatch(folderPage({ folder: 'a/b c/', listed: [], next: undefined }), 'What comes after')
  t.match(folderPage({ folder: 'a/b c/', listed: [], next: undefined }), '<h1>b c</h1>')
})

t.test('every character that means something to HTML is escaped', async t => {
  t.equal(escaped(`<a href='x' id="y">&`), '&lt;a href=&#39;x&#39; id=&quot;y&quot;&gt;&amp;')
})
