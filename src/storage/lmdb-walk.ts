/**
 * The walk over a table of LMDB: in parts, so that no read transaction stays open while the caller is busy.
 */
import { Buffer } from 'node:buffer'
import type { Database } from 'lmdb'
import type { Identifier } from '../ring/identifier.ts'

export type Table = Database<Buffer, Buffer>

/** Records read at once: with inline bodies up to 2 MiB of memory. */
const RECORDS_AT_ONCE = 32

/** Of the first part of a walk; it doubles from part to part. Who looks for one entry reads few. */
const FIRST_PART = 8

/** Walks a table in parts, so that no read transaction stays open while the caller is busy elsewhere. */
export function* inParts(
  table: Table,
  start: Buffer | undefined,
  end: Buffer | undefined,
  limit: number,
): Generator<{ key: Buffer; value: Buffer }> {
  let from = start && { start, exclusiveStart: false }
  for (let many = Math.min(FIRST_PART, limit); ; many = Math.min(many * 2, limit)) {
    const part = Array.from(table.getRange({ ...from, ...(end && { end }), limit: many }))
    yield* part
    const last = part.at(-1)
    if (part.length < many || !last) return
    from = { start: last.key, exclusiveStart: true }
  }
}

/** The entries of a table by record keys whose positions lie in (lo, hi], clockwise; a live view. */
export function* within(
  table: Table,
  lo: Identifier,
  hi: Identifier,
): Generator<{ key: Buffer; value: Buffer }> {
  const [after, last] = [afterPosition(lo), afterPosition(hi)]
  if (lo < hi) return yield* inParts(table, after, last, RECORDS_AT_ONCE)
  yield* inParts(table, after, undefined, RECORDS_AT_ONCE)
  yield* inParts(table, undefined, last, RECORDS_AT_ONCE)
}

/** The least key that sorts after every record at a position: no path begins with 0xff, nor does UTF-8 hold it. */
function afterPosition(position: Identifier): Buffer {
  return Buffer.concat([Buffer.from(position, 'hex'), Buffer.of(0xff)])
}
