/**
 * What has to be true of a chain network at every moment, whatever the nemesis does. It looks into all nodes at
 * once, as no node can; a node that is down is judged by its disk.
 */

import { type ChainRecord, compareVersions } from '../../replication/chain/chain-record.ts'
import { blobOf, type Write } from '../../replication/chain/machine-state.ts'
import type { Envelope } from '../../replication/chain/messages.ts'
import { type Arc, arcContains, overlaps, WHOLE_RING } from '../../ring/arc.ts'
import { identifierOfPath } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import { isTrashPath, trashedAt, trashPathOf } from '../../ring/trash-path.ts'
import type { BlobId, Version } from '../../storage/record.ts'
import { type TrashName, trashFactsOf } from '../../storage/trash-name.ts'
import { SealMarks } from '../../views/range-table.ts'
import {
  assertChildren,
  compareViews,
  majority,
  type NodeId,
  predecessorIn,
  type View,
  type ViewId,
  type ViewState,
} from '../../views/view.ts'
import { AnswerInvariants, showVersion } from './answer-invariants.ts'
import type { ChainCluster } from './chain-cluster.ts'
import type { ChainNode } from './chain-node.ts'
import { InvariantBroken } from './invariant-broken.ts'
import { MessageInvariants } from './message-invariants.ts'

export class ChainInvariants {
  readonly #cluster: () => ChainCluster
  /** The children of each view, as first learned. */
  readonly #decided = new Map<ViewId, readonly View[]>()
  /** Every view that anybody has held. */
  readonly views = new Map<ViewId, View>()
  /** Views that were active somewhere. */
  readonly active = new Map<ViewId, View>()
  /** What each running node has at each path. */
  readonly #records = new Map<ChainNode, Map<PathName, ChainRecord>>()
  /** The views that each running node has installed. */
  readonly #installed = new Map<ChainNode, Set<ViewId>>()
  readonly #acknowledged = new Map<PathName, Version>()
  /** What each move has written at its destination, and the moves whose source is gone. */
  readonly #copies = new Map<string, { readonly path: PathName; readonly version: Version }>()
  readonly #removed = new Set<string>()
  readonly #lostBodies = new Set<BlobId>()
  readonly #messages = new MessageInvariants()
  readonly answers = new AnswerInvariants({
    acknowledged: path => this.#acknowledged.get(path),
    isForced: path => this.isForced(path),
  })
  /** Ranges that were recovered by force: what was told there may be lost, and two views may serve until they meet. */
  readonly #forced: Arc[] = []

  constructor(components: { readonly cluster: () => ChainCluster }) {
    this.#cluster = components.cluster
  }

  /** A node starts: what it has is what its disk has. */
  started(node: ChainNode): void {
    const { records, views } = node.stable()
    const kept = [...records.within(WHOLE_RING)]
    this.#records.set(node, new Map(kept.map(record => [record.path, record])))
    // The process may have ended before it learned that a copy had become durable.
    for (const record of kept) this.#noteMove(record)
    const installed = [...views.values()].filter(state => state.installed)
    this.#installed.set(node, new Set(installed.map(({ view }) => view.id)))
    for (const state of views.values()) {
      if (state.view.acceptors.length > 0) this.views.set(state.view.id, state.view)
      if (state.active) this.active.set(state.view.id, state.view)
    }
  }

  /** A node has made a step. */
  stepped(node: ChainNode, writes: readonly Write[]): void {
    if (node.restored) return
    this.#messages.stepped(node.id)
    const installed = this.#installed.get(node) ?? new Set()
    this.#installed.set(node, installed)
    const installing = new Set<ViewId>()
    for (const write of writes) {
      if (write.kind !== 'view') continue
      if (!write.state?.installed) installed.delete(write.id)
      else if (!installed.has(write.id)) installing.add(write.id)
    }
    for (const id of installing) installed.add(id)
    for (const id of installing) this.#assertAdopted(node, id, writes)
    for (const write of writes) {
      if (write.kind === 'record') this.#recordWritten(node, write.path, write.record, installing)
    }
  }

