/**
 * Which ranges can't come back by themselves, and what an operator may put in their place: a new view with a single
 * survivor, decided by nobody's Paxos. It stands above every view that anybody who answers knows of, by so many epochs
 * that what the lost ones may have decided among themselves stays below it, too; whoever returns finds its own superseded.
 */
import { hash } from 'node:crypto'
import { type Arc, arcContains } from '../ring/arc.ts'
import type { Identifier, NodeId } from '../ring/identifier.ts'
import { asSource, compareViews, majority, type Source, type View, type ViewId } from './view.ts'

/**
 * Epochs that are left out at least, and at the most twice as many: far more than a range changes its view in an outage,
 * and 2,147 times into 32 bits. How many more differs from one recovery to the other, so that the lineages of two that do
 * not know of each other do not come to the same epochs.
 */
export const EPOCHS_SKIPPED = 1_000_000

/** What a node holds of one view. */
export interface Holding {
  readonly view: View
  readonly installed: boolean
  readonly active: boolean
  readonly seq: number
  /** Kept of its range. */
  readonly records: number
}

/** All that a node which answered knows of ranges. */
export interface Knowledge {
  readonly holdings: readonly Holding[]
  /** Views that it has heard of. */
  readonly known: readonly View[]
}

/** A range that is lost. */
export interface LostRange extends Arc {
  /** The newest view that anybody who answers knows of in this range. */
  readonly id: ViewId
  readonly epoch: number
  /** Members of its newest view that do not answer. */
  readonly silent: readonly NodeId[]
  /** Who is to go on alone, from which state; undefined when nobody who answers has any. */
  readonly survivor:
    | {
        readonly node: NodeId
        readonly source: Source
        readonly records: number
        /** It was a replica of the newest view: whatever was acknowledged in that is there. */
        readonly isNewest: boolean
      }
    | undefined
}

/**
 * The ranges in which no majority of the acceptors answers, or no replica, in the order of the ring. As long as one does,
 * the range repairs itself, and nothing may be forced.
 */
export function lostRanges(answers: ReadonlyMap<NodeId, Knowledge>): LostRange[] {
  const views = new Map<ViewId, View>()
  for (const { holdings, known } of answers.values()) {
    for (const view of [...known, ...holdings.map(({ view }) => view)]) views.set(view.id, view)
  }
  const lost: LostRange[] = []
  for (const [arc, view] of newestAt([...views.values()])) {
    const silent = [...new Set([...view.replicas, ...view.acceptors])].filter(node => !answers.has(node))
    const votes = view.acceptors.filter(node => answers.has(node)).length
    const copies = view.replicas.filter(node => answers.has(node)).length
    if (votes >= majority(view.acceptors) && copies > 0) continue
    lost.push({ ...arc, id: view.id, epoch: view.epoch, silent, survivor: survivorOf(arc, view, answers) })
  }
  return lost
}

/**
 * The view that the survivor goes on with. Its writes begin at a number of their own among 2^52, which its children go on
 * from: two recoveries of one range that do not know of each other never write one version, whatever epochs they come to.
 * @param nonce unlike any other; it decides the id, the epoch and the number.
 */
export function recoveredView({ lo, hi, epoch, survivor }: LostRange, nonce: string): View {
  if (survivor === undefined) throw new TypeError('Nobody has anything to go on with.')
  const { node, source } = survivor
  const drawn = hash('sha256', nonce)
  const next = epoch + EPOCHS_SKIPPED + (Number.parseInt(drawn.slice(0, 8), 16) % EPOCHS_SKIPPED)
  const id = `${next}-${nonce}-forced` as ViewId
  return {
    id,
    epoch: next,
    lo,
    hi,
    replicas: [node],
    acceptors: [node],
    sources: [source],
    root: id,
    firstSeq: Number.parseInt(drawn.slice(8, 8 + SEQ_DIGITS), 16),
  }
}

/** Of the number that the writes of a recovered range begin at: 52 bits, so that 2^52 more fit behind it. */
const SEQ_DIGITS = 13

/** Who has adopted the newest state of all that cover the range; of equals, who is ahead. */
function survivorOf(arc: Arc, newest: View, answers: ReadonlyMap<NodeId, Knowledge>): LostRange['survivor'] {
  const candidates = [...answers].flatMap(([node, { holdings }]) =>
    holdings
      .filter(({ view, installed }) => installed && view.replicas.includes(node) && liesIn(arc, view))
      .map(holding => ({ node, ...holding })),
  )
  candidates.sort(
    (a, b) =>
      compareViews(b.view, a.view) ||
      Number(b.active) - Number(a.active) ||
      b.seq - a.seq ||
      b.records - a.records ||
      (a.node < b.node ? -1 : 1),
  )
  const [best] = candidates
  if (best === undefined) return undefined
  const { node, view, records } = best
  return { node, source: asSource(view), records, isNewest: view.id === newest.id }
}

/** Each part of the ring with the newest view that covers it. */
function newestAt(views: readonly View[]): [Arc, View][] {
  const points = [...new Set(views.flatMap(({ lo, hi }) => [lo, hi]))].sort() as Identifier[]
  const parts: [{ lo: Identifier; hi: Identifier }, View][] = []
  points.forEach((hi, index) => {
    const lo = points.at(index - 1) as Identifier
    const covering = views.filter(view => arcContains(view, hi))
    if (covering.length === 0) return
    const newest = covering.reduce((a, b) => (compareViews(b, a) > 0 ? b : a))
    const last = parts.at(-1)
    if (last !== undefined && last[1].id === newest.id && last[0].hi === lo) last[0].hi = hi
    else parts.push([{ lo, hi }, newest])
  })
  const [first, last] = [parts[0], parts.at(-1)]
  // The part that runs over position zero was begun at both ends.
  if (first !== undefined && last !== undefined && first !== last && first[1].id === last[1].id) {
    if (last[0].hi === first[0].lo) {
      first[0].lo = last[0].lo
      parts.pop()
    }
  }
  return parts
}

/** Whether a whole arc lies within another one. */
function liesIn(arc: Arc, whole: Arc): boolean {
  if (whole.lo === whole.hi) return true
  if (arc.lo === arc.hi || !arcContains(whole, arc.hi)) return false
  return arc.lo === whole.lo || (arcContains(whole, arc.lo) && arc.lo !== whole.hi)
}
