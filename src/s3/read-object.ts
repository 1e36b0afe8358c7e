/**
 * GetObject, HeadObject and GetObjectAttributes: an object or a range or part of it, under conditions.
 */
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { errorCode, StoreError } from '../errors.ts'
import type { FileRange, FoundFile } from '../files/file-service.ts'
import { lastModifiedMs } from '../http/conditions.ts'
import { givingBack } from '../http/send-body.ts'
import { etagOf, type FileRecord } from '../storage/record.ts'
import { lending } from '../stream-over.ts'
import { noSuchBucket } from './buckets.ts'
import { checksumElement } from './checksums.ts'
import { isWantedBy } from './conditions.ts'
import { S3Error } from './errors.ts'
import { maxKeys } from './list-objects.ts'
import { pathOfKey } from './object-key.ts'
import {
  CONTENT_HEADERS,
  checksumHeaders,
  checksumOf,
  metaHeaders,
  PART_NUMBER_MAX,
  partsOf,
} from './object-meta.ts'
import type { S3Components } from './operation.ts'
import { sendXml } from './reply.ts'
import { bucketOf, header, keyOf, parameter, type S3Request } from './request.ts'
import { element, type Xml } from './xml.ts'

/** A version can be replaced between finding and reading it; this often only if somebody replaces it in a tight loop. */
const REPLACED_TRIES_MAX = 5

/** The bytes of an answer: the range, or all; and which part of the object it is. */
interface Piece {
  readonly range: FileRange | undefined
  readonly headers: Readonly<Record<string, string>>
}

/** The object that a request is about. @throws S3Error NoSuchKey, NoSuchBucket; StoreError UNAVAILABLE. */
export async function findObject({ files, buckets }: S3Components, request: S3Request): Promise<FoundFile> {
  const bucket = bucketOf(request)
  const { record, ...placement } = await files.find(pathOfKey(bucket, keyOf(request)))
  if (record !== undefined) return { record, ...placement }
  if (!(await buckets.has(bucket))) throw noSuchBucket()
  throw new S3Error('NoSuchKey', 'The specified key does not exist.')
}

/** GetObject, and HeadObject when that is the method. */
export async function getObject(components: S3Components, request: S3Request): Promise<void> {
  for (let tries = 1; ; tries++) {
    const found = await findObject(components, request)
    try {
      return await answer(components, request, found)
    } catch (error) {
      // The version that was found may have been replaced before its bytes were read, here or at another node.
      if (errorCode(error) !== 'FILE_NOT_FOUND' || request.reply.headersSent) throw error
      if (tries === REPLACED_TRIES_MAX)
        throw new StoreError('UNAVAILABLE', 'The bytes of the object cannot be had now.', { cause: error })
    }
  }
}

async function answer({ files, env }: S3Components, request: S3Request, found: FoundFile): Promise<void> {
  const { record } = found
  const { reply } = request
  const nowMs = env.clock.nowMs()
  const headers: Record<string, string> = {
    etag: etagOf(record),
    'last-modified': new Date(lastModifiedMs(record, nowMs)).toUTCString(),
    'accept-ranges': 'bytes',
    ...metaHeaders(record),
    ...overridesOf(request),
  }
  if (!isWantedBy(request, record, nowMs)) {
    delete headers['content-type']
    reply.writeHead(304, headers).end()
    return
  }
  const { range, headers: more } = pieceOf(request, record)
  Object.assign(headers, more)
  if (range === undefined && header(request, 'x-amz-checksum-mode')?.toUpperCase() === 'ENABLED')
    Object.assign(headers, checksumHeaders(checksumOf(record)))
  headers['content-length'] = String(range ? range.last - range.first + 1 : record.body.size)
  const status = range ? 206 : 200
  if (request.method === 'HEAD') {
    reply.writeHead(status, headers).end()
    return
  }
  await send(request, status, headers, await files.read(found, range))
}

async function send(
  { reply }: S3Request,
  status: number,
  headers: Record<string, string>,
  body: Uint8Array | Readable,
): Promise<void> {
  if (body instanceof Uint8Array) {
    reply.writeHead(status, headers).end(body)
    return
  }
  await lending(body, async () => {
    if (reply.destroyed) return
    reply.writeHead(status, headers)
    // What was promised and can't be sent ends the connection: pipeline destroys it.
    await pipeline(givingBack(body), reply)
  })
}

/** @throws S3Error InvalidRange, InvalidPartNumber, NotImplemented, InvalidArgument. */
function pieceOf(request: S3Request, record: FileRecord): Piece {
  const { size } = record.body
  const part = parameter(request, 'partNumber')
  const asked = header(request, 'range')
  if (part !== undefined) {
    if (asked !== undefined)
      throw new S3Error('InvalidRequest', 'Cannot specify both Range header and partNumber query parameter')
    return partOf(part, record)
  }
  const range = asked === undefined ? undefined : rangeOf(asked, size)
  return range === undefined ? { range, headers: {} } : { range, headers: contentRange(range, size) }
}

