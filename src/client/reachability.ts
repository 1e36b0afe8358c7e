/**
 * What a client has experienced with each address: one that answered is used, one that did not is left alone for a
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
  /** In a row. 0 with an answer. */
  failures: number
  /** Not before this time, ms of the monotonic clock. */
  againAtMs: number
  /** A request is finding out. */
  trying: boolean
  /** The last answer, ms of the monotonic clock. */
  answeredAtMs: number
}

const NEVER = Number.NEGATIVE_INFINITY

const NO_EXPERIENCE: Experience = { failures: 0, againAtMs: 0, trying: false, answeredAtMs: NEVER }

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
    if (isGood(known)) return true
    if (known?.trying || this.isSuspect(origin)) return false
    this.#noted(origin).trying = true
    return true
  }

  answered(origin: string): void {
    const known = this.#noted(origin)
    known.failures = 0
    known.trying = false
    known.answeredAtMs = this.#clock.monotonicMs()
  }

  /**
   * @param beganMs when the request went out that failed, on the monotonic clock: a node that has answered another one
   *   since is slow in one thing, and not gone.
   */
  failed(origin: string, beganMs: number): void {
    const known = this.#noted(origin)
    known.trying = false
    const nowMs = this.#clock.monotonicMs()
    // Requests that were under way together fail together, which is one failure.
    if (known.answeredAtMs > beganMs || nowMs < known.againAtMs) return
    known.failures += 1
    known.againAtMs =
      nowMs + Math.min(SUSPECT_MAX_MS, SUSPECT_FIRST_MS * 2 ** Math.min(known.failures - 1, 30))
  }

  /** The request was given up before it could tell. */
  unknown(origin: string): void {
    const known = this.#known.get(origin)
    if (known !== undefined) known.trying = false
  }

  /** Addresses whose last request got an answer, the latest first. */
  good(): string[] {
    return this.#latestFirst(isGood)
  }

  /** Those whose last request got none, the latest first: better than nobody. */
  suspects(): string[] {
    return this.#latestFirst(known => known.failures > 0)
  }

  /** Addresses that something is known of. */
  get size(): number {
    return this.#known.size
  }

  clear(): void {
    this.#known.clear()
  }

  #latestFirst(is: (known: Experience) => boolean): string[] {
    return [...this.#known]
      .filter(([, known]) => is(known))
      .sort(([, a], [, b]) => b.answeredAtMs - a.answeredAtMs)
      .map(([origin]) => origin)
  }

  #noted(origin: string): Experience {
    const known = this.#known.get(origin)
    if (known !== undefined) return known
    const fresh = { ...NO_EXPERIENCE }
    const [oldest] = this.#known.keys()
    if (oldest !== undefined && this.#known.size === ORIGINS_MAX) this.#known.delete(oldest)
    this.#known.set(origin, fresh)
    return fresh
  }
}

function isGood(known: Experience | undefined): boolean {
  return known !== undefined && known.failures === 0 && !known.trying && known.answeredAtMs !== NEVER
}
