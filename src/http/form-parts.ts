/**
 * Owns the parts of a multipart/form-data body (RFC 7578), one after the other as they come. Strict where the parser
 * below is lenient: a part that can't be understood is refused and never skipped, because it may be a file.
 */
import { Buffer } from 'node:buffer'
import type { Readable } from 'node:stream'
import { Dicer } from '@fastify/busboy'
import { parse as parseDisposition } from 'content-disposition'
import { StoreError } from '../errors.ts'

export interface FormPart {
  readonly name: string
  /** What the browser calls the file; undefined for a field that is none. */
  readonly fileName: string | undefined
  /** As declared. */
  readonly mediaType: string | undefined
  /** To be read to its end before the next part is asked for. */
  readonly bytes: AsyncIterable<Uint8Array>
}

/** Header fields of one part; browsers send two. */
const PART_HEADERS_MAX = 32

/** Bytes of the header of one part: a file name of 255 bytes and a media type, with room. */
const PART_HEADER_BYTES_MAX = 8 * 1024

/** Bytes before the first part and after the last one, which mean nothing. */
const IDLE_BYTES_MAX = 1024 * 1024

/**
 * The boundary in a Content-Type.
 * @throws StoreError TYPE_NOT_ALLOWED when it is no form, INVALID_REQUEST when the boundary is missing or malformed.
 */
export function formBoundary(contentType: string | undefined): string {
  const [type = '', ...parameters] = (contentType ?? '').split(';')
  if (type.trim().toLowerCase() !== 'multipart/form-data') {
    throw new StoreError('TYPE_NOT_ALLOWED', 'This door takes a form of the type multipart/form-data.')
  }
  for (const parameter of parameters) {
    const match = /^\s*boundary="?([0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-])"?\s*$/i.exec(
      parameter,
    )
    if (match?.[1] !== undefined) return match[1]
  }
  throw invalid('The form has no boundary of 1 to 70 characters in its Content-Type.')
}

/**
 * The parts of a form. Ending the iteration early calls `stop`, which has to end `body`.
 * @throws StoreError INVALID_REQUEST for a form that is malformed or ends too early; an error of `body`. A part that
 *   is being read fails with the same error.
 */
export async function* formParts(
  body: AsyncIterable<Uint8Array>,
  boundary: string,
  stop: () => void,
): AsyncGenerator<FormPart> {
  const form = new FormReader(boundary)
  const feeding = form.feed(body)
  try {
    for (let part = await form.next(); part; part = await form.next()) yield part
  } finally {
    stop()
    form.fail(invalid('The form is not read further.'))
    await feeding
  }
}

class FormReader {
  readonly #dicer: Dicer
  readonly #arrived: FormPart[] = []
  #current: Readable | undefined
  #headerPending = false
  #started = false
  #finished = false
  #fed = false
  #failure: Error | undefined
  #wake: (() => void) | undefined
  #endWrite: ((error?: Error) => void) | undefined

  constructor(boundary: string) {
    this.#dicer = new Dicer({
      boundary,
      maxHeaderPairs: PART_HEADERS_MAX,
      maxHeaderSize: PART_HEADER_BYTES_MAX,
    } as ConstructorParameters<typeof Dicer>[0])
    this.#dicer.on('part', (part: Readable) => this.#onPart(part))
    this.#dicer.on('finish', () => {
      if (this.#headerPending) this.fail(invalid('A part of the form has no header.'))
      this.#finished = true
      this.#endWrite?.()
      this.#wake?.()
    })
    this.#dicer.on('error', () => this.fail(invalid('The form ends before its closing boundary.')))
  }

  /** Never rejects; what goes wrong comes out of `next` and of the part that is being read. */
  async feed(body: AsyncIterable<Uint8Array>): Promise<void> {
    let idleBytes = 0
    try {
      for await (const chunk of body) {
        if (this.#failure) return
        const wasFinished = this.#finished
        if (!wasFinished) await this.#write(chunk)
        if (wasFinished || !this.#started) idleBytes += chunk.length
        if (idleBytes > IDLE_BYTES_MAX) throw invalid('The form has too many bytes outside of its parts.')
      }
      this.#fed = true
      if (!this.#finished) this.#dicer.end()
      this.#wake?.()
    } catch (error) {
      this.fail(error as Error)
    }
  }

  /** The next part; undefined when the form is complete and its body read to the end. */
  async next(): Promise<FormPart | undefined> {
    for (;;) {
      if (this.#failure) throw this.#failure
      const part = this.#arrived.shift()
      if (part) return part
      if (this.#finished && this.#fed) return undefined
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  fail(error: Error): void {
    if (this.#failure) return
    this.#failure = error
    this.#current?.destroy(error)
    this.#endWrite?.(error)
    this.#wake?.()
  }

  /**
   * Resolves when the chunk is taken in, which waits for whoever reads the part that it belongs to. For the chunk with
   * the closing boundary the parser may never call back; that the form is finished says the same.
   */
  #write(chunk: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#endWrite = error => (error ? reject(error) : resolve())
      this.#dicer.write(chunk, this.#endWrite as (error: Error | null | undefined) => void)
    })
  }

  #onPart(part: Readable): void {
    if (this.#headerPending) this.fail(invalid('A part of the form has no header.'))
    this.#headerPending = true
    this.#started = true
    this.#current = part
    part.on('error', () => {})
    part.on('header', (header: Record<string, string[]>) => {
      this.#headerPending = false
      try {
        this.#arrived.push(partOf(header, this.#bytesOf(part)))
        this.#wake?.()
      } catch (error) {
        this.fail(error as Error)
      }
    })
    if (this.#failure) part.destroy(this.#failure)
  }

  /** What ends a part early is what ended the form, and not what the parser makes of that. */
  async *#bytesOf(part: Readable): AsyncGenerator<Uint8Array> {
    try {
      yield* part
    } catch (error) {
      throw this.#failure ?? error
    }
  }
}

const token = "[\\w!#$%&'*+.^`|~-]+"
const quotedText = '"(?:\\\\"|[^"])*"'
const dispositionPattern = new RegExp(
  `^[ \\t]*${token}(?:[ \\t]*;[ \\t]*${token}[ \\t]*=[ \\t]*(?:${quotedText}|${token}))*[ \\t]*;?[ \\t]*$`,
)
const quoted = /"((?:\\"|[^"])*)"(?=[ \t]*(?:;|$))/g

/** A backslash at the end belongs to a name as well: some browsers of old send whole paths of Windows. */
function escapedMarks(_whole: string, inner: string): string {
  return `"${inner.replace(/\\"/g, '%22')}"`
}

function partOf(header: Record<string, string[]>, bytes: AsyncIterable<Uint8Array>): FormPart {
  const disposition = header['content-disposition']?.[0]
  if (disposition === undefined) throw invalid('A part of the form has no Content-Disposition.')
  const text = utf8(disposition)
  if (!dispositionPattern.test(text)) throw invalid('A Content-Disposition in the form is malformed.')
  // Browsers write a quotation mark in a name as %22; others escape it.
  const { type, parameters } = parseDisposition(text.replace(quoted, escapedMarks), { multipart: true })
  const { name, filename: fileName } = parameters
  if (type !== 'form-data' || name === undefined) throw invalid('A part of the form has no name.')
  return { name, fileName, mediaType: header['content-type']?.[0], bytes }
}

function utf8(bytes: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(bytes, 'latin1'))
  } catch (cause) {
    throw new StoreError('INVALID_REQUEST', 'A name in the form is not UTF-8.', { cause })
  }
}

function invalid(message: string): StoreError {
  return new StoreError('INVALID_REQUEST', message)
}
