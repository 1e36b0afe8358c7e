/**
 * PutObject, CopyObject, DeleteObject and DeleteObjects.
 */
import { errorCode, StoreError } from '../errors.ts'
import type { FoundFile, WriteCondition } from '../files/file-service.ts'
import { fileLeftBy, type Written } from '../files/receipt.ts'
import { refuseExtension } from '../http/file-name.ts'
import { expectsContinue } from '../http/request-body.ts'
import type { PathName } from '../ring/path-name.ts'
import { type ETag, etagOf, type FileMeta } from '../storage/record.ts'
import { noSuchBucket } from './buckets.ts'
import { type Checksum, checksumElement } from './checksums.ts'
import { refuseSource, writeConditionOf } from './conditions.ts'
import { asS3Error, notImplemented, S3Error } from './errors.ts'
import { bucketName, pathOfKey } from './object-key.ts'
import { checksumHeaders, checksumOf, metaOfRequest, withExtras } from './object-meta.ts'
import type { S3Components } from './operation.ts'
import { type Payload, payloadOf, receivedXml } from './payload.ts'
import { sendEmpty, sendSlowly, sendXml } from './reply.ts'
import { bucketOf, header, keyOf, type S3Request, utf8 } from './request.ts'
import { percentDecode } from './sigv4.ts'
import { childrenOf, element, textOf, type Xml, type XmlNode } from './xml.ts'

/** A shorter body is on its way already when the header is read; refusing it early would cost more than it saves. */
const EARLY_BYTES_MIN = 64 * 1024

/** A version can be replaced between finding and copying it; this often only if somebody replaces it in a tight loop. */
const REPLACED_TRIES_MAX = 5

/** Keys of one DeleteObjects; S3's own bound. */
const DELETED_MAX = 1000

/** Bytes of the document that names them: 1,000 keys of 1,024 bytes, each escaped, with their tags. */
const DELETE_BYTES_MAX = 4 * 1024 * 1024

/** Keys that one DeleteObjects removes at the same time. */
const DELETE_AT_ONCE = 16

/** What becomes of a body that was received. */
export interface StoredBody {
  readonly written: Written
  readonly checksum: Checksum | undefined
}

/** Receives a body, compares it with what was announced, and only then makes it visible. @throws S3Error; StoreError. */
export async function storeBody(
  { files, slots, fileBytesMax }: S3Components,
  request: Pick<S3Request, 'raw'>,
  path: PathName,
  payload: Payload,
  init: {
    readonly condition: WriteCondition
    readonly metaWith: (checksum: Checksum | undefined) => FileMeta
  },
): Promise<StoredBody> {
  const { condition, metaWith } = init
  const { size = Number.POSITIVE_INFINITY } = payload
  if (payload.size !== undefined && size > fileBytesMax)
    throw new S3Error('EntityTooLarge', 'Your proposed upload exceeds the maximum allowed object size.')
  if (size > EARLY_BYTES_MIN || expectsContinue(request.raw)) await files.refuseEarly(path, { condition })
  return slots.stream(async () => {
    const received = await files.receive(payload.bytes, { path })
    let checksum: Checksum | undefined
    try {
      checksum = await payload.finish(received.sha256)
    } catch (error) {
      await files.dropReceived(received)
      throw error
    }
    const written = await files.commitReceived(path, received, { condition, meta: metaWith(checksum) })
    return { written, checksum }
  })
}

/** The ETag of what a write left. */
export function etagOfWritten(written: Written): ETag {
  return etagOf(fileLeftBy(written))
}

export async function putObject(components: S3Components, request: S3Request): Promise<void> {
  const bucket = bucketOf(request)
  const path = pathOfKey(bucket, keyOf(request))
  refuseExtension(path, components.allowedExtensions)
  const condition = writeConditionOf(request)
  const meta = metaOfRequest(request)
  const payload = payloadOf(request, components.connections)
  await components.buckets.require(bucket)
  const metaWith = (checksum: Checksum | undefined) =>
    withExtras(meta, { checksum: checksum && { ...checksum, type: 'FULL_OBJECT' } })
  const { written, checksum } = await storeBody(components, request, path, payload, { condition, metaWith })
  sendEmpty(request, 200, {
    etag: etagOfWritten(written),
    ...(checksum && checksumHeaders({ ...checksum, type: 'FULL_OBJECT' })),
  })
}

