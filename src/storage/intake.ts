/**
 * How a body comes in: counted against its limit, hashed as it passes, small ones gathered in memory, larger ones
 * handed to a sink in pieces of even size while the next piece fills. When many come in at once, the further ones hold no piece
 * and hand on what comes as it comes, so that a crowd of clients that hardly send costs little memory.
 */
import { Buffer } from 'node:buffer'
import { StoreError } from '../errors.ts'
import type { WholeBody } from '../whole-body.ts'
import { BodyDigest, type Digest, digestOf } from './body-digest.ts'
import type { BufferPool } from './buffer-pool.ts'
import { type Body, INLINE_BYTES_MAX } from './record.ts'
import type { StageOptions } from './storage.ts'

/** Bytes of one piece: large enough that a write costs little more than its copy, a whole part of a block. */
export const PIECE_BYTES = 256 * 1024

/** Where the pieces of a large body go, in order. */
export interface BodySink {
  /** Takes a piece; its bytes are only lent until the promise resolves. */
  write(piece: Uint8Array): Promise<void>
}

/** A body that has wholly arrived; `inline` is undefined when it went to the sink. */
export interface Received extends Digest {
  readonly inline: Buffer | undefined
}

/**
 * Receives a body. The sink is opened only for a body of more than INLINE_BYTES_MAX bytes; two pieces of the pool, when it
 * lends them, are in use until it has arrived.
 * @throws StoreError FILE_TOO_LARGE; an error of the body or the sink; the signal's reason.
 */
export async function receive(
  body: AsyncIterable<Uint8Array>,
  options: StageOptions,
  pieces: BufferPool,
  openSink: () => Promise<BodySink>,
): Promise<Received> {
  const chunks = new Chunks(body, options)
  try {
    const gathered: Uint8Array[] = []
    let gatheredBytes = 0
    while (gatheredBytes <= INLINE_BYTES_MAX) {
      const chunk = await chunks.next()
      if (chunk === undefined) {
        const inline = Buffer.concat(gathered, gatheredBytes)
        return { ...digestOf(inline), inline }
      }
      gathered.push(chunk)
      gatheredBytes += chunk.length
    }
    return { ...(await pour(gathered, chunks, pieces, await openSink())), inline: undefined }
  } finally {
    chunks.end()
  }
}

/** A body that is here already. */
export function receiveWhole({ bytes }: WholeBody): Body {
  if (bytes.length > INLINE_BYTES_MAX) throw new TypeError(`${bytes.length} bytes do not lie in a record`)
  return { ...digestOf(bytes), content: { inline: bytes } }
}

async function pour(
  gathered: readonly Uint8Array[],
  chunks: Chunks,
  pieces: BufferPool,
  sink: BodySink,
): Promise<Digest> {
  const digest = new BodyDigest()
  let lent: Buffer[] = []
  let filled = 0
  let writing: Promise<void> = Promise.resolve()

  async function write(piece: Uint8Array): Promise<void> {
    digest.update(piece)
    await writing
    writing = sink.write(piece)
    // A failure is met at the next write; until then it must not count as unhandled.
    writing.catch(() => undefined)
  }

  async function flush(): Promise<void> {
    const [filling, spare] = lent as [Buffer, Buffer]
    await write(filling.subarray(0, filled))
    lent = [spare, filling]
    filled = 0
  }

  async function add(chunk: Uint8Array): Promise<void> {
    if (lent.length === 0) lent = pieces.tryTake(2)
    if (lent.length === 0) {
      await write(chunk)
      // Its bytes are the producer's again at the next chunk.
      return writing
    }
    for (let at = 0; at < chunk.length; ) {
      const filling = lent[0] as Buffer
      const part = chunk.subarray(at, at + filling.length - filled)
      filling.set(part, filled)
      filled += part.length
      at += part.length
      if (filled === filling.length) await flush()
    }
  }

  try {
    for (const chunk of gathered) await add(chunk)
    for (let chunk = await chunks.next(); chunk !== undefined; chunk = await chunks.next()) await add(chunk)
    if (filled > 0) await flush()
    await writing
    return digest.finish()
  } finally {
    await writing.catch(() => undefined)
    for (const piece of lent) pieces.give(piece)
  }
}

/** The chunks of a body up to its limit; a wait for the next one ends when the signal aborts. */
class Chunks {
  readonly #iterator: AsyncIterator<Uint8Array>
  readonly #options: StageOptions
  readonly #onAbort = () => this.#reject?.(this.#options.signal?.reason)
  #reject: ((reason: unknown) => void) | undefined
  #size = 0
  #done = false

  constructor(body: AsyncIterable<Uint8Array>, options: StageOptions) {
    this.#iterator = body[Symbol.asyncIterator]()
    this.#options = options
    options.signal?.addEventListener('abort', this.#onAbort)
  }

  async next(): Promise<Uint8Array | undefined> {
    this.#options.signal?.throwIfAborted()
    const result = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
      this.#reject = reject
      this.#iterator.next().then(resolve, error => {
        this.#done = true
        reject(error)
      })
    })
    if (result.done) {
      this.#done = true
      return undefined
    }
    this.#size += result.value.length
    if (this.#size > this.#options.sizeMax) {
      throw new StoreError(
        'FILE_TOO_LARGE',
        `The body has more than the ${this.#options.sizeMax} bytes allowed.`,
      )
    }
    return result.value
  }

  /** Lets go of the body; one that was not read to its end is told so by its iterator's `return`. */
  end(): void {
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    if (!this.#done) this.#iterator.return?.().catch(() => undefined)
  }
}

/** A body that came under a name and is small enough to be in a record: something was cut off. */
export function tooSmallForName(): StoreError {
  return new StoreError('CORRUPT', 'A body arrived cut short.')
}
