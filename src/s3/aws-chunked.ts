/**
 * Bodies that come as chunks of S3's own (`Content-Encoding: aws-chunked`): takes them apart, checks each chunk's
 * signature and that of the trailer, and hands the bytes on as they come. Nothing of a body counts before its end, so a
 * chunk may be handed on before its signature is known.
 */
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { S3Error } from './errors.ts'
import { type ChunkSigning, chunkSignature, isSameSignature, trailerSignature } from './sigv4.ts'

export interface ChunkedInit {
  /** Undefined where chunks are not signed. */
  readonly signing: ChunkSigning | undefined
  /** A trailer follows the last chunk. */
  readonly trailer: boolean
  /** Bytes of the decoded body, as announced. */
  readonly decodedBytes: number
  /** Told once, with the fields of the trailer by lower-case name, when all of it is checked. */
  readonly onTrailer: (fields: ReadonlyMap<string, string>) => void
}

/** Bytes of one line: a size, a signature, or a field of the trailer. */
const LINE_BYTES_MAX = 1024

/** Fields of one trailer; one checksum and a signature are usual. */
const TRAILER_FIELDS_MAX = 16

/** Bytes of one signed chunk: clients send 64 KiB to 1 MiB, and the bound only names a fault. */
const CHUNK_BYTES_MAX = 2 ** 40

/**
 * The bytes of a body that comes in chunks.
 * @throws S3Error SignatureDoesNotMatch, IncompleteBody, InvalidRequest; an error of `body`.
 */
export async function* decodedChunks(
  body: AsyncIterable<Uint8Array>,
  init: ChunkedInit,
): AsyncGenerator<Uint8Array, void, undefined> {
  const source = new Source(body)
  try {
    let previous = init.signing?.seedSignature ?? ''
    let bytes = 0
    for (;;) {
      const { size, signature } = chunkHead(await source.line(), init.signing !== undefined)
      bytes += size
      if (bytes > init.decodedBytes) throw wrongLength(init.decodedBytes)
      const hash = init.signing && createHash('sha256')
      for (let left = size; left > 0; ) {
        const piece = await source.upTo(left)
        left -= piece.length
        hash?.update(piece)
        yield piece
      }
      if (init.signing && hash) {
        const right = chunkSignature(init.signing, previous, hash.digest('hex'))
        if (!isSameSignature(signature, right)) throw badSignature('A chunk')
        previous = right
      }
      if (size === 0) break
      if ((await source.line()) !== '') throw malformed('A chunk does not end where its size says')
    }
    if (bytes !== init.decodedBytes) throw wrongLength(init.decodedBytes)
    await readTrailer(source, init, previous)
  } finally {
    await source.close()
  }
}

function chunkHead(line: string, signed: boolean): { readonly size: number; readonly signature: string } {
  const match = /^([0-9a-fA-F]{1,11})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line)
  if (match === null || (signed && match[2] === undefined))
    throw malformed('The head of a chunk is malformed')
  const size = Number.parseInt(match[1] as string, 16)
  if (size > CHUNK_BYTES_MAX) throw malformed('A chunk is too large')
  return { size, signature: match[2] ?? '' }
}

async function readTrailer(source: Source, init: ChunkedInit, previous: string): Promise<void> {
  const fields = new Map<string, string>()
  let signed = ''
  let signature: string | undefined
  for (let line = await source.lastLine(); line !== ''; line = await source.lastLine()) {
    const match = /^([A-Za-z0-9-]+)\s*:\s*(.*?)\s*$/.exec(line)
    if (match === null || fields.size === TRAILER_FIELDS_MAX) throw malformed('The trailer is malformed')
    const [name, value] = [(match[1] as string).toLowerCase(), match[2] as string]
    if (name === 'x-amz-trailer-signature') {
      signature = value
    } else {
      fields.set(name, value)
      signed += `${name}:${value}\n`
    }
  }
  await source.expectEnd()
  if (!init.trailer && fields.size > 0) throw malformed('A trailer was not announced')
  if (init.trailer && init.signing !== undefined) {
    const right = trailerSignature(init.signing, previous, signed)
    if (signature === undefined || !isSameSignature(signature, right)) throw badSignature('The trailer')
  }
  init.onTrailer(fields)
}

/** The bytes of a body, taken as lines and as pieces. */
class Source {
  readonly #pieces: AsyncIterator<Uint8Array>
  #rest: Buffer = Buffer.alloc(0)
  #ended = false

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#pieces = body[Symbol.asyncIterator]()
  }

  /** A line without its CRLF. @throws S3Error IncompleteBody, InvalidRequest. */
  async line(): Promise<string> {
    const line = await this.#line()
    if (line === undefined) throw incomplete()
    return line
  }

  /** As `line`, and an empty one where the body ends: some clients leave the last line end out. */
  async lastLine(): Promise<string> {
    return (await this.#line()) ?? ''
  }

  async #line(): Promise<string | undefined> {
    for (;;) {
      const end = this.#rest.indexOf(0x0a)
      if (end !== -1) {
        const line = this.#rest.toString('latin1', 0, end)
        this.#rest = this.#rest.subarray(end + 1)
        return line.endsWith('\r') ? line.slice(0, -1) : line
      }
      if (this.#rest.length > LINE_BYTES_MAX) throw malformed('A line of the body is too long')
      if (await this.#more()) continue
      if (this.#rest.length > 0) throw incomplete()
      return undefined
    }
  }

  /** What is there of the next `bytes` bytes, at least one. @throws S3Error IncompleteBody. */
  async upTo(bytes: number): Promise<Buffer> {
    while (this.#rest.length === 0) if (!(await this.#more())) throw incomplete()
    const piece = this.#rest.subarray(0, bytes)
    this.#rest = this.#rest.subarray(piece.length)
    return piece
  }

  /** @throws S3Error InvalidRequest when something follows. */
  async expectEnd(): Promise<void> {
    while (this.#rest.length === 0) if (!(await this.#more())) return
    throw malformed('Bytes follow the last chunk')
  }

  async close(): Promise<void> {
    if (!this.#ended) await this.#pieces.return?.()
  }

  async #more(): Promise<boolean> {
    if (this.#ended) return false
    const next = await this.#pieces.next()
    if (next.done) {
      this.#ended = true
      return false
    }
    const { buffer, byteOffset, length } = next.value
    const piece = Buffer.from(buffer, byteOffset, length)
    this.#rest = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece])
    return true
  }
}

function incomplete(): S3Error {
  return new S3Error('IncompleteBody', 'The body ends before its last chunk.')
}

function wrongLength(announced: number): S3Error {
  return new S3Error('IncompleteBody', `The chunks do not have the ${announced} bytes that were announced.`)
}

function malformed(what: string): S3Error {
  return new S3Error('InvalidRequest', `${what}.`)
}

function badSignature(what: string): S3Error {
  return new S3Error('SignatureDoesNotMatch', `${what} does not have the signature that it must have.`)
}
