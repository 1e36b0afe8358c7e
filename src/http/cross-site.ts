/**
 * The protection of a store against the pages that its user's browser shows: a page of another site can make the
 * browser send requests here, and here they must not change anything.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { StoreError } from '../errors.ts'

/**
 * Lets a state-changing request pass when no browser sent it, or one that is on a page of this very origin (or where
 * the user typed the address). Browsers that do not send Sec-Fetch-Site send Origin.
 * @throws StoreError FORBIDDEN.
 */
export function refuseCrossSite(headers: IncomingHttpHeaders, method = 'POST'): void {
  const site = headers['sec-fetch-site']
  if (site !== undefined) {
    if (site === 'same-origin' || site === 'none') return
    throw new StoreError('FORBIDDEN', 'A page of another site may not change anything here.')
  }
  const { origin, host } = headers
  if (origin === undefined) {
    // For an image, browsers send neither to plain HTTP of another machine; and a Referer may be a stored page of our own.
    if (
      method !== 'GET' ||
      !(headers.referer !== undefined || /^Mozilla\//i.test(headers['user-agent'] ?? ''))
    )
      return
    throw new StoreError('FORBIDDEN', 'A page of another site may have sent this; it has to be a POST.')
  }
  if (host !== undefined && /^https?:\/\//.test(origin) && origin.slice(origin.indexOf('//') + 2) === host)
    return
  throw new StoreError('FORBIDDEN', 'A page of another origin may not change anything here.')
}

/**
 * True when a request addresses this machine by an IP address or as localhost, or by one of `names`. A page whose own
 * name is made to resolve to 127.0.0.1 (DNS rebinding) counts as our origin to a browser, and still says its own name
 * in Host.
 */
export function isLocalHost(host: string, names: readonly string[]): boolean {
  const name = host
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()
  return isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost') || names.includes(name)
}
