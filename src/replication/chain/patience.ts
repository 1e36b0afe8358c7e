/**
 * The waits of the protocol in a real node, and how much longer than usual it waits for others where messages are slow: the protocol's waits are those of a
 * machine that has time, and a busy one would take every wait for a death, which makes it busier still.
 */
import type { NodeId } from '../../views/view.ts'
import { OUTCOME_KEPT_MS } from '../replication.ts'
import type { TimerEvent } from './machine-state.ts'

/** Waits of the protocol, ms, and bounds of its messages. An answer on one site takes less than a tenth of the first; see statement.md. */
export const CHAIN_DEFAULTS = {
  answerTimeoutMs: 1_000,
  requestTimeoutMs: 20_000,
  resendMs: 1_000,
  retryMs: 50,
  silencesMax: 2,
  listedMax: 16,
  differenceBytesMax: 256 * 1024,
  stagedMs: 15 * 60 * 1000,
  spareMs: 60 * 60 * 1000,
  // An hour more than is promised, for a clock that runs fast by up to a twenty-fifth.
  outcomesKeptMs: OUTCOME_KEPT_MS + 60 * 60 * 1000,
  // As --trash, which says otherwise.
  trashMs: 7 * 24 * 60 * 60 * 1000,
}

/** How long messages take at the moment. */
export interface RoundTripLimits {
  /** What one round trip hardly ever takes longer than, ms; of one node, or of the network in the middle. */
  limitMs(node: NodeId | undefined): number
}

/** Round trips in one answer: a write goes down a chain of three and back up, and each link may wait for a disk. */
const ROUND_TRIPS_PER_ANSWER = 4

/** The first question whether a node is there needs one round trip, and is asked again: where messages are fast it waits for half of the time. */
const FIRST_QUESTION = 1 / 2

/** Waits grow to this many times their usual length, so that a death is still found in half a minute. */
const STRETCH_MAX = 8

/** Factor of the wait behind a timer: 1/2, 1, 2, 4 or 8, so that timers of few lengths wait in few queues; 1 where nobody knows how long messages take. */
export function stretchOf(timer: TimerEvent, answerTimeoutMs: number, limits?: RoundTripLimits): number {
  if (limits === undefined) return 1
  const { kind } = timer
  const waitsForAnswer =
    kind === 'question' ||
    kind === 'task' ||
    kind === 'confirm' ||
    kind === 'proposal' ||
    kind === 'finish' ||
    kind === 'transfer' ||
    kind === 'watch' ||
    kind === 'resend'
  if (!waitsForAnswer) return 1
  const limitMs = limits.limitMs(kind === 'question' ? timer.node : undefined)
  let stretch = kind === 'question' && timer.isFirst && limitMs > 0 ? FIRST_QUESTION : 1
  while (stretch < STRETCH_MAX && stretch * answerTimeoutMs < ROUND_TRIPS_PER_ANSWER * limitMs) stretch *= 2
  return stretch
}
