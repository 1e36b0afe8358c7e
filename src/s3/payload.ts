/**
 * The body of a request as S3 sends it: taken out of its chunks where it has any, its checksums computed as it
 * passes, and all that was announced of it compared at the end.
 */
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import type { Connections } from '../http/connections.ts'
import { announcedBytes, receivedBody } from '../http/request-body.ts'
import { decodedChunks } from './aws-chunked.ts'
import {
  type Algorithm,
  type Announced,
  announcedChecksums,
  BodyChecksums,
  type Checksum,
  checksumHeader,
  isOfNothing,
  refuseOther,
} from './checksums.ts'
import { S3Error } from './errors.ts'
import { header, type S3Request } from './request.ts'
import { parseXml, type XmlNode } from './xml.ts'

/** A body that has not been read yet. */
export interface Payload {
  /** Bytes, as announced; undefined when they come in the chunks of HTTP. */
  readonly size: number | undefined
  /** To be read once, to its end. @throws S3Error IncompleteBody, SignatureDoesNotMatch, InvalidRequest. */
  readonly bytes: AsyncIterable<Uint8Array>
  /**
   * Compares what has passed with what was announced, and gives the checksum that was computed.
   * @param sha256 of all bytes, 64 hexadecimal digits.
   * @throws S3Error BadDigest, XAmzContentSHA256Mismatch.
   */
  finish(sha256: string): Promise<Checksum | undefined>
}

/**
 * @param otherwise is computed when the request announces no checksum of its own.
 * @throws S3Error MissingContentLength, InvalidRequest, InvalidDigest, EntityTooLarge.
 */
export function payloadOf(request: S3Request, connections: Connections, otherwise?: Algorithm): Payload {
  return payloadAs(announcedIn(request), request, connections, otherwise)
}

function payloadAs(
  announced: Announced,
  request: S3Request,
  connections: Connections,
  otherwise?: Algorithm,
): Payload {
  if (request.headers.has('x-amz-sdk-checksum-algorithm') && !announced.checksum && !announced.trailing)
    throw new S3Error(
      'InvalidRequest',
      'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.',
    )
  const size = sizeOf(request)
  let trailer: ReadonlyMap<string, string> = new Map()
  const sums = new BodyChecksums(
    announced.checksum?.algorithm ?? announced.trailing ?? otherwise,
    announced.md5,
  )
  const { payload } = request.sender
  const raw = exactly(size, receivedBody(request.raw, request.reply, connections), payload.kind !== 'chunks')
  const bytes =
    payload.kind === 'chunks'
      ? decodedChunks(raw, {
          signing: payload.signing,
          trailer: payload.trailer,
          decodedBytes: size ?? 0,
          onTrailer: fields => {
            trailer = fields
          },
        })
      : raw
  return {
    size,
    bytes: sums.passing(bytes),
    async finish(sha256) {
      if (payload.kind === 'hash' && payload.sha256 !== sha256)
        throw new S3Error(
          'XAmzContentSHA256Mismatch',
          "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
      const computed = await sums.finish()
      refuseOther(computed, announced.checksum?.value ?? trailingValue(announced, trailer))
      return computed
    },
  }
}

/**
 * The checksums that a request announces. Amazon's client for JavaScript puts the one of no bytes into every URL that it
 * presigns for a put, because the body is not there yet: that says nothing of the body that comes.
 */
function announcedIn(request: S3Request): Announced {
  const announced = announcedChecksums(name => header(request, name))
  const { checksum } = announced
  const isInHeader = checksum !== undefined && request.headers.has(checksumHeader(checksum.algorithm))
  return checksum === undefined || isInHeader || !isOfNothing(checksum)
    ? announced
    : { ...announced, checksum: undefined }
}

const NOTHING_ANNOUNCED: Announced = { checksum: undefined, trailing: undefined, md5: undefined }

function trailingValue({ trailing }: Announced, trailer: ReadonlyMap<string, string>): string | undefined {
  if (trailing === undefined) return undefined
  const value = trailer.get(`x-amz-checksum-${trailing.toLowerCase()}`)
  if (value !== undefined) return value
  throw new S3Error('InvalidRequest', 'The trailer does not have the checksum that was announced.')
}

/** Bytes of the body itself, without what its chunks add. @throws S3Error MissingContentLength, InvalidArgument. */
function sizeOf(request: S3Request): number | undefined {
  if (request.sender.payload.kind === 'chunks') {
    const decoded = header(request, 'x-amz-decoded-content-length')
    if (decoded === undefined)
      throw new S3Error(
        'MissingContentLength',
        'You must provide the x-amz-decoded-content-length HTTP header.',
      )
    if (!/^\d{1,15}$/.test(decoded))
      throw new S3Error('InvalidArgument', 'x-amz-decoded-content-length is not a number of bytes.')
    return Number(decoded)
  }
  const size = announcedBytes(request.raw)
  const { headers } = request.raw
  if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined)
    throw new S3Error('MissingContentLength', 'You must provide the Content-Length HTTP header.')
  return size
}

/** A body that was cut off is no whole one, in S3's own word. */
async function* exactly(
  size: number | undefined,
  body: AsyncIterable<Uint8Array>,
  counts: boolean,
): AsyncGenerator<Uint8Array, void, undefined> {
  let bytes = 0
  for await (const piece of body) {
    bytes += piece.length
    yield piece
  }
  if (counts && size !== undefined && bytes !== size)
    throw new S3Error(
      'IncompleteBody',
      'You did not provide the number of bytes specified by Content-Length.',
    )
}

/**
 * A small XML body, checked as every body.
 * @param init.checksumIsOfObject the checksum in the header is not that of this document.
 * @throws S3Error MalformedXML, MaxMessageLengthExceeded, and as payloadOf.
 */
export async function receivedXml(
  request: S3Request,
  connections: Connections,
  init: { readonly root: string; readonly bytesMax: number; readonly checksumIsOfObject?: boolean },
): Promise<XmlNode> {
  const announced = init.checksumIsOfObject ? NOTHING_ANNOUNCED : announcedIn(request)
  const text = await receivedText(payloadAs(announced, request, connections), init.bytesMax)
  const parsed = parseXml(text, init.root)
  if (parsed !== undefined) return parsed
  throw new S3Error(
    'MalformedXML',
    'The XML you provided was not well-formed or did not validate against our schema.',
  )
}

/** As receivedXml, before it is parsed; empty where there is no body. */
export async function receivedSmall(
  request: S3Request,
  connections: Connections,
  bytesMax: number,
): Promise<string> {
  return receivedText(payloadOf(request, connections), bytesMax)
}

async function receivedText(payload: Payload, bytesMax: number): Promise<string> {
  const tooLong = () =>
    new S3Error('MaxMessageLengthExceeded', `A document of up to ${bytesMax} bytes is read here.`)
  if ((payload.size ?? 0) > bytesMax) throw tooLong()
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of payload.bytes) {
    size += piece.length
    if (size > bytesMax) throw tooLong()
    pieces.push(piece)
  }
  const bytes = Buffer.concat(pieces)
  await payload.finish(createHash('sha256').update(bytes).digest('hex'))
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new S3Error('MalformedXML', 'The document is not UTF-8.', { cause })
  }
}
