/**
 * The records that this node keeps, on its disk. Changes of one path happen one after the other, each from what is durable to what will be;
 * so whatever is read here is durable. Kept up to date with them: digests of ranges, which bodies are named, and what is owed to whom.
 */
import { StoreError } from '../../errors.ts'
import { assert } from '../../invariant.ts'
import { type Arc, arcContains, arcOfPrefix, WHOLE_RING } from '../../ring/arc.ts'
import type { Identifier } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import { isWholeChecked } from '../../storage/checked-notes.ts'
import type { BlobId } from '../../storage/record.ts'
import type { KeptRecord, ReplicaStore } from '../../storage/replica-store.ts'
import { type Digest, DigestTree } from '../chain/digest-tree.ts'
import { type Actor, Minting, spansIn } from './dot.ts'
import { type EventualRecord, isTombstone, SPANS_KEPT, shownFile, stateOf } from './eventual-record.ts'
import { type HeldRecord, heldOf, keptOf } from './kept-record.ts'

export interface EventualTableComponents {
  readonly store: ReplicaStore
  /** A record is durable as it is now; undefined: it is forgotten. */
  readonly changed: (path: PathName, held: HeldRecord | undefined) => void
}

export interface EventualTableInit {
  readonly actor: Actor
  /** SPANS_KEPT by default. */
  readonly spansKept?: number
}

export class EventualTable {
  /** Names what is written here. */
  readonly minting: Minting
  readonly #components: EventualTableComponents
  readonly #changing = new Map<PathName, Promise<unknown>>()
  readonly #digests = new DigestTree()
  /** How many versions name each body. */
  readonly #references = new Map<BlobId, number>()
  /** Bodies that go with a change that is not durable yet. */
  readonly #dropping = new Map<BlobId, Promise<unknown>>()
  /** Paths whose records could not be read at the start: what is counted here does not have them. */
  readonly #unread = new Set<PathName>()
  /** Paths of files of which more was seen than is to be kept. */
  readonly #long = new Set<PathName>()
  readonly #spansKept: number
  #isStarting = true
  #records = 0
  #tombstones = 0
  #siblings = 0

  constructor(components: EventualTableComponents, init: EventualTableInit) {
    this.#components = components
    this.#spansKept = init.spansKept ?? SPANS_KEPT
    this.minting = new Minting(init)
    for (const held of this.within(WHOLE_RING)) {
      this.#count(held.record, 1)
      for (const blob of blobsOf(held.record)) this.#refer(blob, 1)
      components.changed(held.record.path, held)
    }
    this.#isStarting = false
  }

  /** Records here, tombstones among them, and versions that stand beside a newer one. */
  get counts(): { readonly records: number; readonly tombstones: number; readonly conflicts: number } {
    return {
      records: this.#records,
      tombstones: this.#tombstones,
      conflicts: this.#siblings - (this.#records - this.#tombstones),
    }
  }

  /** Whether there is something to be collected: tombstones, or files of which too much was seen. */
  get hasToCollect(): boolean {
    return this.#tombstones > 0 || this.#long.size > 0
  }