function contentRange({ first, last }: FileRange, size: number): Record<string, string> {
  return { 'content-range': `bytes ${first}-${last}/${size}` }
}

/** One range, as S3 has it: what it can't read, and several ranges, get the whole object. */
function rangeOf(text: string, size: number): FileRange | undefined {
  const match = /^bytes=(\d*)-(\d*)$/i.exec(text.trim())
  if (match === null || (match[1] === '' && match[2] === '')) return undefined
  const [from, to] = [match[1] as string, match[2] as string]
  if (from !== '' && to !== '' && Number(to) < Number(from)) return undefined
  const first = from === '' ? Math.max(0, size - Number(to)) : Number(from)
  const last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1)
  if (first <= last) return { first, last }
  throw new S3Error('InvalidRange', 'The requested range is not satisfiable', {
    headers: { 'content-range': `bytes */${size}` },
  })
}

function partOf(text: string, record: FileRecord): Piece {
  const number = Number(text)
  if (!/^\d{1,5}$/.test(text) || number < 1 || number > 10_000)
    throw new S3Error('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive')
  const { size } = record.body
  const parts = partsOf(record)
  const sizes = parts ?? [size]
  const length = sizes[number - 1]
  if (length === undefined)
    throw new S3Error('InvalidPartNumber', 'The requested partnumber is not satisfiable')
  const first = sizes.slice(0, number - 1).reduce((sum, one) => sum + one, 0)
  const headers: Record<string, string> = parts ? { 'x-amz-mp-parts-count': String(parts.length) } : {}
  // Of an empty part there is no range.
  if (length === 0) return { range: undefined, headers }
  const range = { first, last: first + length - 1 }
  return { range, headers: { ...headers, ...contentRange(range, size) } }
}

/** What the query wants the answer to say instead, such as `response-content-type`. */
function overridesOf(request: S3Request): Record<string, string> {
  const overrides: Record<string, string> = {}
  for (const name of ['content-type', ...CONTENT_HEADERS]) {
    const value = parameter(request, `response-${name}`)
    if (value === undefined) continue
    if (!/^[\x20-\x7e]*$/.test(value))
      throw new S3Error('InvalidArgument', `response-${name} has characters that no header can have.`)
    overrides[name] = value
  }
  return overrides
}

/** GetObjectAttributes. Only what is asked for is told. */
export async function getObjectAttributes(components: S3Components, request: S3Request): Promise<void> {
  const asked = new Set(
    (header(request, 'x-amz-object-attributes') ?? '').split(',').map(name => name.trim()),
  )
  const known = ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize']
  if ([...asked].some(name => !known.includes(name)))
    throw new S3Error('InvalidArgument', 'Invalid attribute name specified.')
  const { record } = await findObject(components, request)
  if (!isWantedBy(request, record, components.env.clock.nowMs()))
    throw new S3Error('PreconditionFailed', 'Not modified.')
  const { algorithm, value, type } = checksumOf(record)
  const parts = partsOf(record)
  request.reply.setHeader(
    'last-modified',
    new Date(lastModifiedMs(record, components.env.clock.nowMs())).toUTCString(),
  )
  sendXml(
    request,
    200,
    element('GetObjectAttributesResponse', [
      asked.has('ETag') ? element('ETag', etagOf(record).slice(1, -1)) : undefined,
      asked.has('Checksum')
        ? element('Checksum', [element(checksumElement(algorithm), value), element('ChecksumType', type)])
        : undefined,
      asked.has('ObjectParts') && parts ? partsElement(request, parts) : undefined,
      asked.has('StorageClass') ? element('StorageClass', 'STANDARD') : undefined,
      asked.has('ObjectSize') ? element('ObjectSize', record.body.size) : undefined,
    ]),
  )
}

/** A page of the parts of an object, by their sizes. */
function partsElement(request: S3Request, sizes: readonly number[]): Xml {
  const limit = maxKeys(header(request, 'x-amz-max-parts'))
  const marker = maxKeys(header(request, 'x-amz-part-number-marker') ?? '0', PART_NUMBER_MAX)
  const page = sizes.slice(marker, marker + limit)
  return element('ObjectParts', [
    element('PartsCount', sizes.length),
    element('PartNumberMarker', marker),
    element('NextPartNumberMarker', marker + page.length),
    element('MaxParts', limit),
    element('IsTruncated', marker + page.length < sizes.length),
    ...page.map((size, index) =>
      element('Part', [element('PartNumber', marker + index + 1), element('Size', size)]),
    ),
  ])
}
