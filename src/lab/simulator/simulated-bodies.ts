/**
 * The large bodies on a simulated disk: bytes under keys of their own. They come in piece by piece, as on a real disk, and
 * those that no batch keeps are gone at the next start.
 */
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { StoreError } from '../../errors.ts'
import type { BlobRef } from '../../replication/chain/messages.ts'
import { BodyDigest } from '../../storage/body-digest.ts'
import type { BlobId, Body } from '../../storage/record.ts'
import type { GrowingBody, StageOptions } from '../../storage/storage.ts'
import type { SimulatedDisk } from './simulated-disk.ts'

const BLOB = 'blob/'
const STAGED = 'staged/'

/** Bodies of no more than so many bytes lie in their records. */
export const SIMULATED_INLINE_MAX = 64

/** Bytes that are read of a body at once, at least, and the share of a long one. */
const READ_BYTES_MIN = 512
const READ_SHARE = 1 / 6

const NOTHING = new Uint8Array()

export class SimulatedBodies {
  readonly #disk: SimulatedDisk<Uint8Array>
  readonly #receiving = new Map<BlobId, Promise<Body>>()
  readonly #dropping = new Set<BlobId>()
  /** Grows with each start, so that nothing of the one before writes any more. */
  #start = 0

  constructor(components: { readonly disk: SimulatedDisk<Uint8Array> }) {
    this.#disk = components.disk
  }

  /** The process ends, or begins anew: what it was receiving is not received any more. */
  forgetReceipts(): void {
    this.#start++
    this.#receiving.clear()
    this.#dropping.clear()
  }

  /** What takes the bodies off the disk that no batch has kept. */
  unkept(): (readonly [key: string, value: undefined])[] {
    const staged = [...this.#disk.durableKeys(STAGED)]
    return staged.flatMap(key => [
      [key, undefined] as const,
      [BLOB + key.slice(STAGED.length), undefined] as const,
    ])
  }

  has(blobId: BlobId): boolean {
    return !this.#dropping.has(blobId) && this.bytes(blobId) !== undefined
  }

  bytes(blobId: BlobId): Uint8Array | undefined {
    return this.#disk.readDurable(BLOB + blobId)
  }

  /** Changes some bytes without a word, as a bad disk does. False when there is no such body. */
  spoil(blobId: BlobId): boolean {
    const bytes = this.bytes(blobId)
    if (bytes === undefined) return false
    const spoilt = Buffer.from(bytes)
    const at = spoilt.length >> 1
    spoilt[at] = (spoilt[at] as number) ^ 0xff
    return this.#disk.spoil(BLOB + blobId, spoilt)
  }

  /** False for a body whose bytes have changed. */
  isSound({ blobId, sha256 }: BlobRef): boolean {
    const bytes = this.bytes(blobId)
    return bytes === undefined || createHash('sha256').update(bytes).digest('hex') === sha256
  }

  /** @throws StoreError FILE_NOT_FOUND. */
  open(blobId: BlobId, first: number, last?: number): Readable {
    const bytes = this.bytes(blobId)
    if (bytes === undefined) throw new StoreError('FILE_NOT_FOUND', 'The body is not here.')
    const wanted = bytes.subarray(first, last === undefined ? undefined : last + 1)
    const size = Math.max(READ_BYTES_MIN, Math.ceil(wanted.length * READ_SHARE))
    const pieces = Array.from({ length: Math.ceil(wanted.length / size) }, (_, index) =>
      Buffer.from(wanted.subarray(index * size, (index + 1) * size)),
    )
    return Readable.from(pieces, { objectMode: false })
  }

  /** What a batch changes of bodies; `done` when it is durable, or refused. */
  batch(keep: readonly BlobId[], drop: readonly BlobId[]) {
    const added = drop.filter(blobId => !this.#dropping.has(blobId))
    for (const blobId of added) this.#dropping.add(blobId)
    const kept = keep.map(blobId => [STAGED + blobId, undefined] as const)
    const dropped = drop.flatMap(blobId => [
      [BLOB + blobId, undefined] as const,
      [STAGED + blobId, undefined] as const,
    ])
    const done = () => {
      for (const blobId of added) this.#dropping.delete(blobId)
    }
    return { changes: [...kept, ...dropped], done }
  }

  /** Two receipts of one name are one. */
  receive(blobId: BlobId, body: AsyncIterable<Uint8Array>, options: StageOptions): Promise<Body> {
    const running = this.#receiving.get(blobId)
    if (running !== undefined) return running
    const receipt = this.#receive(blobId, body, options, 0)
    this.#receiving.set(blobId, receipt)
    const ended = () => {
      if (this.#receiving.get(blobId) === receipt) this.#receiving.delete(blobId)
    }
    receipt.then(ended, ended)
    return receipt
  }

  /** A body that has no name yet; a small one is given as it is. */
  stage(blobId: BlobId, body: AsyncIterable<Uint8Array>, options: StageOptions): Promise<Body> {
    return this.#receive(blobId, body, options, SIMULATED_INLINE_MAX)
  }

  /** @throws StoreError CORRUPT when it has another hash; an error of `body`. */
  async replace(blobId: BlobId, sha256: string, body: AsyncIterable<Uint8Array>): Promise<void> {
    const start = this.#start
    const growing = new Growing(blobId)
    const digest = await gather(body, growing, { sizeMax: Number.POSITIVE_INFINITY }, 0)
    if (digest.sha256 !== sha256)
      throw new StoreError('CORRUPT', 'The bytes do not have the SHA-256 of the body.')
    await this.#write(start, [[BLOB + blobId, growing.bytes()]])
  }

  async #receive(
    blobId: BlobId,
    body: AsyncIterable<Uint8Array>,
    options: StageOptions,
    inlineMax: number,
  ): Promise<Body> {
    const start = this.#start
    const growing = new Growing(blobId)
    try {
      const digest = await gather(body, growing, options, inlineMax)
      const bytes = growing.bytes()
      growing.end(digest.sha256)
      if (digest.size <= inlineMax) return { ...digest, content: { inline: bytes } }
      await this.#write(start, [
        [BLOB + blobId, bytes],
        [STAGED + blobId, NOTHING],
      ])
      return { ...digest, content: { blobId } }
    } catch (error) {
      growing.fail(error)
      throw error
    }
  }

