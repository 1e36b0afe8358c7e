/**
 * The picture of the ring: which ranges there are, who answers for each, and how far each has come. Every node
 * tells the ranges that it has a part in; the newest word about a position counts.
 */
import type { RangeReport, RangeState } from '../calls/calls.ts'
import type { NetworkView } from '../replication/chain/network-view.ts'
import type { Arc } from '../ring/arc.ts'
import { type Identifier, type NodeId, RING_SIZE } from '../ring/identifier.ts'
import { serves } from '../views/install.ts'
import { ArcMap } from '../views/range-table.ts'
import { headOf, rankOf, type View } from '../views/view.ts'

/** A range of the picture; nobody is named where nobody is known. */
export interface OverlayRange extends Arc {
  /** Part of the ring, 0 to 1. */
  readonly share: number
  readonly epoch: number
  readonly replicas: readonly NodeId[]
  readonly acceptors: readonly NodeId[]
  readonly state: RangeState
}

/** The ranges that this node has a part in, as replica or as acceptor. */
export function ownRanges(known: Pick<NetworkView, 'self' | 'held' | 'state'>): RangeReport[] {
  const reports: RangeReport[] = []
  for (const state of known.held()) {
    const { id, lo, hi, epoch, replicas, acceptors } = state.view
    const isReplica = replicas.includes(known.self)
    if (!isReplica && !acceptors.includes(known.self)) continue
    // A witness holds no records and so never serves; it knows only whether the view was superseded.
    const isSettled = isReplica ? serves(state) && state.complete : !state.sealed
    const word = isSettled ? 'serving' : isReplica && serves(state) ? 'back-filling' : 'changing'
    reports.push({ lo, hi, epoch, id, replicas, acceptors, state: word })
    for (const child of state.next ?? [])
      if (known.state(child.id) === undefined) reports.push(asChanging(child))
  }
  return reports
}

function asChanging({ id, lo, hi, epoch, replicas, acceptors }: View): RangeReport {
  return { lo, hi, epoch, id, replicas, acceptors, state: 'changing' }
}

/**
 * The whole ring from the words of many nodes, in the order of the positions, beginning with the range of the first
 * position. Of two words about one view its head's counts, else that of another replica.
 */
export function mergeRanges(words: readonly (readonly [from: NodeId, reports: readonly RangeReport[]])[]) {
  const heads: RangeReport[] = []
  const others: RangeReport[] = []
  const witnesses: RangeReport[] = []
  for (const [from, reports] of words) {
    for (const report of reports) {
      if (report.replicas[0] === from) heads.push(report)
      else if (report.replicas.includes(from)) others.push(report)
      else witnesses.push(report)
    }
  }
  const ring = new ArcMap<RangeReport>()
  // The first word about a view stays.
  for (const report of [...heads, ...others, ...witnesses]) ring.cover(report, rankOf(report), report)
  return withGaps(ring.values())
}

function withGaps(reports: readonly RangeReport[]): OverlayRange[] {
  const known = reports
    .map(report => ({ ...report, share: shareOf(report) }))
    .sort((a, b) => (a.hi < b.hi ? -1 : 1))
  const ranges: OverlayRange[] = []
  known.forEach((range, index) => {
    const before = known.at(index - 1) as OverlayRange
    if (before.hi !== range.lo && range.lo !== range.hi) ranges.push(gapBetween(before.hi, range.lo))
    ranges.push(range)
  })
  return ranges
}

function gapBetween(lo: Identifier, hi: Identifier): OverlayRange {
  return { lo, hi, share: shareOf({ lo, hi }), epoch: 0, replicas: [], acceptors: [], state: 'unknown' }
}

/** The part of the ring that an arc covers, 0 to 1. */
export function shareOf({ lo, hi }: Arc): number {
  if (lo === hi) return 1
  const length = (BigInt(`0x${hi}`) - BigInt(`0x${lo}`) + RING_SIZE) % RING_SIZE
  return Number((length * SHARE_STEPS) / RING_SIZE) / Number(SHARE_STEPS)
}

/** Shares are exact to a millionth of a millionth, which a number holds without error. */
const SHARE_STEPS = 10n ** 12n

/** True when a picture has every range where it belongs, and none at this node. */
export function isFreeOf(ranges: readonly OverlayRange[], node: NodeId): boolean {
  const free = ({ state, replicas, acceptors }: OverlayRange) =>
    state === 'serving' && !replicas.includes(node) && !acceptors.includes(node)
  return ranges.length > 0 && ranges.every(free)
}

/** How many views this node holds, and how far they have come; `spare` are those that others have gone on with. */
export function countViews(known: Pick<NetworkView, 'self' | 'held' | 'isSuperseded'>) {
  const replicated = known.held().filter(({ view }) => view.replicas.includes(known.self))
  const current = replicated.filter(state => !known.isSuperseded(state))
  return {
    held: current.length,
    spare: replicated.filter(state => state.installed && known.isSuperseded(state)).length,
    asHead: current.filter(({ view }) => headOf(view) === known.self).length,
    asWitness: known
      .held()
      .filter(({ view, next }) => next === undefined && !view.replicas.includes(known.self)).length,
    notActive: current.filter(state => !serves(state)).length,
    backFilling: current.filter(state => serves(state) && !state.complete).length,
  }
}
