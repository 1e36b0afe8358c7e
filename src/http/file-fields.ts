/**
 * What the header of an answer says of a file: names and values in turn, as node:http takes them quickest.
 */
import { Buffer } from 'node:buffer'
import type { IncomingHttpHeaders } from 'node:http'
import { create as contentDisposition } from 'content-disposition'
import type { FoundFile } from '../files/file-service.ts'
import type { PathName } from '../ring/path-name.ts'
import type { RingNode } from '../ring-node/ring-node.ts'
import { type Body, type ETag, etagOf, type FileRecord, type Version } from '../storage/record.ts'
import { lastModifiedMs } from './conditions.ts'
import { ringFields } from './endpoint.ts'
import { metaFields } from './meta-fields.ts'
import { rangeFields } from './ring-range.ts'

/** What every answer about a file says, a 304 too. */
export function headerFields(
  ring: RingNode,
  headers: IncomingHttpHeaders,
  { record, chain, conflicts }: FoundFile,
  nowMs: number,
): string[] {
  const [chainName, chainText, hopsName, hops] = ringFields(chain)
  const { etag, lastModified } = shownOf(record)
  const isOfFuture = record.writtenAtMs > nowMs
  const fields = [
    chainName,
    chainText,
    hopsName,
    hops,
    'etag',
    etag,
    'last-modified',
    isOfFuture ? new Date(lastModifiedMs(record, nowMs)).toUTCString() : lastModified,
    'accept-ranges',
    'bytes',
    // A store whose files change must be asked again; with the ETag that costs a 304.
    'cache-control',
    'no-cache',
  ]
  if (conflicts !== undefined) fields.push('conflicts', String(conflicts))
  if (headers['ring-epoch'] !== undefined) fields.push(...rangeFields(ring, headers, record.path))
  return fields
}

/** What an answer with bytes says beside those: what they are, and what a browser may not do with them. */
export function bodyFields(fields: string[], record: FileRecord, attachment: boolean): void {
  fields.push('repr-digest', shownOf(record).digest)
  fields.push('x-content-type-options', 'nosniff', 'content-security-policy', 'sandbox')
  if (record.meta.user) fields.push(...metaFields(record.meta.user))
  if (attachment) fields.push('content-disposition', contentDisposition(fileNameOf(record.path)))
}

/** What the header says of one version of a file. */
interface Shown {
  readonly version: Version
  readonly writtenAtMs: number
  readonly etag: ETag
  readonly lastModified: string
  readonly digest: string
}

/** As long as a body is kept decoded because it is asked for again, its header is, too. */
const shown = new WeakMap<Body, Shown>()

function shownOf({ version, body, writtenAtMs }: FileRecord): Shown {
  const known = shown.get(body)
  if (known !== undefined && known.version === version && known.writtenAtMs === writtenAtMs) return known
  const etag = etagOf({ version, body })
  const lastModified = new Date(Math.floor(writtenAtMs / 1000) * 1000).toUTCString()
  const digest = `sha-256=:${Buffer.from(body.sha256, 'hex').toString('base64')}:`
  const made = { version, writtenAtMs, etag, lastModified, digest }
  shown.set(body, made)
  return made
}

function fileNameOf(path: PathName): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
