/**
 * The wall clock of one simulated node: it is off, it drifts, and it jumps when somebody sets it. Durations are not
 * measured with it, as in a real node.
 */
import type { Clock } from '../../env.ts'

export class SkewedClock implements Clock {
  readonly #world: Clock
  readonly #drift: number
  #aheadMs: number

  /** @param drift ms that it gains in each ms. */
  constructor(
    components: { readonly world: Clock },
    init: { readonly aheadMs: number; readonly drift: number },
  ) {
    this.#world = components.world
    this.#aheadMs = init.aheadMs
    this.#drift = init.drift
  }

  nowMs(): number {
    return Math.floor(this.#world.nowMs() + this.#aheadMs + this.#drift * this.#world.monotonicMs())
  }

  monotonicMs(): number {
    return this.#world.monotonicMs()
  }

  /** Somebody sets it. */
  jump(byMs: number): void {
    this.#aheadMs += byMs
  }
}
