/**
 * One node of the worlds of the eventual model: a place with a disk, and what is durable on it.
 */
import { errorCode, StoreError } from '../../errors.ts'
import type { EventualNode } from '../../replication/eventual/eventual-node.ts'
import type { EventualRecord } from '../../replication/eventual/eventual-record.ts'
import { heldOf } from '../../replication/eventual/kept-record.ts'
import { WHOLE_RING } from '../../ring/arc.ts'
import type { Identifier, NodeId } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import { MemoryReplicaStore } from '../../storage/memory-replica-store.ts'
import type { BlobId } from '../../storage/record.ts'
import type { SkewedClock } from './skewed-clock.ts'

/** One place: a disk with, most of the time, a process on it. */
export class Place {
  id: NodeId
  readonly wallClock: SkewedClock
  /** Large bodies, named by records or not yet. */
  blobs = new Set<BlobId>()
  /** Of the path; what is durable. */
  store: MemoryReplicaStore = emptyStore(this.blobs)
  isFull = false
  node: EventualNode | undefined
  /** Counts the starts; whoever belongs to an earlier one changes nothing any more. */
  start = 0
  /** Requests that it is accepting. */
  readonly accepting = new Set<string>()
  /** Views that it knows: nodes by path. It may be behind. */
  views: ReadonlyMap<PathName, readonly NodeId[]> = new Map()
  epoch = 0

  constructor(id: NodeId, wallClock: SkewedClock) {
    this.id = id
    this.wallClock = wallClock
  }

  /** Bodies that no record names are gone when a process starts. */
  sweep(): void {
    const named = new Set(recordsOn(this).flatMap(blobsOf))
    for (const blob of this.blobs) if (!named.has(blob)) this.blobs.delete(blob)
  }

  /** A new disk. */
  empty(): void {
    this.blobs = new Set()
    this.store = emptyStore(this.blobs)
    this.isFull = false
  }
}

function emptyStore(blobs: Set<BlobId>): MemoryReplicaStore {
  return new MemoryReplicaStore({
    putFile: () => undefined,
    receiveBlob: () => Promise.reject(new StoreError('UNAVAILABLE', 'Bodies come in by another way here.')),
    hasBlob: blob => blobs.has(blob),
    dropBlob: blob => void blobs.delete(blob),
    openBlob: () => undefined,
  })
}

/** What is durable. */
export function recordsOn({ store }: Place): EventualRecord[] {
  return [...store.records(WHOLE_RING.lo, WHOLE_RING.hi)].map(kept => heldOf(kept).record)
}

export function blobsOf({ siblings }: EventualRecord): BlobId[] {
  return siblings.flatMap(({ body }) => ('blobId' in body.content ? [body.content.blobId] : []))
}

/** The position before another. */
export function before(position: Identifier): typeof position {
  return (BigInt(`0x${position}`) - 1n).toString(16).padStart(40, '0') as typeof position
}

/** Gives what a node that refuses gives: nothing. @throws what is a defect. */
export function onlyRefusals(error: unknown): undefined {
  if (errorCode(error) === undefined) throw error
  return undefined
}
