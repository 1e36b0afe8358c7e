/**
 * How a node lets go of records that no view of its own has a use for any more: a few in each turn, since a range
 * may hold a million. Until all are gone they only take up room; a node that ends meanwhile goes on when it starts.
 */

import { type Arc, arcContains, WHOLE_RING } from '../../ring/arc.ts'
import type { Identifier } from '../../ring/identifier.ts'
import { DIGITS, overlap, PREFIX_DIGITS } from './digest-tree.ts'
import { dropRecord, type Ledger, setTimer } from './machine-state.ts'

export interface Forgetful extends Ledger {
  readonly forgetting: Forgetting
}

/** Records that are dropped in one turn; one part more may go over it. About 10 ms. */
const FORGOTTEN_MAX = 256

/** What is let go of. */
export interface Forgetting {
  /** Each with the prefixes of its positions that have not been looked over yet. */
  readonly arcs: { readonly arc: Arc; readonly prefixes: string[] }[]
  /** What this node has begun to copy meanwhile, to take it over later. */
  wanted: Arc[]
}

/** Lets go of what nobody here needs in an arc: at once where that is little, else as time permits. */
export function forget(m: Forgetful, arc: Arc): void {
  const { arcs } = m.forgetting
  arcs.push({ arc, prefixes: [''] })
  if (arcs.length === 1) onForget(m)
}

/** This node is about to copy a range, and keeps what it has of it. */
export function keepRange(m: Forgetful, { lo, hi }: Arc): void {
  if (m.forgetting.arcs.length > 0) m.forgetting.wanted.push({ lo, hi })
}

/** What this node has let go of before it started, and not come round to dropping. */
export function forgetStrays(m: Forgetful): void {
  for (const gap of gapsBetween(ownArcs(m))) forget(m, gap)
}

export function onForget(m: Forgetful): void {
  const { forgetting } = m
  const kept = [...ownArcs(m), ...forgetting.wanted]
  let left = FORGOTTEN_MAX
  for (let next = forgetting.arcs[0]; next !== undefined; next = forgetting.arcs[0]) {
    left = forgetSome(m, next, kept, left)
    if (left <= 0) return setTimer(m, 0, { kind: 'forget' })
    forgetting.arcs.shift()
  }
  forgetting.wanted = []
}

/** Gives how many records more may be dropped in this turn; when that is none, the rest of the arc has to wait. */
function forgetSome(
  m: Forgetful,
  { arc, prefixes }: Forgetting['arcs'][number],
  kept: readonly Arc[],
  atMost: number,
): number {
  let left = atMost
  for (let prefix = prefixes.pop(); prefix !== undefined; prefix = prefixes.pop()) {
    const { count } = m.records.digest(arc, prefix)
    if (count === 0 || kept.some(own => overlap(own, prefix) === 'all')) continue
    if (count > FORGOTTEN_MAX && prefix.length < PREFIX_DIGITS) {
      prefixes.push(...DIGITS.map(digit => prefix + digit))
    } else if (left <= 0) {
      prefixes.push(prefix)
      return left
    } else {
      left -= count
      // A trashed version goes with the record that names it.
      for (const record of [...m.records.within(arc, prefix)])
        if (!kept.some(own => arcContains(own, record.position)) && m.records.get(record.path) !== undefined)
          dropRecord(m, record)
    }
  }
  return Math.max(1, left)
}

function ownArcs(m: Forgetful): Arc[] {
  return [...m.views.values()].map(({ view }) => view).filter(({ replicas }) => replicas.includes(m.self))
}

/** The parts of the ring that none of the arcs covers, which may overlap. */
export function gapsBetween(arcs: readonly Arc[]): Arc[] {
  if (arcs.length === 0) return [WHOLE_RING]
  if (arcs.some(({ lo, hi }) => lo === hi)) return []
  const ends = [...new Set(arcs.map(({ hi }) => hi))].sort()
  const begins = arcs.map(({ lo }) => lo).sort()
  const gaps: Arc[] = []
  for (const end of ends) {
    // What follows an end is covered when some arc goes on over it.
    if (arcs.some(arc => arc.hi !== end && (arc.lo === end || arcContains(arc, end)))) continue
    gaps.push({ lo: end, hi: (begins.find(lo => lo > end) ?? begins[0]) as Identifier })
  }
  return gaps
}
