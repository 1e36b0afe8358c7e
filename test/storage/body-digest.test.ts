import fc from 'fast-check'
import t from 'tap'
import { BodyDigest, digestOf } from '../../src/storage/body-digest.ts'
import { BLOCK_BYTES } from '../../src/storage/record.ts'
import { bodyOf, sha256Of } from './conformance.ts'

t.test('known values: CRC-32 and SHA-256 of "123456789"', async t => {
  t.same(digestOf(Buffer.from('123456789')), {
    size: 9,
    sha256: '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225',
    blockChecksums: [0xcbf43926],
  })
  t.same(digestOf(Buffer.of()).blockChecksums, [])
  t.throws(() => digestOf(Buffer.alloc(BLOCK_BYTES + 1)), TypeError)
})

t.test('a digest does not depend on how the bytes were cut into pieces', async t => {
  const bytes = bodyOf(2 * BLOCK_BYTES + 99)
  const expected = [0, 1, 2].map(
    block => digestOf(bytes.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)).blockChecksums[0],
  )
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: bytes.length })), cuts => {
      const digest = new BodyDigest()
      let from = 0
      for (const to of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
        digest.update(bytes.subarray(from, to))
        from = to
      }
      t.strictSame(digest.finish(), { size: bytes.length, sha256: sha256Of(bytes), blockChecksums: expected })
    }),
    { numRuns: 20 },
  )
})
