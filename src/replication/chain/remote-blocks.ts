/**
 * The blocks of a body that lies on other nodes: read in order from one holder, and from the next one on when that
 * breaks off or a block is not what the record says. No byte of a block is handed on before the whole block has passed
 * its CRC-32; its pieces go on as they came, since to put them together would cost more than all the rest.
 */
import { Readable } from 'node:stream'
import { errorCode, StoreError } from '../../errors.ts'
import { crc32 } from '../../storage/crc32.ts'
import { BLOCK_BYTES, type FileRecord } from '../../storage/record.ts'
import type { ByteRange } from '../../storage/storage.ts'
import type { NodeId } from '../../views/view.ts'
import type { WantedBytes } from './body-sources.ts'

export interface RemoteBlocksComponents {
  readonly pull: (node: NodeId, wanted: WantedBytes) => Promise<Readable>
  readonly holders: readonly NodeId[]
}

export interface RemoteBlocksInit {
  readonly record: FileRecord
  readonly range: ByteRange
  /** A copy was found bad already. */
  readonly sawBadBlock: boolean
}

interface Wanted {
  readonly first: number
  readonly length: number
  /** CRC-32 of these bytes. */
  readonly checksum: number
  /** Up to here the holder is asked, in case that more is wanted. */
  readonly last: number
}

export class RemoteBlocks {
  readonly #components: RemoteBlocksComponents
  readonly #init: RemoteBlocksInit
  #source: { readonly stream: Readable; readonly chunks: AsyncIterator<Buffer>; rest: Buffer } | undefined
  #holder = 0
  #sawBadBlock: boolean
  #sawSilence = false
  #ended = false

  constructor(components: RemoteBlocksComponents, init: RemoteBlocksInit) {
    this.#components = components
    this.#init = init
    this.#sawBadBlock = init.sawBadBlock
  }

  /**
   * The bytes of the range, one block read ahead. The first block is there when this resolves.
   * @throws StoreError as `read`, and so does the stream later on.
   */
  async stream(): Promise<Readable> {
    let index = Math.floor(this.#init.range.first / BLOCK_BYTES)
    const next = () => this.#readWanted(index++)
    let ahead = next()
    await ahead
    const end = () => this.end()
    return new Readable({
      // One block is read ahead here; none needs to wait in the stream as well.
      highWaterMark: 1,
      read() {
        ahead.then(
          pieces => {
            if (pieces === undefined) {
              this.push(null)
              return
            }
            ahead = next()
            // A failure is met at the next read; until then it must not count as unhandled.
            ahead.catch(() => undefined)
            for (const piece of pieces) this.push(piece)
          },
          error => this.destroy(error),
        )
      },
      destroy(error, callback) {
        end()
        callback(error)
      },
    })
  }

  /** What the range wants of a block; undefined after its last one. */
  async #readWanted(index: number): Promise<readonly Uint8Array[] | undefined> {
    const { record, range } = this.#init
    const start = index * BLOCK_BYTES
    if (start > range.last) return undefined
    const pieces = await this.read(index, Math.min(BLOCK_BYTES, record.body.size - start))
    return within(pieces, range.first - start, range.last + 1 - start)
  }

  /**
   * The next block, in pieces; they are asked for in order.
   * @throws StoreError CORRUPT when a block was bad and no holder has a good one; FILE_NOT_FOUND when no holder has the
   *   body any more, since another version took its place; UNAVAILABLE when some can't be reached.
   */
  read(index: number, length: number): Promise<readonly Uint8Array[]> {
    const { record, range } = this.#init
    const last = Math.min(blockAt(range.last) * BLOCK_BYTES + BLOCK_BYTES, record.body.size) - 1
    const checksum = record.body.blockChecksums[index] as number
    return this.#read({ first: index * BLOCK_BYTES, length, checksum, last })
  }

  /** Some bytes by themselves: no connection to a holder is kept after them. @throws StoreError as `read`. */
  async readAlone(first: number, length: number, checksum: number): Promise<readonly Uint8Array[]> {
    try {
      const pieces = await this.#read({ first, length, checksum, last: first + length - 1 })
      // The connection is of use again when the answer has been read to its end.
      await this.#source?.chunks.next().catch(() => undefined)
      return pieces
    } finally {
      this.#letGo()
    }
  }

  async #read({ first, length, checksum, last }: Wanted): Promise<readonly Uint8Array[]> {
    for (; this.#holder < this.#components.holders.length && !this.#ended; this.#holder++) {
      try {
        const pieces = await this.#readFrom(first, length, last)
        if (pieces.reduce((sum, piece) => crc32(piece, sum), 0) === checksum) return pieces
        this.#sawBadBlock = true
      } catch (error) {
        // The next holder may do better; when none does, the error below says so.
        if (errorCode(error) !== 'FILE_NOT_FOUND') this.#sawSilence = true
      }
      this.#letGo()
    }
    const { path } = this.#init.record
    if (this.#sawBadBlock) throw new StoreError('CORRUPT', 'No replica has good bytes of the file.', { path })
    if (this.#components.holders.length > 0 && !this.#sawSilence) {
      throw new StoreError('FILE_NOT_FOUND', 'The bytes of this version are gone.', { path })
    }
    throw new StoreError('UNAVAILABLE', 'No replica that has the bytes of the file answers.', { path })
  }

  /** Nothing more is wanted: whoever is being asked is let go, and nobody else is asked. */
  end(): void {
    this.#ended = true
    this.#letGo()
  }

  #letGo(): void {
    this.#source?.stream.destroy()
    this.#source = undefined
  }

  async #readFrom(first: number, length: number, last: number): Promise<readonly Uint8Array[]> {
    this.#source ??= await this.#open(first, last)
    const source = this.#source
    const pieces: Uint8Array[] = []
    for (let missing = length; missing > 0; ) {
      if (source.rest.length === 0) {
        const { value, done } = await source.chunks.next()
        if (done) throw new StoreError('UNAVAILABLE', 'The bytes of a replica broke off.')
        source.rest = value
      }
      const piece = source.rest.subarray(0, missing)
      source.rest = source.rest.subarray(piece.length)
      pieces.push(piece)
      missing -= piece.length
    }
    return pieces
  }

  async #open(first: number, last: number) {
    const { holders, pull } = this.#components
    const isLastHope = this.#holder === holders.length - 1
    const stream = await pull(holders[this.#holder] as NodeId, { first, last, isLastHope })
    if (this.#ended) stream.destroy()
    // Whoever reads it next meets the error; until then it must not end the process.
    stream.on('error', () => undefined)
    return { stream, chunks: stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>, rest: Buffer.alloc(0) }
  }
}

function blockAt(position: number): number {
  return Math.floor(position / BLOCK_BYTES)
}

/** The parts of a block's pieces from byte `first` up to, and without, byte `end` of the block. */
function within(pieces: readonly Uint8Array[], first: number, end: number): readonly Uint8Array[] {
  const wanted: Uint8Array[] = []
  let at = 0
  for (const piece of pieces) {
    const part = piece.subarray(Math.max(0, first - at), Math.max(0, end - at))
    if (part.length > 0) wanted.push(part)
    at += piece.length
  }
  return wanted
}
