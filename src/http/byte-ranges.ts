/**
 * Ranges of bytes (RFC 9110, section 14): what a Range header asks for, and the multipart/byteranges body of an
 * answer with several. (The libraries for it refuse a suffix that is longer than the file, which section 14.1.2 grants.)
 */
import { Buffer } from 'node:buffer'
import { StoreError } from '../errors.ts'
import type { FileRange } from '../files/file-service.ts'
import type { PathName } from '../ring/path-name.ts'

/** Ranges of one request: players and readers of PDF or ZIP ask for a few; hundreds only waste our disk. */
export const RANGES_MAX = 32

const spec = '(?:\\d+-\\d*|-\\d+)'
// Elements of a list may be empty (section 5.6.1.2).
const byteRangesPattern = new RegExp(`^bytes=[ \\t,]*${spec}(?:[ \\t]*,[ \\t]*(?:${spec})?)*[ \\t]*$`, 'i')

/**
 * The ranges that a Range header asks for, overlapping and adjacent ones joined, in the order of the request;
 * undefined when it is to be ignored: its unit is none that we know, or the file is empty, where caches and players that put
 * a range on every request want to hear of a success.
 * @throws StoreError RANGE_NOT_SATISFIABLE also for malformed and for too many ranges (section 15.5.17).
 */
export function parseRanges(header: string, size: number, path: PathName): FileRange[] | undefined {
  if (!/^bytes=/i.test(header)) return undefined
  if (!byteRangesPattern.test(header)) throw refused('The Range header is malformed.', path)
  const specs = header
    .slice('bytes='.length)
    .split(',')
    .map(text => text.trim())
    .filter(text => text !== '')
  if (specs.length > RANGES_MAX) throw refused(`At most ${RANGES_MAX} ranges are sent at once.`, path)
  if (size === 0) return undefined
  const ranges = specs.map(text => resolve(text, size)).filter(range => range !== undefined)
  if (ranges.length === 0) throw refused(`The file has ${size} bytes and none in the requested range.`, path)
  return joined(ranges)
}

function resolve(text: string, size: number): FileRange | undefined {
  const [from = '', to = ''] = text.split('-')
  const first = from === '' ? Math.max(0, size - Number(to)) : Number(from)
  const last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1)
  return first <= last ? { first, last } : undefined
}

function joined(ranges: readonly FileRange[]): FileRange[] {
  const kept: FileRange[] = []
  for (const range of ranges) {
    let { first, last } = range
    let place = kept.length
    for (let i = kept.length - 1; i >= 0; i--) {
      const other = kept[i] as FileRange
      if (other.first > last + 1 || first > other.last + 1) continue
      first = Math.min(first, other.first)
      last = Math.max(last, other.last)
      kept.splice(i, 1)
      place = i
    }
    kept.splice(place, 0, { first, last })
  }
  // Joining with one can make a range touch another one that was looked at before.
  return kept.length === ranges.length ? kept : joined(kept)
}

function refused(message: string, path: PathName): StoreError {
  return new StoreError('RANGE_NOT_SATISFIABLE', message, { path })
}

/** The parts of a multipart/byteranges body: what comes before each range's bytes, and the closing line. */
export interface MultipartPlan {
  readonly contentType: string
  readonly contentLength: number
  readonly heads: readonly Buffer[]
  readonly tail: Buffer
}

/** `boundary` must not occur in the file; 128 random bits don't. */
export function planMultipart(
  ranges: readonly FileRange[],
  size: number,
  mediaType: string,
  boundary: string,
): MultipartPlan {
  const heads = ranges.map(range =>
    Buffer.from(
      `\r\n--${boundary}\r\nContent-Type: ${mediaType}\r\nContent-Range: ${contentRange(range, size)}\r\n\r\n`,
      'latin1',
    ),
  )
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1')
  let contentLength = tail.length
  ranges.forEach(({ first, last }, i) => {
    contentLength += (heads[i] as Buffer).length + last - first + 1
  })
  return { contentType: `multipart/byteranges; boundary=${boundary}`, contentLength, heads, tail }
}

export function contentRange({ first, last }: FileRange, size: number): string {
  return `bytes ${first}-${last}/${size}`
}
