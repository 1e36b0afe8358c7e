/**
 * The bodies that other nodes are pushing here, by name. Two pushes of one body are one: whoever comes second waits for the first.
 * Its sender may have lost its power, which nobody tells, so one that stands still while another waits gives way
 * (docs/decisions/0488).
 */
import { eitherSignal } from '../../either-signal.ts'
import type { Env } from '../../env.ts'
import { StoreError } from '../../errors.ts'
import type { BlobId } from '../../storage/record.ts'

/** For how long the sender of a body may send nothing while another one waits to send it, ms. */
const STANDING_MS = 2_000

interface Push {
  /** Since when the next bytes of its sender are waited for; undefined while those that came are being stored. */
  waitsSinceMs: number | undefined
  readonly stop: () => void
  /** Resolves however it ends. */
  readonly ended: Promise<void>
}

export class PushedBodies {
  readonly #env: Pick<Env, 'clock' | 'timers'>
  readonly #running = new Map<BlobId, Push>()

  constructor(env: Pick<Env, 'clock' | 'timers'>) {
    this.#env = env
  }

  /** Whether a push brings this body. */
  has(blobId: BlobId): boolean {
    return this.#running.has(blobId)
  }

  /**
   * Resolves when the push of a body has ended, well or not; undefined when there is none.
   * @throws the reason of the signal, when whoever waits has gone.
   */
  outlast(blobId: BlobId, signal?: AbortSignal): Promise<void> | undefined {
    const push = this.#running.get(blobId)
    return push && this.#outlast(push, signal)
  }

  /**
   * Stores a body that no other push brings. The push has ended when `store` has.
   * @param store takes the bytes; its signal aborts with `signal`, or with UNAVAILABLE when the push has to give way.
   */
  async take(
    blobId: BlobId,
    bytes: AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
    store: (bytes: AsyncIterable<Uint8Array>, signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const standing = new AbortController()
    const ends = eitherSignal([standing.signal, ...(signal === undefined ? [] : [signal])])
    let end = () => {}
    const push: Push = {
      waitsSinceMs: undefined,
      stop: () => standing.abort(new StoreError('UNAVAILABLE', 'The sender of a body stands still.')),
      ended: new Promise(resolve => {
        end = resolve
      }),
    }
    this.#running.set(blobId, push)
    try {
      await store(this.#watched(push, bytes), ends)
    } finally {
      ends.clear()
      this.#running.delete(blobId)
      end()
    }
  }

  async #outlast(push: Push, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    const { clock, timers } = this.#env
    const look = () => {
      const nowMs = clock.monotonicMs()
      const leftMs = (push.waitsSinceMs ?? nowMs) + STANDING_MS - nowMs
      if (leftMs > 0) timer = timers.after(leftMs, look)
      else push.stop()
    }
    let timer = timers.after(STANDING_MS, look)
    let leave = () => {}
    const left = new Promise<never>((_, reject) => {
      leave = () => reject(signal?.reason)
      signal?.addEventListener('abort', leave)
    })
    try {
      await Promise.race([push.ended, left])
    } finally {
      timer.cancel()
      signal?.removeEventListener('abort', leave)
    }
  }

  async *#watched(push: Push, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const { clock } = this.#env
    push.waitsSinceMs = clock.monotonicMs()
    try {
      for await (const piece of bytes) {
        push.waitsSinceMs = undefined
        yield piece
        push.waitsSinceMs = clock.monotonicMs()
      }
    } finally {
      push.waitsSinceMs = undefined
    }
  }
}
