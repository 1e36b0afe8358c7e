/**
 * How paths, nodes and user metadata are written into a request, and user metadata is read from a reply (`Meta-NAME` fields).
 */
import { StoreError } from '../errors.ts'
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

/** Slashes stay, everything else is percent-encoded. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}

/** `http://host:port` of the URL of a node. @throws StoreError INVALID_REQUEST when it is no http or https URL. */
export function originOf(node: string): string {
  const url = URL.canParse(node) ? new URL(node) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search !== '') {
    throw new StoreError(
      'INVALID_REQUEST',
      `"${node}" is not the URL of a node, such as http://127.0.0.1:5000.`,
    )
  }
  return url.origin
}
