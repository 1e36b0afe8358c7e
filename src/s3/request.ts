/**
 * One request of S3 as its operation sees it: which bucket and key it is about (in the path or in the host), its query
 * and its headers, also where those stand in the query of a presigned URL.
 */
import { Buffer } from 'node:buffer'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Authenticated, UncheckedRequest } from './authentication.ts'
import { notImplemented, S3Error } from './errors.ts'
import { type BucketName, bucketName } from './object-key.ts'
import { percentDecode } from './sigv4.ts'

/** What a request is about. */
export interface Target {
  /** Undefined: about the store. As it was sent; `bucketOf` checks it. */
  readonly bucket: string | undefined
  /** Undefined: about the bucket. */
  readonly key: string | undefined
}

export interface S3Request extends UncheckedRequest {
  readonly raw: IncomingMessage
  readonly reply: ServerResponse
  readonly target: Target
  /** For the log and for whoever asks about an answer. */
  readonly requestId: string
  /** Who sent it. */
  readonly sender: Authenticated
}

/** What is read of a request before anything is decided: as it came. */
export function readRequest(
  raw: IncomingMessage,
  domains: readonly string[],
): UncheckedRequest & { readonly target: Target } {
  const url = raw.url as string
  const at = url.indexOf('?')
  const rawPath = at === -1 ? url : url.slice(0, at)
  const headers = new Map<string, string[]>()
  for (let i = 0; i < raw.rawHeaders.length; i += 2) {
    const name = (raw.rawHeaders[i] as string).toLowerCase()
    headers.set(name, [...(headers.get(name) ?? []), raw.rawHeaders[i + 1] as string])
  }
  const query = at === -1 ? [] : queryOf(url.slice(at + 1))
  const target = targetOf(rawPath, headers.get('host')?.[0] ?? '', domains)
  return { method: raw.method as string, rawPath, query, headers, target }
}

/** The fields of a query, one character for each byte. */
function queryOf(text: string): [string, string][] {
  return text
    .split('&')
    .filter(field => field !== '')
    .map(field => {
      const at = field.indexOf('=')
      const parts = at === -1 ? [field, ''] : [field.slice(0, at), field.slice(at + 1)]
      return parts.map(part => percentDecode(part.replaceAll('+', ' '))) as [string, string]
    })
}

function targetOf(rawPath: string, host: string, domains: readonly string[]): Target {
  const name = host.replace(/:\d+$/, '').toLowerCase()
  const domain = domains.find(one => name.endsWith(`.${one}`))
  const path = rawPath.replace(/^\//, '')
  if (domain !== undefined)
    return {
      bucket: name.slice(0, -domain.length - 1),
      key: path === '' ? undefined : utf8(percentDecode(path)),
    }
  const end = path.indexOf('/')
  const [first, rest] = end === -1 ? [path, ''] : [path.slice(0, end), path.slice(end + 1)]
  return {
    bucket: first === '' ? undefined : utf8(percentDecode(first)),
    key: rest === '' ? undefined : utf8(percentDecode(rest)),
  }
}

/** Text from one character for each byte. @throws S3Error InvalidURI. */
export function utf8(bytes: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(bytes, 'latin1'))
  } catch (cause) {
    throw new S3Error('InvalidURI', 'The URI is not valid UTF-8.', { cause })
  }
}

/** A parameter of the query; undefined when it is not there. @throws S3Error InvalidURI. */
export function parameter({ query }: Pick<UncheckedRequest, 'query'>, name: string): string | undefined {
  const found = query.find(([one]) => one === name)
  return found && utf8(found[1])
}

/** A header, or the parameter that stands for it in a presigned URL; one character for each byte. */
export function header(
  { headers, query }: Pick<UncheckedRequest, 'headers' | 'query'>,
  name: string,
): string | undefined {
  const values = headers.get(name)
  if (values !== undefined) return values.join(', ')
  if (!name.startsWith('x-amz-')) return undefined
  return query.find(([one]) => one.toLowerCase() === name)?.[1]
}

/** The bucket that a request is about. @throws S3Error InvalidBucketName. */
export function bucketOf({ target }: Pick<S3Request, 'target'>): BucketName {
  return bucketName(target.bucket ?? '')
}

/** The key that a request is about. @throws TypeError when it is about a bucket. */
export function keyOf({ target }: Pick<S3Request, 'target'>): string {
  if (target.key === undefined) throw new TypeError('the operation is one of objects')
  return target.key
}

/** Headers of features that are not there, and what those are. Passing over them would promise what is not kept. */
const REFUSED_HEADERS: readonly (readonly [pattern: RegExp, what: string])[] = [
  [
    /^x-amz-(copy-source-)?server-side-encryption/,
    'encryption of its own; encrypt the disks, or at the client',
  ],
  // To bypass a lock that can't be there (x-amz-bypass-governance-retention) asks for nothing.
  [/^x-amz-(object-lock|bucket-object-lock)/, 'object lock'],
  [/^x-amz-tagging/, 'tags'],
  [/^x-amz-website-redirect/, 'websites'],
  [/^x-amz-grant-/, 'access control lists'],
  [/^x-amz-mfa$/, 'deletion by a second factor'],
  [/^x-amz-write-offset-bytes$/, 'writes at an offset'],
  [/^x-amz-rename-source/, 'rename operation in S3; POST /move does it'],
  [/^x-amz-if-match-(last-modified-time|size)$/, 'conditions on size or time'],
]

/** Canned access that says what is so anyhow: the keys of the store, and nobody else. */
const PRIVATE_ACCESS = new Set(['private', 'bucket-owner-full-control', 'bucket-owner-read'])

/**
 * Refuses what a request asks for and this store does not have.
 * @throws S3Error NotImplemented, InvalidStorageClass, AccessDenied.
 */
export function refuseUnsupported(request: Pick<S3Request, 'headers' | 'query'>): void {
  const names = [...request.headers.keys(), ...request.query.map(([name]) => name.toLowerCase())]
  for (const [pattern, what] of REFUSED_HEADERS)
    if (names.some(name => pattern.test(name))) throw notImplemented(what)
  const acl = header(request, 'x-amz-acl')
  if (acl !== undefined && !PRIVATE_ACCESS.has(acl)) throw notImplemented(`access "${acl}", only private`)
  const storageClass = header(request, 'x-amz-storage-class')
  if (storageClass !== undefined && storageClass !== 'STANDARD')
    throw new S3Error('InvalidStorageClass', 'The only storage class is STANDARD.')
  const owner = header(request, 'x-amz-expected-bucket-owner')
  if (owner !== undefined && owner !== OWNER_ID)
    throw new S3Error('AccessDenied', `The owner of every bucket is "${OWNER_ID}".`)
}

/** Who owns everything: whoever runs the store. */
export const OWNER_ID = 'altered-chord'
