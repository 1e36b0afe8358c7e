import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readTls } from '../src/read-tls-config.ts'
import { certificateIn } from './certificate-in.ts'

const found = (label: string, text: string) => ({ label, text })
const tlsOf = (cert: string, key: string) => readTls(found('--tls-cert', cert), found('--tls-key', key))

t.test('both or none', async t => {
  t.equal(readTls(undefined, undefined), undefined)
  t.throws(() => readTls(found('--tls-cert', 'a'), undefined), {
    code: 'INVALID_REQUEST',
    message: /belong together; one is missing/,
  })
})

t.test('files that are there, readable, and what they are named as', async t => {
  const folder = t.testdir({})
  const pair = certificateIn(folder)
  if (pair === undefined) return t.comment('openssl is not installed here')
  const { certFile: cert, keyFile: key } = pair
  t.same(tlsOf(cert, key), { certFile: cert, keyFile: key })
  const nonsense = join(folder, 'nonsense')
  writeFileSync(nonsense, 'nonsense\n')
  const wrong = (cert: string, key: string, message: string) =>
    t.throws(() => tlsOf(cert, key), { code: 'INVALID_REQUEST', message })
  wrong('/none.pem', key, '--tls-cert names /none.pem, which cannot be read.')
  wrong(nonsense, key, `--tls-cert names ${nonsense}, which holds no certificate in PEM form.`)
  wrong(
    cert,
    nonsense,
    `--tls-key names ${nonsense}, which holds no private key without a passphrase in PEM form.`,
  )
  const other = join(folder, 'other.key')
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  writeFileSync(other, privateKey.export({ type: 'pkcs8', format: 'pem' }))
  wrong(cert, other, `--tls-key names ${other}, which is not the key of the certificate ${cert}.`)
  const der = join(folder, 'cert.der')
  execFileSync('openssl', ['x509', '-in', cert, '-outform', 'der', '-out', der])
  t.throws(() => tlsOf(der, key), {
    code: 'INVALID_REQUEST',
    message: /cert\.der, which can not be used for TLS: .+/,
  })
  chmodSync(key, 0o000)
  if (process.getuid?.() !== 0) wrong(cert, key, `--tls-key names ${key}, which cannot be read.`)
})
