import { statfsSync } from 'node:fs'
import t from 'tap'
import { assertFree } from '../../src/storage/free-space.ts'

t.test('what fits passes, and what does not is refused', async t => {
  const folder = t.testdir()
  const { blocks, bsize } = statfsSync(folder)
  assertFree(folder, 0)
  t.throws(() => assertFree(folder, blocks * bsize + 1), { code: 'DISK_FULL' })
})
