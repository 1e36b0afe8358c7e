/**
 * How long messages to other nodes take, as they were seen to: the estimate of RFC 6298 (section 2), a smoothed
 * round trip and its variance for each peer. Where machines are busy, waits grow by it; a node that is slow is not dead.
 */
import type { Address } from '../ring/identifier.ts'

/** Weights of a new sample (RFC 6298, section 2). */
const ALPHA = 1 / 8
const BETA = 1 / 4

/** Peers remembered; the one heard of longest ago goes first. */
const PEERS_MAX = 1024

/**
 * A round trip counts for no more, ms. One that was under way while its peer stood still, or a link carried nothing, or this process
 * did not run, says nothing of those that follow; no wait gets longer by one that takes more.
 */
const SAMPLE_MS_MAX = 2_000

/** Samples after which the middle of all peers is looked for again. */
const SAMPLES_PER_MIDDLE = 16

interface Estimate {
  readonly smoothedMs: number
  readonly variationMs: number
}

export class RoundTrips {
  readonly #estimates = new Map<Address, Estimate>()
  #middleMs = 0
  #samples = 0

  /** A message was acknowledged by the peer's endpoint after this time. */
  took(peer: Address, tookMs: number): void {
    const ms = Math.min(tookMs, SAMPLE_MS_MAX)
    const before = this.#estimates.get(peer)
    this.#estimates.delete(peer)
    if (this.#estimates.size >= PEERS_MAX) {
      const oldest = this.#estimates.keys().next().value
      if (oldest !== undefined) this.#estimates.delete(oldest)
    }
    this.#estimates.set(peer, before === undefined ? firstEstimate(ms) : nextEstimate(before, ms))
    if (before === undefined || ++this.#samples % SAMPLES_PER_MIDDLE === 0) this.#middleMs = this.#middle()
  }

  /**
   * What one round trip hardly ever takes longer than, ms; 0 for a peer that nothing is known of. Without a peer, that of
   * the network as a whole: of the peers known, the one in the middle.
   */
  limitMs(peer: Address | undefined): number {
    if (peer === undefined) return this.#middleMs
    const estimate = this.#estimates.get(peer)
    return estimate === undefined ? 0 : estimate.smoothedMs + 4 * estimate.variationMs
  }

  /** What one round trip takes, ms; 0 for a peer that nothing is known of. */
  meanMs(peer: Address): number {
    return this.#estimates.get(peer)?.smoothedMs ?? 0
  }

  #middle(): number {
    const limits = [...this.#estimates.keys()].map(peer => this.limitMs(peer)).sort((a, b) => a - b)
    return limits[(limits.length - 1) >> 1] ?? 0
  }
}

function firstEstimate(ms: number): Estimate {
  return { smoothedMs: ms, variationMs: ms / 2 }
}

function nextEstimate({ smoothedMs, variationMs }: Estimate, ms: number): Estimate {
  return {
    smoothedMs: (1 - ALPHA) * smoothedMs + ALPHA * ms,
    variationMs: (1 - BETA) * variationMs + BETA * Math.abs(smoothedMs - ms),
  }
}
