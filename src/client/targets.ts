/**
 * How paths and nodes are written into URLs.
 */
import { StoreError } from '../errors.ts'

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
