/**
 * The proof that bytes arrived as they were sent: SHA-256 over a body while it passes.
 */
import { createHash, type Hash } from 'node:crypto'
import { Readable } from 'node:stream'
import { errorCode, StoreError } from '../errors.ts'

/** The SHA-256 of a Repr-Digest field (RFC 9530), 64 hexadecimal digits; undefined when it has none. */
export function sha256OfReprDigest(field: string | undefined): string | undefined {
  const match = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/.exec(field ?? '')
  return match === null ? undefined : Buffer.from(match[1] as string, 'base64').toString('hex')
}

/**
 * The same bytes; the stream fails instead of ending, with CORRUPT when they do not hash to `sha256`, with
 * UNAVAILABLE when the connection breaks, and with the reason of an aborted signal. What was handed out before the end is not proved yet.
 */
export function verifiedBody(
  body: AsyncIterable<Uint8Array>,
  sha256: string | undefined,
  path: string,
  signal?: AbortSignal,
): Readable {
  const verified = Readable.from(verify(body, sha256, path, signal), { objectMode: false })
  // Also when nothing of it was ever read.
  if (body instanceof Readable) verified.once('close', () => body.destroy())
  return verified
}

async function* verify(
  body: AsyncIterable<Uint8Array>,
  sha256: string | undefined,
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  try {
    yield* hashed(body, hash)
  } catch (cause) {
    signal?.throwIfAborted()
    if (errorCode(cause) !== undefined) throw cause
    const message = 'The connection broke before the body was complete.'
    throw new StoreError('UNAVAILABLE', message, { path, cause })
  }
  if (sha256 !== undefined && hash.digest('hex') !== sha256) {
    throw new StoreError('CORRUPT', 'The bytes that arrived are not the bytes that were stored.', { path })
  }
}

/** Passes chunks on and feeds them to `hash`. */
export async function* hashed(body: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    hash.update(chunk)
    yield chunk
  }
}
