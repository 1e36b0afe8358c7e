/**
 * The conditions of a request (RFC 9110, section 13): what they ask, in which order, and what a write makes of them.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { StoreError } from '../errors.ts'
import type { WriteCondition } from '../files/file-service.ts'
import { type ETag, etagOf, type FileRecord } from '../storage/record.ts'

/** `Last-Modified` has whole seconds; a file of the future (a clock that went back) is as old as now. */
export function lastModifiedMs(record: FileRecord, nowMs: number): number {
  return Math.floor(Math.min(record.writtenAtMs, nowMs) / 1000) * 1000
}

const dayName = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)'
const imfFixdate = new RegExp(`^${dayName}, \\d{2} [A-Z][a-z]{2} \\d{4} \\d{2}:\\d{2}:\\d{2} GMT$`)
const rfc850Date = /^[A-Z][a-z]+day, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/
const asctimeDate = new RegExp(`^${dayName} [A-Z][a-z]{2} [ \\d]\\d \\d{2}:\\d{2}:\\d{2} \\d{4}$`)

/** An HTTP-date in ms since 1970 (RFC 9110, section 5.6.7, all three forms); undefined for anything else. */
export function parseHttpDate(text: string): number | undefined {
  const utc = asctimeDate.test(text) ? `${text} GMT` : text
  if (utc === text && !imfFixdate.test(text) && !rfc850Date.test(text)) return undefined
  const ms = Date.parse(utc)
  return Number.isNaN(ms) ? undefined : ms
}

// An opaque tag, with its weakness; RFC 9110, section 8.8.3.
// Elements of a list may be empty (section 5.6.1.2).
const etagPattern = /[ \t,]*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?:,[ \t,]*|$)/y

/** Tags of one header: a client that names more is not comparing versions. */
const ETAGS_MAX = 1000

/**
 * The tags of If-Match or If-None-Match, `W/` included; `*` is every version.
 * @throws StoreError INVALID_REQUEST (an ETag without its quotes is a frequent slip).
 */
export function parseETags(field: string, text: string): '*' | string[] {
  if (text.trim() === '*') return '*'
  const tags: string[] = []
  etagPattern.lastIndex = 0
  while (etagPattern.lastIndex < text.length) {
    const match = etagPattern.exec(text)
    if (match?.[1] === undefined || tags.length === ETAGS_MAX) throw badETags(field)
    tags.push(match[1])
  }
  if (tags.length === 0) throw badETags(field)
  return tags
}

function badETags(field: string): StoreError {
  return new StoreError(
    'INVALID_REQUEST',
    `${field} takes * or up to ${ETAGS_MAX} ETags with their quotes, as in ${field}: "1.7-0a1b2c3d".`,
  )
}

/**
 * Evaluates the conditions of a read in the order of section 13.2.2: true when the file is to be sent, false when it is
 * not modified.
 * @throws StoreError PRECONDITION_FAILED, INVALID_REQUEST.
 */
export function isWanted(headers: IncomingHttpHeaders, record: FileRecord, nowMs: number): boolean {
  const modifiedMs = Math.floor(record.writtenAtMs / 1000) * 1000
  const etag = etagOf(record)
  const ifMatch = headers['if-match']
  const ifUnmodifiedSince = headers['if-unmodified-since']
  if (ifMatch !== undefined) {
    const tags = parseETags('If-Match', ifMatch)
    if (tags !== '*' && !tags.includes(etag)) throw preconditionFailed('If-Match', record)
  } else if (ifUnmodifiedSince !== undefined) {
    const since = parseHttpDate(ifUnmodifiedSince)
    if (since !== undefined && modifiedMs > since) throw preconditionFailed('If-Unmodified-Since', record)
  }
  const ifNoneMatch = headers['if-none-match']
  const ifModifiedSince = headers['if-modified-since']
  if (ifNoneMatch !== undefined) {
    const tags = parseETags('If-None-Match', ifNoneMatch)
    return tags !== '*' && !tags.some(tag => tag === etag || tag === `W/${etag}`)
  }
  if (ifModifiedSince === undefined) return true
  const since = parseHttpDate(ifModifiedSince)
  // A date of the future comes from a clock that went back, and says nothing of what was written since.
  return since === undefined || since > nowMs || modifiedMs > since
}

/**
 * True when a Range is to be honoured (section 13.1.5). A date never is a strong validator here: two versions may have
 * been written within its second (section 8.8.2.2), and pieces of both must not be joined. The client gets all of it.
 */
export function rangeApplies(headers: IncomingHttpHeaders, etag: ETag): boolean {
  const ifRange = headers['if-range']
  return ifRange === undefined || ifRange === etag
}

/**
 * What a put or a remove asks of the file that stands there. `otherwise` holds when the request says nothing.
 * @throws StoreError INVALID_REQUEST for conditions that contradict each other or can't be kept atomically.
 */
export function writeCondition(
  headers: IncomingHttpHeaders,
  overwrite: boolean | undefined,
  otherwise: WriteCondition,
): WriteCondition {
  if (headers['if-unmodified-since'] !== undefined) {
    throw invalid('If-Unmodified-Since is too coarse for a write (two writes fit in a second); use If-Match.')
  }
  const ifMatch = headers['if-match']
  const ifNoneMatch = headers['if-none-match']
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch.trim() !== '*') throw invalid('On a write, If-None-Match takes only *.')
    if (ifMatch !== undefined || overwrite === true) throw invalid('If-None-Match: * contradicts the rest.')
    return 'absent'
  }
  if (ifMatch !== undefined) {
    if (overwrite === false) throw invalid('If-Match replaces a file, and overwrite=false forbids it.')
    const tags = parseETags('If-Match', ifMatch)
    // If-Match compares strongly (section 13.1.1): a weak tag is equal to nothing.
    return tags === '*' ? 'exists' : { etags: tags.filter(tag => !tag.startsWith('W/')) as ETag[] }
  }
  return overwrite === undefined ? otherwise : overwrite ? 'none' : 'absent'
}

/** @throws StoreError INVALID_REQUEST when an endpoint that knows no conditions is given one: ignoring it could lose data. */
export function refuseConditions(headers: IncomingHttpHeaders): void {
  for (const field of ['if-match', 'if-none-match', 'if-unmodified-since'] as const) {
    if (headers[field] !== undefined) throw invalid(`This endpoint takes no ${field} condition.`)
  }
}

function preconditionFailed(field: string, record: FileRecord): StoreError {
  return new StoreError('PRECONDITION_FAILED', `The file is not as ${field} wants it.`, { path: record.path })
}

function invalid(message: string): StoreError {
  return new StoreError('INVALID_REQUEST', message)
}
