/**
 * Arcs of the ring: (lo, hi], clockwise, with wrap-around (Chord, section 4.2: a key belongs to the first
 * identifier that equals or follows it).
 */
import type { Identifier } from './identifier.ts'

/** The positions after `lo` up to and including `hi`. `lo` = `hi` is the whole ring, never the empty arc. */
export interface Arc {
  readonly lo: Identifier
  readonly hi: Identifier
}

const ZERO = '0'.repeat(40) as Identifier
export const WHOLE_RING: Arc = { lo: ZERO, hi: ZERO }

export function arcContains(arc: Arc, position: Identifier): boolean {
  if (arc.lo < arc.hi) return arc.lo < position && position <= arc.hi
  return position > arc.lo || position <= arc.hi
}

/** The positions whose digits begin with `prefix`. */
export function arcOfPrefix(prefix: string): Arc {
  const first = BigInt(`0x${prefix.padEnd(40, '0')}`)
  const before = first === 0n ? 'f'.repeat(40) : (first - 1n).toString(16).padStart(40, '0')
  return { lo: before as Identifier, hi: prefix.padEnd(40, 'f') as Identifier }
}

/** Cuts an arc at a position strictly inside it (not at `hi`): the part up to the position, and the part after. */
export function splitArc(arc: Arc, at: Identifier): [Arc, Arc] {
  if (at === arc.hi || !arcContains(arc, at)) throw new TypeError(`${at} does not cut (${arc.lo}, ${arc.hi}]`)
  return [
    { lo: arc.lo, hi: at },
    { lo: at, hi: arc.hi },
  ]
}

/** Whether two ranges share a position. */
export function overlaps(a: Arc, b: Arc): boolean {
  return arcContains(a, b.hi) || arcContains(b, a.hi)
}
