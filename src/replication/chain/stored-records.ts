/**
 * The machine's view of its records on stable storage: what the store holds, covered by what has been written and
 * is not durable yet; the digests over both; and how many records name each body.
 *
 * Digests and counts are kept in the store with the records, so that a start reads 65,536 small values at the most and
 * no record.
 */
import { errorCode, StoreError } from '../../errors.ts'
import { isDefect } from '../../invariant.ts'
import { type Arc, arcContains, arcOfPrefix } from '../../ring/arc.ts'
import { type Identifier, identifierOfPath } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import { isTrashPath } from '../../ring/trash-path.ts'
import type { BlobId } from '../../storage/record.ts'
import type { KeptRecord, RecordWrite, ReplicaBatch, ReplicaStore } from '../../storage/replica-store.ts'
import type { ChainRecord } from './chain-record.ts'
import { type Digest, DigestTree, PREFIX_DIGITS } from './digest-tree.ts'
import { RecordCache } from './record-cache.ts'
import { chainRecordOf, keptRecordOf } from './record-notes.ts'
import { type RecordTable, withoutTrash } from './record-table.ts'

const SUM = 'sum/'
const REFERENCES = 'ref/'

/** Records kept decoded: thousands of small files that everybody asks for, and a fraction of what a node needs itself. */
const CACHE_BYTES_MAX = 16 * 1024 * 1024

interface Covered {
  readonly record: ChainRecord | undefined
  /** The batch that will make it durable. */
  readonly batch: number
}

export class StoredRecords implements RecordTable {
  /** The last one asked for: a request asks several times in a row. */
  #hashed: { readonly path: PathName; readonly position: Identifier } | undefined
  readonly #store: ReplicaStore
  readonly #digests = new DigestTree()
  readonly #references = new Map<BlobId, number>()
  readonly #covering = new Map<PathName, Covered>()
  /** Never of a path that is covered. */
  readonly #cache = new RecordCache({ bytesMax: CACHE_BYTES_MAX })
  #changed = new Map<PathName, RecordWrite>()
  #changedLeaves = new Set<string>()
  #changedBodies = new Set<BlobId>()
  #batch = 1

