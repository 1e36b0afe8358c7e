/**
 * The port through which the machine reaches its records, and its memory version.
 */
import { type Arc, arcContains } from '../../ring/arc.ts'
import type { Identifier } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import { isTrashPath } from '../../ring/trash-path.ts'
import type { ChainRecord } from './chain-record.ts'
import { DIGITS, type Digest, DigestTree, overlap, PREFIX_DIGITS } from './digest-tree.ts'

/**
 * Synchronous: LMDB reads are. The machine changes it only together with a Write for stable storage. Trashed versions are in it as
 * records of paths of their own, and in no digest (trash.ts).
 */
export interface RecordTable {
  /** With `position`, which is that of the path, it need not be found out. */
  get(path: PathName, position?: Identifier): ChainRecord | undefined
  put(record: ChainRecord): void
  /** With `before`, which is what is there, it need not be looked up. */
  delete(path: PathName, before?: ChainRecord): void
  /** Records whose positions lie in the arc and begin with `prefix` (hexadecimal digits, up to PREFIX_DIGITS). */
  within(arc: Arc, prefix?: string): Iterable<ChainRecord>
  /** The tombstones in the arc that have no trash, found without a look at the files. */
  tombstones(arc: Arc): Iterable<ChainRecord>
  /** The digest of exactly these. Costs a few look-ups, whatever their number. */
  digest(arc: Arc, prefix: string): Digest
}

export class MemoryRecords implements RecordTable {
  readonly #byPath = new Map<PathName, ChainRecord>()
  readonly #leaves = new Map<string, Map<PathName, ChainRecord>>()
  readonly #digests = new DigestTree()

  get size(): number {
    return this.#byPath.size
  }

  get(path: PathName): ChainRecord | undefined {
    return this.#byPath.get(path)
  }

  put(record: ChainRecord): void {
    this.delete(record.path)
    this.#byPath.set(record.path, record)
    const leaf = record.position.slice(0, PREFIX_DIGITS)
    let records = this.#leaves.get(leaf)
    records ??= new Map()
    this.#leaves.set(leaf, records)
    records.set(record.path, record)
    if (!isTrashPath(record.path)) this.#digests.add(record)
  }

  delete(path: PathName): void {
    const record = this.#byPath.get(path)
    if (record === undefined) return
    this.#byPath.delete(path)
    const leaf = record.position.slice(0, PREFIX_DIGITS)
    const records = this.#leaves.get(leaf)
    records?.delete(path)
    if (records?.size === 0) this.#leaves.delete(leaf)
    if (!isTrashPath(record.path)) this.#digests.remove(record)
  }

  *within(arc: Arc, prefix = ''): Iterable<ChainRecord> {
    if (prefix.length >= PREFIX_DIGITS) {
      for (const record of this.#leaves.get(prefix)?.values() ?? []) {
        if (arcContains(arc, record.position)) yield record
      }
    } else if (this.#digests.has(prefix) && overlap(arc, prefix) !== 'none') {
      for (const digit of DIGITS) yield* this.within(arc, prefix + digit)
    }
  }

  *tombstones(arc: Arc): Iterable<ChainRecord> {
    for (const record of this.within(arc))
      if (record.body === undefined && record.trash === undefined) yield record
  }

  digest(arc: Arc, prefix: string): Digest {
    return this.#digests.digest(arc, prefix, leaf => withoutTrash(this.within(arc, leaf)))
  }
}

/** The records of paths, without the trashed versions among them, which no comparison of replicas counts. */
export function* withoutTrash(records: Iterable<ChainRecord>): Iterable<ChainRecord> {
  for (const record of records) if (!isTrashPath(record.path)) yield record
}
