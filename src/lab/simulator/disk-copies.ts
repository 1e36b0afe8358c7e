/**
 * The promise of a chain network about disks: what was acknowledged lies on so many of them, whatever is suspected,
 * and nothing but the loss of a disk takes one away.
 *
 * A write that is acknowledged lies on every replica of its view, which may have fewer than k. From then on the number of
 * disks with it, up to k, never goes down by itself: a node may only give up its copy when k others have it. A disk that
 * is lost takes its copy with it, and so does a node that leaves. A disk has a write when it has its record with its
 * body, or something newer at the path, as a replica of some view, be it superseded.
 */
import { type ChainRecord, compareVersions } from '../../replication/chain/chain-record.ts'
import type { Machine } from '../../replication/chain/machine-parts.ts'
import { blobOf, type Write } from '../../replication/chain/machine-state.ts'
import { arcContains, WHOLE_RING } from '../../ring/arc.ts'
import { identifierOfPath } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { BlobId, Version } from '../../storage/record.ts'
import type { NodeId, View, ViewState } from '../../views/view.ts'
import { InvariantBroken } from './invariant-broken.ts'

/** A simulated node, as far as its disk matters here. */
export interface NodeWithDisk {
  readonly id: NodeId
  readonly machine: Machine | undefined
  /** An old image was put on the disk: it counts for nothing. */
  readonly restored: boolean
}

export interface DiskCopiesComponents<Node extends NodeWithDisk> {
  /** Nodes that are not gone, running or not. */
  readonly members: () => readonly Node[]
  readonly isLeaving: (node: Node) => boolean
}

/** What a node has, on its disk or as far as its machine knows. */
interface Holdings {
  readonly record: (path: PathName) => ChainRecord | undefined
  readonly hasBody: (blobId: BlobId) => boolean
  readonly views: () => Iterable<ViewState>
}

interface Disk extends Holdings {
  readonly id: NodeId
  readonly apply: (write: Write) => void
}

interface Owed {
  readonly version: Version
  /** On how many disks it has to be. */
  disks: number
  /** On which it is. */
  holders: ReadonlySet<NodeId>
}

export class DiskCopies<Node extends NodeWithDisk> {
  readonly #components: DiskCopiesComponents<Node>
  readonly #copies: number
  /** What is durable at each node. */
  readonly #disks = new Map<Node, Disk>()
  readonly #owed = new Map<PathName, Owed>()
  readonly #removals = new Map<PathName, Version[]>()
  /** Ranges that an operator has recovered by force: what was written there may be lost. */
  readonly #recovered: View[] = []
  /** Nodes whose disks count at this moment. */
  #counting: readonly (readonly [Node, Disk])[] = []

  constructor(components: DiskCopiesComponents<Node>, init: { readonly copies: number }) {
    this.#components = components
    this.#copies = init.copies
  }

  /** A node starts: its machine has what its disk has. */
  started(node: Node): void {
    if (node.machine === undefined) return
    this.#noticeLosses()
    this.#disks.set(node, diskOf(node.id, node.machine))
    this.#noticeLosses()
    this.#update('given up')
  }

  /** A node has made a step; nothing of it is durable yet. `lost`: a body that its disk has lost, by no step of its own. */
  stepped(node: Node, writes: readonly Write[], lost?: BlobId): void {
    this.#noticeLosses()
    for (const write of writes) {
      if (write.kind === 'record' && write.record !== undefined) this.#noteRemoval(write.record)
      if (write.kind !== 'view' || write.state === undefined) continue
      this.#noteFloor(node, write.state)
      this.#noteRecovery(write.state.view)
    }
    const disk = this.#disks.get(node)
    if (lost !== undefined) disk?.apply({ kind: 'blob', id: lost, blob: undefined })
    // What was newer and never acknowledged is put back, and the older body may be gone with it.
    const putBack = writes.filter(write => disk !== undefined && isOlder(disk, write))
    for (const write of putBack) disk?.apply(write)
    // Who leaves gives all to those who stay, be they fewer.
    const isLeaving = this.#components.isLeaving(node)
    if (isLeaving && disk?.id === node.id) for (const write of writes) if (isDrop(write)) disk.apply(write)
    if (lost !== undefined || isLeaving || putBack.length > 0) this.#update('lost')
    else if (disk !== undefined) this.#judge(this.#touched(writes))
  }

