/**
 * The ports through which everybody outside of the core sees it: what this node knows of the network, and what it
 * keeps itself. They are to be read only, and show what a step has left, durable or not; whoever tells others of it waits
 * for `ChainDriver.durable()` first.
 */

import type { Arc } from '../../ring/arc.ts'
import { type Identifier, identifierOfPath } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { BlobId } from '../../storage/record.ts'
import type { Boot, NodeId, View, ViewId, ViewState } from '../../views/view.ts'
import { isGenuine, sharersOf } from './acquaintance.ts'
import type { ChainRecord } from './chain-record.ts'
import type { Digest } from './digest-tree.ts'
import { isAlive } from './liveness.ts'
import { withoutTrash } from './record-table.ts'
import { isSuperseded, type Sparing } from './spares.ts'

/** Who is responsible for what, and who is there, as far as this node knows. */
export interface NetworkView {
  readonly self: NodeId
  /** This start of this node. */
  readonly boot: Boot
  /** The newest view known of the range that a position lies in. */
  covering(position: Identifier): View | undefined
  /** The newest view known of each range. */
  newest(): readonly View[]
  /** The states of all views that this node holds, former ones included. */
  held(): readonly ViewState[]
  state(view: ViewId): ViewState | undefined
  /** Whether others have gone on with the range of a view that this node holds. */
  isSuperseded(state: ViewState): boolean
  /** Nodes that count as dead, because they do not answer. */
  suspects(): readonly NodeId[]
  isSuspect(node: NodeId): boolean
  /** Whether it has just left unanswered whether it is there. */
  isInDoubt(node: NodeId): boolean
  /** Neither a suspect nor gone for good. A belief, which may be wrong. */
  isAlive(node: NodeId): boolean
  /** The newest start known of each node, this one's own last. */
  starts(): (readonly [NodeId, Boot])[]
  /** Whether this node has learned that its own disk was restored, or copied. */
  readonly isHalted: boolean
  /** The newest start known of a node. */
  startOf(node: NodeId): Boot | undefined
  /** Whether a node can have this start, by what is known of its starts: else its disk was restored, or copied. */
  isGenuine(node: NodeId, boot: Boot): boolean
  /** Nodes that share a view with one. */
  sharersOf(node: NodeId): ReadonlySet<NodeId>
}

/** The records and large bodies that lie here. */
export interface KeptHere {
  record(path: PathName): ChainRecord | undefined
  /** Of the records of an arc whose positions begin with a prefix. */
  within(arc: Arc, prefix?: string): Iterable<ChainRecord>
  digest(arc: Arc, prefix: string): Digest
  /** Paths at which this node, as the head of a view, has a write that not every replica has acknowledged yet. */
  unacknowledged(view: ViewId): Iterable<PathName>
  hasBody(blobId: BlobId): boolean
  /** How many bodies are named by records and are not here. */
  missingBodies(): number
  /** Records, and bytes of their bodies, that were copied from others since this node started. */
  copied(): { readonly records: number; readonly bytes: number }
}

/** @param machine the one that runs at the moment: a disk that has failed starts another. */
export function networkViewOf(machine: () => Readonly<Sparing>): NetworkView {
  return {
    get self() {
      return machine().self
    },
    get boot() {
      return machine().boot
    },
    covering: position => machine().table.covering(position),
    newest: () => machine().table.all(),
    held: () => [...machine().views.values()],
    state: view => machine().views.get(view),
    isSuperseded: state => isSuperseded(machine(), state),
    suspects: () => [...machine().suspects],
    isSuspect: node => machine().suspects.has(node),
    isInDoubt: node => machine().silences.has(node),
    isAlive: node => isAlive(machine(), node),
    starts: () => [...machine().peers, [machine().self, machine().boot]],
    get isHalted() {
      return machine().halted
    },
    startOf: node => machine().peers.get(node),
    isGenuine: (node, boot) => isGenuine(machine(), node, boot),
    sharersOf: node => sharersOf(machine(), node),
  }
}

export function keptHereOf(machine: () => Readonly<Sparing>): KeptHere {
  return {
    record: path => machine().records.get(path),
    within: (arc, prefix) => withoutTrash(machine().records.within(arc, prefix)),
    digest: (arc, prefix) => machine().records.digest(arc, prefix),
    unacknowledged: view => machine().chains.get(view)?.dirty.keys() ?? [],
    hasBody: blobId => machine().blobs.has(blobId),
    missingBodies: () => {
      const { references, blobs } = machine()
      let missing = 0
      for (const blobId of references.keys()) if (!blobs.has(blobId)) missing++
      return missing
    },
    copied: () => machine().copied,
  }
}

/** Nodes that are asked for one body at the most: one after the other, so that more would take too long anyway. */
export const HOLDERS_MAX = 32

/**
 * Other nodes that should have the body of a path: the replicas of its path first, then those of the views that it came from, then
 * whoever else this node knows to be a replica of anything, since a copy names a body that lies elsewhere on the ring. Those
 * believed dead come last.
 */
export function holdersOf(known: NetworkView, path: PathName | undefined): NodeId[] {
  const view = path === undefined ? undefined : known.covering(identifierOfPath(path))
  const near = view === undefined ? [] : [view, ...view.sources].flatMap(source => source.replicas)
  const all = new Set([...near, ...known.newest().flatMap(({ replicas }) => replicas)])
  all.delete(known.self)
  const nodes = [...all]
  const dead = (node: NodeId) => !known.isAlive(node)
  return [...nodes.filter(node => !dead(node)), ...nodes.filter(dead)].slice(0, HOLDERS_MAX)
}
