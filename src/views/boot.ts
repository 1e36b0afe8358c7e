/**
 * How the starts of one disk are told apart and put in order. A disk that was restored from a copy, or copied, has
 * forgotten what it promised. It shows itself by a start that others know better: by a lower count, by another nonce for
 * the same count, or by a later start that does not go on from the one that others remember.
 *
 * So a nonce says what came before it: sixteen digits of its own, then the first four digits of each of the four starts
 * before, the latest first. Nonces of before version 0.2 have the first sixteen alone.
 */
import type { Boot } from './view.ts'

/** Starts of the machine within one start of the process; more would be a disk that refuses everything. */
export const RESTARTS_MAX = 1_000_000

/** Digits of a nonce's own; the chance that two starts share them is that of two random numbers of 64 bits. */
export const OWN_DIGITS = 16

/** Starts that a nonce goes back, and digits for each: one restored disk in 65,536 goes unseen by its nonce. */
export const STARTS_NOTED = 4
const DIGITS_NOTED = 4

/** In the place of a start of which nothing is known: it was an older program's, or told nobody anything. */
const UNKNOWN = '0'.repeat(DIGITS_NOTED)

/** Which start of the disk it is, from 1 on. */
export function diskBootOf({ counter }: Boot): number {
  return Math.floor(counter / RESTARTS_MAX)
}

/** The nonce of a start. @param drawn OWN_DIGITS random digits. @param before the last start that is on the disk. */
export function nonceOf(drawn: string, diskBoot: number, before: Boot | undefined): string {
  const own = drawn.startsWith(UNKNOWN) ? `1${drawn.slice(1)}` : drawn
  if (before === undefined) return own + UNKNOWN.repeat(STARTS_NOTED)
  const missed = Math.max(0, diskBoot - diskBootOf(before) - 1)
  const past = [
    ...Array<string>(Math.min(missed, STARTS_NOTED)).fill(UNKNOWN),
    before.nonce.slice(0, DIGITS_NOTED),
  ]
  return (own + past.join('') + before.nonce.slice(OWN_DIGITS)).slice(
    0,
    OWN_DIGITS + STARTS_NOTED * DIGITS_NOTED,
  )
}

/** Whether a disk of this start has had that one, of a lower count or the same; undefined when it does not go back so far. */
export function goesOnFrom(later: Boot, earlier: Boot): boolean | undefined {
  const starts = diskBootOf(later) - diskBootOf(earlier)
  if (starts === 0 && later.counter === earlier.counter) return later.nonce === earlier.nonce
  // Within one start, an older program drew a nonce for each machine.
  if (later.nonce.length <= OWN_DIGITS || starts < 0) return undefined
  if (starts === 0) return earlier.nonce.length <= OWN_DIGITS ? undefined : later.nonce === earlier.nonce
  const at = OWN_DIGITS + (starts - 1) * DIGITS_NOTED
  const noted = later.nonce.slice(at, at + DIGITS_NOTED)
  if (noted.length < DIGITS_NOTED || noted === UNKNOWN) return undefined
  return noted === earlier.nonce.slice(0, DIGITS_NOTED)
}