  /** What a step has written is durable. */
  durable(node: Node, writes: readonly Write[]): void {
    const disk = this.#disks.get(node)
    if (disk === undefined || disk.id !== node.id) return
    this.#noticeLosses()
    for (const write of writes) disk.apply(write)
    this.#update('given up', this.#touched(writes))
  }

  /** The paths owed of which a step may have changed who has them. */
  #touched(writes: readonly Write[]): Iterable<PathName> {
    const paths = new Set<PathName>()
    for (const write of writes) {
      // A body may belong to any path, and a view is what makes a record the copy of a replica.
      if (write.kind === 'blob' || write.kind === 'view') return this.#owed.keys()
      if (write.kind === 'record' && this.#owed.has(write.path)) paths.add(write.path)
    }
    return paths
  }

  /** A client was told that a write has happened. */
  acknowledged(path: PathName, version: Version): void {
    this.#noticeLosses()
    const before = this.#owed.get(path)
    if (before !== undefined && compareVersions(before.version, version) >= 0) return
    if (this.#recovered.some(view => arcContains(view, identifierOfPath(path)))) return
    const holders = this.#holders(path, version)
    this.#owed.set(path, { version, disks: Math.min(this.#copies, holders.size), holders })
  }

  #noteRecovery(view: View): void {
    if (view.root === undefined || this.#recovered.some(({ root }) => root === view.root)) return
    this.#recovered.push(view)
    for (const path of this.#owed.keys()) {
      if (arcContains(view, identifierOfPath(path))) this.#owed.delete(path)
    }
  }

  #noteRemoval({ path, version, body }: ChainRecord): void {
    if (body !== undefined) return
    const removals = this.#removals.get(path) ?? []
    removals.push(version)
    this.#removals.set(path, removals)
  }

  /** A path without a record stands at the floor of its view: a removal up to there is acknowledged, told or not. */
  #noteFloor(node: Node, { view, installed, floor }: ViewState): void {
    if (!installed || !view.replicas.includes(node.id)) return
    for (const [path, { version }] of this.#owed) {
      if (!arcContains(view, identifierOfPath(path)) || node.machine?.records.get(path) !== undefined)
        continue
      for (const removal of this.#removals.get(path) ?? []) {
        const isMeant = compareVersions(removal, version) > 0 && compareVersions(removal, floor) <= 0
        if (isMeant) this.acknowledged(path, removal)
      }
    }
  }

  /** Who is new to it counts at once; who has it no longer counts until then, unless it has lost it. */
  #update(how: 'lost' | 'given up', paths: Iterable<PathName> = this.#owed.keys()): void {
    for (const path of paths) {
      const owed = this.#owed.get(path) as Owed
      const holders = this.#holders(path, owed.version)
      let gone = 0
      if (how === 'lost') for (const id of owed.holders) if (!holders.has(id)) gone++
      let added = 0
      for (const id of holders) if (!owed.holders.has(id)) added++
      owed.disks = Math.min(this.#copies, Math.max(0, owed.disks - gone) + added)
      owed.holders = holders
    }
  }

  /** Disks that are gone, and nodes that are to leave, take what they had with them. */
  #noticeLosses(): void {
    // Twice for each event of a run: most often nothing has changed.
    const before = this.#counting
    const counting: (readonly [Node, Disk])[] = []
    const here = new Set<NodeId>()
    for (const node of this.#components.members()) {
      const disk = this.#disks.get(node)
      if (disk === undefined || disk.id !== node.id || node.restored) continue
      counting.push([node, disk])
      here.add(disk.id)
    }
    this.#counting = counting
    for (const [, { id }] of before) if (!here.has(id)) return this.#update('lost')
  }

  #judge(paths: Iterable<PathName>): void {
    for (const path of paths) {
      const { version, disks } = this.#owed.get(path) as Owed
      let now = 0
      for (const [node, disk] of this.#counting) if (keeps(node, disk, path, version)) now++
      if (now >= disks) continue
      const what = `${version.epoch}.${version.seq} of ${path}`
      throw new InvariantBroken(`The acknowledged write ${what} was on ${disks} disks and is on ${now}`, [
        path,
      ])
    }
  }

  /** The nodes whose disks have it; nobody needs to have what is removed. */
  #holders(path: PathName, version: Version): Set<NodeId> {
    if (this.#removals.get(path)?.some(removal => compareVersions(removal, version) === 0)) return new Set()
    const holders = new Set<NodeId>()
    for (const [node, disk] of this.#counting) if (keeps(node, disk, path, version)) holders.add(node.id)
    return holders
  }
}

