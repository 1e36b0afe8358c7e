/**
 * Owns what a client has experienced with each address: one that answered is used, one that did not is left alone for a
 * while. A published port or a tunnel makes a node name addresses that can't be reached from here; finding that out costs
 * one request a short wait, and all others go on through nodes that answer.
 */
import type { Clock } from '../env.ts'

/**
 * How long an address is left alone after a failure, ms: shorter than most restarts take, and twice as long after each
 * further failure, up to ten minutes, after which a network may have been mended.
 */
export const SUSPECT_FIRST_MS = 2_000
export const SUSPECT_MAX_MS = 600_000

/** Addresses remembered; those of a network of some hundred nodes, and 100 bytes each. */
export const ORIGINS_MAX = 1024

interface Experience {
  readonly failures: number
  /** Not before this time, ms of the monotonic clock. */
  readonly againAtMs: number
  /** A request is finding out. */
  readonly trying: boolean
}

const GOOD: Experience = { failures: 0, againAtMs: 0, trying: false }

export class Reachability {
  readonly #clock: Clock
  readonly #known = new Map<string, Experience>()

  constructor(components: { readonly clock: Clock }) {
    this.#clock = components.clock
  }

  /** True when the last request got none, and it is not time to try again. */
  isSuspect(origin: string): boolean {
    const known = this.#known.get(origin)
    return known !== undefined && known.failures > 0 && this.#clock.monotonicMs() < known.againAtMs
  }

  /**
   * True when a request may go there: to an address that answered; and to one that is not proved, one request at a time,
   * so that the others do not wait with it. What came of it must be told with `answered`, `failed` or `unknown`.
   */
  claim(origin: string): boolean {
    const known = this.#known.get(origin)
    if (known === GOOD) return true
    if (known?.trying || this.isSuspect(origin)) return false
    this.#set(origin, { failures: known?.failures ?? 0, againAtMs: 0, trying: true })
    return true
  }

  answered(origin: string): void {
    if (this.#known.get(origin) !== GOOD) this.#set(origin, GOOD)
  }

  failed(origin: string): void {
    // Requests that were under way together fail together, which is one failure.
    if (this.isSuspect(origin)) return
    const failures = (this.#known.get(origin)?.failures ?? 0) + 1
    const waitMs = Math.min(SUSPECT_MAX_MS, SUSPECT_FIRST_MS * 2 ** Math.min(failures - 1, 30))
    this.#set(origin, { failures, againAtMs: this.#clock.monotonicMs() + waitMs, trying: false })
  }

  /** The request was given up before it could tell. */
  unknown(origin: string): void {
    const known = this.#known.get(origin)
    if (known?.trying) this.#set(origin, { ...known, trying: false })
  }

  /** Addresses whose last request got an answer, the latest first. */
  good(): string[] {
    return [...this.#known].flatMap(([origin, known]) => (known === GOOD ? [origin] : [])).reverse()
  }

  /** Addresses that something is known of. */
  get size(): number {
    return this.#known.size
  }

  clear(): void {
    this.#known.clear()
  }

  #set(origin: string, experience: Experience): void {
    this.#known.delete(origin)
    this.#known.set(origin, experience)
    const [oldest] = this.#known.keys()
    if (oldest !== undefined && this.#known.size > ORIGINS_MAX) this.#known.delete(oldest)
  }
}
