/**
 * What the judge of a network with eventual consistency looks at of one whole simulated node, over all starts of it: what runs, what lies on its disk, and which changes it has made durable.
 */
import type { EventualNode } from '../../replication/eventual/eventual-node.ts'
import type { EventualRecord } from '../../replication/eventual/eventual-record.ts'
import type { NodeId } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { BlobId } from '../../storage/record.ts'
import type { ChainNode } from './chain-node.ts'
import { recordsOn, type Seat, watchAccepting } from './eventual-place.ts'
import type { VirtualClock } from './virtual-clock.ts'
import type { WrittenVersions } from './written-versions.ts'

export class NodeSeat implements Seat {
  readonly accepting = new Set<string>()
  readonly #node: ChainNode
  readonly #starts: EventualNode[] = []
  /** What was durable when it was last looked at; undefined: nothing is known of what lies there. */
  #known: Map<PathName, EventualRecord> | undefined

  constructor(node: ChainNode) {
    this.#node = node
  }

  get id(): NodeId {
    return this.#node.id
  }

  get node(): EventualNode | undefined {
    return this.#node.whole?.ring?.eventual?.node
  }

  get store(): ChainNode['kept'] {
    return this.#node.kept
  }

  hasBody(blobId: BlobId): boolean {
    return this.#node.bodies.bytes(blobId) !== undefined
  }

  /** Versions that went because a path had too many, over all starts. */
  get siblingsDropped(): number {
    return this.#starts.reduce((sum, { replica }) => sum + replica.counts.siblingsDropped, 0)
  }

  /** The node begins to take part: from now on each change is noted as soon as it is durable. */
  begin({ versions, clock }: { versions: WrittenVersions; clock: Pick<VirtualClock, 'attempt'> }): void {
    const { node } = this
    if (node === undefined) return
    this.#starts.push(node)
    this.accepting.clear()
    this.survive(versions)
    const known = new Map(recordsOn(this).map(record => [record.path, record]))
    this.#known = known
    watchAccepting(this, node)
    const { passing } = node
    const noticed = passing.noticed.bind(passing)
    passing.noticed = (path, held) => {
      clock.attempt(() => versions.note(this, known.get(path), held?.record))
      if (held === undefined) known.delete(path)
      else known.set(path, held.record)
      noticed(path, held)
    }
  }

  /** The process has ended: what is durable, and was not seen to become that. */
  survive(versions: WrittenVersions): void {
    const known = this.#known
    if (known === undefined) return
    for (const record of recordsOn(this)) versions.survived(known.get(record.path), record)
  }

  /** What lies on the disk is about to be lost, or to give way to what lay there once. */
  lose(): void {
    this.#known = undefined
  }
}