function isOlder(disk: Disk, write: Write): boolean {
  if (write.kind !== 'record' || write.record === undefined) return false
  const before = disk.record(write.path)
  return before !== undefined && compareVersions(write.record.version, before.version) < 0
}

function isDrop(write: Write): boolean {
  if (write.kind === 'record') return write.record === undefined
  return write.kind === 'blob' ? write.blob === undefined : write.kind === 'view' && write.state === undefined
}

/**
 * Whether a node's disk has it, and will. What a step has brought is there when it is durable, what one has taken away is as good
 * as gone: a slow disk may bring a record on stable storage when the step that gives it up waits already behind it.
 */
function keeps({ id, machine }: NodeWithDisk, disk: Disk, path: PathName, version: Version): boolean {
  return (
    has(disk, id, path, version) && (machine === undefined || has(holdingsOf(machine), id, path, version))
  )
}

/** Whether it is there as the copy of a replica, or of one that was: what is copied ahead may go again. */
function has(holdings: Holdings, id: NodeId, path: PathName, version: Version): boolean {
  const own = holdings.record(path)
  if (own === undefined) return false
  const order = compareVersions(own.version, version)
  const blob = blobOf(own)
  if (order < 0 || (order === 0 && blob !== undefined && !holdings.hasBody(blob.blobId))) return false
  // A replica of an older view that has copied it ahead has it for the sake of another one.
  for (const { view, installed } of holdings.views())
    if (
      installed &&
      view.epoch >= version.epoch &&
      view.replicas.includes(id) &&
      arcContains(view, own.position)
    )
      return true
  return false
}

/** One for each machine: they are asked for at every event. */
const HOLDINGS = new WeakMap<Machine, Holdings>()

function holdingsOf(machine: Machine): Holdings {
  const known = HOLDINGS.get(machine)
  if (known !== undefined) return known
  const { records, blobs, views } = machine
  const holdings: Holdings = {
    record: path => records.get(path),
    hasBody: blobId => blobs.has(blobId),
    views: () => views.values(),
  }
  HOLDINGS.set(machine, holdings)
  return holdings
}

/** A disk with what a machine has that has just started from it. */
function diskOf(id: NodeId, machine: Machine): Disk {
  const records = new Map<PathName, ChainRecord>()
  for (const record of machine.records.within(WHOLE_RING)) records.set(record.path, record)
  const bodies = new Set(machine.blobs.keys())
  const views = new Map(machine.views)
  const apply = (write: Write) => {
    if (write.kind === 'record' && write.record === undefined) records.delete(write.path)
    if (write.kind === 'record' && write.record !== undefined) records.set(write.path, write.record)
    if (write.kind === 'view' && write.state === undefined) views.delete(write.id)
    if (write.kind === 'view' && write.state !== undefined) views.set(write.id, write.state)
    if (write.kind === 'blob' && write.blob === undefined) bodies.delete(write.id)
    if (write.kind === 'blob' && write.blob !== undefined) bodies.add(write.id)
  }
  return {
    id,
    apply,
    record: path => records.get(path),
    hasBody: blobId => bodies.has(blobId),
    views: () => views.values(),
  }
}
