/**
 * The way of a blob's bytes out: each block is checked before any of its bytes is handed on.
 *
 * A few downloads hold whole blocks and read one ahead of their readers. The others hand out small pieces: a block is
 * read once to be checked, of which the checksums of its pieces stay, and each piece is read and compared when its reader
 * asks for it.
 */
import { Buffer } from 'node:buffer'
import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { errorCode, StoreError } from '../errors.ts'
import { checkBlock } from './checked-blocks.ts'
import { crc32 } from './crc32.ts'
import type { DiskWatch } from './disk-watch.ts'
import type { DownloadRoom } from './download-room.ts'
import { BLOCK_BYTES, type FileRecord } from './record.ts'
import type { ByteRange } from './storage.ts'

/** What a download holds that has no room for whole blocks. Three of them wait on the way to its socket. */
export const SMALL_PIECE_BYTES = 16 * 1024

interface Parts {
  readonly record: FileRecord
  readonly range: ByteRange
  readonly file: FileHandle
  readonly room: DownloadRoom
  readonly watch: Pick<DiskWatch, 'during' | 'unlessHanging'>
}

/**
 * A stream over a range of a record's blob, which takes over the open file and closes it. The first block has been
 * checked when this resolves.
 * @throws StoreError CORRUPT, also from the stream later on.
 */
export async function blobStream(parts: Parts): Promise<Readable> {
  const { watch } = parts
  const reader = new BlobReader(parts)
  // What a disk that hangs has under way goes on, and nobody waits for it.
  const close = () => watch.unlessHanging(reader.close()).catch(() => undefined)
  let ahead: Promise<Uint8Array | undefined> | undefined = reader.next()
  try {
    await watch.unlessHanging(ahead)
  } catch (error) {
    await close()
    throw unreadable(parts.record, error)
  }
  return new Readable({
    // What is read ahead waits here; nothing needs to wait in the stream as well.
    highWaterMark: 1,
    read() {
      const bytes = ahead ?? reader.next()
      ahead = undefined
      watch.unlessHanging(bytes).then(
        value => {
          if (value !== undefined && reader.isWhole && !this.destroyed) {
            ahead = reader.next()
            // A failure is met at the next read; until then it must not count as unhandled.
            ahead.catch(() => undefined)
          }
          this.push(value ?? null)
        },
        error => this.destroy(unreadable(parts.record, error)),
      )
    },
    destroy(error, callback) {
      ahead = undefined
      void close().then(() => callback(error))
    },
  })
}

/** To its readers a disk that hangs is one that can't be read: others may have the body. */
function unreadable({ path }: FileRecord, error: unknown): Error {
  if (errorCode(error) !== 'UNAVAILABLE') return error as Error
  return new StoreError('CORRUPT', 'The disk does not give the stored file.', { path, cause: error })
}

/** Reads in order; one call of `next` at a time. */
class BlobReader {
  readonly #parts: Parts
  /** Of the block that is handed out in pieces: what each piece has to be. */
  #checksums: readonly number[] = []
  #at: number
  #isWhole = false
  #reading: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(parts: Parts) {
    this.#parts = parts
    this.#at = parts.range.first
  }

  /** Whether whole blocks are handed out, and one may be read ahead. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  /** The next bytes; undefined after the last ones. */
  next(): Promise<Uint8Array | undefined> {
    const reading = this.#next()
    this.#reading = reading.catch(() => undefined)
    return reading
  }

  async close(): Promise<void> {
    this.#closed = true
    // The file may not be closed while a block is being read from it.
    await this.#reading
    if (this.#isWhole) this.#parts.room.giveWhole()
    this.#isWhole = false
    await this.#parts.file.close()
  }

  async #next(): Promise<Uint8Array | undefined> {
    const { range, room } = this.#parts
    if (this.#at > range.last) return undefined
    if (this.#checksums.length > 0) return room.inTurn(() => this.#nextPiece())
    this.#isWhole ||= room.tryTakeWhole()
    if (this.#isWhole) return this.#nextBlock()
    return room.withBlock(async buffer => {
      if (this.#closed) return undefined
      await this.#checkAhead(buffer)
      return this.#nextPiece()
    })
  }

  async #nextBlock(): Promise<Uint8Array> {
    const { index, start, length } = this.#block()
    const block = await this.#read(this.#parts.room.lend(length), start)
    checkBlock(this.#parts.record, index, block)
    return this.#wanted(block, start)
  }

  /** Reads and checks the next block, and keeps the checksums of its pieces. */
  async #checkAhead(buffer: Buffer): Promise<void> {
    const { index, start, length } = this.#block()
    const block = await this.#read(buffer.subarray(0, length), start)
    checkBlock(this.#parts.record, index, block)
    this.#checksums = Array.from({ length: Math.ceil(length / SMALL_PIECE_BYTES) }, (_, piece) =>
      crc32(block.subarray(piece * SMALL_PIECE_BYTES, (piece + 1) * SMALL_PIECE_BYTES)),
    )
  }

  async #nextPiece(): Promise<Uint8Array> {
    const { index, start, length } = this.#block()
    const number = Math.floor((this.#at - start) / SMALL_PIECE_BYTES)
    const from = number * SMALL_PIECE_BYTES
    const buffer = Buffer.allocUnsafeSlow(Math.min(SMALL_PIECE_BYTES, length - from))
    const piece = await this.#read(buffer, start + from)
    if (piece.length < buffer.length || crc32(piece) !== this.#checksums[number]) {
      throw new StoreError('CORRUPT', `Block ${index} of the stored file has changed.`, {
        path: this.#parts.record.path,
      })
    }
    if (number === this.#checksums.length - 1) this.#checksums = []
    return this.#wanted(piece, start + from)
  }

  /** The block of the next byte. */
  #block(): { readonly index: number; readonly start: number; readonly length: number } {
    const index = Math.floor(this.#at / BLOCK_BYTES)
    const start = index * BLOCK_BYTES
    return { index, start, length: Math.min(BLOCK_BYTES, this.#parts.record.body.size - start) }
  }

  /** What the range wants of the bytes that lie at `start`; the next ones follow on them. */
  #wanted(bytes: Buffer, start: number): Uint8Array {
    const { last } = this.#parts.range
    const wanted = bytes.subarray(this.#at - start, last - start + 1)
    this.#at += wanted.length
    return wanted
  }

  /** Fills a buffer from byte `start` of the file on, as far as the file goes. */
  async #read(buffer: Buffer, start: number): Promise<Buffer> {
    const { file, record } = this.#parts
    let filled = 0
    try {
      while (filled < buffer.length) {
        const reading = file.read(buffer, filled, buffer.length - filled, start + filled)
        const { bytesRead } = await this.#parts.watch.during(reading)
        if (bytesRead === 0) break
        filled += bytesRead
      }
    } catch (cause) {
      const index = Math.floor(start / BLOCK_BYTES)
      throw new StoreError('CORRUPT', `The disk can't read block ${index} of the stored file.`, {
        path: record.path,
        cause,
      })
    }
    return buffer.subarray(0, filled)
  }
}
