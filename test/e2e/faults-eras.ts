/**
 * What a recovery by force makes of the histories of a run. It may lose writes of the ranges that it recovers, and nothing
 * else. So clients go on at other paths from its begin, and once more from its end on; of the paths in a recovered range
 * only what was answered before it began is judged, of all others everything.
 */
import type { Operation } from '../../src/lab/simulator/history.ts'
import { arcContains } from '../../src/ring/arc.ts'
import { type Identifier, identifierOfPath } from '../../src/ring/identifier.ts'
import { parsePathName } from '../../src/ring/path-name.ts'

/** A range that was recovered by force. */
export interface RecoveredRange {
  readonly lo: Identifier
  readonly hi: Identifier
  readonly epoch: number
}

interface Recovery {
  readonly beganAtMs: number
  /** Of the paths at which clients worked while it was under way. */
  readonly era: number
  readonly ranges: readonly RecoveredRange[]
}

export class ForcedRanges {
  readonly #nowMs: () => number
  readonly #recoveries: Recovery[] = []
  #beganAtMs: number | undefined
  #era = 0

  /** @param nowMs the clock of the histories. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** The name of a path at which clients work now. */
  pathNow(path: string): string {
    return this.#era === 0 ? path : `era-${this.#era}/${path}`
  }

  /** A part of the network is about to be cut off, to be recovered by force there. */
  begin(): void {
    this.#beganAtMs = this.#nowMs()
    this.#era++
  }

  /** Every node knows which ranges were recovered. */
  end(ranges: readonly RecoveredRange[]): void {
    if (this.#beganAtMs === undefined) throw new TypeError('No recovery has begun.')
    this.#recoveries.push({ beganAtMs: this.#beganAtMs, era: this.#era, ranges })
    this.#beganAtMs = undefined
    this.#era++
  }

  /** The operations that have to be linearizable. */
  judged(operations: readonly Operation[]): Operation[] {
    return this.#recoveries.reduce(
      (left, recovery) => left.flatMap(one => judgedAfter(one, recovery)),
      [...operations],
    )
  }
}

function judgedAfter(operation: Operation, { beganAtMs, era, ranges }: Recovery): Operation[] {
  if (eraOf(operation.path) > era) return [operation]
  const position = identifierOfPath(parsePathName(operation.path))
  if (!ranges.some(range => arcContains(range, position))) return [operation]
  if (operation.invokedAtMs >= beganAtMs) return []
  const { answeredAtMs } = operation
  if (answeredAtMs !== undefined && answeredAtMs < beganAtMs) return [operation]
  const isRead = operation.action.kind === 'get' || operation.action.kind === 'exists'
  return isRead ? [] : [{ ...operation, answeredAtMs: undefined, answer: { kind: 'unknown' } }]
}

function eraOf(path: string): number {
  return Number(/^era-(\d+)\//.exec(path)?.[1] ?? 0)
}
