/**
 * What a path remembers of requests that were decided there: by a client's Idempotency-Key, or by the name of a move that
 * has its destination there. Each list has limits, and what was promised to be kept makes no room for anything new.
 */
import type { Version } from '../../storage/record.ts'
import {
  type ChainRecord,
  compareVersions,
  type KeyOutcome,
  movesFloorOf,
  OUTCOMES_PER_PATH_MAX,
  type RequestId,
} from './chain-record.ts'

/** Moves of which a path remembers what was decided; the copy of one more has to wait until one of them is settled. */
export const MOVES_PER_PATH_MAX = 32

/** Idempotency-Keys that one path remembers; one more is refused. */
export const KEYS_PER_PATH_MAX = OUTCOMES_PER_PATH_MAX - MOVES_PER_PATH_MAX

/** Of these, refusals: a client that polls with create-only writes must not use the others' room up. */
export const REFUSALS_PER_PATH_MAX = 64

/** Settled moves that are remembered still: their movers may not have heard yet what became of them. */
const SETTLED_MOVES_KEPT = 8

/** When an outcome is looked at. */
export interface Moment {
  /** The time of the range, ms. */
  readonly rangeMs: number
  /** Wall clock, ms since 1970: for outcomes that a node of protocol 2 has written, which have no other time. */
  readonly wallMs: number
  /** How long an outcome is kept, ms. */
  readonly keptMs: number
}

/** What is kept for a client's key. */
export function keptOutcome(record: ChainRecord, key: string): KeyOutcome | undefined {
  return record.outcomes.find(outcome => outcome.key === key && outcome.move === undefined)
}

/** What was decided of a move that has its destination here. */
export function moveOutcome(record: ChainRecord, moveId: RequestId): KeyOutcome | undefined {
  return record.outcomes.find(({ move }) => move?.moveId === moveId)
}

/** Whether nobody was promised that this is still remembered. */
export function isOver({ move, decidedAtMs, expiresAtMs }: KeyOutcome, now: Moment): boolean {
  if (move !== undefined) return move.settled === true
  if (decidedAtMs !== undefined) return now.rangeMs - decidedAtMs >= now.keptMs
  return now.rangeMs >= now.keptMs && expiresAtMs <= now.wallMs
}

/** The record without the clients' keys that are over. */
export function withoutExpired(record: ChainRecord, now: Moment): ChainRecord {
  const outcomes = record.outcomes.filter(outcome => outcome.move !== undefined || !isOver(outcome, now))
  return outcomes.length === record.outcomes.length ? record : { ...record, outcomes }
}

/** Whether a path can remember one more outcome of a client's key. */
export function hasRoomForKey({ outcomes }: ChainRecord, isRefusal: boolean): boolean {
  const keys = outcomes.filter(({ move }) => move === undefined)
  const refusals = keys.filter(({ refused }) => refused)
  if (isRefusal && refusals.length >= REFUSALS_PER_PATH_MAX) return false
  return keys.length < KEYS_PER_PATH_MAX && outcomes.length < OUTCOMES_PER_PATH_MAX
}

/** Moves that are decided here and may have to be told again, the oldest first. */
export function unsettledMoves({ outcomes }: ChainRecord): KeyOutcome[] {
  return outcomes.filter(({ move }) => move !== undefined && move.settled !== true)
}

/** Whether a path can remember one more move, and the outcome of its key with it. */
export function hasRoomForMove(record: ChainRecord): boolean {
  const { outcomes } = record
  return unsettledMoves(record).length < MOVES_PER_PATH_MAX && outcomes.length + 2 <= OUTCOMES_PER_PATH_MAX
}

/**
 * The outcomes and the floor of moves once a move is settled: the latest are remembered, and below the others no copy of
 * a move is made any more, so that a message that comes late does not make one again.
 */
export function withSettled(
  record: ChainRecord,
  moveId: RequestId,
): { outcomes: readonly KeyOutcome[]; movesFloor: Version } {
  const outcomes = record.outcomes.map(outcome =>
    outcome.move?.moveId === moveId ? { ...outcome, move: { ...outcome.move, settled: true } } : outcome,
  )
  const settled = outcomes.filter(({ move }) => move?.settled === true)
  const dropped = settled.slice(0, Math.max(0, settled.length - SETTLED_MOVES_KEPT))
  let movesFloor = movesFloorOf(record)
  for (const { version } of dropped) {
    if (compareVersions(version, movesFloor) > 0) movesFloor = version
  }
  return { outcomes: outcomes.filter(outcome => !dropped.includes(outcome)), movesFloor }
}
