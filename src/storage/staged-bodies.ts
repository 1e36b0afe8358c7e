/**
 * The life of staged bodies: received, then either handed over or dropped, exactly once. Also says whether the
 * storage is open, because closing ends every staging.
 */
import { StoreError } from '../errors.ts'
import type { Body } from './record.ts'
import type { StagedBody, StageOptions } from './storage.ts'

export class StagedBodies {
  readonly #receiving = new Map<AbortController, Promise<unknown>>()
  readonly #waiting = new Set<StagedBody>()
  readonly #handedOver = new WeakSet<StagedBody>()
  #lastStageId = 0
  #closed = false

  /** Bodies that are being received or wait for their batch. */
  get count(): number {
    return this.#receiving.size + this.#waiting.size
  }

  /** @throws StoreError UNAVAILABLE once closed. */
  assertOpen(): void {
    if (this.#closed) throw closedError()
  }

  /** Runs one receipt with options whose signal also aborts when the storage closes. */
  async receive(
    options: StageOptions,
    run: (watched: StageOptions & { readonly signal: AbortSignal }) => Promise<Body>,
  ): Promise<StagedBody> {
    this.assertOpen()
    const { sizeMax, signal } = options
    signal?.throwIfAborted()
    const controller = new AbortController()
    const forward = () => controller.abort(signal?.reason)
    signal?.addEventListener('abort', forward)
    const running = run({ sizeMax, signal: controller.signal })
    this.#receiving.set(controller, running)
    try {
      return this.add(await running)
    } finally {
      this.#receiving.delete(controller)
      signal?.removeEventListener('abort', forward)
    }
  }

  /** A body that is complete becomes a staged one. */
  add(body: Body): StagedBody {
    this.assertOpen()
    this.#lastStageId += 1
    const { size, sha256, blockChecksums, content } = body
    const staged = { size, sha256, blockChecksums, content, stageId: String(this.#lastStageId) }
    this.#waiting.add(staged)
    return staged
  }

  /** From now on its bytes belong to whoever named them. @throws TypeError when it is not waiting. */
  handOver(staged: StagedBody): void {
    this.assertOpen()
    if (!this.#waiting.delete(staged))
      throw new TypeError(`body ${staged.stageId} is not staged here any more`)
    this.#handedOver.add(staged)
  }

  /** True when the body was waiting: its bytes are now the caller's to drop. */
  drop(staged: StagedBody): boolean {
    if (this.#handedOver.has(staged)) throw new TypeError(`body ${staged.stageId} has been handed over`)
    return this.#waiting.delete(staged)
  }

  /** Ends what is being received, waits for that, and gives the bodies that still wait. */
  async close(): Promise<StagedBody[]> {
    this.#closed = true
    for (const controller of this.#receiving.keys()) controller.abort(closedError())
    await Promise.allSettled(this.#receiving.values())
    const left = [...this.#waiting]
    this.#waiting.clear()
    return left
  }
}

function closedError(): StoreError {
  return new StoreError('UNAVAILABLE', 'The storage is closed.')
}
