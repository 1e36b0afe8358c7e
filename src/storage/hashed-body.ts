/**
 * The check of one stored body from its first to its last byte: each block against its checksum, as the storage
 * reads it, and the whole against its SHA-256.
 */
import { createHash } from 'node:crypto'
import { StoreError } from '../errors.ts'
import type { FileRecord } from './record.ts'
import type { Storage } from './storage.ts'

/**
 * Yields how many bytes have passed, piece by piece.
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
