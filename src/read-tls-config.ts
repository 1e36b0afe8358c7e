/**
 * The files that TLS needs, looked at before anything starts: what is wrong with them is the user's slip, and named as one.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { NodeConfig } from './config.ts'
import { StoreError } from './errors.ts'

interface Found {
  readonly text: string
  readonly label: string
}

/**
 * Where the certificate and its key are; undefined when neither is named.
 * @throws StoreError INVALID_REQUEST when one is missing, can't be read, holds something else, or they do not belong together.
 */
export function readTls(cert: Found | undefined, key: Found | undefined): NodeConfig['tls'] {
  if (cert === undefined && key === undefined) return undefined
  if (cert === undefined || key === undefined)
    throw refusal('--tls-cert and --tls-key belong together; one is missing.')
  const [certPem, keyPem] = [contentOf(cert), contentOf(key)]
  const certificate = parsed(cert, 'no certificate', () => new X509Certificate(certPem))
  const privateKey = parsed(key, 'no private key without a passphrase', () => createPrivateKey(keyPem))
  if (!certificate.checkPrivateKey(privateKey))
    throw refusal(`${key.label} names ${key.text}, which is not the key of the certificate ${cert.text}.`)
  try {
    createSecureContext({ cert: certPem, key: keyPem })
  } catch (cause) {
    const why = (cause as Error).message
    throw refusal(`${cert.label} names ${cert.text}, which can not be used for TLS: ${why}.`, cause)
  }
  return { certFile: resolve(cert.text), keyFile: resolve(key.text) }
}

function contentOf({ label, text }: Found): Buffer {
  try {
    return readFileSync(text)
  } catch (cause) {
    throw refusal(`${label} names ${text}, which cannot be read.`, cause)
  }
}

function parsed<T>({ label, text }: Found, lacking: string, parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    throw refusal(`${label} names ${text}, which holds ${lacking} in PEM form.`, cause)
  }
}

function refusal(message: string, cause?: unknown): StoreError {
  return new StoreError('INVALID_REQUEST', message, cause === undefined ? {} : { cause })
}