  constructor(components: { readonly store: ReplicaStore }) {
    this.#store = components.store
    for (const [key, sum] of this.#store.values(SUM)) this.#digests.restore(key.slice(SUM.length), sum)
    for (const [key, value] of this.#store.values(REFERENCES)) {
      this.#references.set(key.slice(REFERENCES.length) as BlobId, Buffer.from(value).readUInt32LE(0))
    }
  }

  /** How many records name each body. */
  references(): ReadonlyMap<BlobId, number> {
    return this.#references
  }

  /** True while something at this path is not durable yet. */
  isCovering(path: PathName): boolean {
    return this.#covering.has(path)
  }

  get(path: PathName, position?: Identifier): ChainRecord | undefined {
    const covered = this.#covering.get(path)
    if (covered !== undefined) return covered.record
    // A trashed version is looked at when it comes and when it goes: to keep it would be for nothing.
    if (isTrashPath(path)) return this.#load(path, position)
    return this.#cache.find(path, () => this.#load(path, position))
  }

  /** The position of a path, without the hash when its record is at hand. */
  positionOf(path: PathName): Identifier {
    if (this.#hashed?.path !== path) {
      const position = this.#cache.peek(path)?.record?.position ?? identifierOfPath(path)
      this.#hashed = { path, position }
    }
    return this.#hashed.position
  }

  put(record: ChainRecord): void {
    const before = this.get(record.path, record.position)
    if (before !== undefined) this.#leave(before)
    this.#enter(record)
    this.#cover(record.path, record, before)
  }

  delete(path: PathName, before: ChainRecord | undefined = this.get(path)): void {
    if (before === undefined) return
    this.#leave(before)
    this.#cover(path, undefined, before)
  }

  *within(arc: Arc, prefix = ''): Iterable<ChainRecord> {
    const { lo, hi } = prefix === '' ? arc : arcOfPrefix(prefix)
    for (const kept of reading(this.#store.records(lo, hi))) {
      if (this.#covering.has(kept.path)) continue
      const record = decoded(kept)
      if (prefix === '' || arcContains(arc, record.position)) yield record
    }
    for (const { record } of [...this.#covering.values()]) {
      if (record?.position.startsWith(prefix) && arcContains(arc, record.position)) yield record
    }
  }

  *tombstones(arc: Arc): Iterable<ChainRecord> {
    for (const kept of reading(this.#store.tombstones(arc.lo, arc.hi))) {
      if (!this.#covering.has(kept.path)) yield decoded(kept)
    }
    for (const { record } of [...this.#covering.values()]) {
      const isTombstone = record !== undefined && record.body === undefined && record.trash === undefined
      if (isTombstone && arcContains(arc, record.position)) yield record
    }
  }

  digest(arc: Arc, prefix: string): Digest {
    return this.#digests.digest(arc, prefix, leaf => withoutTrash(this.within(arc, leaf)))
  }

  /** What has been written since the last call, to be made durable as one; `durable` is told its number then. */
  takeBatch(): { readonly number: number } & Pick<ReplicaBatch, 'records' | 'values'> {
    const records = [...this.#changed.values()]
    const values: [string, Uint8Array | undefined][] = []
    for (const leaf of this.#changedLeaves) values.push([SUM + leaf, this.#digests.leaf(leaf)])
    for (const blobId of this.#changedBodies) {
      const count = this.#references.get(blobId)
      values.push([REFERENCES + blobId, count === undefined ? undefined : encodeCount(count)])
    }
    this.#changed = new Map()
    this.#changedLeaves = new Set()
    this.#changedBodies = new Set()
    return { number: this.#batch++, records, values }
  }

  /** The store now shows these records of a batch itself. */
  durable(batch: number, records: readonly RecordWrite[]): void {
    for (const { path } of records) if (this.#covering.get(path)?.batch === batch) this.#covering.delete(path)
  }

  #load(path: PathName, position?: Identifier): ChainRecord | undefined {
    let kept: KeptRecord | undefined
    try {
      kept = this.#store.record(path, position)
    } catch (error) {
      throw readFault(error)
    }
    return kept && decoded(kept)
  }

  #cover(path: PathName, record: ChainRecord | undefined, before: ChainRecord | undefined): void {
    const first = this.#changed.get(path)
    const { sizeBefore, isNew } = first ?? { sizeBefore: before?.body?.size, isNew: before === undefined }
    this.#changed.set(path, { path, record: record && keptRecordOf(record), sizeBefore, isNew })
    this.#covering.set(path, { record, batch: this.#batch })
    this.#cache.forget(path)
  }

  #enter(record: ChainRecord): void {
    this.#refer(record, 1)
    if (isTrashPath(record.path)) return
    this.#digests.add(record)
    this.#changedLeaves.add(record.position.slice(0, PREFIX_DIGITS))
  }

  #leave(record: ChainRecord): void {
    this.#refer(record, -1)
    if (isTrashPath(record.path)) return
    this.#digests.remove(record)
    this.#changedLeaves.add(record.position.slice(0, PREFIX_DIGITS))
  }

  #refer(record: ChainRecord, by: 1 | -1): void {
    if (record.body === undefined || !('blobId' in record.body.content)) return
    const { blobId } = record.body.content
    const count = (this.#references.get(blobId) ?? 0) + by
    if (count === 0) this.#references.delete(blobId)
    else this.#references.set(blobId, count)
    this.#changedBodies.add(blobId)
  }
}

/** What the store gives; where it can't be read, the error is one of the disk and not of the program. */
function* reading<Kept>(stored: Iterable<Kept>): Iterable<Kept> {
  try {
    yield* stored
  } catch (error) {
    throw readFault(error)
  }
}

/** @throws StoreError CORRUPT: notes of before format 3 of the data directory are without a checksum. */
function decoded(kept: KeptRecord): ChainRecord {
  try {
    return chainRecordOf(kept)
  } catch (cause) {
    if (errorCode(cause) !== undefined) throw cause
    throw new StoreError('CORRUPT', 'A stored record cannot be decoded.', { path: kept.path, cause })
  }
}

function readFault(error: unknown): unknown {
  if (errorCode(error) !== undefined || isDefect(error)) return error
  return new StoreError('CORRUPT', 'The stored records cannot be read.', { cause: error })
}

function encodeCount(count: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(count)
  return bytes
}