  /** What a step has written is stable, so others may learn of it. */
  durable(node: ChainNode, writes: readonly Write[]): void {
    if (node.restored) return
    this.#messages.durable(node.id, writes)
    for (const write of writes) {
      if (write.kind === 'view' && write.state !== undefined) this.#viewWritten(write.state)
      else if (write.kind === 'record' && write.record !== undefined) this.#noteMove(write.record)
    }
  }

  /** A message leaves a node: by then, what it says is stable there. */
  sent(envelope: Envelope): void {
    if (this.#nodeOf(envelope.from) !== undefined) this.#messages.sent(envelope)
  }

  /** A client was told that a write has happened. */
  acknowledged(path: PathName, version: Version): void {
    if (this.isForced(path)) return
    const before = this.#acknowledged.get(path)
    if (before === undefined || compareVersions(before, version) < 0) this.#acknowledged.set(path, version)
    const view = this.newestActive(path)
    if (view === undefined) return
    this.#assertHeld(view, path)
    if (view.epoch === version.epoch) for (const id of view.replicas) this.#assertBodyAt(id, path, version)
  }

  /** An operator has given up whatever others know of this range. */
  forced({ lo, hi }: Arc): void {
    this.#forced.push({ lo, hi })
    for (const path of this.#acknowledged.keys()) if (this.isForced(path)) this.#acknowledged.delete(path)
  }

  isForced(path: PathName): boolean {
    return this.#forced.some(arc => arcContains(arc, identifierOfPath(path)))
  }

  /** A body has rotted somewhere: it may be missing for a while. */
  bodyLost(blobId: BlobId): void {
    this.#lostBodies.add(blobId)
  }

  /** A replica that holds an acknowledged write of this view holds its body, and those of the trash of its path. */
  #assertBodyAt(id: NodeId, path: PathName, version: Version): void {
    const node = this.#nodeOf(id)
    const record = node?.recordAt(path)
    if (node === undefined || record === undefined || compareVersions(record.version, version) !== 0) return
    const inTrash = (name: TrashName) =>
      [trashFactsOf(name).version, node.recordAt(trashPathOf(path, name))] as const
    const current = [record.written?.version ?? version, record] as const
    for (const [written, each] of [current, ...(record.trash ?? []).map(inTrash)]) {
      // What was written in a view before may be on its way still, also under a record that has changed the trash alone.
      if (written.epoch !== version.epoch) continue
      const blobId = each && blobOf(each)?.blobId
      if (blobId === undefined || this.#lostBodies.has(blobId) || node.blobs.has(blobId)) continue
      const what = each === record ? 'an acknowledged write' : 'something in the trash'
      throw new InvariantBroken(`${node.name} lacks the body of ${what} of ${path}`, [path])
    }
  }

  /** The newest view that was ever active at a path. */
  newestActive(path: PathName): View | undefined {
    const position = identifierOfPath(path)
    let newest: View | undefined
    for (const view of this.active.values()) {
      if (!arcContains(view, position)) continue
      if (newest === undefined || compareViews(view, newest) > 0) newest = view
    }
    return newest
  }

  /** The state of a view at a node, which may be down. */
  stateAt(id: NodeId, viewId: ViewId): ViewState | undefined {
    return this.#nodeOf(id)?.views.get(viewId)
  }

  #nodeOf(id: NodeId | undefined): ChainNode | undefined {
    return this.#cluster().nodes.find(node => node.id === id && !node.restored)
  }

  #viewWritten(state: ViewState): void {
    const { view } = state
    if (view.acceptors.length === 0) return
    this.views.set(view.id, view)
    if (state.next !== undefined) this.#learn(view, state.next)
    if (!state.active || this.active.has(view.id)) return
    this.active.set(view.id, view)
    this.#assertParentsSealed(view)
    this.#assertAlike(view)
    for (const path of this.#acknowledged.keys()) {
      if (this.newestActive(path) === view) this.#assertHeld(view, path)
    }
  }

