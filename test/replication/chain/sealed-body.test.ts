import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import t from 'tap'
import { SealedBody, sealed } from '../../../src/replication/chain/sealed-body.ts'
import { bodyOf, chunksOf, sha256Of } from '../../storage/conformance.ts'

const bytes = bodyOf(1_000)
const hash = sha256Of(bytes)

/** The bytes in chunks that end where `cuts` say. */
async function* cutAt(whole: Uint8Array, cuts: readonly number[]) {
  const ends = [...cuts, whole.length].sort((a, b) => a - b)
  let at = 0
  for (const end of ends) {
    yield whole.subarray(at, end)
    at = end
  }
}

t.test('law: however it is cut on its way, the body comes out, and its hash with it', async t => {
  const whole = await buffer(sealed(chunksOf(bytes, 100), Promise.resolve(hash)))
  t.equal(whole.length, bytes.length + 32)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(whole.length), { maxLength: 40 }), async cuts => {
      const body = new SealedBody(cutAt(whole, cuts))
      const before = body.isWhole
      const found = await buffer(body.bytes())
      return !before && body.isWhole && found.equals(bytes) && body.checked(sha256Of(found)) === hash
    }),
  )
})

t.test('law: one that was cut off is never taken for a whole one', async t => {
  const whole = await buffer(sealed(chunksOf(bytes), Promise.resolve(hash)))
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), async length => {
      const body = new SealedBody(chunksOf(whole.subarray(0, length), 64))
      try {
        body.checked(sha256Of(await buffer(body.bytes())))
        return false
      } catch (error) {
        return (error as { code?: string }).code === 'CORRUPT'
      }
    }),
  )
  t.pass()
})

t.test('a body whose hash turns out wrong is never sealed', async t => {
  const wrong = Promise.reject(new Error('another hash'))
  await t.rejects(buffer(sealed(chunksOf(bytes), wrong)), { message: 'another hash' })
})
