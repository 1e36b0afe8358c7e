/**
 * Owns the way of a blob's bytes out: read block by block, one block ahead of the reader, each checked before any of
 * its bytes is handed on.
 */
import { Buffer } from 'node:buffer'
import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { StoreError } from '../errors.ts'
import { checkedBlocks } from './checked-blocks.ts'
import { BLOCK_BYTES, type FileRecord } from './record.ts'
import type { ByteRange } from './storage.ts'

/**
 * A stream over a range of a record's blob, which takes over the open file and closes it. The first block has been
 * checked when this resolves.
 * @throws StoreError CORRUPT, also from the stream later on.
 */
export async function blobStream(record: FileRecord, range: ByteRange, file: FileHandle): Promise<Readable> {
  const blocks = checkedBlocks(record, range, (index, length) => readBlock(record, file, index, length))
  let ahead: Promise<IteratorResult<Uint8Array>> = blocks.next()
  try {
    await ahead
  } catch (error) {
    await file.close()
    throw error
  }
  return new Readable({
    // One block is read ahead here; none needs to wait in the stream as well.
    highWaterMark: 1,
    read() {
      ahead.then(
        ({ value, done }) => {
          if (!done) ahead = blocks.next()
          // A failure is met at the next read; until then it must not count as unhandled.
          ahead.catch(() => undefined)
          this.push(done ? null : value)
        },
        error => this.destroy(error),
      )
    },
    destroy(error, callback) {
      // The file may not be closed while a block is being read from it.
      ahead
        .catch(() => undefined)
        .then(() => file.close())
        .then(() => callback(error), callback)
    },
  })
}

async function readBlock(
  record: FileRecord,
  file: FileHandle,
  index: number,
  length: number,
): Promise<Uint8Array> {
  const block = Buffer.allocUnsafeSlow(length)
  let filled = 0
  try {
    while (filled < length) {
      const { bytesRead } = await file.read(block, filled, length - filled, index * BLOCK_BYTES + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
  } catch (cause) {
    throw new StoreError('CORRUPT', `The disk can't read block ${index} of the stored file.`, {
      path: record.path,
      cause,
    })
  }
  return block.subarray(0, filled)
}
