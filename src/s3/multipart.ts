/**
 * The calls that begin a multipart upload, add parts to it and give it up; complete-upload.ts completes one. Parts come
 * in any order and are seen by nobody.
 */
import { fileLeftBy } from '../files/receipt.ts'
import { refuseExtension } from '../http/file-name.ts'
import type { FileMeta } from '../storage/record.ts'
import { lending } from '../stream-over.ts'
import { algorithmOf, BodyChecksums, type Checksum, checksumElement, checksumHeader } from './checksums.ts'
import { S3Error } from './errors.ts'
import { pathOfKey } from './object-key.ts'
import { type KeptChecksum, metaOfRequest, PART_NUMBER_MAX, withExtras } from './object-meta.ts'
import type { S3Components } from './operation.ts'
import { payloadOf } from './payload.ts'
import { sendEmpty, sendSlowly, sendXml } from './reply.ts'
import { bucketOf, header, keyOf, parameter, type S3Request } from './request.ts'
import { partETag, partPath, type Upload } from './uploads.ts'
import { findSource, storeBody } from './write-object.ts'
import { element, type Xml } from './xml.ts'

export async function createUpload(components: S3Components, request: S3Request): Promise<void> {
  const bucket = bucketOf(request)
  const key = keyOf(request)
  refuseExtension(pathOfKey(bucket, key), components.allowedExtensions)
  const checksum = uploadChecksum(request)
  const meta = metaOfRequest(request)
  await components.buckets.require(bucket)
  const upload = await components.uploads.create({ bucket, key, meta, checksum })
  if (checksum !== undefined) {
    request.reply.setHeader('x-amz-checksum-algorithm', checksum.algorithm)
    request.reply.setHeader('x-amz-checksum-type', checksum.type)
  }
  sendXml(
    request,
    200,
    element('InitiateMultipartUploadResult', [
      element('Bucket', bucket),
      element('Key', key),
      element('UploadId', upload.id),
    ]),
  )
  await components.uploads.sweep()
}

/** What the object's checksum will be: S3's rules for which can be of all bytes, and which of the parts'. */
function uploadChecksum(request: S3Request): Upload['checksum'] {
  const named = header(request, 'x-amz-checksum-algorithm')
  const type = header(request, 'x-amz-checksum-type')
  if (named === undefined) {
    if (type === undefined) return undefined
    throw new S3Error(
      'InvalidRequest',
      'The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.',
    )
  }
  const algorithm = algorithmOf(named)
  const whole = algorithm === 'CRC64NVME'
  const chosen = (type ?? (whole ? 'FULL_OBJECT' : 'COMPOSITE')).toUpperCase()
  const isHash = algorithm === 'SHA1' || algorithm === 'SHA256'
  if (chosen === 'FULL_OBJECT' ? isHash : chosen !== 'COMPOSITE' || whole)
    throw new S3Error(
      'InvalidRequest',
      `The ${chosen} checksum type cannot be used with the ${algorithm} checksum algorithm.`,
    )
  return { algorithm, type: chosen as KeptChecksum['type'] }
}

export async function uploadPart(components: S3Components, request: S3Request): Promise<void> {
  const { upload, number } = await openPart(components, request)
  const payload = payloadOf(request, components.connections, upload.checksum?.algorithm)
  const { written, checksum } = await storeBody(components, request, partPath(upload, number), payload, {
    condition: 'none',
    metaWith: partMeta,
  })
  await refuseGone(components, upload, number)
  sendEmpty(request, 200, {
    etag: partETag(fileLeftBy(written).body.sha256),
    ...(checksum && { [checksumHeader(checksum.algorithm)]: checksum.value }),
  })
}

export async function uploadPartCopy(components: S3Components, request: S3Request): Promise<void> {
  const { files, env, slots } = components
  const { upload, number } = await openPart(components, request)
  const found = await findSource(components, request)
  const range = copyRange(header(request, 'x-amz-copy-source-range'), found.record.body.size)
  const sums = new BodyChecksums(upload.checksum?.algorithm, undefined)
  const path = partPath(upload, number)
  const copy = async (): Promise<Xml> => {
    const take = (body: AsyncIterable<Uint8Array>) => files.receive(sums.passing(body), { path })
    const body = await files.read(found, range)
    const received = await (body instanceof Uint8Array ? take(one(body)) : lending(body, take))
    const checksum = await sums.finish()
    const written = await files.commitReceived(path, received, {
      condition: 'none',
      meta: partMeta(checksum),
    })
    await refuseGone(components, upload, number)
    return element('CopyPartResult', [
      element('LastModified', new Date(env.clock.nowMs()).toISOString()),
      element('ETag', partETag(fileLeftBy(written).body.sha256)),
      checksum && element(checksumElement(checksum.algorithm), checksum.value),
    ])
  }
  await slots.stream(() => sendSlowly(components, request, copy()))
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

function partMeta(checksum: Checksum | undefined): FileMeta {
  const plain = { mediaType: 'application/octet-stream' }
  return checksum === undefined
    ? plain
    : withExtras(plain, { checksum: { ...checksum, type: 'FULL_OBJECT' } })
}

/** The upload and the number of the part that a request is about. @throws S3Error InvalidArgument, NoSuchUpload. */
async function openPart(
  { uploads }: S3Components,
  request: S3Request,
): Promise<{ readonly upload: Upload; readonly number: number }> {
  const text = parameter(request, 'partNumber') ?? ''
  const number = Number(text)
  if (!/^\d{1,10}$/.test(text) || number < 1 || number > PART_NUMBER_MAX)
    throw new S3Error(
      'InvalidArgument',
      `Part number must be an integer between 1 and ${PART_NUMBER_MAX}, inclusive`,
    )
  const upload = await uploads.requireOpen(
    bucketOf(request),
    keyOf(request),
    parameter(request, 'uploadId') ?? '',
  )
  return { upload, number }
}

/** A part that came while its upload was given up does not stay. @throws S3Error NoSuchUpload. */
async function refuseGone({ uploads }: S3Components, upload: Upload, number: number): Promise<void> {
  try {
    await uploads.require(upload.bucket, upload.key, upload.id)
  } catch (error) {
    await uploads.removePart(upload, number)
    throw error
  }
}

function copyRange(text: string | undefined, size: number): { first: number; last: number } | undefined {
  if (text === undefined) return undefined
  const match = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(text)
  const [first, last] = [Number(match?.[1]), Number(match?.[2])]
  if (match === null || first > last)
    throw new S3Error(
      'InvalidArgument',
      'The x-amz-copy-source-range value must be of the form bytes=first-last',
    )
  if (last < size) return { first, last }
  throw new S3Error('InvalidRange', `Range specified is not valid for source object of size: ${size}`)
}

export async function abortUpload({ uploads }: S3Components, request: S3Request): Promise<void> {
  const upload = await uploads.requireOpen(
    bucketOf(request),
    keyOf(request),
    parameter(request, 'uploadId') ?? '',
  )
  await uploads.abort(upload)
  sendEmpty(request, 204)
}
