import { statfsSync } from 'node:fs'
import t from 'tap'
import { StoreError } from '../../src/errors.ts'
import { diskError, FreeSpace, isDiskFailure } from '../../src/storage/disk-errors.ts'

const withCode = (code: string | number) => Object.assign(new Error('as the system says'), { code })

t.test('what the disk says becomes a code of ours', async t => {
  for (const code of ['ENOSPC', 'EDQUOT', 28, -30792]) {
    t.match(diskError(withCode(code), 'x'), { code: 'DISK_FULL' }, String(code))
  }
  for (const code of ['EIO', 'EROFS', 'EACCES', 'ENOENT', 'EISDIR', 'ENOTDIR', 5, 2]) {
    t.match(diskError(withCode(code), 'It failed'), {
      code: 'UNAVAILABLE',
      message: /^It failed: as the system says/,
    })
  }
})

t.test('clients learn what is wrong with the disk, and not where the files lie', async t => {
  const error = Object.assign(new Error("EIO: i/o error, open '/srv/data/staging/ab'"), { code: 'EIO' })
  t.match(diskError(error, 'The body was not stored'), {
    message: 'The body was not stored: EIO: i/o error.',
    cause: error,
  })
})

t.test('what is not about the disk stays what it is', async t => {
  for (const error of [
    new TypeError('no'),
    new StoreError('CORRUPT', 'no'),
    withCode('ECONNRESET'),
    'text',
    undefined,
  ]) {
    t.equal(diskError(error, 'x'), error)
  }
})

t.test('a disk that fails is told from one that is full, and from everything else', async t => {
  t.ok(isDiskFailure(diskError(withCode('EROFS'), 'x')))
  t.ok(isDiskFailure(new StoreError('INDETERMINATE', 'of the index', { cause: withCode('EIO') })))
  for (const error of [
    diskError(withCode('ENOSPC'), 'x'),
    diskError(withCode('EMFILE'), 'x'),
    withCode('EROFS'),
    new StoreError('UNAVAILABLE', 'The sender of a body stands still.'),
    new StoreError('INDETERMINATE', 'It is not known whether the write happened.'),
    undefined,
  ])
    t.notOk(isDiskFailure(error))
})

t.test('what fits passes, and what does not is refused', async t => {
  const folder = t.testdir()
  const { blocks, bsize } = statfsSync(folder)
  let nowMs = 0
  const space = new FreeSpace({ clock: { monotonicMs: () => nowMs } }, { folder })
  const all = blocks * bsize + 1
  space.assert(0)
  t.throws(() => space.assert(all), { code: 'DISK_FULL' })
  nowMs += 1
  t.throws(() => space.assert(all), { code: 'DISK_FULL' })
  space.assert(0)
})
