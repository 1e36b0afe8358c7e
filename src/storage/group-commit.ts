/**
 * Group commit: writes that arrive while one transaction is being made durable share the next one, so that the
 * price of a flush is divided by the number of writers.
 */
import { StoreError } from '../errors.ts'

interface Waiting<T> {
  readonly write: T
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Writes in one transaction: up to 64 MiB of inline bodies, so that a group stays a fraction of a second. */
const GROUP_MAX = 1024

/** Writes waiting for their group; one more is refused. Their bodies are in memory: up to 512 MiB. */
const WAITING_MAX = 8192

export class GroupCommit<T> {
  readonly #make: (group: readonly T[]) => Promise<void>
  #waiting: Waiting<T>[] = []
  #running: Promise<void> | undefined

  /** `make` makes a group durable in one step, or throws and has changed nothing. */
  constructor(make: (group: readonly T[]) => Promise<void>) {
    this.#make = make
  }

  /**
   * Resolves when the write is durable. Writes keep the order in which they were added.
   * @throws StoreError OVERLOADED; whatever `make` throws for the write.
   */
  add(write: T): Promise<void> {
    if (this.#waiting.length >= WAITING_MAX) {
      const refusal = new StoreError('OVERLOADED', 'Too many writes are waiting.', { retryAfterSeconds: 1 })
      return Promise.reject(refusal)
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ write, resolve, reject })
      this.#running ??= this.#run()
    })
  }

  /** Resolves when nothing is waiting or being written. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      // The writers that the last group woke are about to come back with their next write: let them.
      await new Promise(resolve => setImmediate(resolve))
      await this.#commit(this.#waiting.splice(0, GROUP_MAX))
    }
    this.#running = undefined
  }

  /** A group that fails is tried again one by one: a removal must not fail because a large put found the disk full. */
  async #commit(group: readonly Waiting<T>[]): Promise<void> {
    try {
      await this.#make(group.map(({ write }) => write))
    } catch (error) {
      if (group.length === 1) group[0]?.reject(error)
      else for (const one of group) await this.#commit([one])
      return
    }
    for (const { resolve } of group) resolve()
  }
}
