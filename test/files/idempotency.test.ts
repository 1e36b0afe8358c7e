import t from 'tap'
import { keyedRequest, keyOfPart, parseIdempotencyKey } from '../../src/files/idempotency.ts'
import type { PathName } from '../../src/ring/path-name.ts'

const path = 'a' as PathName

t.test('a key is 1 to 255 printable characters', async t => {
  for (const good of ['x', 'k'.repeat(255), '"8e03978e-40d5-43dd-bc93-6894a57f9324"', 'a b']) {
    t.equal(parseIdempotencyKey(good), good)
  }
  for (const bad of ['', 'k'.repeat(256), 'a\tb', 'é', 'a\nb']) {
    t.throws(() => parseIdempotencyKey(bad), { code: 'INVALID_REQUEST' }, JSON.stringify(bad))
  }
})

t.test('the fingerprint changes with everything that decides the effect', async t => {
  const one = keyedRequest('k', path, ['put', 'text/plain', 'hash', 'absent']).fingerprint
  t.equal(keyedRequest('other', path, ['put', 'text/plain', 'hash', 'absent']).fingerprint, one)
  t.not(keyedRequest('k', 'b' as PathName, ['put', 'text/plain', 'hash', 'absent']).fingerprint, one)
  t.not(keyedRequest('k', path, ['put', 'text/plain', 'hash2', 'absent']).fingerprint, one)
  t.not(keyedRequest('k', path, ['put', 'text/plain', 'hash', 'none']).fingerprint, one)
})

t.test('the files of a form have keys of their own', async t => {
  const long = 'k'.repeat(255)
  t.not(keyOfPart(long, 0), keyOfPart(long, 1))
  t.not(keyOfPart('a', 0), keyOfPart('b', 0))
  t.equal(parseIdempotencyKey(keyOfPart(long, 99)), keyOfPart(long, 99))
})
