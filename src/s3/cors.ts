/**
 * Which pages of other sites may use the endpoint (the CORS protocol of the Fetch Standard): those of the origins that
 * a setting names. Requests have to be signed all the same.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { S3Error } from './errors.ts'

/** What pages may do; each request is checked by its own signature. */
const METHODS = 'GET, HEAD, PUT, POST, DELETE'

/** Headers of answers that a page may read, beside those that it always may. */
const EXPOSED = [
  'accept-ranges',
  'content-encoding',
  'content-length',
  'content-range',
  'etag',
  'x-amz-bucket-region',
  'x-amz-checksum-crc32',
  'x-amz-checksum-crc32c',
  'x-amz-checksum-crc64nvme',
  'x-amz-checksum-sha1',
  'x-amz-checksum-sha256',
  'x-amz-checksum-type',
  'x-amz-mp-parts-count',
  'x-amz-request-id',
].join(', ')

/** How long a browser may remember what a preflight said, s: the longest that Chromium keeps it. */
const PREFLIGHT_SECONDS = 7200

/** The headers that let the page which asks read the answer; none when it may not, or no page asks. */
export function corsHeaders(
  headers: IncomingHttpHeaders,
  origins: readonly string[],
): Record<string, string> {
  const { origin } = headers
  if (origins.length === 0) return {}
  if (origin === undefined || !isAllowed(origin, origins)) return { vary: 'Origin' }
  return { 'access-control-allow-origin': origin, 'access-control-expose-headers': EXPOSED, vary: 'Origin' }
}

/** What a preflight is answered with beside `corsHeaders`. @throws S3Error AccessForbidden. */
export function preflightHeaders(
  headers: IncomingHttpHeaders,
  origins: readonly string[],
): Record<string, string> {
  const { origin } = headers
  const method = headers['access-control-request-method']
  if (origin === undefined || method === undefined || !isAllowed(origin, origins))
    throw new S3Error('AccessForbidden', 'CORSResponse: pages of this origin may not use this store.')
  const asked = headers['access-control-request-headers']
  return {
    'access-control-allow-methods': METHODS,
    ...(asked !== undefined && { 'access-control-allow-headers': asked }),
    'access-control-max-age': String(PREFLIGHT_SECONDS),
  }
}

function isAllowed(origin: string, origins: readonly string[]): boolean {
  return origins.includes('*') || origins.includes(origin.toLowerCase())
}