/** The path that `x-amz-copy-source` names. @throws S3Error InvalidArgument, InvalidBucketName, NotImplemented. */
function copySourceOf(request: S3Request): PathName {
  const text = header(request, 'x-amz-copy-source') ?? ''
  const [encoded, query] = text.split('?', 2) as [string, string | undefined]
  if (query !== undefined) throw notImplemented('versions of objects')
  const [bucket, ...rest] = utf8(percentDecode(encoded)).replace(/^\//, '').split('/')
  if (!bucket || rest.join('/') === '')
    throw new S3Error(
      'InvalidArgument',
      'Copy Source must mention the source bucket and key: sourcebucket/sourcekey',
    )
  return pathOfKey(bucketName(bucket), rest.join('/'))
}

/** The object to copy from, as the conditions of the request want it. @throws S3Error NoSuchKey, PreconditionFailed. */
export async function findSource(
  { files, buckets, env }: S3Components,
  request: S3Request,
): Promise<FoundFile> {
  const path = copySourceOf(request)
  const { record, ...placement } = await files.find(path)
  if (record === undefined) {
    if (!(await buckets.has(bucketName(path.split('/', 1)[0] as string)))) throw noSuchBucket()
    throw new S3Error('NoSuchKey', 'The specified key does not exist.')
  }
  refuseSource(request, record, env.clock.nowMs())
  return { record, ...placement }
}

export async function copyObject(components: S3Components, request: S3Request): Promise<void> {
  const { files, buckets, env } = components
  const bucket = bucketOf(request)
  const path = pathOfKey(bucket, keyOf(request))
  refuseExtension(path, components.allowedExtensions)
  const condition = writeConditionOf(request)
  const directive = (header(request, 'x-amz-metadata-directive') ?? 'COPY').toUpperCase()
  if (directive !== 'COPY' && directive !== 'REPLACE')
    throw new S3Error('InvalidArgument', 'Unknown metadata directive.')
  if (header(request, 'x-amz-checksum-algorithm') !== undefined)
    throw notImplemented('other checksum of a copy than that of its source')
  const given = directive === 'REPLACE' ? metaOfRequest(request) : undefined
  if (given === undefined && copySourceOf(request) === path)
    throw new S3Error(
      'InvalidRequest',
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata.",
    )
  await buckets.require(bucket)
  const copy = async (): Promise<Xml> => {
    for (let tries = 1; ; tries++) {
      const found = await findSource(components, request)
      const checksum = found.record.meta.user?.some(([name]) => name.startsWith('$checksum-'))
        ? checksumOf(found.record)
        : undefined
      const meta = given === undefined ? found.record.meta : withExtras(given, { checksum })
      try {
        const written = await files.copyFound(found, path, { condition, meta })
        return element('CopyObjectResult', [
          element('LastModified', new Date(env.clock.nowMs()).toISOString()),
          element('ETag', etagOfWritten(written)),
          checksum && element(checksumElement(checksum.algorithm), checksum.value),
        ])
      } catch (error) {
        // Its bytes went away under us: the source was replaced or removed, and the next round sees which.
        if (errorCode(error) !== 'FILE_NOT_FOUND' || condition === 'exists') throw error
        if (tries === REPLACED_TRIES_MAX)
          throw new StoreError('UNAVAILABLE', 'The source of the copy is being replaced all the time.', {
            cause: error,
          })
      }
    }
  }
  await sendSlowly(components, request, copy())
}

export async function deleteObject(components: S3Components, request: S3Request): Promise<void> {
  const bucket = bucketOf(request)
  const path = pathOfKey(bucket, keyOf(request))
  const match = header(request, 'if-match')
  await removeObject(components, path, match === undefined ? undefined : writeConditionOf(request))
  sendEmpty(request, 204)
}

/** Removes an object; one that is not there is as good, unless a condition says otherwise. */
async function removeObject(
  { files, buckets }: S3Components,
  path: PathName,
  condition: WriteCondition | undefined,
): Promise<void> {
  try {
    await files.remove(path, { condition: condition ?? 'exists' })
  } catch (error) {
    if (errorCode(error) !== 'FILE_NOT_FOUND' || condition !== undefined) throw error
    if (!(await buckets.has(bucketName(path.split('/', 1)[0] as string)))) throw noSuchBucket()
  }
}

export async function deleteObjects(components: S3Components, request: S3Request): Promise<void> {
  const bucket = bucketOf(request)
  const document = await receivedXml(request, components.connections, {
    root: 'Delete',
    bytesMax: DELETE_BYTES_MAX,
  })
  const objects = childrenOf(document, 'Object')
  if (objects.length === 0 || objects.length > DELETED_MAX) throw badDelete()
  const keys = objects.map(object => textOf(object, 'Key') ?? '')
  if (keys.includes('')) throw badDelete()
  await components.buckets.require(bucket)
  const quiet = textOf(document, 'Quiet')?.trim() === 'true'
  const results: (Xml | undefined)[] = []
  const waiting = [...objects.entries()]
  const removeNext = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, object] = next
      const key = keys[index] as string
      try {
        refuseOtherFields(object)
        await removeObject(components, pathOfKey(bucket, key), conditionOf(object))
        results[index] = quiet ? undefined : element('Deleted', [element('Key', key)])
      } catch (thrown) {
        const error = asS3Error(thrown)
        results[index] = element('Error', [
          element('Key', key),
          element('Code', error.code),
          element('Message', error.message),
        ])
      }
    }
  }
  await Promise.all(Array.from({ length: DELETE_AT_ONCE }, removeNext))
  sendXml(request, 200, element('DeleteResult', results))
}

function badDelete(): S3Error {
  return new S3Error(
    'MalformedXML',
    `The XML you provided does not name 1 to ${DELETED_MAX} objects, each by its key.`,
  )
}

/** @throws S3Error NotImplemented. */
function refuseOtherFields(object: XmlNode): void {
  const version = textOf(object, 'VersionId')
  if (version !== undefined && version !== 'null') throw notImplemented('versions of objects')
  if (textOf(object, 'LastModifiedTime') !== undefined || textOf(object, 'Size') !== undefined)
    throw notImplemented('conditions on size or time')
}

function conditionOf(object: XmlNode): WriteCondition | undefined {
  const etag = textOf(object, 'ETag')
  if (etag === undefined) return undefined
  return etag === '*' ? 'exists' : { etags: [`"${etag.replaceAll('"', '')}"` as ETag] }
}
