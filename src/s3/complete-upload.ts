/**
 * CompleteMultipartUpload: one atomic step makes an object of parts, under conditions, and again gives the same answer
 * (docs/decisions/0221-a-multipart-upload-is-completed-in-one-step.md).
 */
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { errorCode } from '../errors.ts'
import {
  ALGORITHMS,
  type Algorithm,
  BodyChecksums,
  type Checksum,
  checksumElement,
  checksumHeader,
} from './checksums.ts'
import { writeConditionOf } from './conditions.ts'
import { S3Error } from './errors.ts'
import { pathOfKey } from './object-key.ts'
import { checksumOf, type KeptChecksum, PART_NUMBER_MAX, withExtras } from './object-meta.ts'
import type { S3Components } from './operation.ts'
import { receivedXml } from './payload.ts'
import { sendSlowly } from './reply.ts'
import { bucketOf, header, keyOf, parameter, type S3Request } from './request.ts'
import {
  type Completion,
  fingerprintOf,
  noSuchUpload,
  type Part,
  partETag,
  type ReadUpload,
  type Upload,
} from './uploads.ts'
import { etagOfWritten } from './write-object.ts'
import { childrenOf, element, textOf, XML_BYTES_MAX, type Xml, type XmlNode } from './xml.ts'

/** Bytes of every part but the last; S3's own bound. */
const PART_BYTES_MIN = 5 * 1024 * 1024

/** One part as a completion names it. */
interface NamedPart {
  readonly number: number
  readonly etag: string
  readonly checksum: Checksum | undefined
}

export async function completeUpload(components: S3Components, request: S3Request): Promise<void> {
  const { uploads, connections } = components
  const bucket = bucketOf(request)
  const key = keyOf(request)
  const id = parameter(request, 'uploadId') ?? ''
  const document = await receivedXml(request, connections, {
    root: 'CompleteMultipartUpload',
    bytesMax: XML_BYTES_MAX,
    checksumIsOfObject: true,
  })
  const named = namedParts(document)
  const upload = await uploads.require(bucket, key, id)
  const compose = async (): Promise<Xml> => {
    const { etag, checksum } = await completionOf(components, request, upload, named).catch(error =>
      completedMeanwhile(components, upload, named, error),
    )
    return element('CompleteMultipartUploadResult', [
      element('Location', `/${bucket}/${encodeURIComponent(key).replaceAll('%2F', '/')}`),
      element('Bucket', bucket),
      element('Key', key),
      element('ETag', etag),
      ...(checksum
        ? [
            element(checksumElement(checksum.algorithm), checksum.value),
            element('ChecksumType', checksum.type),
          ]
        : []),
    ])
  }
  await sendSlowly(components, request, compose())
  await uploads.removeParts(upload)
}

/** @throws S3Error MalformedXML, InvalidPartOrder, InvalidArgument. */
function namedParts(document: XmlNode): NamedPart[] {
  const parts = childrenOf(document, 'Part').map(part => {
    const number = textOf(part, 'PartNumber')?.trim() ?? ''
    const etag = textOf(part, 'ETag')?.trim()
    if (!/^\d{1,10}$/.test(number) || etag === undefined) throw badCompletion()
    const sums = ALGORITHMS.flatMap(algorithm => {
      const value = textOf(part, checksumElement(algorithm))
      return value === undefined ? [] : [{ algorithm, value: value.trim() }]
    })
    return { number: Number(number), etag: `"${etag.replaceAll('"', '')}"`, checksum: sums[0] }
  })
  if (parts.length === 0 || parts.length > PART_NUMBER_MAX) throw badCompletion()
  if (parts.some(({ number }) => number < 1 || number > PART_NUMBER_MAX))
    throw new S3Error('InvalidArgument', `PartNumber must be 1 to ${PART_NUMBER_MAX}.`)
  if (parts.some(({ number }, index) => number <= (parts[index - 1]?.number ?? 0)))
    throw new S3Error(
      'InvalidPartOrder',
      'The list of parts was not in ascending order. Parts must be ordered by part number.',
    )
  return parts
}

function badCompletion(): S3Error {
  return new S3Error(
    'MalformedXML',
    `The XML you provided does not name 1 to ${PART_NUMBER_MAX} parts by number and ETag.`,
  )
}

/** Completes an upload, or tells what it was completed to. */
async function completionOf(
  components: S3Components,
  request: S3Request,
  upload: ReadUpload,
  named: readonly NamedPart[],
): Promise<{ readonly etag: string; readonly checksum?: KeptChecksum | undefined }> {
  const { files, uploads, slots, env } = components
  const fingerprint = fingerprintOf(named)
  if (upload.done !== undefined) {
    if (upload.done.fingerprint === fingerprint) return upload.done
    throw noSuchUpload()
  }
  const condition = writeConditionOf(request)
  const path = pathOfKey(upload.bucket, upload.key)
  const parts = await partsNamed(components, upload, named)
  refuseSize(request, parts)
  await files.refuseEarly(path, { condition })
  // The same completion again, whatever crashed in between, finds what the first one did.
  const by = createHash('sha256')
    .update(JSON.stringify([fingerprint, condition]))
    .digest('base64url')
  await uploads.claim(upload, by)
  const compose = async (): Promise<Completion> => {
    const body = new ComposedBody(components, upload, parts, named)
    const received = await files.receive(body.bytes(), { path })
    let checksum: KeptChecksum | undefined
    try {
      checksum = await body.checksum()
      refuseOtherChecksum(request, checksum)
      await uploads.requireOpen(upload.bucket, upload.key, upload.id)
    } catch (error) {
      await files.dropReceived(received)
      throw error
    }
    const meta = withExtras(upload.meta, { checksum, parts: parts.map(({ size }) => size) })
    const idempotencyKey = `s3-${upload.id}-${by}`
    const written = await files.commitReceived(path, received, { condition, meta, idempotencyKey })
    const done = { fingerprint, etag: etagOfWritten(written), checksum, doneAtMs: env.clock.nowMs() }
    await uploads.complete(upload, done)
    return done
  }
  try {
    return await slots.stream(compose)
  } catch (error) {
    // What may have happened keeps its claim.
    if (errorCode(error) !== 'INDETERMINATE') await uploads.release(upload, by).catch(() => undefined)
    throw error
  }
}

