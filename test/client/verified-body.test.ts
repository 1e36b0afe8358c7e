import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { hashed, sha256OfReprDigest, verifiedBody } from '../../src/client/verified-body.ts'

const sha256 = createHash('sha256').update('hello').digest('hex')
const base64 = Buffer.from(sha256, 'hex').toString('base64')
const body = () => Readable.from([Buffer.from('hel'), Buffer.from('lo')])

t.test('the SHA-256 of a Repr-Digest field', async t => {
  t.equal(sha256OfReprDigest(`sha-256=:${base64}:`), sha256)
  t.equal(sha256OfReprDigest(`md5=:abc=:, sha-256=:${base64}:`), sha256)
  for (const field of [undefined, '', 'sha-256=abc', `not-sha-256=:${base64}:`, 'sha-256=:short=:']) {
    t.equal(sha256OfReprDigest(field), undefined, String(field))
  }
})

t.test('the right bytes pass, wrong ones fail instead of ending', async t => {
  t.equal(await text(verifiedBody(body(), sha256, 'a')), 'hello')
  t.equal(await text(verifiedBody(body(), undefined, 'a')), 'hello')
  await t.rejects(text(verifiedBody(body(), '0'.repeat(64), 'a')), { code: 'CORRUPT', path: 'a' })
})

t.test('a connection that breaks is UNAVAILABLE; a signal has its own reason', async t => {
  const breaking = () =>
    Readable.from(
      (async function* () {
        yield Buffer.from('hel')
        throw Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' })
      })(),
    )
  await t.rejects(text(verifiedBody(breaking(), sha256, 'a')), { code: 'UNAVAILABLE', path: 'a' })
  const reason = new Error('enough')
  await t.rejects(text(verifiedBody(breaking(), sha256, 'a', AbortSignal.abort(reason))), reason)
})

t.test('hashing passes everything on', async t => {
  const hash = createHash('sha256')
  t.equal(await text(Readable.from(hashed(body(), hash))), 'hello')
  t.equal(hash.digest('hex'), sha256)
})
