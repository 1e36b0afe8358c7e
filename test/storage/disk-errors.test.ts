import t from 'tap'
import { StoreError } from '../../src/errors.ts'
import { diskError } from '../../src/storage/disk-errors.ts'

const withCode = (code: string | number) => Object.assign(new Error('as the system says'), { code })

t.test('what the disk says becomes a code of ours', async t => {
  for (const code of ['ENOSPC', 'EDQUOT', 28, -30792]) {
    t.match(diskError(withCode(code), 'x'), { code: 'DISK_FULL' }, String(code))
  }
  for (const code of ['EIO', 'EROFS', 'EACCES', 5]) {
    t.match(diskError(withCode(code), 'It failed'), {
      code: 'UNAVAILABLE',
      message: /^It failed: as the system says/,
    })
  }
})

t.test('what is not about the disk stays what it is', async t => {
  for (const error of [
    new TypeError('no'),
    new StoreError('CORRUPT', 'no'),
    withCode('ENOENT'),
    'text',
    undefined,
  ]) {
    t.equal(diskError(error, 'x'), error)
  }
})
