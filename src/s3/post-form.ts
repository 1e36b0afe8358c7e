/**
 * A form by which a browser uploads one object: small fields first, and then the file, whose bytes are read at the pace of
 * whoever stores them ("POST Object" in the S3 API reference).
 */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Busboy } from '@fastify/busboy'
import { errorCode } from '../errors.ts'
import { checkedForm } from '../http/form-check.ts'
import { formBoundary } from '../http/form-parts.ts'
import { S3Error } from './errors.ts'

/** Bytes of all fields before the file; S3's own bound. */
const FIELD_BYTES_MAX = 20 * 1024

/** Fields of one form. */
const FIELDS_MAX = 200

export interface PostForm {
  /** By lower-case name, those before the file. */
  readonly fields: ReadonlyMap<string, string>
  /** What the browser calls the file, without folders. */
  readonly fileName: string
  /** Of the file. To be read once. */
  readonly bytes: AsyncIterable<Uint8Array>
  /** The file was the last part, and the form had its end. @throws S3Error MalformedPOSTRequest, InvalidArgument. */
  readonly ended: Promise<void>
}

/**
 * The form in a body, as soon as its file begins.
 * @param signal ends the reading.
 * @throws S3Error MalformedPOSTRequest, InvalidArgument; an error of `body`.
 */
export function readPostForm(
  body: AsyncIterable<Uint8Array>,
  contentType: string | undefined,
  signal: AbortSignal,
): Promise<PostForm> {
  const boundary = formBoundary(contentType)
  const fields = new Map<string, string>()
  let fieldBytes = 0
  const parser = new Busboy({
    headers: { 'content-type': `multipart/form-data; boundary="${boundary}"` },
    // Programs give every part the name of a file.
    isPartAFile: name => name?.toLowerCase() === 'file',
    limits: { fieldSize: FIELD_BYTES_MAX + 1, fields: FIELDS_MAX + 1 },
  })
  const { bytes } = checkedForm(body, boundary)
  const read = pipeline(Readable.from(bytes, { objectMode: false }), parser, { signal })
  return new Promise((resolve, reject) => {
    let file: Readable | undefined
    const fail = (error: unknown) => {
      const failure = asPostError(error)
      reject(failure)
      // The parser leaves the part open that it was in.
      file?.destroy(failure)
      if (!parser.destroyed) parser.destroy(failure)
    }
    // Who reads the file, or waits for the end, is told; the streams need not shout as well.
    parser.on('error', () => undefined)
    parser.on('field', (name, value) => {
      const own = name.toLowerCase()
      fieldBytes += name.length + value.length
      if (fieldBytes > FIELD_BYTES_MAX || fields.size === FIELDS_MAX)
        return fail(new S3Error('MaxPostPreDataLengthExceeded', 'The fields before the file are too large.'))
      if (file === undefined && fields.has(own))
        return fail(new S3Error('InvalidArgument', `The form has the field ${own} twice.`))
      if (file === undefined) fields.set(own, value)
    })
    parser.on('file', (_name, stream, fileName = '') => {
      stream.on('error', () => undefined)
      if (file !== undefined) {
        stream.resume()
        return fail(oneFile())
      }
      file = stream
      resolve({ fields, fileName, bytes: stream, ended })
    })
    const ended = read.then(
      () => {
        if (file === undefined) throw oneFile()
      },
      (error: unknown) => {
        throw asPostError(error)
      },
    )
    ended.catch(fail)
  })
}

function oneFile(): S3Error {
  return new S3Error('InvalidArgument', 'POST requires exactly one file upload per request.')
}

/** What is wrong with a form, in S3's own word. */
function asPostError(thrown: unknown): Error {
  const error = thrown as Error
  const isOther = errorCode(error) !== undefined && errorCode(error) !== 'INVALID_REQUEST'
  if (error instanceof S3Error || error.name === 'AbortError' || isOther) return error
  return new S3Error('MalformedPOSTRequest', `The body is no form of POST: ${error.message}`, {
    cause: error,
  })
}
