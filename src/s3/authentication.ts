/**
 * Who sends a request: which access key signed it, whether the signature is right and recent, and what it says of
 * the body. Signatures in headers and in queries; a request without any is refused.
 */

import type { S3Key } from '../config.ts'
import { S3Error } from './errors.ts'
import type { ChunkSigning, Scope } from './sigv4.ts'
import {
  ALGORITHM,
  canonicalRequest,
  isSameSignature,
  type SignedRequest,
  signatureOf,
  signingKey,
  stringToSign,
  timestampMs,
} from './sigv4.ts'

/** What a request says of its body's hash. */
export type PayloadKind =
  | { readonly kind: 'hash'; readonly sha256: string }
  | { readonly kind: 'unsigned' }
  | { readonly kind: 'chunks'; readonly signing: ChunkSigning | undefined; readonly trailer: boolean }

export interface Authenticated {
  readonly key: S3Key
  readonly payload: PayloadKind
}

/** A request before it is known who sent it; as SignedRequest. */
export type UncheckedRequest = Pick<SignedRequest, 'method' | 'rawPath' | 'query' | 'headers'>

/** How far the clock of a client may be off, ms; S3's own bound. */
export const SKEW_MAX_MS = 15 * 60 * 1000

/** The longest that a presigned URL may be good for, s: seven days, S3's own bound. */
export const EXPIRES_MAX_SECONDS = 7 * 24 * 60 * 60

export class Authentication {
  readonly #keys: ReadonlyMap<string, S3Key>

  constructor(keys: readonly S3Key[]) {
    this.#keys = new Map(keys.map(key => [key.id, key]))
  }

  /**
   * The key that signed a request.
   * @throws S3Error AccessDenied, InvalidAccessKeyId, SignatureDoesNotMatch, RequestTimeTooSkewed, InvalidRequest,
   *   AuthorizationHeaderMalformed, AuthorizationQueryParametersError, MissingSecurityHeader, NotImplemented.
   */
  authenticate(request: UncheckedRequest, nowMs: number): Authenticated {
    const authorization = request.headers.get('authorization')?.[0]
    const query = new Map(request.query)
    if (query.has('X-Amz-Algorithm')) {
      if (authorization !== undefined)
        throw new S3Error('InvalidArgument', 'Only one way to sign a request is allowed at a time.')
      return this.#inQuery(request, query, nowMs)
    }
    if (authorization !== undefined) return this.#inHeader(request, authorization, nowMs)
    if (query.has('AWSAccessKeyId') || query.has('Signature')) throw oldSignature()
    throw new S3Error('AccessDenied', 'The request is not signed.')
  }

  /**
   * The key that signed the policy of a form, and that policy ("Calculating a signature" of browser-based uploads).
   * @param fields of the form, by lower-case name.
   * @throws S3Error AccessDenied, InvalidAccessKeyId, SignatureDoesNotMatch, InvalidArgument, InvalidRequest.
   */
  authenticateForm(
    fields: ReadonlyMap<string, string>,
    nowMs: number,
  ): { readonly key: S3Key; readonly policy: string } {
    if (fields.has('awsaccesskeyid')) throw oldSignature()
    const field = (name: string): string => {
      const value = fields.get(name)
      if (value) return value
      throw new S3Error('AccessDenied', `The form is not signed: it has no field ${name}.`)
    }
    const policy = field('policy')
    if (field('x-amz-algorithm') !== ALGORITHM) throw oldSignature()
    const { key, scope } = this.#credential(field('x-amz-credential'), 'InvalidArgument')
    const timestamp = field('x-amz-date')
    const sentMs = timestampMs(timestamp)
    if (sentMs === undefined || !timestamp.startsWith(scope.date))
      throw new S3Error('InvalidArgument', 'X-Amz-Date is malformed, or not of the day of the credential.')
    if (sentMs - nowMs > SKEW_MAX_MS) throw new S3Error('AccessDenied', 'The form is not valid yet.')
    const right = signatureOf(signingKey(key.secret, scope), policy)
    if (!isSameSignature(field('x-amz-signature'), right)) throw wrongSignature()
    return { key, policy }
  }

