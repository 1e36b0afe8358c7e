/**
 * What S3 keeps of an object beside its bytes, as the metadata of a file: fields of a user (`x-amz-meta-NAME` is NAME),
 * content headers, the checksum that came with the body, and the sizes of its parts. What is S3's own begins with `$`.
 */
import { storedMediaType } from '../http/meta-fields.ts'
import type { FileMeta, FileRecord } from '../storage/record.ts'
import { USER_META_BYTES_MAX, userMetaBytes, userMetaOf } from '../storage/user-meta.ts'
import { ALGORITHMS, type Algorithm, type Checksum, checksumHeader, isChecksum } from './checksums.ts'
import { S3Error } from './errors.ts'
import { header, type S3Request } from './request.ts'

/** Headers that are kept with an object and given back with it; the media type is the file's own. */
export const CONTENT_HEADERS = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
] as const

/** Parts of one upload, and so of one object; S3's own bound. */
export const PART_NUMBER_MAX = 10_000

/** What S3 has an object without a media type be. */
export const DEFAULT_MEDIA_TYPE = 'binary/octet-stream'

const META_PREFIX = 'x-amz-meta-'

/** Names that are S3's own; no field of a user begins so. */
const OWN_PREFIX = '$'
const CHECKSUM = '$checksum-'
const PARTS = '$parts'

/** A checksum that is kept: of all bytes, or (as S3 writes it, `VALUE-PARTS`) of the checksums of the parts. */
export interface KeptChecksum extends Checksum {
  readonly type: 'FULL_OBJECT' | 'COMPOSITE'
}

/** What beside the headers of a request becomes metadata. */
export interface ObjectExtras {
  readonly checksum?: KeptChecksum | undefined
  /** Sizes of the parts of a multipart upload, in order. */
  readonly parts?: readonly number[] | undefined
}

/** What the headers of a request say of an object. @throws S3Error InvalidArgument, MetadataTooLarge. */
export function metaOfRequest(request: Pick<S3Request, 'headers' | 'query'>): FileMeta {
  const fields: [string, string][] = []
  for (const [name, values] of request.headers) {
    if (!name.startsWith(META_PREFIX)) continue
    fields.push([ownName(name), values.map(value => value.trim()).join(',')])
  }
  for (const [name, value] of request.query) {
    const own = name.toLowerCase()
    if (own.startsWith(META_PREFIX) && !request.headers.has(own)) fields.push([ownName(own), value])
  }
  for (const name of CONTENT_HEADERS) {
    const value = keptValue(name, header(request, name))
    if (value !== undefined) fields.push([OWN_PREFIX + name, value])
  }
  const declared = header(request, 'content-type')
  const mediaType = declared ? storedMediaType(declared) : DEFAULT_MEDIA_TYPE
  return fileMeta(mediaType, fields)
}

/** The name of a field as the user calls it. @throws S3Error InvalidArgument. */
function ownName(header: string): string {
  const name = header.slice(META_PREFIX.length)
  if (!name.startsWith(OWN_PREFIX)) return name
  throw new S3Error('InvalidArgument', `No metadata can be named ${name}.`)
}

/** The encoding of the transfer is not one of the object. */
function keptValue(name: string, value: string | undefined): string | undefined {
  if (name !== 'content-encoding' || value === undefined) return value || undefined
  const kept = value
    .split(',')
    .map(one => one.trim())
    .filter(one => one !== '' && one.toLowerCase() !== 'aws-chunked')
  return kept.length === 0 ? undefined : kept.join(', ')
}