  #learn(view: View, next: readonly View[]): void {
    const before = this.#decided.get(view.id)
    if (before !== undefined) {
      if (before[0]?.id !== next[0]?.id)
        throw new InvariantBroken(`View ${view.id} has two successors`, [view.id])
      return
    }
    this.#decided.set(view.id, next)
    assertChildren(view, next)
  }

  /** Never two views that can both confirm one key. */
  #assertParentsSealed(view: View): void {
    for (const other of this.active.values()) {
      if (compareViews(other, view) >= 0 || !overlaps(other, view)) continue
      if (this.#forced.some(arc => overlaps(arc, other) && overlaps(arc, view))) continue
      const open = other.acceptors.filter(id => this.#mayConfirm(id, other))
      if (open.length >= majority(other.acceptors)) {
        throw new InvariantBroken(`Views ${other.id} and ${view.id} can both confirm a key`, [
          other.id,
          view.id,
        ])
      }
    }
  }

  /** All replicas of a view begin with the same records, tombstones aside. */
  #assertAlike(view: View): void {
    const held = view.replicas.flatMap(id => {
      const node = this.#nodeOf(id)
      const state = this.stateAt(id, view.id)
      return node?.machine === undefined || !state?.installed || state.sealed ? [] : [node]
    })
    const paths = new Set(held.flatMap(node => [...(this.#records.get(node)?.keys() ?? [])]))
    for (const path of paths) {
      if (!arcContains(view, identifierOfPath(path))) continue
      const records = held.map(node => node.recordAt(path))
      // A trashed version comes and goes with the record of the path that it comes from.
      const own = trashedAt(path)?.path ?? path
      const isWritten = (node: ChainNode) => (node.recordAt(own)?.version.epoch ?? 0) >= view.epoch
      if (held.some(isWritten)) continue
      const versions = records.map(record =>
        record?.body === undefined ? 'absent' : showVersion(record.version),
      )
      if (new Set(versions).size > 1) {
        throw new InvariantBroken(`View ${view.id} begins with ${versions.join(', ')} of ${path}`, [
          path,
          view.id,
        ])
      }
    }
  }

  #mayConfirm(id: NodeId, view: View): boolean {
    const state = this.stateAt(id, view.id)
    if (state !== undefined) return !state.sealed
    const node = this.#nodeOf(id)
    if (node === undefined) return false
    const marks = new SealMarks()
    for (const mark of node.machine?.markList ?? node.stable().marks) marks.seal(mark)
    return !marks.covers(view)
  }

  /** What was acknowledged is on every replica of the view that serves now. */
  #assertHeld(view: View, path: PathName): void {
    const acknowledged = this.#acknowledged.get(path)
    if (acknowledged === undefined) return
    for (const id of view.replicas) {
      const node = this.#nodeOf(id)
      if (node === undefined) continue
      const version = node.recordAt(path)?.version ?? this.stateAt(id, view.id)?.floor
      if (
        version !== undefined &&
        compareVersions(version, acknowledged) < 0 &&
        !this.#isSuperseded(node, path, view)
      ) {
        const what = `${showVersion(acknowledged)} of ${path}`
        throw new InvariantBroken(`${node.name} in view ${view.id} lacks the acknowledged write ${what}`, [
          path,
          view.id,
        ])
      }
    }
  }

  /** A view begins with every write that was acknowledged in the views before it, already when it is installed. */
  #assertAdopted(node: ChainNode, id: ViewId, writes: readonly Write[]): void {
    const state = writes.findLast(write => write.kind === 'view' && write.id === id) as { state?: ViewState }
    if (state.state === undefined || !state.state.view.replicas.includes(node.id)) return
    const { view, floor } = state.state
    for (const [path, acknowledged] of this.#acknowledged) {
      if (!arcContains(view, identifierOfPath(path)) || acknowledged.epoch >= view.epoch) continue
      // A whole node that resumes makes steps before it is up: it has what its disk has then.
      const version = node.recordAt(path)?.version ?? floor
      if (compareVersions(version, acknowledged) >= 0) continue
      const what = `${showVersion(acknowledged)} of ${path}`
      throw new InvariantBroken(`${node.name} installs view ${id} without the acknowledged write ${what}`, [
        path,
        id,
      ])
    }
  }

  #isSuperseded(node: ChainNode, path: PathName, view: View): boolean {
    const position = identifierOfPath(path)
    const states = [...(node.machine?.views.values() ?? [])]
    return states.some(state => compareViews(state.view, view) > 0 && arcContains(state.view, position))
  }

  #recordWritten(
    node: ChainNode,
    path: PathName,
    record: ChainRecord | undefined,
    installing: ReadonlySet<ViewId>,
  ): void {
    const shadow = this.#records.get(node) ?? new Map<PathName, ChainRecord>()
    this.#records.set(node, shadow)
    const before = shadow.get(path)
    if (isTrashPath(path)) {
      if (record === undefined) shadow.delete(path)
      else shadow.set(path, record)
      return
    }
    const state = this.#servingState(node, path)
    const serving = state !== undefined && installing.has(state.view.id) ? undefined : state
    if (record === undefined) {
      shadow.delete(path)
      const isLow =
        before !== undefined && serving !== undefined && compareVersions(serving.floor, before.version) < 0
      if (isLow)
        throw new InvariantBroken(`${node.name} drops a tombstone of ${path} above its floor`, [path])
      return
    }
    shadow.set(path, record)
    for (const name of record.trash ?? [])
      if (node.recordAt(trashPathOf(path, name)) === undefined)
        throw new InvariantBroken(`${node.name} has ${path} without what its trash names`, [path])
    if (serving === undefined || record.version.epoch !== serving.view.epoch) return
    if (before !== undefined && compareVersions(record.version, before.version) <= 0) {
      const [from, to] = [showVersion(before.version), showVersion(record.version)]
      const what = `${path} goes back from ${from} to ${to} at ${node.name} in ${serving.view.id}`
      throw new InvariantBroken(what, [path, serving.view.id])
    }
    this.#assertUpstreamHas(node, serving, record)
  }

  /** No move leaves its file at neither path: a source goes only when the destination is acknowledged. */
  #noteMove({ path, version, history }: ChainRecord): void {
    for (const made of history) {
      const [moveId, part] = made.requestId.split(':')
      if (moveId && part === 'copy') this.#copies.set(moveId, { path, version: made.version })
    }
    const latest = history.at(-1)
    if (latest === undefined || compareVersions(latest.version, version) !== 0) return
    const [moveId = '', part] = latest.requestId.split(':')
    if (part !== 'remove' || this.#removed.has(moveId)) return
    this.#removed.add(moveId)
    const copy = this.#copies.get(moveId)
    if (copy !== undefined) return this.acknowledged(copy.path, copy.version)
    // Where force was used, the copy may have been among what was given up.
    if (this.#forced.length === 0)
      throw new InvariantBroken(`A move removed ${path} before there was a copy`, [path])
  }

  /** No record is newer downstream than upstream. */
  #assertUpstreamHas(node: ChainNode, serving: ViewState, record: ChainRecord): void {
    const previous = predecessorIn(serving.view, node.id)
    const upstream = this.#nodeOf(previous)
    if (previous === undefined || upstream === undefined) return
    const state = this.stateAt(previous, serving.view.id)
    if (state === undefined || state.sealed) return
    const version = upstream.recordAt(record.path)?.version ?? state.floor
    if (compareVersions(version, record.version) < 0) {
      throw new InvariantBroken(`${record.path} is newer at ${node.name} than upstream`, [record.path])
    }
  }

  #servingState(node: ChainNode, path: PathName): ViewState | undefined {
    const position = identifierOfPath(path)
    for (const state of node.machine?.views.values() ?? []) {
      if (
        state.active &&
        !state.sealed &&
        state.view.replicas.includes(node.id) &&
        arcContains(state.view, position)
      ) {
        return state
      }
    }
    return undefined
  }

  /** A body that a client was told of is on every replica, or on one from which the others can have it. */
  assertBodies(paths: readonly PathName[]): void {
    for (const path of paths) {
      const view = this.newestActive(path)
      if (view === undefined) continue
      const holders = [view, ...view.sources].flatMap(source => source.replicas)
      for (const id of view.replicas) this.#assertBody(id, path, holders)
    }
  }

  #assertBody(id: NodeId, path: PathName, holders: readonly NodeId[]): void {
    const record = this.#nodeOf(id)?.recordAt(path)
    const acknowledged = this.#acknowledged.get(path)
    if (record === undefined || acknowledged === undefined) return
    if (compareVersions(record.version, acknowledged) > 0) return
    const blob = blobOf(record)
    if (blob === undefined) return
    const held = holders.some(holder => this.#nodeOf(holder)?.blobs.has(blob.blobId) === true)
    if (!held) throw new InvariantBroken(`Nobody has the body of ${path} any more`, [path])
  }
}
