/**
 * What an Idempotency-Key means (draft-ietf-httpapi-idempotency-key-header-07): the first request with a key does
 * the work and its outcome is kept, done or refused; the same request again gets that outcome; another request under the
 * same key is refused (docs/decisions/0025-refusals-are-kept.md).
 */
import { createHash } from 'node:crypto'
import { errorCode, StoreError } from '../errors.ts'
import type { Change, Written } from '../replication/replication.ts'
import type { PathName } from '../ring/path-name.ts'

const keyPattern = /^[\x20-\x7e]{1,255}$/

/** @throws StoreError INVALID_REQUEST when `text` is not 1 to 255 printable ASCII characters. */
export function parseIdempotencyKey(text: string): string {
  if (keyPattern.test(text)) return text
  throw new StoreError('INVALID_REQUEST', 'An Idempotency-Key has 1 to 255 printable ASCII characters.')
}

/** The key of one file of a form: the form's own key stands for all of them, one is kept for each file. */
export function keyOfPart(key: string, index: number): string {
  return `part-${index}-${createHash('sha256').update(key).digest('base64url')}`
}

/** One request as its key sees it. */
export interface KeyedRequest {
  readonly key: string
  /** Stands for everything that decides what the request does. */
  readonly fingerprint: string
  /** The path that the answer is about. */
  readonly path: PathName
}

/** `parts`: everything that decides what the request does, in order. */
export function keyedRequest(key: string, path: PathName, parts: readonly unknown[]): KeyedRequest {
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([path, ...parts]))
    .digest('base64url')
  return { key, fingerprint, path }
}

/**
 * There is nothing to put at the path. Of a request with a key an earlier try may be under way: either it has been made, and this gives
 * what it did, or it is kept that it never will be (docs/decisions/0478).
 * @param commit under that key; undefined for a request without one.
 * @throws missing
 */
export async function refuseMissing(
  change: Omit<Change & { kind: 'refuse' }, 'kind'>,
  commit: ((change: Change) => Promise<Written>) | undefined,
  missing: unknown,
): Promise<Written> {
  if (commit === undefined) throw missing
  try {
    return await commit({ kind: 'refuse', ...change })
  } catch (error) {
    throw errorCode(error) === 'FILE_NOT_FOUND' ? missing : error
  }
}
