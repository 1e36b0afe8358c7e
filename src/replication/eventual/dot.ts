/**
 * Dots name writes, and what was seen of a path is a set of them: dotted version vectors (Preguiça, Baquero, Almeida, Fonte & Gonçalves,
 * *Brief Announcement: Efficient Causality Tracking in Distributed Storage Systems with Dotted Version Vectors*, PODC 2012).
 *
 * The actor of a dot is one start of a node, whose nonce is drawn anew each time: a disk that was restored can't name two writes
 * alike, however much it has forgotten. So the counter needs no place on the disk.
 */
import { assert } from '../../invariant.ts'
import { type Boot, bootName, type NodeId } from '../../views/view.ts'

/** One start of one node. */
export type Actor = string & { readonly brand: 'Actor' }

/** Names one write. */
export interface Dot {
  readonly actor: Actor
  /** Counts the writes of the actor, of all paths, from 1 on. */
  readonly n: number
}

/** Dots from `first` to `last`: all those that the actor gave to writes of one path meanwhile. */
export type Span = readonly [first: number, last: number]

/** What was seen of one path: for each actor spans in rising order that neither overlap nor touch; actors in the order of their names. */
export type Seen = readonly (readonly [Actor, readonly Span[]])[]

export const NOTHING_SEEN: Seen = []

export function actorOf(node: NodeId, boot: Boot): Actor {
  return `${node}/${bootName(boot)}` as Actor
}

export function sameDot(a: Dot, b: Dot): boolean {
  return a.actor === b.actor && a.n === b.n
}

export function dotName({ actor, n }: Dot): string {
  return `${actor}:${n}`
}

export function covers(seen: Seen, { actor, n }: Dot): boolean {
  const spans = seen.find(([one]) => one === actor)?.[1] ?? []
  return spans.some(([first, last]) => first <= n && n <= last)
}

/** Everything that either has seen. */
export function joinSeen(a: Seen, b: Seen): Seen {
  if (a.length === 0) return b
  if (b.length === 0) return a
  const all = new Map<Actor, readonly Span[]>(a)
  for (const [actor, spans] of b) all.set(actor, joinSpans(all.get(actor) ?? [], spans))
  return [...all].sort(([one], [other]) => (one < other ? -1 : 1))
}

/** Whether `a` has seen all that `b` has. */
export function hasSeenAll(a: Seen, b: Seen): boolean {
  const all = new Map(a)
  return b.every(([actor, spans]) => {
    const own = all.get(actor) ?? []
    return spans.every(([first, last]) => own.some(span => span[0] <= first && last <= span[1]))
  })
}

/** What was seen apart from these dots. */
export function seenWithout(seen: Seen, dots: readonly Dot[]): Seen {
  const left = seen.map(([actor, spans]): [Actor, readonly Span[]] => {
    const own = dots.flatMap(dot => (dot.actor === actor ? [dot.n] : []))
    return [actor, own.reduce<readonly Span[]>((some, n) => some.flatMap(span => without(span, n)), spans)]
  })
  return left.filter(([, spans]) => spans.length > 0)
}

function without([first, last]: Span, n: number): Span[] {
  if (n < first || last < n) return [[first, last]]
  const sides: Span[] = [
    [first, n - 1],
    [n + 1, last],
  ]
  return sides.filter(([from, to]) => from <= to)
}

/** These dots and nothing else. */
export function seenOf(dots: readonly Dot[]): Seen {
  return dots.reduce<Seen>((seen, { actor, n }) => joinSeen(seen, [[actor, [[n, n]]]]), NOTHING_SEEN)
}

/** How many spans there are, which is what a record grows by. */
export function spansIn(seen: Seen): number {
  return seen.reduce((sum, [, spans]) => sum + spans.length, 0)
}

function joinSpans(a: readonly Span[], b: readonly Span[]): readonly Span[] {
  const joined: Span[] = []
  for (const span of [...a, ...b].sort((one, other) => one[0] - other[0])) {
    const before = joined.at(-1)
    if (before === undefined || span[0] > before[1] + 1) joined.push(span)
    else joined[joined.length - 1] = [before[0], Math.max(before[1], span[1])]
  }
  return joined
}

/** Names the writes that this start of this node accepts. */
export class Minting {
  readonly actor: Actor
  #last = 0

  constructor(init: { readonly actor: Actor }) {
    this.actor = init.actor
  }

  /** How many writes were named. A record that comes into being now is kept without a break from the next on. */
  get last(): number {
    return this.#last
  }

  /**
   * A new dot for a write of a path, and what is seen with it.
   * @param since what `last` was when this node began to keep the record that it has of the path. The dots after it that are of this
   *   path are all in that record; of those before it may have given away and forgotten some, which nobody shall take for seen.
   */
  mint(seen: Seen, since: number): { readonly dot: Dot; readonly seen: Seen } {
    const { actor } = this
    const n = ++this.#last
    const latest = seen.find(([one]) => one === actor)?.[1].at(-1)
    assert(latest === undefined || latest[1] < n, 'nobody has seen a write before it was named', actor)
    const first = latest !== undefined && latest[1] > since ? latest[0] : n
    return { dot: { actor, n }, seen: joinSeen(seen, [[actor, [[first, n]]]]) }
  }
}
