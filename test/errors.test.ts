import t from 'tap'
import { ERROR_CODES, errorCode, StoreError } from '../src/errors.ts'

t.test('an error carries its code, its path, its cause and whether to try again', async t => {
  const cause = new Error('ENOSPC')
  const error = new StoreError('DISK_FULL', 'No space is left.', { path: 'a/b', cause, retryAfterSeconds: 5 })
  t.match(error, {
    name: 'StoreError',
    code: 'DISK_FULL',
    path: 'a/b',
    retryable: true,
    retryAfterSeconds: 5,
    cause,
  })
  t.equal(error.message, 'No space is left.')
  const bare = new StoreError('FILE_EXISTS', 'There is a file.')
  t.match(bare, { path: undefined, retryable: false, retryAfterSeconds: undefined })
  t.notOk('cause' in bare, 'no empty cause that a log would show')
})

t.test('a code is read from anything that carries one, and from nothing else', async t => {
  t.equal(errorCode(new StoreError('OVERLOADED', 'Later.')), 'OVERLOADED')
  t.equal(errorCode({ code: 'CORRUPT' }), 'CORRUPT', 'an error of another copy of this module counts')
  for (const other of [
    null,
    undefined,
    'CORRUPT',
    {},
    { code: 'ENOENT' },
    { code: 7 },
    { code: 'toString' },
  ]) {
    t.equal(errorCode(other), undefined, JSON.stringify(other))
  }
})

t.test('every code has the form that docs and clients rely on', async t => {
  for (const [code, { meaning }] of Object.entries(ERROR_CODES)) {
    t.match(code, /^[A-Z]+(_[A-Z]+)*$/)
    t.match(meaning, /^[a-z][^|]+[^.]$/, `${code}: a phrase that fits into a table`)
  }
  t.equal(ERROR_CODES.INDETERMINATE.retryable, false, 'a blind retry of an unknown outcome is no remedy')
})
