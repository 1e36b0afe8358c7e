/**
 * How the names of S3 lie in the store: a bucket is a first segment, and a key is the rest of the path. Keys may have
 * empty segments, which paths have not; those are written in another way that keeps the byte order, so that a list of
 * paths is a list of keys (docs/decisions/0220-keys-of-s3-as-paths.md).
 */
import { Buffer } from 'node:buffer'
import { errorCode } from '../errors.ts'
import { type PathName, parsePathName } from '../ring/path-name.ts'
import { S3Error } from './errors.ts'

/** The name of a bucket, checked. */
export type BucketName = string & { readonly brand: 'BucketName' }

/** Bytes of a key, S3's own bound; bucket and key together have to fit into a path. */
export const KEY_BYTES_MAX = 1024

/**
 * Stands for an empty segment before others. It sorts behind every segment that begins with a dot and before `0`, as a
 * slash does; a segment of a user never begins so.
 */
const EMPTY = '.\u{10ffff}'

/** True for what S3 takes as the name of a bucket ("Bucket naming rules"). */
export function isBucketName(name: string): name is BucketName {
  return (
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) &&
    !/\.[.-]|-\./.test(name) &&
    !/^\d+(\.\d+){3}$/.test(name)
  )
}

/** @throws S3Error InvalidBucketName. */
export function bucketName(name: string): BucketName {
  if (isBucketName(name)) return name
  throw new S3Error('InvalidBucketName', 'The specified bucket is not valid.')
}

/** The path of an object. @throws S3Error KeyTooLongError, InvalidArgument. */
export function pathOfKey(bucket: BucketName, key: string): PathName {
  const segments = key.split('/')
  const last = segments.pop() as string
  const rest = segments.map(segment => `${segmentOf(segment)}/`).join('')
  // A key that ends with a slash (a "folder") ends with a space in the store, and keys that end with spaces with one more.
  const end = /^ *$/.test(last) ? `${last} ` : segmentOf(last)
  return checkedPath(`${bucket}/${rest}${end}`, key)
}

function segmentOf(segment: string): string {
  if (segment.startsWith(EMPTY))
    throw new S3Error('InvalidArgument', 'The key has a character that no key can have.')
  return segment === '' ? EMPTY : segment
}

function checkedPath(path: string, key: string): PathName {
  if (Buffer.byteLength(key) > KEY_BYTES_MAX) throw tooLong()
  try {
    return parsePathName(path)
  } catch (error) {
    if (errorCode(error) !== 'INVALID_PATH') throw error
    if ((error as Error).message.includes('bytes')) throw tooLong()
    throw new S3Error('InvalidArgument', `This key cannot be stored. ${(error as Error).message}`)
  }
}

function tooLong(): S3Error {
  return new S3Error(
    'KeyTooLongError',
    'Your key is too long: bucket and key together have up to 1,023 bytes.',
  )
}

/** The beginning of the paths of all keys with a prefix; keys without it may begin so too. */
export function pathPrefixOf(bucket: BucketName, prefix: string): string {
  const segments = prefix.split('/')
  const last = segments.pop() as string
  return `${bucket}/${segments.map(segment => `${segment === '' ? EMPTY : segment}/`).join('')}${last}`
}

/** The key of a path, or of a common prefix of paths, that lies in a bucket. */
export function keyOfPath(bucket: BucketName, path: string): string {
  const segments = path.slice(bucket.length + 1).split('/')
  const last = segments.pop() as string
  const rest = segments.map(segment => `${segment === EMPTY ? '' : segment}/`).join('')
  return `${rest}${/^ +$/.test(last) ? last.slice(1) : last}`
}

/** Where a list goes on behind a key, as the path that a list is told; it need not be one that a file can have. */
export function placeOfKey(bucket: BucketName, key: string): string {
  const prefix = pathPrefixOf(bucket, key)
  const last = prefix.slice(prefix.lastIndexOf('/') + 1)
  return /^ *$/.test(last) ? `${prefix} ` : prefix
}
