import t from 'tap'
import { counted, duration, nameOf, parentOf, percent, size } from '../../src/console/format.js'

t.test('sizes, times and shares as people read them', async t => {
  t.equal(size(0), '0 B')
  t.equal(size(1023), '1023 B')
  t.equal(size(1024), '1 KiB')
  t.equal(size(1536), '1.5 KiB')
  t.equal(size(200 * 1024 ** 3), '200 GiB')
  t.equal(duration(0), '0 s')
  t.equal(duration(61), '1 min 1 s')
  t.equal(duration(3 * 86400 + 4 * 3600 + 59), '3 d 4 h')
  t.equal(percent(0.0123), '1.2 %')
  t.equal(percent(0.5), '50 %')
  t.equal(counted(1, 'file'), '1 file')
  t.equal(counted(1200, 'copy', 'copies'), '1,200 copies')
})

t.test('names and folders of paths', async t => {
  t.equal(nameOf('a/b/c.txt'), 'c.txt')
  t.equal(nameOf('a/b/'), 'b')
  t.equal(nameOf('c'), 'c')
  t.equal(parentOf('a/b/c.txt'), 'a/b/')
  t.equal(parentOf('a/b/'), 'a/')
  t.equal(parentOf('a/'), '')
  t.equal(parentOf('c'), '')
})
