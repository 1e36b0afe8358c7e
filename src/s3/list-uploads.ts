/**
 * ListParts and ListMultipartUploads.
 */
import { Buffer } from 'node:buffer'
import { checksumElement } from './checksums.ts'
import { S3Error } from './errors.ts'
import { encoderOf, maxKeys, ownerElement } from './list-objects.ts'
import { checksumOf } from './object-meta.ts'
import type { S3Components } from './operation.ts'
import { sendXml } from './reply.ts'
import { bucketOf, keyOf, parameter, type S3Request } from './request.ts'
import type { Part, Upload } from './uploads.ts'
import { element, type Xml } from './xml.ts'

export async function listParts({ uploads }: S3Components, request: S3Request): Promise<void> {
  const upload = await uploads.requireOpen(
    bucketOf(request),
    keyOf(request),
    parameter(request, 'uploadId') ?? '',
  )
  const limit = maxKeys(parameter(request, 'max-parts'))
  const marker = maxMarker(parameter(request, 'part-number-marker'))
  const after = (await uploads.parts(upload)).filter(({ number }) => number > marker)
  const parts = after.slice(0, limit)
  const last = parts.at(-1)
  const lines = await Promise.all(parts.map(part => partElement(uploads, upload, part)))
  const encoded = encoderOf(request)
  sendXml(
    request,
    200,
    element('ListPartsResult', [
      element('Bucket', upload.bucket),
      element('Key', encoded(upload.key)),
      element('UploadId', upload.id),
      ownerElement('Initiator'),
      ownerElement('Owner'),
      element('StorageClass', 'STANDARD'),
      element('PartNumberMarker', marker),
      last && element('NextPartNumberMarker', last.number),
      element('MaxParts', limit),
      element('IsTruncated', parts.length < after.length),
      upload.checksum && element('ChecksumAlgorithm', upload.checksum.algorithm),
      upload.checksum && element('ChecksumType', upload.checksum.type),
      ...lines,
    ]),
  )
}

async function partElement(uploads: S3Components['uploads'], upload: Upload, part: Part): Promise<Xml> {
  // Only parts that were sent with one, or for one, have a checksum of their own.
  const record = upload.checksum && (await uploads.findPart(part))?.record
  const checksum = record && checksumOf(record)
  return element('Part', [
    element('PartNumber', part.number),
    element('LastModified', new Date(part.writtenAtMs).toISOString()),
    element('ETag', part.etag),
    element('Size', part.size),
    checksum && element(checksumElement(checksum.algorithm), checksum.value),
  ])
}

function maxMarker(text: string | undefined): number {
  if (text === undefined || text === '') return 0
  if (/^\d{1,10}$/.test(text)) return Number(text)
  throw new S3Error('InvalidArgument', 'Provided part-number-marker not an integer or within integer range')
}

export async function listUploads({ uploads, buckets }: S3Components, request: S3Request): Promise<void> {
  const bucket = bucketOf(request)
  await buckets.require(bucket)
  const encoded = encoderOf(request)
  const prefix = parameter(request, 'prefix') ?? ''
  const delimiter = parameter(request, 'delimiter') ?? ''
  const keyMarker = parameter(request, 'key-marker') ?? ''
  const idMarker = parameter(request, 'upload-id-marker') ?? ''
  const limit = maxKeys(parameter(request, 'max-uploads'))
  const lines: { readonly key: string; readonly upload: Upload | undefined }[] = []
  for (const upload of await uploads.open(bucket)) {
    const { key, id } = upload
    if (!key.startsWith(prefix)) continue
    const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    const common = at === -1 ? undefined : key.slice(0, at + delimiter.length)
    const order = Buffer.compare(Buffer.from(common ?? key), Buffer.from(keyMarker))
    if (order < 0 || (order === 0 && keyMarker !== '' && (idMarker === '' || common || id <= idMarker)))
      continue
    if (common === undefined) lines.push({ key, upload })
    else if (lines.at(-1)?.key !== common) lines.push({ key: common, upload: undefined })
  }
  const page = lines.slice(0, limit)
  const last = page.at(-1)
  const isTruncated = page.length < lines.length
  sendXml(
    request,
    200,
    element('ListMultipartUploadsResult', [
      element('Bucket', bucket),
      element('KeyMarker', encoded(keyMarker)),
      element('UploadIdMarker', idMarker),
      isTruncated && last ? element('NextKeyMarker', encoded(last.key)) : undefined,
      isTruncated && last?.upload ? element('NextUploadIdMarker', last.upload.id) : undefined,
      element('Prefix', encoded(prefix)),
      delimiter === '' ? undefined : element('Delimiter', encoded(delimiter)),
      element('MaxUploads', limit),
      parameter(request, 'encoding-type') === undefined ? undefined : element('EncodingType', 'url'),
      element('IsTruncated', isTruncated),
      ...page.map(({ key, upload }) =>
        upload === undefined
          ? element('CommonPrefixes', [element('Prefix', encoded(key))])
          : uploadElement(upload, encoded),
      ),
    ]),
  )
}

function uploadElement(upload: Upload, encoded: (text: string) => string): Xml {
  return element('Upload', [
    element('Key', encoded(upload.key)),
    element('UploadId', upload.id),
    ownerElement('Initiator'),
    ownerElement('Owner'),
    element('StorageClass', 'STANDARD'),
    element('Initiated', new Date(upload.initiatedAtMs).toISOString()),
  ])
}
