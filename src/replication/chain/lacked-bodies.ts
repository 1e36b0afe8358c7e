/**
 * What this node has been told about bodies that it is without: who has said that it has none either. It is a hint, and gone
 * after a restart: whoever has come by a body since sends it when it is asked again.
 */
import type { BlobId } from '../../storage/record.ts'
import type { NodeId } from '../../views/view.ts'

/** Bodies of which something is noted, about 8 MiB; further ones are waited for as if nobody had said anything. */
const NOTED_MAX = 65_536

export class LackedBodies {
  readonly #lackedBy = new Map<BlobId, Set<NodeId>>()

  /** `node` has been asked for a body, and has none. */
  lacks(node: NodeId, blobId: BlobId): void {
    const nodes = this.#lackedBy.get(blobId)
    if (nodes !== undefined) nodes.add(node)
    else if (this.#lackedBy.size < NOTED_MAX) this.#lackedBy.set(blobId, new Set([node]))
  }

  isLackedBy(node: NodeId, blobId: BlobId): boolean {
    return this.#lackedBy.get(blobId)?.has(node) === true
  }

  /** The body is here, or needed no more. */
  forget(blobId: BlobId): void {
    this.#lackedBy.delete(blobId)
  }

  /** Forgets those that nothing names any more, and says whether there were any. */
  forgetUnneeded(isNeeded: (blobId: BlobId) => boolean): boolean {
    const unneeded = [...this.#lackedBy.keys()].filter(blobId => !isNeeded(blobId))
    for (const blobId of unneeded) this.forget(blobId)
    return unneeded.length > 0
  }
}
