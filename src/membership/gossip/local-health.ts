/**
 * How well this node itself is doing: a node that is slow hears everybody late, and doubts itself before it doubts others. This is the
 * local health multiplier of Lifeguard (Dadgar, Phillips & Currey, *Lifeguard: Local Health Awareness for More Accurate Failure
 * Detection*, DSN-W 2018, section IV.A); the waits for others grow by it.
 */

/** Waits grow to nine times their length at the most, as in Lifeguard. */
export const HEALTH_MAX = 8

export class LocalHealth {
  #score = 0

  /** 0: well. */
  get score(): number {
    return this.#score
  }

  /** What the waits for others are multiplied by. */
  get factor(): number {
    return 1 + this.#score
  }

  /** A round began so much later than it should have. */
  late(lateMs: number, periodMs: number): void {
    if (lateMs > periodMs / 2) this.#raise(Math.ceil(lateMs / periodMs))
  }

  /** None of several nodes that were told something in a round has answered. */
  heardNobody(): void {
    this.#raise(1)
  }

  /** Others had to be told that this node is there. */
  wasDoubted(): void {
    this.#raise(1)
  }

  /** A round was in time, and somebody has answered. */
  well(): void {
    this.#score = Math.max(0, this.#score - 1)
  }

  #raise(by: number): void {
    this.#score = Math.min(HEALTH_MAX, this.#score + by)
  }
}
