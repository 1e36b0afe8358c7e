/**
 * The map from positions to what is known of them: which view covers a key, and before which view an arc is sealed.
 *
 * The newest view wins (compareViews). A node that has dropped the header of a superseded view keeps what superseded it;
 * without that, an old message could make it an acceptor of that view again, with no memory of what it had promised.
 */
import type { Arc } from '../ring/arc.ts'
import type { Identifier } from '../ring/identifier.ts'
import { compareViews, type Rank, type View, type ViewId } from './view.ts'

/** The positions after `lo` up to and including `hi`, never wrapping; `lo` = '' stands before position zero. */
interface Piece<Value> {
  readonly lo: string
  readonly hi: string
  readonly rank: Rank
  readonly value: Value
}

const LAST_POSITION = 'f'.repeat(40)

/** Arcs with a rank and a value each; newer ones cover older ones. */
export class ArcMap<Value> {
  /** Disjoint, in the order of their positions. */
  #pieces: Piece<Value>[] = []

  /** Notes a value for an arc, except where a newer or equally new one is known. */
  cover(arc: Arc, { epoch, id }: Rank, value: Value): void {
    const rank = { epoch, id }
    for (const [lo, hi] of unwrap(arc)) this.#coverPiece({ lo, hi, rank, value })
  }

  /** The newest value at a position. */
  at(position: Identifier): Value | undefined {
    const piece = this.#pieces[this.#firstReaching(position)]
    return piece !== undefined && piece.lo < position ? piece.value : undefined
  }

  /** The pieces that overlap an arc, each with its rank. */
  overlapping(arc: Arc): { readonly rank: Rank; readonly value: Value }[] {
    const found: Piece<Value>[] = []
    for (const [lo, hi] of unwrap(arc)) {
      for (let at = this.#firstAfter(lo); at < this.#pieces.length; at++) {
        const piece = this.#pieces[at] as Piece<Value>
        if (piece.lo >= hi) break
        found.push(piece)
      }
    }
    return found
  }

  /** True when no position of the arc is without a piece whose rank is high enough. */
  covered(arc: Arc, isEnough: (rank: Rank) => boolean): boolean {
    return unwrap(arc).every(([lo, hi]) => this.#isCovered(lo, hi, isEnough))
  }

  #isCovered(lo: string, hi: string, isEnough: (rank: Rank) => boolean): boolean {
    let reached = lo
    for (let at = this.#firstAfter(lo); reached < hi; at++) {
      const piece = this.#pieces[at]
      if (piece === undefined || piece.lo > reached || !isEnough(piece.rank)) return false
      reached = piece.hi
    }
    return true
  }

  /** Nothing is known any more where such a value is the newest. */
  drop(isDropped: (value: Value) => boolean): void {
    this.#pieces = this.#pieces.filter(({ value }) => !isDropped(value))
  }

  /** Every value that is the newest somewhere, in the order of positions, each once. */
  values(): Value[] {
    return [...new Set(this.#pieces.map(piece => piece.value))]
  }

  /** Index of the first piece whose end is not before the position. */
  #firstReaching(position: string): number {
    let low = 0
    let high = this.#pieces.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#pieces[middle] as Piece<Value>).hi < position) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Index of the first piece that ends after the position. */
  #firstAfter(position: string): number {
    const at = this.#firstReaching(position)
    return this.#pieces[at]?.hi === position ? at + 1 : at
  }

  #coverPiece(added: Piece<Value>): void {
    // Most of what is told is known.
    if (this.#isCovered(added.lo, added.hi, rank => compareViews(rank, added.rank) >= 0)) return
    const first = this.#firstAfter(added.lo)
    const pieces: Piece<Value>[] = []
    let from = added.lo
    let at = first
    for (; at < this.#pieces.length; at++) {
      const piece = this.#pieces[at] as Piece<Value>
      if (piece.lo >= added.hi) break
      if (compareViews(piece.rank, added.rank) >= 0) {
        if (from < piece.lo) pieces.push({ ...added, lo: from, hi: piece.lo })
        from = earlier(piece.hi, added.hi)
        pieces.push(piece)
      } else {
        if (piece.lo < added.lo) pieces.push({ ...piece, hi: added.lo })
        if (piece.hi > added.hi) {
          if (from < added.hi) pieces.push({ ...added, lo: from })
          from = added.hi
          pieces.push({ ...piece, lo: added.hi })
        }
      }
    }
    if (from < added.hi) pieces.push({ ...added, lo: from })
    this.#pieces.splice(first, at - first, ...pieces)
  }
}

/** Which view covers a key, as far as this node knows. A hint: the view itself decides. */
export class RangeTable {
  readonly #views = new ArcMap<View>()

  learn(view: View): void {
    this.#views.cover(view, view, view)
  }

  covering(position: Identifier): View | undefined {
    return this.#views.at(position)
  }

  overlapping(arc: Arc): View[] {
    return [...new Set(this.#views.overlapping(arc).map(({ value }) => value))]
  }

  /** These views are not known any more. */
  forget(views: ReadonlySet<ViewId>): void {
    this.#views.drop(({ id }) => views.has(id))
  }

  all(): View[] {
    return this.#views.values()
  }
}

/** An arc all of whose views up to this epoch are superseded, and those of the next epoch before `id`, if that is given. */
export interface SealMark extends Arc {
  readonly epoch: number
  /** Of the view that superseded them; marks of before version 0.2 have none. */
  readonly id?: ViewId | undefined
}

/** The mark of everything before a view, in its arc. */
export function markBefore({ lo, hi, epoch, id }: Arc & Rank): SealMark {
  return { lo, hi, epoch: epoch - 1, id }
}

/** Every view before this is superseded by the mark, and no other. */
export function boundOf({ epoch, id }: SealMark): Rank {
  return { epoch: epoch + 1, id: id ?? ('' as ViewId) }
}

/** The memory of superseded views whose headers may have been dropped. */
export class SealMarks {
  readonly #marks = new ArcMap<SealMark>()

  seal(mark: SealMark): void {
    this.#marks.cover(mark, boundOf(mark), mark)
  }

  /** True when the view, or a part of its range, is known to be superseded. */
  covers(view: Arc & Rank): boolean {
    return this.#marks.overlapping(view).some(({ rank }) => compareViews(view, rank) < 0)
  }

  /** True when every part of the view's range is known to be superseded. */
  coversAll(view: Arc & Rank): boolean {
    return this.#marks.covered(view, rank => compareViews(view, rank) < 0)
  }
}

function unwrap(arc: Arc): [string, string][] {
  if (arc.lo < arc.hi) return [[arc.lo, arc.hi]]
  const pieces: [string, string][] = [['', arc.hi]]
  if (arc.lo < LAST_POSITION) pieces.push([arc.lo, LAST_POSITION])
  return pieces
}

function earlier(a: string, b: string): string {
  return a < b ? a : b
}
