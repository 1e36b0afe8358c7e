import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import t from 'tap'
import {
  type BucketName,
  bucketName,
  isBucketName,
  keyOfPath,
  pathOfKey,
  pathPrefixOf,
  placeOfKey,
} from '../../src/s3/object-key.ts'

const bucket = 'bucket' as BucketName

/** Keys made of what is written otherwise in a path: slashes, dots and spaces, beside letters. */
const key = fc
  .array(fc.constantFrom('/', '//', ' ', '.', 'a', 'b', '!', '0', 'é', '\u{10ffff}'), {
    minLength: 1,
    maxLength: 8,
  })
  .map(pieces => pieces.join(''))
  .filter(text => {
    try {
      return pathOfKey(bucket, text) !== ''
    } catch {
      return false
    }
  })

const compare = (a: string, b: string) => Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b)))

t.test('every key has a path of its own, and it comes back from it', async () => {
  fc.assert(fc.property(key, text => keyOfPath(bucket, pathOfKey(bucket, text)) === text))
})

t.test('paths are in the order of their keys', async () => {
  fc.assert(
    fc.property(key, key, (a, b) => compare(pathOfKey(bucket, a), pathOfKey(bucket, b)) === compare(a, b)),
    { numRuns: 2000 },
  )
})

t.test('a list under a prefix has every key that begins so', async () => {
  fc.assert(
    fc.property(key, fc.nat(8), (text, length) => {
      const prefix = text.slice(0, length)
      return pathOfKey(bucket, text).startsWith(pathPrefixOf(bucket, prefix))
    }),
    { numRuns: 1000 },
  )
})

t.test('a list goes on behind a key exactly', async () => {
  fc.assert(
    fc.property(
      key,
      key,
      (a, b) => compare(pathOfKey(bucket, a), placeOfKey(bucket, b)) > 0 === compare(a, b) > 0,
    ),
    { numRuns: 2000 },
  )
})

t.test('usual keys are paths as they are', async t => {
  t.equal(pathOfKey(bucket, 'a/b c.txt'), 'bucket/a/b c.txt')
  t.equal(pathOfKey(bucket, 'folder/'), 'bucket/folder/ ')
  t.equal(pathOfKey(bucket, 'a//b'), 'bucket/a/.\u{10ffff}/b')
})

t.test('keys that no path can hold are refused', async t => {
  for (const text of ['a/../b', './a', 'a\nb', '\u{10ffff}/.\u{10ffff}x/b'])
    t.throws(() => pathOfKey(bucket, text), { code: 'InvalidArgument' }, JSON.stringify(text))
  t.ok(pathOfKey(bucket, 'k'.repeat(1017)))
  t.throws(() => pathOfKey(bucket, 'k'.repeat(1018)), { code: 'KeyTooLongError' })
})

t.test('names of buckets', async t => {
  for (const name of ['abc', 'a.b-c', '1.2.3', 'a'.repeat(63)]) t.ok(isBucketName(name), name)
  for (const name of [
    '',
    'ab',
    'A-b',
    'a_b',
    '-ab',
    'ab-',
    'a..b',
    'a.-b',
    'a-.b',
    '192.168.1.1',
    'a'.repeat(64),
    '../etc',
    'a/b',
    '.altered-chord',
  ]) {
    t.notOk(isBucketName(name), name)
    t.throws(() => bucketName(name), { code: 'InvalidBucketName' })
  }
})