  async #write(start: number, changes: readonly (readonly [string, Uint8Array])[]): Promise<void> {
    if (start !== this.#start) throw new StoreError('UNAVAILABLE', 'The process has ended.')
    this.#disk.write(changes)
    await new Promise<void>((resolve, reject) => {
      this.#disk.sync(error => (error === undefined ? resolve() : reject(error)))
    })
  }
}

/** Takes a body in, up to its end or until it is wanted no more. */
async function gather(
  body: AsyncIterable<Uint8Array>,
  growing: Growing,
  { sizeMax, signal, onGrowing }: StageOptions,
  inlineMax: number,
) {
  const digest = new BodyDigest()
  const pieces = body[Symbol.asyncIterator]()
  let isTold = false
  try {
    for (;;) {
      const { value, done } = await orAborted(pieces.next(), signal)
      if (done) return digest.finish()
      digest.update(value)
      growing.add(value)
      if (digest.size > sizeMax) throw new StoreError('FILE_TOO_LARGE', 'The body is too large.')
      if (isTold || digest.size <= inlineMax) continue
      isTold = true
      onGrowing?.(growing)
    }
  } catch (error) {
    // Whoever sends it is told that no more of it is wanted; a sender that stands still need not hear of it.
    pieces.return?.()?.catch(() => undefined)
    throw error
  }
}

/** What is awaited, or the reason of a signal that aborts before. */
export function orAborted<T>(awaited: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return awaited
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    const end = () => signal.removeEventListener('abort', onAbort)
    awaited.then(resolve, reject).finally(end)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort)
  })
}

/** A body that is coming in, for those who read it meanwhile. */
class Growing implements GrowingBody {
  readonly blobId: BlobId
  readonly sha256: Promise<string>
  readonly #pieces: Buffer[] = []
  readonly #waiting = new Set<() => void>()
  #ended = false
  #fault: { readonly error: unknown } | undefined
  #resolve: (sha256: string) => void = () => {}
  #reject: (error: unknown) => void = () => {}

  constructor(blobId: BlobId) {
    this.blobId = blobId
    this.sha256 = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // Nobody may wait for it.
    this.sha256.catch(() => undefined)
  }

  bytes(): Uint8Array {
    return Buffer.concat(this.#pieces)
  }

  add(piece: Uint8Array): void {
    this.#pieces.push(Buffer.from(piece))
    this.#wake()
  }

  end(sha256: string): void {
    this.#ended = true
    this.#resolve(sha256)
    this.#wake()
  }

  fail(error: unknown): void {
    this.#fault = { error }
    this.#reject(error)
    this.#wake()
  }

  async *follow(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    for (let index = 0; ; ) {
      signal.throwIfAborted()
      if (this.#fault !== undefined) throw this.#fault.error
      const piece = this.#pieces[index]
      if (piece !== undefined) {
        index++
        yield piece
      } else if (this.#ended) return
      else await orAborted(new Promise<void>(wake => this.#waiting.add(wake)), signal)
    }
  }

  #wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }
}