/** The same metadata with what came of the body; what it had of another body is left out. */
export function withExtras(meta: FileMeta, extras: ObjectExtras): FileMeta {
  const fields = (meta.user ?? []).filter(([name]) => !name.startsWith(CHECKSUM) && name !== PARTS)
  const { checksum, parts } = extras
  const added: [string, string][] = []
  if (checksum !== undefined) added.push([CHECKSUM + checksum.algorithm.toLowerCase(), checksum.value])
  const whole = [...fields, ...added]
  // Sizes that do not fit beside what the user keeps are left out; the object has one part then.
  const sizes: [string, string][] = parts === undefined ? [] : [[PARTS, writtenSizes(parts)]]
  return fileMeta(
    meta.mediaType,
    userMetaBytes([...whole, ...sizes]) <= USER_META_BYTES_MAX ? [...whole, ...sizes] : whole,
  )
}

function fileMeta(mediaType: string, fields: Iterable<readonly [string, string]>): FileMeta {
  try {
    const user = userMetaOf(fields)
    return { mediaType, ...(user && { user }) }
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    if (code === 'METADATA_TOO_LARGE')
      throw new S3Error('MetadataTooLarge', 'Your metadata headers exceed the maximum allowed metadata size.')
    throw new S3Error('InvalidArgument', message, { cause: error })
  }
}

/** The headers of an answer about an object that its metadata has. Names and values. */
export function metaHeaders({ meta }: FileRecord): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': meta.mediaType }
  for (const [name, value] of meta.user ?? []) {
    const own = name.startsWith(OWN_PREFIX) ? name.slice(1) : undefined
    if (own === undefined) headers[META_PREFIX + name] = value
    else if ((CONTENT_HEADERS as readonly string[]).includes(own)) headers[own] = value
  }
  return headers
}

/** The checksum that an object was stored with; else its SHA-256, which every file has. */
export function checksumOf(record: FileRecord): KeptChecksum {
  for (const [name, value] of record.meta.user ?? []) {
    if (!name.startsWith(CHECKSUM)) continue
    const algorithm = ALGORITHMS.find(one => one.toLowerCase() === name.slice(CHECKSUM.length))
    if (algorithm !== undefined) return { algorithm, value, type: typeOf(algorithm, value) }
  }
  const value = Buffer.from(record.body.sha256, 'hex').toString('base64')
  return { algorithm: 'SHA256', value, type: 'FULL_OBJECT' }
}

function typeOf(algorithm: Algorithm, value: string): KeptChecksum['type'] {
  return isChecksum(algorithm, value) ? 'FULL_OBJECT' : 'COMPOSITE'
}

/** A checksum as headers of an answer. */
export function checksumHeaders({ algorithm, value, type }: KeptChecksum): Record<string, string> {
  return { [checksumHeader(algorithm)]: value, 'x-amz-checksum-type': type }
}

/** Sizes of the parts that an object was composed of; undefined for one that came whole. */
export function partsOf({ meta, body }: FileRecord): readonly number[] | undefined {
  const text = meta.user?.find(([name]) => name === PARTS)?.[1]
  if (text === undefined || !/^\d{1,15}(x\d{1,5})?(,\d{1,15}(x\d{1,5})?)*$/.test(text)) return undefined
  const runs = text.split(',').map(run => {
    const [size, count = '1'] = run.split('x')
    return { size: Number(size), count: Number(count) }
  })
  const count = runs.reduce((sum, run) => sum + run.count, 0)
  const bytes = runs.reduce((sum, run) => sum + run.count * run.size, 0)
  // Whoever else may have written this: an object has so many parts at the most, and they are all of it.
  if (count > PART_NUMBER_MAX || bytes !== body.size) return undefined
  return runs.flatMap(run => Array.from({ length: run.count }, () => run.size))
}

/** Runs of one size, as `5242880x3,17`: nearly every upload has two. */
function writtenSizes(parts: readonly number[]): string {
  const runs: { size: number; count: number }[] = []
  for (const size of parts) {
    const last = runs.at(-1)
    if (last?.size === size) last.count++
    else runs.push({ size, count: 1 })
  }
  return runs.map(({ size, count }) => (count === 1 ? `${size}` : `${size}x${count}`)).join(',')
}