/** Another request may have completed the same, and have removed what this one was about to read. */
async function completedMeanwhile(
  { uploads }: S3Components,
  upload: Upload,
  named: readonly NamedPart[],
  error: unknown,
): Promise<Completion> {
  const { done } = await uploads.require(upload.bucket, upload.key, upload.id)
  if (done?.fingerprint === fingerprintOf(named)) return done
  throw error
}

/** The parts that a completion names, as they are. @throws S3Error InvalidPart, EntityTooSmall. */
async function partsNamed(
  { uploads }: S3Components,
  upload: Upload,
  named: readonly NamedPart[],
): Promise<Part[]> {
  const byNumber = new Map((await uploads.parts(upload)).map(part => [part.number, part]))
  const parts = named.map(({ number, etag }) => {
    const part = byNumber.get(number)
    if (part === undefined || part.etag !== etag) throw invalidPart()
    return part
  })
  if (parts.slice(0, -1).some(({ size }) => size < PART_BYTES_MIN))
    throw new S3Error('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size')
  return parts
}

function invalidPart(): S3Error {
  return new S3Error(
    'InvalidPart',
    'One or more of the specified parts could not be found. The part may not have been uploaded, or its ETag or checksum is another.',
  )
}

function refuseSize(request: S3Request, parts: readonly Part[]): void {
  const announced = header(request, 'x-amz-mp-object-size')
  const size = parts.reduce((sum, part) => sum + part.size, 0)
  if (announced === undefined || announced === String(size)) return
  throw new S3Error(
    'InvalidRequest',
    `The object has ${size} bytes, and x-amz-mp-object-size says otherwise.`,
  )
}

/** A checksum of the whole object that the completion announces. @throws S3Error BadDigest, InvalidRequest. */
function refuseOtherChecksum(request: S3Request, checksum: KeptChecksum | undefined): void {
  for (const algorithm of ALGORITHMS) {
    const announced = header(request, checksumHeader(algorithm))
    if (announced === undefined) continue
    if (checksum?.algorithm !== algorithm)
      throw new S3Error(
        'InvalidRequest',
        `The upload was not created with the ${algorithm} checksum algorithm.`,
      )
    // Of the checksums of the parts the count may be left out.
    if (announced !== checksum.value && announced !== checksum.value.replace(/-\d+$/, ''))
      throw new S3Error('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`)
  }
}

/** The bytes of all parts, one after the other, and the checksum that the object gets. */
class ComposedBody {
  readonly #components: S3Components
  readonly #upload: Upload
  readonly #parts: readonly Part[]
  readonly #named: readonly NamedPart[]
  readonly #whole: BodyChecksums
  readonly #ofParts: Buffer[] = []

  constructor(components: S3Components, upload: Upload, parts: readonly Part[], named: readonly NamedPart[]) {
    this.#components = components
    this.#upload = upload
    this.#parts = parts
    this.#named = named
    const { checksum } = upload
    this.#whole = new BodyChecksums(
      checksum?.type === 'FULL_OBJECT' ? checksum.algorithm : undefined,
      undefined,
    )
  }

  bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#whole.passing(this.#bytesOfParts())
  }

  async *#bytesOfParts(): AsyncGenerator<Uint8Array, void, undefined> {
    const { files, uploads } = this.#components
    for (const [index, part] of this.#parts.entries()) {
      const found = await uploads.findPart(part)
      // It was replaced, or the upload was given up.
      if (found === undefined || partETag(found.record.body.sha256) !== part.etag) throw invalidPart()
      const kept = checksumOf(found.record)
      const announced = this.#named[index]?.checksum
      if (announced?.algorithm === kept.algorithm && announced.value !== kept.value) throw invalidPart()
      if (this.#upload.checksum?.type === 'COMPOSITE')
        this.#ofParts.push(rawOf(kept, this.#upload.checksum.algorithm))
      const body = await files.read(found)
      if (body instanceof Uint8Array) yield body
      else yield* body
    }
  }

  /** When all bytes have passed. */
  async checksum(): Promise<KeptChecksum | undefined> {
    const { checksum } = this.#upload
    if (checksum === undefined) return undefined
    if (checksum.type === 'FULL_OBJECT') {
      const whole = await this.#whole.finish()
      return whole && { ...whole, type: 'FULL_OBJECT' }
    }
    const sums = new BodyChecksums(checksum.algorithm, undefined)
    for await (const _ of sums.passing(one(Buffer.concat(this.#ofParts)))) {
    }
    const value = `${(await sums.finish())?.value}-${this.#parts.length}`
    return { algorithm: checksum.algorithm, value, type: 'COMPOSITE' }
  }
}

/** @throws S3Error InvalidPart when a part has no checksum of the algorithm. */
function rawOf(kept: Checksum, algorithm: Algorithm): Buffer {
  if (kept.algorithm !== algorithm) throw invalidPart()
  return Buffer.from(kept.value, 'base64')
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
