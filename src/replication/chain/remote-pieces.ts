/**
 * The stream of a body that lies on other nodes. A few such streams read whole blocks ahead, over a connection of their own; see
 * remote-blocks.ts. The others hold no connection while their readers stand still, and a block only as long as there is room:
 * a block is fetched in turn and checked, and handed out in small pieces. Who loses a block keeps the checksums of its
 * pieces, and fetches each piece when it is asked for.
 */
import { Buffer } from 'node:buffer'
import { Readable } from 'node:stream'
import { SMALL_PIECE_BYTES } from '../../storage/blob-stream.ts'
import { crc32 } from '../../storage/crc32.ts'
import type { DownloadRoom } from '../../storage/download-room.ts'
import { BLOCK_BYTES, type FileRecord } from '../../storage/record.ts'
import type { ByteRange } from '../../storage/storage.ts'
import type { BlockShelf } from './block-shelf.ts'
import type { RemoteBlocks } from './remote-blocks.ts'

export interface RemotePiecesComponents {
  readonly blocks: Pick<RemoteBlocks, 'stream' | 'readAlone' | 'end'>
  readonly room: DownloadRoom
  readonly shelf: BlockShelf
}

export interface RemotePiecesInit {
  readonly record: FileRecord
  readonly range: ByteRange
}

/** The bytes of the range; the first block has been checked when this resolves. @throws StoreError as RemoteBlocks. */
export async function remoteStream(
  components: RemotePiecesComponents,
  init: RemotePiecesInit,
): Promise<Readable> {
  const { blocks, room } = components
  if (!room.tryTakeWhole()) return piecesStream(new RemotePieces(components, init))
  try {
    const stream = await blocks.stream()
    stream.once('close', () => room.giveWhole())
    return stream
  } catch (error) {
    room.giveWhole()
    throw error
  }
}

async function piecesStream(pieces: RemotePieces): Promise<Readable> {
  let first: Uint8Array | undefined
  try {
    first = await pieces.next()
  } catch (error) {
    pieces.close()
    throw error
  }
  return new Readable({
    highWaterMark: 1,
    read() {
      const next = first === undefined ? pieces.next() : Promise.resolve(first)
      first = undefined
      next.then(
        piece => this.push(piece ?? null),
        error => this.destroy(error),
      )
    },
    destroy(error, callback) {
      pieces.close()
      callback(error)
    },
  })
}

/** Reads in order; one call of `next` at a time. */
class RemotePieces {
  readonly #components: RemotePiecesComponents
  readonly #init: RemotePiecesInit
  #at: number
  /** Of the block that is handed out: what each piece has to be. */
  #checksums: readonly number[] = []
  #block: Buffer | undefined
  #closed = false

  constructor(components: RemotePiecesComponents, init: RemotePiecesInit) {
    this.#components = components
    this.#init = init
    this.#at = init.range.first
  }

  /** The next bytes; undefined after the last ones. */
  async next(): Promise<Uint8Array | undefined> {
    const { room, shelf } = this.#components
    const { record, range } = this.#init
    if (this.#at > range.last || this.#closed) return undefined
    const index = Math.floor(this.#at / BLOCK_BYTES)
    const start = index * BLOCK_BYTES
    const length = Math.min(BLOCK_BYTES, record.body.size - start)
    if (this.#checksums.length === 0) await room.inTurn(() => this.#fetchBlock(index, start, length))
    const number = Math.floor((this.#at - start) / SMALL_PIECE_BYTES)
    const from = number * SMALL_PIECE_BYTES
    const piece = await this.#piece(number, start + from, Math.min(SMALL_PIECE_BYTES, length - from))
    if (number < this.#checksums.length - 1) shelf.touch(this)
    else this.#leaveBlock()
    const wanted = piece.subarray(this.#at - start - from, range.last + 1 - start - from)
    this.#at += wanted.length
    return wanted
  }

  close(): void {
    this.#closed = true
    this.#leaveBlock()
    this.#components.blocks.end()
  }

  async #fetchBlock(index: number, start: number, length: number): Promise<void> {
    const { blocks, shelf } = this.#components
    const checksum = this.#init.record.body.blockChecksums[index] as number
    const block = Buffer.concat(await blocks.readAlone(start, length, checksum), length)
    if (this.#closed) return
    this.#checksums = Array.from({ length: Math.ceil(length / SMALL_PIECE_BYTES) }, (_, piece) =>
      crc32(block.subarray(piece * SMALL_PIECE_BYTES, (piece + 1) * SMALL_PIECE_BYTES)),
    )
    this.#block = block
    shelf.keep(this, () => {
      this.#block = undefined
    })
  }

  async #piece(number: number, first: number, length: number): Promise<Buffer> {
    const { blocks, room } = this.#components
    const within = number * SMALL_PIECE_BYTES
    // A copy: what waits on the way to a socket would keep the whole block.
    if (this.#block !== undefined) return Buffer.from(this.#block.subarray(within, within + length))
    const checksum = this.#checksums[number] as number
    return Buffer.concat(await room.inTurn(() => blocks.readAlone(first, length, checksum)))
  }

  #leaveBlock(): void {
    this.#checksums = []
    this.#block = undefined
    this.#components.shelf.giveUp(this)
  }
}
