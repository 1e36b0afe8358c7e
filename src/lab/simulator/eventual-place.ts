/**
 * One node of the worlds of the eventual model: a place with a disk, and what is durable on it.
 */
import { errorCode, StoreError } from '../../errors.ts'
import { dotName } from '../../replication/eventual/dot.ts'
import type { EventualNode } from '../../replication/eventual/eventual-node.ts'
import { type EventualRecord, isTombstone, stateOf } from '../../replication/eventual/eventual-record.ts'
import { heldOf } from '../../replication/eventual/kept-record.ts'
import { WHOLE_RING } from '../../ring/arc.ts'
import type { Identifier, NodeId } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import { MemoryReplicaStore } from '../../storage/memory-replica-store.ts'
import type { BlobId } from '../../storage/record.ts'
import type { ReplicaStore } from '../../storage/replica-store.ts'
import type { SkewedClock } from './skewed-clock.ts'

/** One place: a disk with, most of the time, a process on it. */
export class Place implements Seat {
  id: NodeId
  readonly wallClock: SkewedClock
  /** Large bodies, named by records or not yet. */
  blobs = new Set<BlobId>()
  /** Of the path; what is durable. */
  store: MemoryReplicaStore = emptyStore(this.blobs)
  isFull = false
  /** What each sync takes longer than usual, ms. */
  syncMs = 0
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

  hasBody(blobId: BlobId): boolean {
    return this.blobs.has(blobId)
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

/** What is looked at of a node: what runs, what is durable, and which requests it is accepting. */
export interface Seat {
  readonly id: NodeId
  readonly node: EventualNode | undefined
  readonly store: Pick<ReplicaStore, 'records'>
  readonly accepting: Set<string>
  hasBody(blobId: BlobId): boolean
}

/** What is durable. */
export function recordsOn({ store }: Pick<Seat, 'store'>): EventualRecord[] {
  return [...store.records(WHOLE_RING.lo, WHOLE_RING.hi)].map(kept => heldOf(kept).record)
}

function blobsOf({ siblings }: EventualRecord): BlobId[] {
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

/** Whether a change of a record is a request of its node is known only while that one is being accepted. */
export function watchAccepting({ accepting }: Pick<Seat, 'accepting'>, { replica }: EventualNode): void {
  const accept = replica.accept.bind(replica)
  replica.accept = async (acceptance, told) => {
    accepting.add(acceptance.request)
    try {
      return await accept(acceptance, told)
    } finally {
      accepting.delete(acceptance.request)
    }
  }
}

/**
 * When all is at rest: every replica has the same of each path with its bodies, and nobody keeps or owes anything else.
 * @returns the names of the versions that stand. @throws what `broken` gives.
 */
export function standingAtRest(
  {
    paths,
    views,
    places,
  }: {
    readonly paths: readonly PathName[]
    readonly views: ReadonlyMap<PathName, readonly NodeId[]>
    readonly places: readonly Seat[]
  },
  broken: (what: string) => Error,
): ReadonlySet<string> {
  const placeOf = (node: NodeId) => places.find(({ id }) => id === node)
  const standing = new Set<string>()
  for (const path of paths) {
    const nodes = views.get(path) ?? []
    const records = nodes.map(id => placeOf(id)?.node?.replica.fetch(path))
    const states = new Set(records.map(record => (record ? JSON.stringify(stateOf(record)) : 'none')))
    if (states.size > 1) throw broken(`replicas of ${path} differ: ${[...states].join(' ')}`)
    for (const { dot } of records[0]?.siblings ?? []) standing.add(dotName(dot))
    for (const id of nodes)
      for (const blob of (records[0] && blobsOf(records[0])) ?? [])
        if (!placeOf(id)?.hasBody(blob)) throw broken(`${id} lacks ${blob} of ${path}`)
  }
  for (const place of places) {
    const { id, node } = place
    if (node === undefined) throw broken(`${id} does not run`)
    const { owed } = node.status()
    if (owed > 0) throw broken(`${id} still owes ${owed} records`)
    for (const record of recordsOn(place)) {
      const isOwn = views.get(record.path)?.includes(id)
      if (!isOwn && record.siblings.length > 0) throw broken(`${id} still keeps ${record.path} for others`)
      if (isTombstone(record)) throw broken(`${id} still remembers that ${record.path} was removed`)
    }
  }
  return standing
}
