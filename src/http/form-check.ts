/**
 * What a form has to look like before the parser sees it: the parser skips a part whose header it does not understand,
 * takes names that are not UTF-8 and any number of header fields, and is silent about a form that is none.
 */
import { Buffer } from 'node:buffer'
import { parse as parseDisposition } from 'content-disposition'
import { StoreError } from '../errors.ts'

/** What the header of a part says of it. */
export interface CheckedHeader {
  readonly name: string
  /** What the browser calls the file; undefined for a field that is none. */
  readonly fileName: string | undefined
  /** As declared. */
  readonly mediaType: string | undefined
}

/** Header fields of one part; browsers send two. */
const PART_HEADERS_MAX = 32

/** Bytes of the header of one part: a file name of 255 bytes and a media type, with room. */
const PART_HEADER_BYTES_MAX = 8 * 1024

/** Bytes before the first part and after the last one, which mean nothing. */
const IDLE_BYTES_MAX = 1024 * 1024

const LINE_END = Buffer.from('\r\n')
const HEADER_END = Buffer.from('\r\n\r\n')

/** Where the bytes that come next belong. */
type Place = 'before' | 'delimiter' | 'header' | 'part' | 'after'

/**
 * The same bytes, and the headers of the parts that have begun so far, which whoever takes a part takes away.
 * @throws StoreError INVALID_REQUEST out of `bytes`, before the first byte that is not as it has to be.
 */
export function checkedForm(
  body: AsyncIterable<Uint8Array>,
  boundary: string,
): { readonly bytes: AsyncGenerator<Uint8Array>; readonly headers: CheckedHeader[] } {
  const headers: CheckedHeader[] = []
  const check = new FormCheck(boundary, headers)
  async function* bytes() {
    for await (const chunk of body) {
      check.add(chunk)
      yield chunk
    }
    check.end()
  }
  return { bytes: bytes(), headers }
}

class FormCheck {
  readonly #delimiter: Buffer
  readonly #headers: CheckedHeader[]
  #place: Place = 'before'
  /** What has come and can't be judged yet. The first delimiter needs no line before it. */
  #held: Buffer = LINE_END
  #idleBytes = 0

  constructor(boundary: string, headers: CheckedHeader[]) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`)
    this.#headers = headers
  }

  add(chunk: Uint8Array): void {
    this.#held = Buffer.concat([this.#held, chunk])
    while (this.#step());
  }

  end(): void {
    if (this.#place !== 'after') throw invalid('The form ends before its closing boundary.')
  }

  /** Goes on to the next place; false when more bytes are needed for that. */
  #step(): boolean {
    switch (this.#place) {
      case 'before':
      case 'part':
        return this.#findDelimiter()
      case 'delimiter':
        return this.#readDelimiter()
      case 'header':
        return this.#readHeader()
      case 'after':
        this.#drop(this.#held.length)
        return false
    }
  }

  #findDelimiter(): boolean {
    const at = this.#held.indexOf(this.#delimiter)
    if (at < 0) {
      this.#drop(Math.max(0, this.#held.length - this.#delimiter.length + 1))
      return false
    }
    this.#drop(at)
    this.#held = this.#held.subarray(this.#delimiter.length)
    this.#place = 'delimiter'
    return true
  }

  /** These bytes are judged. */
  #drop(bytes: number): void {
    if (this.#place !== 'part') this.#idleBytes += bytes
    if (this.#idleBytes > IDLE_BYTES_MAX) throw invalid('The form has too many bytes outside of its parts.')
    this.#held = this.#held.subarray(bytes)
  }

  #readDelimiter(): boolean {
    if (this.#held.length < 2) return false
    const next = this.#held.toString('latin1', 0, 2)
    if (next !== '--' && next !== '\r\n') throw invalid('A boundary in the form is malformed.')
    // The line end stays: a header of no lines begins and ends with it.
    this.#place = next === '--' ? 'after' : 'header'
    return true
  }

  #readHeader(): boolean {
    const end = this.#held.indexOf(HEADER_END)
    if ((end < 0 ? this.#held.length : end) > PART_HEADER_BYTES_MAX)
      throw invalid('A part of the form has a header that is too long.')
    if (end < 0) return false
    this.#headers.push(
      headerOf(this.#held.toString('latin1', LINE_END.length, Math.max(end, LINE_END.length))),
    )
    // The line end stays: it may begin the delimiter that follows a part without bytes.
    this.#held = this.#held.subarray(end + LINE_END.length)
    this.#place = 'part'
    return true
  }
}

const token = "[\\w!#$%&'*+.^`|~-]+"
const quotedText = '"(?:\\\\"|[^"])*"'
const dispositionPattern = new RegExp(
  `^[ \\t]*${token}(?:[ \\t]*;[ \\t]*${token}[ \\t]*=[ \\t]*(?:${quotedText}|${token}))*(?:[ \\t]*;)?[ \\t]*$`,
)
const quoted = /"((?:\\"|[^"])*)"(?=[ \t]*(?:;|$))/g
const fieldPattern = new RegExp(`^(${token})[ \\t]*:(.*)$`)

function headerOf(text: string): CheckedHeader {
  if (text === '') throw invalid('A part of the form has no header.')
  const lines = text.split('\r\n')
  if (lines.length > PART_HEADERS_MAX) throw invalid('A part of the form has too many header fields.')
  const fields = new Map<string, string>()
  for (const line of lines) {
    const [, name, value] = fieldPattern.exec(line) ?? []
    if (name === undefined || value === undefined)
      throw invalid('A line in the header of a part is malformed.')
    if (!fields.has(name.toLowerCase())) fields.set(name.toLowerCase(), value)
  }
  const disposition = fields.get('content-disposition')
  if (disposition === undefined) throw invalid('A part of the form has no Content-Disposition.')
  const said = utf8(disposition)
  if (!dispositionPattern.test(said)) throw invalid('A Content-Disposition in the form is malformed.')
  // Browsers write a quotation mark in a name as %22; others escape it.
  const { type, parameters } = parseDisposition(said.replace(quoted, escapedMarks), { multipart: true })
  const { name, filename: fileName } = parameters
  if (type !== 'form-data' || name === undefined) throw invalid('A part of the form has no name.')
  return { name, fileName, mediaType: fields.get('content-type')?.trim() }
}

/** A backslash at the end belongs to a name as well: some browsers of old send whole paths of Windows. */
function escapedMarks(_whole: string, inner: string): string {
  return `"${inner.replace(/\\"/g, '%22')}"`
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