  /** @throws S3Error InvalidAccessKeyId. */
  keyOf(id: string): S3Key {
    const key = this.#keys.get(id)
    if (key !== undefined) return key
    throw new S3Error('InvalidAccessKeyId', 'The access key does not exist in this store.')
  }

  #inHeader(request: UncheckedRequest, authorization: string, nowMs: number): Authenticated {
    const { credential, signedHeaders, signature } = parseAuthorization(authorization)
    const timestamp = timestampOf(request)
    const sentMs = timestampMs(timestamp)
    if (sentMs === undefined)
      throw new S3Error('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header.')
    const { key, scope } = this.#credential(credential, 'AuthorizationHeaderMalformed')
    if (!timestamp.startsWith(scope.date))
      throw new S3Error(
        'AuthorizationHeaderMalformed',
        'The date of the credential is not that of the request.',
      )
    if (Math.abs(nowMs - sentMs) > SKEW_MAX_MS)
      throw new S3Error(
        'RequestTimeTooSkewed',
        'The clocks of client and store differ by more than 15 minutes.',
      )
    const payloadHash = request.headers.get('x-amz-content-sha256')?.[0]
    if (payloadHash === undefined)
      throw new S3Error('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256')
    refuseUnsigned(request, signedHeaders)
    const signing = { key: signingKey(key.secret, scope), timestamp, scope, seedSignature: signature }
    check({ ...request, signedHeaders, payloadHash }, signing)
    return { key, payload: payloadKind(payloadHash, signing) }
  }

  #inQuery(request: UncheckedRequest, query: ReadonlyMap<string, string>, nowMs: number): Authenticated {
    const field = (name: string): string => {
      const value = query.get(name)
      if (value) return value
      throw new S3Error(
        'AuthorizationQueryParametersError',
        'Query-string authentication needs X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, ' +
          'X-Amz-SignedHeaders and X-Amz-Expires.',
      )
    }
    if (field('X-Amz-Algorithm') !== ALGORITHM) throw oldSignature()
    const { key, scope } = this.#credential(field('X-Amz-Credential'), 'AuthorizationQueryParametersError')
    const timestamp = field('X-Amz-Date')
    const sentMs = timestampMs(timestamp)
    const expires = Number(field('X-Amz-Expires'))
    const signature = field('X-Amz-Signature')
    const signedHeaders = field('X-Amz-SignedHeaders').split(';')
    if (sentMs === undefined || !timestamp.startsWith(scope.date))
      throw new S3Error('AuthorizationQueryParametersError', 'X-Amz-Date does not fit.')
    if (!Number.isInteger(expires) || expires < 1 || expires > EXPIRES_MAX_SECONDS)
      throw new S3Error('AuthorizationQueryParametersError', 'X-Amz-Expires must be 1 to 604800 seconds.')
    if (sentMs - nowMs > SKEW_MAX_MS) throw new S3Error('AccessDenied', 'Request is not valid yet.')
    if (nowMs > sentMs + expires * 1000) throw new S3Error('AccessDenied', 'Request has expired.')
    refuseUnsigned(request, signedHeaders)
    const payloadHash =
      query.get('X-Amz-Content-Sha256') ??
      request.headers.get('x-amz-content-sha256')?.[0] ??
      'UNSIGNED-PAYLOAD'
    const signing = { key: signingKey(key.secret, scope), timestamp, scope, seedSignature: signature }
    const signed = request.query.filter(([name]) => name !== 'X-Amz-Signature')
    check({ ...request, query: signed, signedHeaders, payloadHash }, signing)
    return { key, payload: payloadKind(payloadHash, signing) }
  }

  #credential(
    text: string,
    malformed: 'AuthorizationHeaderMalformed' | 'AuthorizationQueryParametersError' | 'InvalidArgument',
  ): { readonly key: S3Key; readonly scope: Scope } {
    // A key may have slashes in it.
    const match = /^(.+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request$/.exec(text)
    if (match === null)
      throw new S3Error(malformed, 'The credential is not KEY/YYYYMMDD/REGION/s3/aws4_request.')
    const [, id, date, region, service] = match as unknown as [string, string, string, string, string]
    if (service !== 's3') throw new S3Error(malformed, `The service of the credential is not "s3".`)
    return { key: this.keyOf(id), scope: { date, region, service } }
  }
}

