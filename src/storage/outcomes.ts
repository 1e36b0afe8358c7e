/**
 * Owns the rules of outcomes under an Idempotency-Key: what a repeated key answers and what is refused.
 */
import { Buffer } from 'node:buffer'
import { StoreError } from '../errors.ts'
import type { CommitOptions, Committed, Outcome } from './storage.ts'

/** The longest key, in bytes; LMDB's own limit is 1,978 with the time of expiry before it. */
const KEY_BYTES_MAX = 255

/** The longest answer, in bytes: a receipt is a few hundred. */
const ANSWER_BYTES_MAX = 4096

export type Idempotency = NonNullable<CommitOptions['idempotency']>

/**
 * What a commit answers when its key has an outcome already.
 * @throws StoreError IDEMPOTENCY_KEY_REUSED when the key was used for something else.
 */
export function replayedAnswer(kept: Outcome, idempotency: Idempotency): string {
  if (kept.fingerprint === idempotency.fingerprint) return kept.answer
  throw new StoreError(
    'IDEMPOTENCY_KEY_REUSED',
    'This Idempotency-Key was used before for a different request.',
  )
}

/** @throws TypeError when a key is out of bounds; the layer above has to have checked it. */
export function checkKey(key: string): string {
  const keyBytes = Buffer.byteLength(key)
  if (keyBytes < 1 || keyBytes > KEY_BYTES_MAX) throw new TypeError(`an Idempotency-Key of ${keyBytes} bytes`)
  return key
}

/** @throws TypeError when the answer is too long. */
export function outcomeOf(idempotency: Idempotency, committed: Committed): Outcome {
  const answer = idempotency.answer(committed)
  if (Buffer.byteLength(answer) > ANSWER_BYTES_MAX) {
    throw new TypeError(`an answer of more than ${ANSWER_BYTES_MAX} bytes`)
  }
  return { fingerprint: idempotency.fingerprint, answer }
}

export function tooManyOutcomes(): StoreError {
  const message = 'Too many Idempotency-Keys are being kept; older ones are forgotten after 24 hours.'
  return new StoreError('OVERLOADED', message, { retryAfterSeconds: 60 })
}
