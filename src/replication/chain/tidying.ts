/**
 * When a node tidies up: staged bodies whose time is over, and tombstones after many removals. Nothing ticks while
 * there is nothing to tidy.
 */
import type { Env, Timer } from '../../env.ts'
import type { Write } from './machine-state.ts'

/** How often bodies are looked at that wait for their end, as long as there are any, ms; local, no message leaves. */
const EXPIRE_MS = 60_000

/** Removals after which tombstones are collected: about 200 KiB of them, and one message to each replica of a range. */
const COLLECT_REMOVALS = 1_000

/** After the last of those removals, ms: time for it to be acknowledged. The network is not idle yet. */
const COLLECT_AFTER_MS = 1_000

export interface TidyingInit {
  readonly tidy: (what: 'expire' | 'collect') => void
  /** Whether there are bodies that wait for their end. */
  readonly hasTransient: () => boolean
}

export class Tidying {
  readonly #env: Env
  readonly #init: TidyingInit
  #expiring: Timer | undefined
  #collecting: Timer | undefined
  #removals = 0

  constructor(env: Env, init: TidyingInit) {
    this.#env = env
    this.#init = init
  }

  /** Looks at what is written for what has to be tidied up later. */
  notice(writes: readonly Write[]): void {
    for (const write of writes) {
      if (write.kind === 'record' && write.record !== undefined && write.record.body === undefined)
        this.#removals++
    }
    if (this.#init.hasTransient()) this.#expireLater()
    if (this.#removals < COLLECT_REMOVALS || this.#collecting !== undefined) return
    this.#collecting = this.#env.timers.after(COLLECT_AFTER_MS, () => {
      this.#collecting = undefined
      this.#removals = 0
      this.#init.tidy('collect')
    })
  }

  cancel(): void {
    for (const timer of [this.#expiring, this.#collecting]) timer?.cancel()
    this.#expiring = undefined
    this.#collecting = undefined
  }

  #expireLater(): void {
    this.#expiring ??= this.#env.timers.after(EXPIRE_MS, () => {
      this.#expiring = undefined
      this.#init.tidy('expire')
      if (this.#init.hasTransient()) this.#expireLater()
    })
  }
}
