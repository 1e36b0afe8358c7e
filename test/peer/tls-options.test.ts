import { getCiphers } from 'node:tls'
import t from 'tap'
import { TLS_OPTIONS } from '../../src/peer/tls-options.ts'

t.test('each cipher is there, forgets its key and authenticates what it hides', async t => {
  const known = new Set(getCiphers())
  for (const cipher of TLS_OPTIONS.ciphers.split(':')) {
    t.ok(known.has(cipher.toLowerCase()), cipher)
    t.match(cipher, /^(?:TLS|ECDHE-(?:ECDSA|RSA))[-_].*(?:GCM|POLY1305)/)
  }
})
