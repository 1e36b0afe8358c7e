/**
 * Bodies that are sent on while they still come in, from one node to the next, so that each link carries a body once
 * and all of them at the same time (Ghemawat, Gobioff and Leung, "The Google File System", 2003, section 3.2). All of it is
 * done ahead: what does not arrive this way is pushed whole later on.
 */
import { eitherSignal } from '../../either-signal.ts'
import type { BlobId } from '../../storage/record.ts'
import type { GrowingBody } from '../../storage/storage.ts'
import type { NodeId } from '../../views/view.ts'
import { sealed } from './sealed-body.ts'

/** Bodies that one node sends ahead at a time: a slow upload holds a connection to the next node as long as it lasts. */
const AHEAD_MAX = 8

/** Sends a sealed body to a node, which sends it on to `onward`; resolves when it has ended there and further on. */
export type SendAhead = (
  to: NodeId,
  blobId: BlobId,
  bytes: AsyncIterable<Uint8Array>,
  onward: readonly NodeId[],
  signal: AbortSignal,
) => Promise<void>

interface OnItsWay {
  readonly blobId: BlobId
  readonly nodes: readonly NodeId[]
  readonly abandoned: AbortController
  /** Resolves however it ends. */
  readonly ended: Promise<void>
}

export class BodiesAhead {
  readonly #send: SendAhead
  readonly #onTheirWay = new Set<OnItsWay>()

  constructor(components: { readonly send: SendAhead }) {
    this.#send = components.send
  }

  get count(): number {
    return this.#onTheirWay.size
  }

  /**
   * Sends a body to the first of these nodes, which sends it on to the others. Resolves when it has ended, well or not.
   * @param sha256 its hash, once that is known to be right.
   */
  async send(
    body: GrowingBody,
    nodes: readonly NodeId[],
    sha256: Promise<string>,
    signal?: AbortSignal,
  ): Promise<void> {
    // It may fail before anybody waits for it.
    sha256.catch(() => undefined)
    const [first, ...onward] = nodes
    if (first === undefined || this.#onTheirWay.size >= AHEAD_MAX) return
    const abandoned = new AbortController()
    const ends = eitherSignal([abandoned.signal, ...(signal === undefined ? [] : [signal])])
    const { blobId } = body
    const ended = this.#send(first, blobId, sealed(body.follow(ends), sha256), onward, ends).catch(
      () => undefined,
    )
    const onItsWay = { blobId, nodes, abandoned, ended }
    this.#onTheirWay.add(onItsWay)
    await ended
    ends.clear()
    this.#onTheirWay.delete(onItsWay)
  }

  /** Resolves when a body is not on its way to that node any more. */
  async ended(node: NodeId, blobId: BlobId): Promise<void> {
    const those = [...this.#onTheirWay].filter(one => one.blobId === blobId && one.nodes.includes(node))
    await Promise.all(those.map(({ ended }) => ended))
  }

  /** A node that is not wanted on the way of a body, or not there, holds up those behind it: that way ends. */
  leaveWays(blobId: BlobId, isWanted: (node: NodeId) => boolean): void {
    for (const one of this.#onTheirWay) {
      if (one.blobId === blobId && !one.nodes.every(isWanted))
        one.abandoned.abort(new Error('The way is given up.'))
    }
  }
}
