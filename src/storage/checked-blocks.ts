/**
 * The check of a body's blocks on their way out: no byte of a block is handed on before the whole block has
 * passed its CRC-32, and that holds for ranges too, which read the whole blocks around them. And the check of a whole body
 * against its SHA-256.
 */
import { createHash } from 'node:crypto'
import { StoreError } from '../errors.ts'
import { crc32 } from './crc32.ts'
import { BLOCK_BYTES, type FileRecord } from './record.ts'
import type { ByteRange, Storage } from './storage.ts'

/** Gives the bytes of one block; `length` is what the record says it has. */
export type ReadBlock = (index: number, length: number) => Promise<Uint8Array>

/** @throws TypeError for a range that does not lie within the body: the layer above has to have checked it. */
export function wholeRange(record: FileRecord, range: ByteRange | undefined): ByteRange {
  if (range === undefined) return { first: 0, last: record.body.size - 1 }
  const { first, last } = range
  if (
    !(
      Number.isInteger(first) &&
      Number.isInteger(last) &&
      0 <= first &&
      first <= last &&
      last < record.body.size
    )
  ) {
    throw new TypeError(`bytes ${first}-${last} do not lie within a body of ${record.body.size}`)
  }
  return range
}

/** The bytes of a range, block by block, each checked before it is yielded. */
export async function* checkedBlocks(
  record: FileRecord,
  range: ByteRange,
  readBlock: ReadBlock,
): AsyncGenerator<Uint8Array> {
  for (let index = Math.floor(range.first / BLOCK_BYTES); index * BLOCK_BYTES <= range.last; index += 1) {
    const start = index * BLOCK_BYTES
    const length = Math.min(BLOCK_BYTES, record.body.size - start)
    const block = await readBlock(index, length)
    checkBlock(record, index, block)
    yield block.subarray(Math.max(0, range.first - start), range.last - start + 1)
  }
}

/** @throws StoreError CORRUPT when the bytes are not those of the record's block. */
export function checkBlock(record: FileRecord, index: number, block: Uint8Array): void {
  const length = Math.min(BLOCK_BYTES, record.body.size - index * BLOCK_BYTES)
  if (block.length === length && crc32(block) === record.body.blockChecksums[index]) return
  throw new StoreError('CORRUPT', `Block ${index} of the stored file fails its checksum.`, {
    path: record.path,
  })
}

/** The bytes of an inline body, checked. */
export function checkedInline(record: FileRecord, inline: Uint8Array, range: ByteRange): Uint8Array {
  if (record.body.size > 0 || inline.length > 0) checkBlock(record, 0, inline)
  return inline.subarray(range.first, range.last + 1)
}

/**
 * Reads a body from its first to its last byte; yields how many bytes have passed, piece by piece.
 * @throws StoreError CORRUPT; FILE_NOT_FOUND when the bytes of this version are gone.
 */
export async function* hashedBody(
  storage: Pick<Storage, 'read'>,
  record: FileRecord,
): AsyncGenerator<number, void> {
  const hash = createHash('sha256')
  const body = await storage.read(record)
  for await (const chunk of body instanceof Uint8Array ? [body] : body) {
    hash.update(chunk)
    yield chunk.byteLength
  }
  if (hash.digest('hex') === record.body.sha256) return
  throw new StoreError('CORRUPT', 'The bytes do not have the SHA-256 of the file.', { path: record.path })
}
