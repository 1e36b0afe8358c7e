/**
 * Owns lists: pages and endless streams of the files under a prefix, one level at a time where a delimiter is given.
 *
 * It hands out batches, and between two of them it holds no place in the storage: a reader that stands still for an
 * hour costs nothing, and a list of any size never keeps the event loop for longer than one batch.
 */
import { Buffer } from 'node:buffer'
import { PATH_BYTES_MAX } from '../ring/path-name.ts'
import type { ListEntry } from '../storage/storage.ts'

export interface ListQuery {
  /** Empty, or the beginning of a path. */
  readonly prefix: string
  /** With a delimiter, what lies behind the first `/` after the prefix is summed up as one common prefix. */
  readonly delimiter?: '/' | undefined
  /** Only what comes after this path or common prefix. */
  readonly after?: string | undefined
  /** Entries and common prefixes together. */
  readonly limit: number
}

export const LIST_LIMIT_DEFAULT = 1000

/** Of one JSON page: about 2 MiB of text. NDJSON has no limit. */
export const LIST_LIMIT_MAX = 10_000

// Entries of one batch: 500 take about 1 ms, which is the longest that others wait for the event loop.
const BATCH_ENTRIES = 500

/** A file as a list shows it. */
export type ListedFile = ListEntry

/** What a list shows: a file, or (as a string that ends with the delimiter) the common prefix of several. */
export type Listed = ListEntry | string

/** The path or common prefix of a line of a list: what `after` continues from. */
export function placeOf(listed: Listed): string {
  return typeof listed === 'string' ? listed : listed.path
}

/** One page: at the most `limit` lines, and the `after` of the next page, or undefined when this was the last. */
export interface ListPage {
  readonly listed: readonly Listed[]
  readonly next: string | undefined
}

/** Where entries come from: up to `limit` of them, fewer only at the end. */
export interface ListSource {
  list(prefix: string, after: string | undefined, limit: number): Promise<readonly ListEntry[]>
}

/** Everything that matches, in byte order, in batches of up to 500. A live view: files may come and go meanwhile. */
export async function* listBatches(source: ListSource, query: ListQuery): AsyncIterable<readonly Listed[]> {
  let after = query.after
  let left = query.limit
  while (left > 0) {
    const batch = await oneBatch(source, { ...query, after, limit: Math.min(left, BATCH_ENTRIES) })
    if (batch.listed.length > 0) yield batch.listed
    if (batch.next === undefined) return
    after = batch.next
    left -= batch.listed.length
  }
}

/** One batch of up to `limit` lines. `next` is set when the limit was met, whether or not anything follows. */
export async function oneBatch(source: ListSource, query: ListQuery): Promise<ListPage> {
  const { prefix, delimiter, limit } = query
  const listed: Listed[] = []
  let from = startAfter(query)
  for (let more = true; more; ) {
    more = false
    const wanted = limit - listed.length
    const entries = await source.list(prefix, from, wanted)
    for (const entry of entries) {
      const common = delimiter && commonPrefix(entry.path, prefix, delimiter)
      listed.push(common ?? entry)
      if (listed.length === limit) return { listed, next: placeOf(listed[limit - 1] as Listed) }
      if (common !== undefined) {
        // Jump over everything below: a level of a few folders is as quick with a million files in each.
        from = behind(common)
        more = true
        break
      }
    }
  }
  return { listed, next: undefined }
}

function startAfter({ prefix, delimiter, after }: ListQuery): string | undefined {
  if (after === undefined || delimiter === undefined) return after
  const common = after.startsWith(prefix) ? commonPrefix(after, prefix, delimiter) : undefined
  return common === after ? behind(common) : after
}

function commonPrefix(path: string, prefix: string, delimiter: string): string | undefined {
  const end = path.indexOf(delimiter, prefix.length)
  return end === -1 ? undefined : path.slice(0, end + 1)
}

/** A text that sorts after every path with this prefix: paths have at most PATH_BYTES_MAX bytes, U+10FFFF is greatest. */
export function behind(prefix: string): string {
  const room = PATH_BYTES_MAX + 4 - Buffer.byteLength(prefix)
  return prefix + '\u{10ffff}'.repeat(Math.ceil(room / 4))
}
