/**
 * The lists of objects, in the forms of ListObjects and ListObjectsV2: keys under a prefix, levels by any delimiter,
 * pages that go on where the one before ended.
 */
import { Buffer } from 'node:buffer'
import type { FileService } from '../files/file-service.ts'
import type { ListedFile } from '../files/listing.ts'
import { S3Error } from './errors.ts'
import { type BucketName, KEY_BYTES_MAX, keyOfPath, pathPrefixOf, placeOfKey } from './object-key.ts'
import { OWNER_ID, parameter, type S3Request } from './request.ts'
import { element, type Xml } from './xml.ts'

/** Keys and common prefixes of one page, S3's own bound. */
const PAGE_MAX = 1000

/** Bytes of a prefix or place that can matter: the longest key, and a character more. */
const PLACE_BYTES_MAX = KEY_BYTES_MAX + 4

export interface KeyQuery {
  readonly prefix: string
  /** Empty: no levels. */
  readonly delimiter: string
  /** Only what comes behind this key or common prefix; empty: from the beginning. */
  readonly after: string
  readonly limit: number
}

/** A key with what is known of it, or a common prefix. */
export type ListedKey = { readonly key: string; readonly entry: ListedFile } | { readonly common: string }

export interface KeyPage {
  readonly listed: readonly ListedKey[]
  /** The last key or common prefix, when more follow. */
  readonly next: string | undefined
}

export function placeOfListed(listed: ListedKey): string {
  return 'key' in listed ? listed.key : listed.common
}

/** One page. @throws StoreError UNAVAILABLE. */
export async function listKeys(files: FileService, bucket: BucketName, query: KeyQuery): Promise<KeyPage> {
  const { limit } = query
  if (limit === 0) return { listed: [], next: undefined }
  const listed: ListedKey[] = []
  for await (const one of keysOf(files, bucket, query)) {
    if (listed.length === limit) return { listed, next: placeOfListed(listed[limit - 1] as ListedKey) }
    listed.push(one)
  }
  return { listed, next: undefined }
}

async function* keysOf(files: FileService, bucket: BucketName, query: KeyQuery): AsyncGenerator<ListedKey> {
  const { prefix, delimiter } = query
  // No key has a longer prefix, and what lies behind a longer place lies behind its beginning.
  if (Buffer.byteLength(prefix) > PLACE_BYTES_MAX) return
  const after = beginningOf(query.after)
  // Levels by a slash are those of the store itself; others are made of what it lists.
  const levels = delimiter === '/' ? ('/' as const) : undefined
  const isCommon =
    delimiter !== '' && after.startsWith(prefix) && commonOf(after, prefix, delimiter) === after
  let last = isCommon ? after : ''
  const from = isCommon && levels ? pathPrefixOf(bucket, after) : placeOfKey(bucket, after)
  const batches = files.list({
    prefix: pathPrefixOf(bucket, prefix),
    delimiter: levels,
    ...(after !== '' && { after: from }),
    // One more than a page, to know whether another follows; what is summed up or left out here may take more.
    limit: (levels || delimiter === '') && !isLoose(prefix) ? query.limit + 1 : Number.POSITIVE_INFINITY,
  })
  for await (const batch of batches)
    for (const line of batch) {
      const key = keyOfPath(bucket, typeof line === 'string' ? line : line.path)
      if (!key.startsWith(prefix)) continue
      const common = typeof line === 'string' ? key : commonOf(key, prefix, delimiter)
      if (common === undefined) yield { key, entry: line as ListedFile }
      else if (common !== last) yield { common }
      last = common ?? ''
    }
}

/** True when paths may begin as a prefix does although their keys do not: see object-key.ts for what is written otherwise. */
function isLoose(prefix: string): boolean {
  return /(?:^|\/)(?: +|\.)$/.test(prefix)
}

/** As many whole characters as fit into PLACE_BYTES_MAX, which is more than any key has. */
function beginningOf(place: string): string {
  const bytes = Buffer.from(place)
  if (bytes.length <= PLACE_BYTES_MAX) return place
  return new TextDecoder().decode(bytes.subarray(0, PLACE_BYTES_MAX), { stream: true })
}

function commonOf(key: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === '') return undefined
  const at = key.indexOf(delimiter, prefix.length)
  return at === -1 ? undefined : key.slice(0, at + delimiter.length)
}

