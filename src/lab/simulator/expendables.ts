/**
 * What a simulated network promises to survive the loss of at a moment: a disk, or one copy of a body. The nemesis
 * takes nothing else.
 */
import type { ChainRecord } from '../../replication/chain/chain-record.ts'
import { blobOf } from '../../replication/chain/machine-state.ts'
import { arcContains, WHOLE_RING } from '../../ring/arc.ts'
import { identifierOfPath } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { BlobId } from '../../storage/record.ts'
import { compareViews, majority, type NodeId, type View } from '../../views/view.ts'
import type { ChainCluster } from './chain-cluster.ts'
import type { ChainInvariants } from './chain-invariants.ts'
import type { ChainNode } from './chain-node.ts'

export class Expendables {
  readonly #components: { readonly cluster: ChainCluster; readonly invariants: ChainInvariants }

  constructor(components: { readonly cluster: ChainCluster; readonly invariants: ChainInvariants }) {
    this.#components = components
  }

  /**
   * Whether the network promises to survive the loss of this disk now: of every view that may still be needed, another
   * replica and a majority of the acceptors are left.
   */
  hasDisk(node: ChainNode): boolean {
    const { cluster, invariants } = this.#components
    if (!cluster.members.has(node.id) || cluster.members.get(node.id)?.status === 'gone') return false
    const here = new Set<NodeId>(
      cluster.nodes.filter(each => each !== node && !each.restored).map(({ id }) => id),
    )
    for (const view of this.neededViews()) {
      const states = cluster.nodes
        .map(({ id }) => invariants.stateAt(id, view.id))
        .filter(state => state !== undefined)
      if (states.length === 0 && invariants.views.has(view.id)) continue
      if (this.#isFollowed(view, here)) continue
      const left = view.replicas.filter(id => here.has(id))
      const held = left.filter(id => invariants.stateAt(id, view.id)?.installed)
      const wasActive = invariants.active.has(view.id)
      if (left.length === 0 || (wasActive && held.length === 0)) return false
      // What only this disk knows is lost with it, a decision as well.
      const known = [...here].map(id => invariants.stateAt(id, view.id))
      const decided = known.some(state => state?.next !== undefined)
      if (!decided && view.acceptors.filter(id => here.has(id)).length < majority(view.acceptors))
        return false
    }
    return !this.#holdsLastBody(node)
  }

  /** Whether one of these nodes serves the same range in a newer view: then the older is needed for bodies alone. */
  #isFollowed(view: View, nodes: ReadonlySet<NodeId>): boolean {
    return this.#components.cluster.nodes.some(
      ({ id, views }) =>
        nodes.has(id) &&
        [...views.values()].some(
          ({ view: { lo, hi, ...newer }, active }) =>
            active && lo === view.lo && hi === view.hi && compareViews(newer, view) > 0,
        ),
    )
  }

  /** Whether a body that records name lies on this disk alone, as far as anybody would look for it. */
  #holdsLastBody(node: ChainNode): boolean {
    const others = this.#components.cluster.nodes.filter(other => other !== node && !other.restored)
    for (const [blobId, { stagedUntilMs }] of node.blobs) {
      if (stagedUntilMs !== undefined || !hasSound(node, blobId)) continue
      const holders = others.filter(other => hasSound(other, blobId))
      if (holders.length === 0) return true
      const records = [node, ...others].flatMap(each => naming(each, blobId))
      if (!records.every(({ path }) => this.#isAtHand(holders, path))) return true
    }
    return false
  }

  /** Views that anybody holds, and those that are on their way to be decided. */
  neededViews(): View[] {
    const { cluster, invariants } = this.#components
    const views = new Map(invariants.views)
    for (const { machine, views: held } of cluster.nodes) {
      for (const { accepted, next } of held.values()) {
        for (const child of [...(accepted?.children ?? []), ...(next ?? [])]) views.set(child.id, child)
      }
      for (const { proposal } of machine?.proposals.values() ?? []) {
        for (const child of proposal.value) views.set(child.id, child)
      }
    }
    return [...views.values()]
  }

  /** Whether the network can do without this copy of a body. */
  hasBody(node: ChainNode, blobId: BlobId): boolean {
    const holders = this.#components.cluster.nodes.filter(
      other => other !== node && other.machine !== undefined && hasSound(other, blobId),
    )
    return holders.length > 0 && naming(node, blobId).every(({ path }) => this.#isAtHand(holders, path))
  }

  /**
   * Whether one of these nodes will go on having what it has at a path: a replica of the view that serves does, and a
   * former one until that view is complete. It is enough that a step has made the view active or complete: others learn of
   * it when it is durable, and this node may be quicker.
   */
  #isAtHand(holders: readonly ChainNode[], path: PathName): boolean {
    const position = identifierOfPath(path)
    const states = this.#components.cluster.nodes.flatMap(({ views }) => [...views.values()])
    let newest: View | undefined
    for (const { view, active } of states) {
      if (!active || !arcContains(view, position)) continue
      if (newest === undefined || compareViews(newest, view) < 0) newest = view
    }
    if (newest === undefined) return holders.length > 0
    const { id, replicas, sources } = newest
    const isComplete = states.some(state => state.view.id === id && state.complete)
    const keepers = [...replicas, ...(isComplete ? [] : sources.flatMap(source => source.replicas))]
    return holders.some(holder => keepers.includes(holder.id))
  }
}

/** Whether a node has a body that is not damaged: it may not have noticed that, or have forgotten it in a crash. */
export function hasSound({ blobs, bodies }: ChainNode, blobId: BlobId): boolean {
  const kept = blobs.get(blobId)
  return kept !== undefined && bodies.isSound(kept.blob)
}

function naming(node: ChainNode, blobId: BlobId): ChainRecord[] {
  const { records } = node.machine ?? node.stable()
  return [...records.within(WHOLE_RING)].filter(record => blobOf(record)?.blobId === blobId)
}
