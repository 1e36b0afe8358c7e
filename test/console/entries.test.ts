import t from 'tap'
import { arranged, entryOf, kindOf, rowsInSight } from '../../src/console/entries.js'

const file = (path: string, size: number, writtenAt: string, mediaType = 'text/plain') =>
  entryOf({ path, size, etag: '', mediaType, writtenAt }, 2)

const entries = [
  file('a/b10.txt', 5, '2026-01-02', 'text/plain'),
  file('a/b9.txt', 7, '2026-01-03', 'image/png'),
  entryOf({ prefix: 'a/zoo/' }, 2),
  file('a/B1.txt', 6, '2026-01-01', 'application/pdf'),
]

t.test('folders first, then by a column, and names as people count', async t => {
  const names = (column: 'name' | 'size' | 'written' | 'type', descending = false, search = '') =>
    arranged(entries, { column, descending, search }).map(({ name }) => name)
  t.same(names('name'), ['zoo', 'B1.txt', 'b9.txt', 'b10.txt'])
  t.same(names('name', true), ['zoo', 'b10.txt', 'b9.txt', 'B1.txt'])
  t.same(names('size'), ['zoo', 'b10.txt', 'B1.txt', 'b9.txt'])
  t.same(names('written', true), ['zoo', 'b9.txt', 'b10.txt', 'B1.txt'])
  t.same(names('type'), ['zoo', 'B1.txt', 'b9.txt', 'b10.txt'])
  t.same(names('name', false, 'TXT b1'), ['B1.txt', 'b10.txt'])
  t.same(names('name', false, 'nothing'), [])
})

t.test('a row that is in sight is drawn', async t => {
  t.same(rowsInSight({ top: 0, height: 360, row: 36, count: 100_000 }), { first: 0, last: 22 })
  t.same(rowsInSight({ top: 36_000, height: 360, row: 36, count: 100_000 }), { first: 988, last: 1022 })
  t.same(rowsInSight({ top: 0, height: 360, row: 36, count: 3 }), { first: 0, last: 3 })
})

t.test('what may be a page goes into a frame', async t => {
  t.equal(kindOf('image/png', 'a'), 'image')
  t.equal(kindOf('text/html; charset=utf-8', 'a.txt'), 'page')
  t.equal(kindOf('application/xhtml+xml', 'a'), 'page')
  t.equal(kindOf('text/markdown', 'a'), 'text')
  t.equal(kindOf('application/json', 'a'), 'text')
  t.equal(kindOf('application/octet-stream', 'a.rs'), 'text')
  t.equal(kindOf('application/octet-stream', 'a.bin'), 'none')
  t.equal(kindOf('application/pdf', 'a.txt'), 'none')
})