/** @throws S3Error SignatureDoesNotMatch. */
function check(request: SignedRequest, signing: ChunkSigning): void {
  const { key, timestamp, scope, seedSignature } = signing
  const right = signatureOf(key, stringToSign(timestamp, scope, canonicalRequest(request)))
  if (!isSameSignature(seedSignature, right)) throw wrongSignature()
}

function wrongSignature(): S3Error {
  return new S3Error(
    'SignatureDoesNotMatch',
    'The signature is not the one that this request has with the secret of this access key.',
  )
}

interface Authorization {
  readonly credential: string
  readonly signedHeaders: readonly string[]
  readonly signature: string
}

function parseAuthorization(text: string): Authorization {
  if (!text.startsWith(`${ALGORITHM} `)) {
    if (text.startsWith('AWS4-')) throw new S3Error('NotImplemented', `This store knows ${ALGORITHM} only.`)
    if (text.startsWith('AWS ')) throw oldSignature()
    throw new S3Error('InvalidArgument', 'The Authorization header has an unsupported type.')
  }
  const fields = new Map<string, string>()
  for (const part of text.slice(ALGORITHM.length).split(',')) {
    const [, name, value] = /^\s*([A-Za-z]+)=(.*?)\s*$/.exec(part) ?? []
    if (name !== undefined && value !== undefined) fields.set(name, value)
  }
  const [credential, signedHeaders, signature] = ['Credential', 'SignedHeaders', 'Signature'].map(name =>
    fields.get(name),
  )
  if (!credential || !signedHeaders || !signature)
    throw new S3Error(
      'AuthorizationHeaderMalformed',
      'The Authorization header needs Credential, SignedHeaders and Signature.',
    )
  return { credential, signedHeaders: signedHeaders.split(';'), signature }
}

/** Whatever changes what a request means has to be signed, or somebody on the way could change it. */
function refuseUnsigned(request: UncheckedRequest, signedHeaders: readonly string[]): void {
  const signed = new Set(signedHeaders)
  const missing = signedHeaders.filter(name => !request.headers.has(name))
  if (missing.length > 0)
    throw new S3Error('AccessDenied', `There were signed headers that the request does not have: ${missing}`)
  const unsigned = [...request.headers.keys()].filter(
    name => (name.startsWith('x-amz-') || name === 'host') && !signed.has(name),
  )
  // The hash of the payload is a line of what is signed, wherever else it stands.
  const open = unsigned.filter(name => name !== 'x-amz-content-sha256')
  if (open.length > 0)
    throw new S3Error(
      'AccessDenied',
      `There were headers present in the request which were not signed: ${open}`,
    )
}

function timestampOf({ headers }: UncheckedRequest): string {
  const own = headers.get('x-amz-date')?.[0]
  if (own !== undefined) return own
  const ms = Date.parse(headers.get('date')?.[0] ?? '')
  return Number.isNaN(ms) ? '' : new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '')
}

/** @throws S3Error InvalidArgument, NotImplemented. */
function payloadKind(text: string, signing: ChunkSigning): PayloadKind {
  switch (text) {
    case 'UNSIGNED-PAYLOAD':
      return { kind: 'unsigned' }
    case 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD':
      return { kind: 'chunks', signing, trailer: false }
    case 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER':
      return { kind: 'chunks', signing, trailer: true }
    case 'STREAMING-UNSIGNED-PAYLOAD-TRAILER':
      return { kind: 'chunks', signing: undefined, trailer: true }
  }
  if (/^[0-9a-f]{64}$/.test(text)) return { kind: 'hash', sha256: text }
  if (text.startsWith('STREAMING-')) throw new S3Error('NotImplemented', `This store does not know ${text}.`)
  throw new S3Error(
    'InvalidArgument',
    'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-..., or the SHA-256 in lower-case hexadecimal digits.',
  )
}

function oldSignature(): S3Error {
  return new S3Error(
    'InvalidRequest',
    `The authorization mechanism you have provided is not supported. Please use ${ALGORITHM}.`,
  )
}
