/**
 * Where bodies are pulled from: other nodes that should have them, one after the other. Those that have left such a question unanswered,
 * or stopped in the middle, are asked last for a while: who sends no bodies may take part in everything else, so that nobody takes
 * its place (docs/decisions/0455).
 */
import type { Readable } from 'node:stream'
import type { Clock } from '../../env.ts'
import { errorCode, StoreError } from '../../errors.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { BlobId } from '../../storage/record.ts'
import { lending } from '../../stream-over.ts'
import type { NodeId } from '../../views/view.ts'

/** How long a node that was silent is asked last, ms: whoever asks it first after that may wait for it again. */
const AVOIDED_MS = 30_000

export interface WantedBytes {
  readonly first: number
  /** Absent: to the end. */
  readonly last?: number
  /** Nobody else is left to be asked. */
  readonly isLastHope: boolean
}

/** The bytes of a body; resolves when the first of them are there. An older node sends those beyond `last`, too. */
export type PullBody = (node: NodeId, blobId: BlobId, wanted: WantedBytes) => Promise<Readable>

export interface BodySourcesComponents {
  readonly clock: Clock
  readonly pullBody: PullBody
  /** Other nodes that should have the body of a path, or of one that is not known, the best first. */
  readonly holders: (path: PathName | undefined) => readonly NodeId[]
}

/** Takes all bytes of a body. */
export type Take = (bytes: Readable) => Promise<void>

export class BodySources {
  readonly #components: BodySourcesComponents
  /** Until when each of those is asked last, ms of the monotonic clock. */
  readonly #silentUntilMs = new Map<NodeId, number>()

  constructor(components: BodySourcesComponents) {
    this.#components = components
  }

  /** The nodes to ask, in this order. */
  of(path: PathName | undefined): readonly NodeId[] {
    const nodes = this.#components.holders(path)
    const nowMs = this.#components.clock.monotonicMs()
    for (const [node, untilMs] of this.#silentUntilMs) if (untilMs <= nowMs) this.#silentUntilMs.delete(node)
    const isSilent = (node: NodeId) => this.#silentUntilMs.has(node)
    return [...nodes.filter(node => !isSilent(node)), ...nodes.filter(isSilent)]
  }

  /** Some bytes from one node. @throws StoreError UNAVAILABLE, soon unless it is the last hope. */
  async pull(node: NodeId, blobId: BlobId, wanted: WantedBytes): Promise<Readable> {
    const { pullBody } = this.#components
    try {
      const bytes = await pullBody(node, blobId, wanted)
      return bytes.once('error', () => this.#wasSilent(node))
    } catch (error) {
      if (errorCode(error) === 'UNAVAILABLE') this.#wasSilent(node)
      throw error
    }
  }

  /**
   * All bytes of a body, from one node after the other until they were taken.
   * @param without a node that has said that it has no such body.
   * @throws StoreError FILE_NOT_FOUND when nobody has it, UNAVAILABLE when some can't be reached; what is no StoreError at once.
   */
  async takeWhole(path: PathName | undefined, blobId: BlobId, take: Take, without?: NodeId): Promise<void> {
    let fault: unknown
    let isNowhere = true
    const nodes = this.of(path).filter(node => node !== without)
    for (const [index, node] of nodes.entries()) {
      try {
        return await this.takeFrom(node, blobId, index === nodes.length - 1, take)
      } catch (error) {
        const code = errorCode(error)
        if (code === undefined) throw error
        if (code !== 'FILE_NOT_FOUND') isNowhere = false
        fault = error
      }
    }
    const code = isNowhere ? 'FILE_NOT_FOUND' : 'UNAVAILABLE'
    throw new StoreError(code, 'No node has the body at hand.', { cause: fault })
  }

  /** All bytes of a body from one node. @throws StoreError UNAVAILABLE when they break off; what `take` throws. */
  async takeFrom(node: NodeId, blobId: BlobId, isLastHope: boolean, take: Take): Promise<void> {
    const bytes = await this.pull(node, blobId, { first: 0, isLastHope })
    try {
      await lending(bytes, take)
    } catch (error) {
      if (bytes.errored === null || errorCode(error) !== undefined) throw error
      throw new StoreError('UNAVAILABLE', 'The bytes of a body broke off.', { cause: error })
    }
  }

  #wasSilent(node: NodeId): void {
    this.#silentUntilMs.set(node, this.#components.clock.monotonicMs() + AVOIDED_MS)
  }
}