/** The answer to ListObjects or, with `list-type=2`, ListObjectsV2. @throws S3Error InvalidArgument; StoreError. */
export async function listObjects(files: FileService, bucket: BucketName, request: S3Request): Promise<Xml> {
  const second = parameter(request, 'list-type') === '2'
  const asked = {
    prefix: parameter(request, 'prefix') ?? '',
    delimiter: parameter(request, 'delimiter') ?? '',
    limit: maxKeys(parameter(request, 'max-keys')),
  }
  const encoded = encoderOf(request)
  const marker = parameter(request, 'marker') ?? ''
  const startAfter = parameter(request, 'start-after') ?? ''
  const token = parameter(request, 'continuation-token')
  const after = second ? (token ? placeOfToken(token) : startAfter) : marker
  const page = await listKeys(files, bucket, { ...asked, after })
  const fetchOwner = !second || parameter(request, 'fetch-owner') === 'true'
  const contents = page.listed.flatMap(one => ('key' in one ? [contentOf(one, encoded, fetchOwner)] : []))
  const commons = page.listed.flatMap(one =>
    'common' in one ? [element('CommonPrefixes', [element('Prefix', encoded(one.common))])] : [],
  )
  const { next } = page
  const places = second
    ? [
        startAfter === '' ? undefined : element('StartAfter', encoded(startAfter)),
        token === undefined ? undefined : element('ContinuationToken', token),
        next === undefined ? undefined : element('NextContinuationToken', tokenOf(next)),
        element('KeyCount', page.listed.length),
      ]
    : [
        element('Marker', encoded(marker)),
        next === undefined || asked.delimiter === '' ? undefined : element('NextMarker', encoded(next)),
      ]
  return element('ListBucketResult', [
    element('Name', bucket),
    element('Prefix', encoded(asked.prefix)),
    asked.delimiter === '' ? undefined : element('Delimiter', encoded(asked.delimiter)),
    ...places,
    element('MaxKeys', asked.limit),
    parameter(request, 'encoding-type') === undefined ? undefined : element('EncodingType', 'url'),
    element('IsTruncated', next !== undefined),
    ...contents,
    ...commons,
  ])
}

/**
 * The answer to ListObjectVersions. Every object has one version, which has no number, as in a bucket of S3 in which
 * versioning was never switched on.
 */
export async function listVersions(files: FileService, bucket: BucketName, request: S3Request): Promise<Xml> {
  const prefix = parameter(request, 'prefix') ?? ''
  const delimiter = parameter(request, 'delimiter') ?? ''
  const marker = parameter(request, 'key-marker') ?? ''
  const limit = maxKeys(parameter(request, 'max-keys'))
  const encoded = encoderOf(request)
  const { listed, next } = await listKeys(files, bucket, { prefix, delimiter, after: marker, limit })
  return element('ListVersionsResult', [
    element('Name', bucket),
    element('Prefix', encoded(prefix)),
    delimiter === '' ? undefined : element('Delimiter', encoded(delimiter)),
    element('KeyMarker', encoded(marker)),
    element('VersionIdMarker', parameter(request, 'version-id-marker') ?? ''),
    ...(next === undefined
      ? []
      : [element('NextKeyMarker', encoded(next)), element('NextVersionIdMarker', 'null')]),
    element('MaxKeys', limit),
    parameter(request, 'encoding-type') === undefined ? undefined : element('EncodingType', 'url'),
    element('IsTruncated', next !== undefined),
    ...listed.map(one =>
      'common' in one
        ? element('CommonPrefixes', [element('Prefix', encoded(one.common))])
        : element('Version', [
            element('Key', encoded(one.key)),
            element('VersionId', 'null'),
            element('IsLatest', true),
            ...entryElements(one.entry),
            ownerElement('Owner'),
          ]),
    ),
  ])
}

function contentOf(
  { key, entry }: { readonly key: string; readonly entry: ListedFile },
  encoded: (text: string) => string,
  owner: boolean,
): Xml {
  return element('Contents', [
    element('Key', encoded(key)),
    ...entryElements(entry),
    owner ? ownerElement('Owner') : undefined,
  ])
}

function entryElements({ writtenAtMs, etag, size }: ListedFile): Xml[] {
  return [
    element('LastModified', new Date(writtenAtMs).toISOString()),
    element('ETag', etag),
    element('Size', size),
    element('StorageClass', 'STANDARD'),
  ]
}

export function ownerElement(name: string): Xml {
  return element(name, [element('ID', OWNER_ID), element('DisplayName', OWNER_ID)])
}

/** How many of something a request wants. @throws S3Error InvalidArgument. */
export function maxKeys(text: string | undefined, max: number = PAGE_MAX): number {
  if (text === undefined || text === '') return max
  if (!/^\d{1,10}$/.test(text))
    throw new S3Error('InvalidArgument', 'Provided max-keys not an integer or within integer range')
  return Math.min(max, Number(text))
}

/** How keys are written: as they are, or percent-encoded when that was asked for. @throws S3Error InvalidArgument. */
export function encoderOf(request: S3Request): (text: string) => string {
  const type = parameter(request, 'encoding-type')
  if (type === undefined) return text => text
  if (type !== 'url') throw new S3Error('InvalidArgument', 'Invalid Encoding Method specified in Request')
  return text =>
    encodeURIComponent(text)
      .replaceAll('%2F', '/')
      .replace(/[!'()*]/g, encodeAscii)
}

function encodeAscii(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
}

function tokenOf(place: string): string {
  return Buffer.from(place).toString('base64url')
}

function placeOfToken(token: string): string {
  const bytes = Buffer.from(token, 'base64url')
  if (bytes.toString('base64url') !== token) throw badToken()
  return bytes.toString()
}

function badToken(): S3Error {
  return new S3Error('InvalidArgument', 'The continuation token provided is incorrect')
}
