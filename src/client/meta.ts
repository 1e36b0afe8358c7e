/**
 * User metadata as the client sends and reads it: `Meta-NAME` header fields.
 */
import { userMetaOf } from '../storage/user-meta.ts'
import type { Reply } from './reply.ts'

const PREFIX = 'meta-'

/** @throws StoreError INVALID_REQUEST, METADATA_TOO_LARGE. */
export function metaHeaders(meta: Readonly<Record<string, string>> | undefined): Record<string, string> {
  const fields = userMetaOf(Object.entries(meta ?? {})) ?? []
  return Object.fromEntries(fields.map(([name, value]) => [PREFIX + name, value]))
}

export function metaOf({ headers }: Pick<Reply, 'headers'>): Record<string, string> {
  const fields = Object.entries(headers).filter(([name]) => name.startsWith(PREFIX))
  return Object.fromEntries(fields.map(([name, value]) => [name.slice(PREFIX.length), String(value)]))
}