  /** Files of an arc of which too much was seen. */
  *long(arc: Arc): Generator<HeldRecord> {
    for (const path of [...this.#long]) {
      const held = this.get(path)
      if (held !== undefined && arcContains(arc, held.record.position)) yield held
    }
  }

  /** @throws StoreError CORRUPT. */
  get(path: PathName, position?: Identifier): HeldRecord | undefined {
    const kept = this.#components.store.record(path, position)
    return kept && heldOf(kept)
  }

  /** The records of an arc whose positions begin with `prefix`, in any order; a live view. Those that can't be read are left out. */
  *within(arc: Arc, prefix = ''): Generator<HeldRecord> {
    const { store } = this.#components
    const looked = prefix === '' ? arc : arcOfPrefix(prefix)
    for (const { path, kept } of store.inspect(looked.lo, looked.hi)) {
      const held = this.#whole(path, kept)
      if (held && (prefix === '' || arcContains(arc, held.record.position))) yield held
    }
    for (const held of this.tombstones(looked))
      if (prefix === '' || arcContains(arc, held.record.position)) yield held
  }

  *tombstones(arc: Arc): Generator<HeldRecord> {
    for (const kept of this.#components.store.tombstones(arc.lo, arc.hi)) {
      const held = this.#whole(kept.path, kept)
      if (held) yield held
    }
  }

  /** One that can't be read is none: others have it, and a check of the range says so. */
  #whole(path: PathName, kept: KeptRecord | undefined): HeldRecord | undefined {
    if (kept !== undefined && isWholeChecked(kept.notes)) return heldOf(kept)
    if (this.#isStarting) this.#unread.add(path)
    return undefined
  }

  digest(arc: Arc, prefix: string): Digest {
    return this.#digests.digest(arc, prefix, leaf => this.#summands(arc, leaf))
  }

  hasBody(blobId: BlobId): boolean {
    return this.#references.has(blobId)
  }

  /**
   * Changes the record of a path; resolves when that is durable, to what is held then. The bodies that it names are here.
   * @param change gives what takes the place of what is held now, or the same object where nothing changes, or undefined to forget it.
   * @throws StoreError DISK_FULL and others of the store: nothing has changed; what `change` throws.
   */
  async change(
    path: PathName,
    position: Identifier,
    change: (now: HeldRecord | undefined) => HeldRecord | undefined,
  ): Promise<HeldRecord | undefined> {
    const before = this.#changing.get(path)
    const turn = (before ?? Promise.resolve()).then(() => this.#change(path, position, change))
    const settled = turn.then(
      () => undefined,
      () => undefined,
    )
    this.#changing.set(path, settled)
    try {
      return await turn
    } finally {
      if (this.#changing.get(path) === settled) this.#changing.delete(path)
    }
  }

  /**
   * Puts a good record in the place of one that can't be read. It is of the same path at another replica; where it is not what was here, the digests
   * show that after the next start.
   */
  async replaceDamaged(path: PathName, record: EventualRecord): Promise<void> {
    const { store, changed } = this.#components
    const custody = { actor: this.minting.actor, since: this.minting.last, owed: [] }
    const held = { record, custody }
    const kept = keptOf(held)
    const records = [{ path, record: kept, sizeBefore: kept.file?.body.size }]
    await store.apply({ records, values: [], keepBlobs: blobsOf(record), dropBlobs: [] })
    if (this.#unread.delete(path)) {
      this.#count(record, 1)
      for (const blob of blobsOf(record)) this.#refer(blob, 1)
    }
    changed(path, held)
  }

  async #change(
    path: PathName,
    position: Identifier,
    change: (now: HeldRecord | undefined) => HeldRecord | undefined,
  ): Promise<HeldRecord | undefined> {
    const { store, changed } = this.#components
    // What could not be read since the start is nobody's: what comes now takes its place.
    const isUnread = this.#unread.has(path)
    const now = isUnread ? undefined : this.get(path, position)
    const next = change(now)
    if (next === now) return now
    assert(next === undefined || next.record.path === path, 'a change of a path gives a record of it')
    const blobsBefore = now ? blobsOf(now.record) : []
    const blobs = next ? blobsOf(next.record) : []
    for (const blob of blobs) this.#refer(blob, 1)
    try {
      await this.#assertHere(
        path,
        blobs.filter(blob => !blobsBefore.includes(blob)),
      )
      const dropBlobs = blobsBefore.filter(blob => this.#references.get(blob) === 1 && !blobs.includes(blob))
      const kept = next && keptOf(next)
      const sizeBefore = now && shownFile(now.record)?.body.size
      const records = [{ path, record: kept, sizeBefore, isNew: now === undefined && !isUnread }]
      const applied = store.apply({ records, values: [], keepBlobs: blobs, dropBlobs })
      for (const blob of dropBlobs) this.#dropping.set(blob, applied)
      try {
        await applied
      } finally {
        for (const blob of dropBlobs) this.#dropping.delete(blob)
      }
    } catch (error) {
      for (const blob of blobs) this.#refer(blob, -1)
      throw error
    }
    this.#unread.delete(path)
    for (const blob of blobsBefore) this.#refer(blob, -1)
    if (now) this.#count(now.record, -1)
    if (next) this.#count(next.record, 1)
    changed(path, next)
    return next
  }

  /**
   * Bodies were here when somebody looked; another change may have taken them away since.
   * @throws StoreError UNAVAILABLE.
   */
  async #assertHere(path: PathName, blobs: readonly BlobId[]): Promise<void> {
    for (const blob of blobs) {
      await this.#dropping.get(blob)?.catch(() => undefined)
      if (await this.#components.store.hasBlob(blob)) continue
      throw new StoreError('UNAVAILABLE', 'The body has gone from here meanwhile.', { path })
    }
  }

  #count(record: EventualRecord, by: 1 | -1): void {
    const { path, position } = record
    const summand = { path, position, version: stateOf(record) }
    if (by === 1) this.#digests.add(summand)
    else this.#digests.remove(summand)
    this.#records += by
    this.#siblings += by * record.siblings.length
    if (isTombstone(record)) this.#tombstones += by
    else if (by === -1) this.#long.delete(path)
    else if (spansIn(record.seen) > this.#spansKept) this.#long.add(path)
  }

  #refer(blob: BlobId, by: 1 | -1): void {
    const count = (this.#references.get(blob) ?? 0) + by
    assert(count >= 0, 'a body is named by no fewer than no records')
    if (count === 0) this.#references.delete(blob)
    else this.#references.set(blob, count)
  }

  *#summands(arc: Arc, leaf: string) {
    for (const { record } of this.within(arc, leaf))
      yield { path: record.path, position: record.position, version: stateOf(record) }
  }
}

/** Large bodies that the versions of a record name, each once. */
function blobsOf({ siblings }: EventualRecord): readonly BlobId[] {
  return [...new Set(siblings.flatMap(({ body }) => ('blobId' in body.content ? [body.content.blobId] : [])))]
}
