/**
 * That two nodes do not change the view of a range to and fro. They may believe different things for as long as they
 * like, for instance of a node that only one of them reaches. Whoever is about to make a change that it has made before, though
 * another node has made another one since, and which has learned nothing in between, waits; each time twice as long.
 */
import type { NodeId, Plan, ViewId } from '../../views/view.ts'
import type { Nodes } from './liveness.ts'
import type { RangeTimes } from './range-time.ts'

export interface Repeating extends Nodes, RangeTimes {
  /** By range and members, the latest last. */
  readonly changes: Map<string, Change>
}

/** A change that this node has proposed. */
interface Change {
  /** The view that it was to follow. */
  readonly of: ViewId
  /** What this node believed then (`Nodes.beliefs`). */
  readonly beliefs: number
  readonly times: number
  readonly atMs: number
}

/** Before the same change is made again: so many waits for an answer, doubling so often; from 8 s to 17 minutes by default. */
const REST_ANSWERS = 8
const REST_DOUBLINGS_MAX = 7

/** Changes that are remembered. */
const CHANGES_MAX = 1_024

/** For how long a change has to wait, ms; 0 when it may be made now. */
export function restMs(m: Repeating, of: ViewId, plans: readonly Plan[]): number {
  const before = m.changes.get(nameOf(plans))
  if (before === undefined || before.of === of || before.beliefs !== m.beliefs) return 0
  // Another one was decided in its place: it was never made.
  const made = m.views.get(before.of)?.next
  if (made !== undefined && nameOf(made) !== nameOf(plans)) return 0
  const rests = REST_ANSWERS * 2 ** Math.min(before.times - 1, REST_DOUBLINGS_MAX)
  return Math.max(0, before.atMs + rests * m.settings.answerTimeoutMs - nowOf(m))
}

/** A change is proposed. */
export function noteChange(m: Repeating, of: ViewId, plans: readonly Plan[]): void {
  const name = nameOf(plans)
  const before = m.changes.get(name)
  if (before?.of === of) return
  const isRepeated = before !== undefined && before.beliefs === m.beliefs
  m.changes.delete(name)
  m.changes.set(name, {
    of,
    beliefs: m.beliefs,
    times: isRepeated ? before.times + 1 : 1,
    atMs: nowOf(m),
  })
  for (const oldest of m.changes.keys()) {
    if (m.changes.size <= CHANGES_MAX) return
    m.changes.delete(oldest)
  }
}

/** An operator wants everything as it should be, now. */
export function forgetChanges(m: Repeating): void {
  m.changes.clear()
}

function nowOf(m: Repeating): number {
  return m.steppedAtMs ?? 0
}

function nameOf(plans: readonly Plan[]): string {
  const named = (nodes: readonly NodeId[]) => nodes.join()
  return plans
    .map(({ lo, hi, replicas, acceptors }) => `${lo}-${hi}: ${named(replicas)}; ${named(acceptors)}`)
    .join(' and ')
}
