/**
 * What a node does when its disk refuses a body: beside others it stops serving until the disk takes bodies again, so that they
 * go on without it. A node that is alone does what it can, and says that the disk refuses.
 */
import type { Env } from '../env.ts'
import type { ChainDriver } from '../replication/chain/driver.ts'
import type { MapRecord } from '../routing/map-record.ts'
import { isDiskFailure } from '../storage/disk-errors.ts'

/** How long a body that was refused counts for what a lone node says of its disk, ms: longer than the alert rule of deploy/ waits. */
const LATELY_MS = 90_000

export class RefusedBodies {
  readonly #env: Env
  readonly #driver: ChainDriver
  readonly #others: () => readonly MapRecord[]
  #refusedAtMs: number | undefined

  constructor(
    components: { readonly env: Env; readonly driver: ChainDriver },
    others: () => readonly MapRecord[],
  ) {
    this.#env = components.env
    this.#driver = components.driver
    this.#others = others
  }

  /** Whether the disk refuses writes now, or has refused a body of a node that is alone a moment ago. */
  get diskRefuses(): boolean {
    return this.#driver.fault !== undefined || this.#isLately
  }

  get #isLately(): boolean {
    return this.#refusedAtMs !== undefined && this.#env.clock.monotonicMs() - this.#refusedAtMs < LATELY_MS
  }

  /** A body was not stored here. Where all disks fill up, reads may not stop for a body that others have sent. */
  note(error: unknown, isOfOthers = false): void {
    const others = this.#others()
    if (others.length > 0) {
      const there = others.filter(({ nodeId }) => this.#driver.known.isAlive(nodeId)).length
      this.#driver.bodyRefused(error, isOfOthers ? there : 0)
      return
    }
    if (!isDiskFailure(error)) return
    if (!this.#isLately)
      this.#env.log.error(
        { op: 'persist', err: error },
        'the disk refuses bodies; this node is alone, and goes on with what needs none',
      )
    this.#refusedAtMs = this.#env.clock.monotonicMs()
  }
}
