/**
 * The check of what announces a body that comes from another node. Its name becomes the name of a file here.
 */
import { StoreError } from '../errors.ts'
import type { NodeId } from '../ring/identifier.ts'
import type { BlobId } from '../storage/record.ts'

/** A body goes on to as many nodes as there can be copies. */
const NODES_MAX = 15

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

/** Nodes, from one to the next, separated by commas; none is fine. @throws StoreError INVALID_REQUEST. */
export function parseNodes(text: unknown): NodeId[] {
  if (text === '') return []
  const nodes = typeof text === 'string' ? text.split(',') : []
  const isList = nodes.length > 0 && nodes.length <= NODES_MAX
  if (isList && nodes.every(node => /^[0-9a-z.-]{1,64}$/.test(node))) return nodes as NodeId[]
  throw new StoreError('INVALID_REQUEST', 'A body goes on to nodes by their names.')
}
