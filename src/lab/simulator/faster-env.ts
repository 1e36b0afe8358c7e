/**
 * The time of a whole node. The waits of the program are those of real networks, seconds; a simulated world lasts for some
 * thousand ms. So the time of such a node runs faster than that of its world: its clock, and all timers that it sets.
 */
import type { Clock, Timers } from '../../env.ts'
import { sleepOn, VIRTUAL_START_MS } from './virtual-clock.ts'

/** Ms of a node in each of its world: an answer is waited for 25 ms there, and for 1000 by the program (patience.ts). */
export const NODE_MS = 40

export function fasterClock(world: Pick<Clock, 'monotonicMs'>): Clock {
  const monotonicMs = () => world.monotonicMs() * NODE_MS
  return { monotonicMs, nowMs: () => VIRTUAL_START_MS + Math.floor(monotonicMs()) }
}

/** @param world counts in ms of the world. */
export function fasterTimers(world: Pick<Timers, 'after' | 'soon'>): Timers {
  const after: Timers['after'] = (delayMs, then) => world.after(delayMs / NODE_MS, then)
  return {
    after,
    soon: then => world.soon(then),
    sleep: (delayMs, signal) => sleepOn({ after }, delayMs, signal),
  }
}
