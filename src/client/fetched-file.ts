/**
 * Reading one file: its fields from the header of the reply, and its bytes to the end. Where a connection breaks,
 * they are read on from there in the same version, at another node when this one is gone; the SHA-256 of the whole tells
 * whether the parts fit.
 */
import type { Readable } from 'node:stream'
import { errorCode, StoreError } from '../errors.ts'
import type { PathName } from '../ring/path-name.ts'
import type { GetOptions } from './call-options.ts'
import { signalOf, type WireRequest } from './exchange.ts'
import { headerOf, type Reply } from './reply.ts'
import { encodePath, metaOf } from './request-parts.ts'
import type { Transport } from './transport.ts'
import { sha256OfReprDigest, verifiedBody } from './verified-body.ts'
import type { FetchedFile } from './wire-types.ts'

/** Connections in a row that may break without a byte having come. */
const BREAKS_MAX = 4

/** @throws as StoreClient.get. */
export async function fetchFile(
  transport: Transport,
  path: PathName,
  options: GetOptions,
): Promise<FetchedFile> {
  const { range, signal, version } = options
  const request: WireRequest = {
    method: 'GET',
    target: `/get/${encodePath(path)}${version === undefined ? '' : `?version=${encodeURIComponent(version)}`}`,
    headers: range === undefined ? {} : { range: `bytes=${range.first}-${range.last ?? ''}` },
    goal: { path, writes: false },
    quick: true,
    path,
    ...signalOf(options),
  }
  const reply = await transport.send(request, reply => reply)
  const etag = headerOf(reply, 'etag') ?? ''
  const size = Number(headerOf(reply, 'content-length'))
  const sha256 = sha256OfReprDigest(headerOf(reply, 'repr-digest'))
  const lastModified = headerOf(reply, 'last-modified')
  const first = reply.statusCode === 206 ? firstOfContentRange(reply) : 0
  const reopen = async (received: number) => {
    const rest = `bytes=${first + received}-${first + size - 1}`
    const headers = { range: rest, 'if-match': etag }
    return transport.send({ ...request, headers }, again => bodyFrom(again, first + received, path))
  }
  const source = new Source(reply.body)
  const bytes = resumed(source, size, reopen, signal)
  const body = verifiedBody(bytes, reply.statusCode === 206 ? undefined : sha256, path, signal)
  // Also when nothing of it was ever read.
  body.once('close', () => source.close())
  return {
    path,
    mediaType: headerOf(reply, 'content-type') ?? 'application/octet-stream',
    size,
    etag,
    sha256,
    conflicts: Number(headerOf(reply, 'conflicts') ?? 0),
    meta: metaOf(reply),
    writtenAt: lastModified === undefined ? undefined : new Date(lastModified),
    chain: (headerOf(reply, 'ring-chain') ?? '').split(/\s*,\s*/).filter(address => address !== ''),
    body,
  }
}

/** The reply that is being read. */
class Source {
  #body: Readable

  constructor(body: Readable) {
    this.#body = body
    this.take(body)
  }

  take(body: Readable): void {
    this.#body = body
    // Reading meets its error; one that comes when nobody reads is nobody's.
    body.on('error', () => {})
  }

  chunks(): AsyncIterator<Uint8Array> {
    return this.#body[Symbol.asyncIterator]()
  }

  close(): void {
    this.#body.destroy()
  }
}

/** The chunks of a body of `size` bytes, and of those that `reopen` gives for what is missing. */
async function* resumed(
  source: Source,
  size: number,
  reopen: (received: number) => Promise<Readable>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  let received = 0
  for (let broken = 0; ; ) {
    const chunks = source.chunks()
    try {
      for (;;) {
        const next = await nextOf(chunks)
        if (next.done) return
        received += next.value.length
        broken = 0
        yield next.value
      }
    } catch (cause) {
      if (!(cause instanceof Broken)) throw cause
      signal?.throwIfAborted()
      // What is there already needs no second reading; a length that nobody told can't be read on.
      if (received === size) return
      broken += 1
      if (broken > BREAKS_MAX || !Number.isInteger(size)) throw cause.cause
      source.take(await reopen(received))
    }
  }
}

/** A connection ended too early: told apart from what whoever reads the chunks throws into the generator. */
class Broken extends Error {}

async function nextOf(chunks: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
  try {
    return await chunks.next()
  } catch (cause) {
    throw errorCode(cause) === undefined ? new Broken('the connection broke', { cause }) : cause
  }
}

function firstOfContentRange(reply: Reply): number {
  const match = /^bytes (\d+)-/.exec(headerOf(reply, 'content-range') ?? '')
  return match === null ? 0 : Number(match[1])
}

function bodyFrom(reply: Reply, first: number, path: PathName): Readable {
  if (reply.statusCode === 206 && firstOfContentRange(reply) === first) return reply.body
  new Source(reply.body).close()
  throw new StoreError('UNAVAILABLE', 'The connection broke, and the rest cannot be had.', { path })
}
