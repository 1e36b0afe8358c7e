/**
 * An Env whose clocks stand still until the test moves them, and whose timers fire then.
 */
import { type Env, realEnv } from '../src/env.ts'

export interface ManualEnv extends Env {
  /** Moves the clocks; what is due on the way fires in order, with a turn of the event loop after each. */
  advance(ms: number): Promise<void>
  /** Moves the clocks and fires nothing: the process does not run. */
  stall(ms: number): void
  /** Timers that wait. */
  readonly waiting: number
  /** Messages of warnings and errors. */
  readonly logged: string[]
}

export function manualEnv(): ManualEnv {
  let nowMs = 1_000
  const waiting = new Set<{ dueMs: number; fire: () => void }>()
  const logged: string[] = []
  const log = (_fields: object, message: string) => logged.push(message)
  const env = realEnv({ debug() {}, info() {}, warn: log, error: log })
  const after = (delayMs: number, then: () => void) => {
    const timer = { dueMs: nowMs + delayMs, fire: then }
    waiting.add(timer)
    return { cancel: () => waiting.delete(timer) }
  }
  const turn = () => new Promise<void>(resolve => setImmediate(resolve))
  return {
    ...env,
    clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
    timers: {
      after,
      soon: then => void setImmediate(then),
      sleep: delayMs => new Promise(resolve => after(delayMs, resolve)),
    },
    logged,
    get waiting() {
      return waiting.size
    },
    stall(ms) {
      nowMs += ms
    },
    async advance(ms) {
      const untilMs = nowMs + ms
      await turn()
      for (;;) {
        const [next] = [...waiting].filter(({ dueMs }) => dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs)
        if (next === undefined) break
        nowMs = Math.max(nowMs, next.dueMs)
        waiting.delete(next)
        next.fire()
        await turn()
        await turn()
      }
      nowMs = untilMs
      await turn()
    },
  }
}
