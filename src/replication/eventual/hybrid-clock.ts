/**
 * Hybrid logical clock (Kulkarni, Demirbas, Madappa, Avva & Leone, *Logical Physical Clocks*, OPODIS 2014): stamps grow along everything that
 * a node has done and heard, and stay near the wall clock. They say which of several concurrent versions is shown, and nothing else: what
 * replaces what is decided by what was seen (dot.ts).
 */

/** Microseconds since 1970; the part below the millisecond counts what happens within it. A safe integer until the year 2255. */
export type Stamp = number

/**
 * How far ahead of the receiver's clock a stamp counts, ms. One that is further ahead is taken for that: a clock that is hours ahead is
 * preferred for minutes. Machines with a time service are milliseconds apart.
 */
export const AHEAD_MS_MAX = 5 * 60 * 1000

const TICKS_PER_MS = 1000

export class HybridClock {
  #last: Stamp = 0

  /** Of a write that is accepted now. */
  next(nowMs: number): Stamp {
    this.#last = Math.max(this.#last + 1, Math.floor(nowMs) * TICKS_PER_MS)
    return this.#last
  }

  /** What a stamp of another node counts for here. */
  hear(stamp: Stamp, nowMs: number): Stamp {
    const bounded = Math.min(stamp, (Math.floor(nowMs) + AHEAD_MS_MAX) * TICKS_PER_MS)
    this.#last = Math.max(this.#last, bounded)
    return bounded
  }
}
