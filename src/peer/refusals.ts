/**
 * How a refusal of what another node sent is told: to the log, once for each sender and reason, then only at debug,
 * since a broken sender repeats itself.
 */
import type { Env } from '../env.ts'
import type { ErrorCode } from '../errors.ts'

/** Senders whose refusals are remembered, so that each is logged once; the oldest is forgotten first. */
const REFUSED_SENDERS_MAX = 1000

export interface Refusal {
  readonly op: string
  /** Who sent it: its address. */
  readonly peer: string
  readonly url: string
  readonly code: ErrorCode
  /** What was wrong with it, where that is known: of two versions of the program, a person has to find out. */
  readonly reason?: string
}

export class Refusals {
  readonly #env: Pick<Env, 'log'>
  readonly #senders = new Set<string>()

  constructor(env: Pick<Env, 'log'>) {
    this.#env = env
  }

  note(refusal: Refusal): void {
    const sender = `${refusal.peer} ${refusal.code}`
    if (this.#senders.has(sender)) {
      this.#env.log.debug({ ...refusal }, 'request of a peer refused')
      return
    }
    if (this.#senders.size >= REFUSED_SENDERS_MAX) {
      const oldest = this.#senders.values().next().value
      if (oldest !== undefined) this.#senders.delete(oldest)
    }
    this.#senders.add(sender)
    this.#env.log.warn({ ...refusal }, 'request of a peer refused')
  }
}
