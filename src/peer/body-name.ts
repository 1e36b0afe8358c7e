/**
 * Owns the check of the names of bodies that come from other nodes: they become names of files here.
 */
import { StoreError } from '../errors.ts'
import type { BlobId } from '../storage/record.ts'

/** @throws StoreError INVALID_REQUEST unless it is 32 hexadecimal digits. */
export function parseBodyName(text: unknown): BlobId {
  if (typeof text === 'string' && /^[0-9a-f]{32}$/.test(text)) return text as BlobId
  throw new StoreError('INVALID_REQUEST', 'A body has 32 hexadecimal digits as its name.')
}

/** @throws StoreError INVALID_REQUEST unless it is 64 hexadecimal digits. */
export function parseSha256(text: unknown): string {
  if (typeof text === 'string' && /^[0-9a-f]{64}$/.test(text)) return text
  throw new StoreError('INVALID_REQUEST', 'A body is announced with its SHA-256.')
}
