/**
 * Lists: pages and endless streams of the files under a prefix, one level at a time where a delimiter is given.
 *
 * It hands out batches, and between two of them it holds no place in the storage: a reader that stands still for an
 * hour costs nothing, and a list of any size never keeps the event loop for longer than one batch.
 */
import { behind, commonPrefix } from '../ring/path-name.ts'
import { type ListEntry, type Listed, type ListQuery, placeOf } from '../storage/storage.ts'

export { type Listed, type ListQuery, placeOf }

export const LIST_LIMIT_DEFAULT = 1000

/** Of one JSON page: about 2 MiB of text. NDJSON has no limit. */
export const LIST_LIMIT_MAX = 10_000

// Entries of one batch: 500 take about 1 ms, which is the longest that others wait for the event loop.
const BATCH_ENTRIES = 500

/** A file as a list shows it. */
export type ListedFile = ListEntry

/** One page: at the most `limit` lines, and the `after` of the next page, or undefined when this was the last. */
export interface ListPage {
  readonly listed: readonly Listed[]
  readonly next: string | undefined
}

/** Where lines come from: up to `limit` of them, summed up by the delimiter, fewer only at the end. */
export interface ListSource {
  list(query: ListQuery): Promise<readonly Listed[]>
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
  const listed = await source.list({ ...query, after: startAfter(query) })
  const last = listed.at(-1)
  const isFull = last !== undefined && listed.length >= query.limit
  return { listed, next: isFull ? placeOf(last) : undefined }
}

function startAfter({ prefix, delimiter, after }: ListQuery): string | undefined {
  if (after === undefined || delimiter === undefined) return after
  const common = after.startsWith(prefix) ? commonPrefix(after, prefix, delimiter) : undefined
  return common === after ? behind(common) : after
}
