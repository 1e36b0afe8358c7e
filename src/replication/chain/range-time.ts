/**
 * The time of a range: how long its heads have served it, each by its own monotonic clock. It ages the outcomes of
 * Idempotency-Keys, so that no wall clock decides how long a key counts (docs/decisions/0140).
 *
 * It never runs faster than real time: a head counts on from what the latest write has noted, so that what it counted
 * after that is lost with it, and a step that comes late counts for an hour at most, whatever the clock says.
 */

import type { ViewState } from '../../views/view.ts'
import { type Chains, chainOf, passActiveTime } from './chain-of-view.ts'
import type { Moment } from './outcomes.ts'

export interface RangeTimes extends Chains {
  /** Monotonic clock at the last step, ms. */
  steppedAtMs: number | undefined
}

/** Of the time that an outcome is kept, one step of the machine counts for this part at most: an hour of 25. */
const STEPS_MIN = 25

/** Notes that a step begins. */
export function passTime(m: RangeTimes, monotonicMs: number): void {
  const sinceMs = m.steppedAtMs === undefined ? 0 : monotonicMs - m.steppedAtMs
  m.steppedAtMs = monotonicMs
  if (sinceMs > 0) passActiveTime(m, Math.min(sinceMs, m.settings.outcomesKeptMs / STEPS_MIN))
}

/** At the head: the time of its range now, ms. */
export function timeOf(m: RangeTimes, state: ViewState): number {
  return (state.timeMs ?? 0) + m.activeMs - chainOf(m, state).timedAtMs
}

/** At the head: the state with the time of its range, which is about to be written. */
export function withTime(m: RangeTimes, state: ViewState): ViewState {
  const timeMs = timeOf(m, state)
  chainOf(m, state).timedAtMs = m.activeMs
  return { ...state, timeMs }
}

/** When the outcomes of a range are looked at by its head. */
export function momentOf(m: RangeTimes, state: ViewState): Moment {
  return { rangeMs: timeOf(m, state), wallMs: m.nowMs, keptMs: m.settings.outcomesKeptMs }
}
