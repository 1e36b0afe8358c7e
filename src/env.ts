/**
 * The ports to the outside that make a run repeatable: clock, randomness, timers, log.
 *
 * No other module reads the ambient clock, draws random numbers or sets timers (test/tidy.test.ts proves it); the
 * simulator hands in its own Env and drives the same code.
 */
import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'

export interface Clock {
  /** Wall clock, ms since 1970. It may jump; for stamps that people read. */
  nowMs(): number
  /** Never goes back, ms from an arbitrary start; for durations and deadlines. */
  monotonicMs(): number
}

export interface Randomness {
  /** `length` unpredictable bytes. */
  bytes(length: number): Uint8Array
}

export interface Timer {
  cancel(): void
}

export interface Timers {
  /** Calls `then` once, `delayMs` from now, unless cancelled. A waiting timer does not keep the process alive. */
  after(delayMs: number, then: () => void): Timer
  /** Calls `then` once, after what has arrived by now was looked at and before anything is waited for. */
  soon(then: () => void): void
  /** Resolves `delayMs` from now; rejects with the signal's reason when it aborts first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}

/** Structured log. Fields first, then a constant sentence; never bodies or secrets. pino's logger fits. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface Env {
  readonly clock: Clock
  readonly randomness: Randomness
  readonly timers: Timers
  readonly log: Log
}

const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** The machine's own clock, randomness and timers. Without `log`, nothing is logged. */
export function realEnv(log: Log = silentLog): Env {
  return {
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
    randomness: { bytes: length => randomBytes(length) },
    timers: {
      after(delayMs, then) {
        const handle = setTimeout(then, delayMs)
        handle.unref()
        return { cancel: () => clearTimeout(handle) }
      },
      soon: then => void setImmediate(then),
      sleep: (delayMs, signal) => delay(delayMs, undefined, signal ? { signal } : {}),
    },
    log,
  }
}
