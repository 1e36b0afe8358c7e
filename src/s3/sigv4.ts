/**
 * Signature Version 4 as S3 has it: the canonical form of a request, and what its signature and those of its chunks
 * must be ("Authenticating Requests (AWS Signature Version 4)" in the S3 API reference). Pure; authentication.ts decides.
 */
import { Buffer } from 'node:buffer'
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

export const ALGORITHM = 'AWS4-HMAC-SHA256'
export const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/** What a credential says beside its key: `20260130/us-east-1/s3/aws4_request`. */
export interface Scope {
  /** YYYYMMDD. */
  readonly date: string
  readonly region: string
  readonly service: string
}

/** One request as it came, in the encoding of the wire: one character for each byte. */
export interface SignedRequest {
  readonly method: string
  /** The path as sent, percent-encoded, without the query. */
  readonly rawPath: string
  /** Names and values of the query, decoded, in their order; without the signature itself. */
  readonly query: readonly (readonly [name: string, value: string])[]
  /** Values of a header as sent, by lower-case name; several of one name in their order. */
  readonly headers: ReadonlyMap<string, readonly string[]>
  /** Lower-case names, in order. */
  readonly signedHeaders: readonly string[]
  /** 64 hexadecimal digits, or the word that stands for them. */
  readonly payloadHash: string
}

/** The canonical request (task 1 of the reference). */
export function canonicalRequest(request: SignedRequest): string {
  const query = request.query
    .map(([name, value]) => [percentEncode(name), percentEncode(value)] as const)
    .sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
  const headers = request.signedHeaders.map(name => `${name}:${canonicalValue(request.headers.get(name))}\n`)
  return [
    request.method,
    canonicalPath(request.rawPath),
    query,
    headers.join(''),
    request.signedHeaders.join(';'),
    request.payloadHash,
  ].join('\n')
}

function canonicalValue(values: readonly string[] = []): string {
  return values.map(value => value.trim().replace(/ +/g, ' ')).join(',')
}

/** The path with every byte encoded that is to be, and no other: clients do not agree on what they send. */
function canonicalPath(rawPath: string): string {
  return rawPath
    .split('/')
    .map(segment => percentEncode(percentDecode(segment)))
    .join('/')
}

/** The bytes that percent-encoded text stands for, one character each. What is no encoding stays as it is. */
export function percentDecode(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)))
}

/** Percent-encodes every byte but the unreserved ones (RFC 3986, section 2.3), as "UriEncode" of the reference. */
export function percentEncode(bytes: string): string {
  return bytes.replace(
    /[^A-Za-z0-9\-._~]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

/** The string to sign of a request (task 2). `timestamp`: YYYYMMDDTHHMMSSZ. */
export function stringToSign(timestamp: string, scope: Scope, canonical: string): string {
  const hash = createHash('sha256').update(canonical, 'latin1').digest('hex')
  return [ALGORITHM, timestamp, scopeText(scope), hash].join('\n')
}

function scopeText({ date, region, service }: Scope): string {
  return `${date}/${region}/${service}/aws4_request`
}

/** The key that signs (task 3). */
export function signingKey(secret: string, { date, region, service }: Scope): Buffer {
  const parts = [date, region, service, 'aws4_request']
  return parts.reduce<Buffer>(
    (key, part) => createHmac('sha256', key).update(part).digest(),
    Buffer.from(`AWS4${secret}`),
  )
}

/** The signature of a string: 64 hexadecimal digits. */
export function signatureOf(key: Uint8Array, text: string): string {
  return createHmac('sha256', key).update(text).digest('hex')
}

/** What the signatures of chunks stand on: each signs the one before it. */
export interface ChunkSigning {
  readonly key: Uint8Array
  readonly timestamp: string
  readonly scope: Scope
  /** Of the request itself. */
  readonly seedSignature: string
}

/** The signature of one chunk, whose bytes have this hash. */
export function chunkSignature(signing: ChunkSigning, previous: string, sha256: string): string {
  const { key, timestamp, scope } = signing
  const text = [`${ALGORITHM}-PAYLOAD`, timestamp, scopeText(scope), previous, EMPTY_SHA256, sha256].join(
    '\n',
  )
  return signatureOf(key, text)
}

/** The signature of the trailer, given as `name:value\n` for each field. */
export function trailerSignature(signing: ChunkSigning, previous: string, trailer: string): string {
  const { key, timestamp, scope } = signing
  const sha256 = createHash('sha256').update(trailer, 'latin1').digest('hex')
  return signatureOf(key, [`${ALGORITHM}-TRAILER`, timestamp, scopeText(scope), previous, sha256].join('\n'))
}

/** True when two signatures are the same, found in a time that says nothing of where they differ. */
export function isSameSignature(shown: string, right: string): boolean {
  const [a, b] = [shown, right].map(text => createHash('sha256').update(text).digest()) as [Buffer, Buffer]
  return timingSafeEqual(a, b)
}

/** The time of a timestamp such as 20260130T120000Z, ms since 1970; undefined for anything else. */
export function timestampMs(text: string): number | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second] = match
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(ms) ? undefined : ms
}
