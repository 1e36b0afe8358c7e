/**
 * Owns the port through which the machine reaches its records, its memory version, and the digests by which two nodes
 * find what differs between them without sending it all.
 *
 * Digests form a tree over the first hexadecimal digits of the positions and are kept up to date as records are
 * written: a Merkle tree (1987) with sums in place of nested hashes, so that a write costs no more than its depth.
 */
import { createHash } from 'node:crypto'
import { type Arc, arcContains } from '../../ring/arc.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { ChainRecord } from './chain-record.ts'

/** How many records, and a fingerprint of their paths and versions. */
export interface Digest {
  readonly count: number
  readonly hash: string
}

/** Synchronous: LMDB reads are. The machine changes it only together with a Write for stable storage. */
export interface RecordTable {
  get(path: PathName): ChainRecord | undefined
  put(record: ChainRecord): void
  delete(path: PathName): void
  /** Records whose positions lie in the arc and begin with `prefix` (hexadecimal digits, up to PREFIX_DIGITS). */
  within(arc: Arc, prefix?: string): Iterable<ChainRecord>
  /** The digest of exactly these. Costs a few look-ups, whatever their number. */
  digest(arc: Arc, prefix: string): Digest
}

/** Depth of the tree: 65,536 leaves, so that a million records make 15 a leaf. */
export const PREFIX_DIGITS = 4

const DIGITS = [...'0123456789abcdef']

interface Sum {
  count: number
  /** The XOR of the first 128 bits of each record's SHA-256. */
  readonly words: Int32Array
}

export class MemoryRecords implements RecordTable {
  readonly #byPath = new Map<PathName, ChainRecord>()
  readonly #leaves = new Map<string, Map<PathName, ChainRecord>>()
  readonly #sums = new Map<string, Sum>()

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
    this.#add(leaf, record, 1)
  }

  delete(path: PathName): void {
    const record = this.#byPath.get(path)
    if (record === undefined) return
    this.#byPath.delete(path)
    const leaf = record.position.slice(0, PREFIX_DIGITS)
    const records = this.#leaves.get(leaf)
    records?.delete(path)
    if (records?.size === 0) this.#leaves.delete(leaf)
    this.#add(leaf, record, -1)
  }

  *within(arc: Arc, prefix = ''): Iterable<ChainRecord> {
    if (prefix.length >= PREFIX_DIGITS) {
      for (const record of this.#leaves.get(prefix)?.values() ?? []) {
        if (arcContains(arc, record.position)) yield record
      }
    } else if (this.#sums.get(prefix) !== undefined && overlap(arc, prefix) !== 'none') {
      for (const digit of DIGITS) yield* this.within(arc, prefix + digit)
    }
  }

  digest(arc: Arc, prefix: string): Digest {
    const sum: Sum = { count: 0, words: new Int32Array(4) }
    this.#collect(arc, prefix, sum)
    return { count: sum.count, hash: [...sum.words].map(word => (word >>> 0).toString(16)).join('-') }
  }

  #collect(arc: Arc, prefix: string, into: Sum): void {
    const here = this.#sums.get(prefix)
    const shared = here === undefined ? 'none' : overlap(arc, prefix)
    if (here === undefined || shared === 'none') return
    if (shared === 'all') {
      into.count += here.count
      for (let word = 0; word < 4; word++) (into.words[word] as number) ^= here.words[word] as number
    } else if (prefix.length < PREFIX_DIGITS) {
      for (const digit of DIGITS) this.#collect(arc, prefix + digit, into)
    } else {
      for (const record of this.within(arc, prefix)) addRecord(into, record, 1)
    }
  }

  #add(leaf: string, record: ChainRecord, sign: 1 | -1): void {
    for (let digits = 0; digits <= PREFIX_DIGITS; digits++) {
      const prefix = leaf.slice(0, digits)
      let sum = this.#sums.get(prefix)
      sum ??= { count: 0, words: new Int32Array(4) }
      this.#sums.set(prefix, sum)
      addRecord(sum, record, sign)
      if (sum.count === 0) this.#sums.delete(prefix)
    }
  }
}

const words = new WeakMap<ChainRecord, Int32Array>()

function addRecord(sum: Sum, record: ChainRecord, sign: 1 | -1): void {
  let hash = words.get(record)
  if (hash === undefined) {
    const text = `${record.version.epoch}.${record.version.seq} ${record.path}`
    const bytes = createHash('sha256').update(text).digest()
    hash = Int32Array.from([0, 4, 8, 12], offset => bytes.readInt32LE(offset))
    words.set(record, hash)
  }
  sum.count += sign
  for (let word = 0; word < 4; word++) (sum.words[word] as number) ^= hash[word] as number
}

/** How much of the positions that begin with `prefix` lies in the arc. */
function overlap(arc: Arc, prefix: string): 'none' | 'some' | 'all' {
  if (arc.lo === arc.hi) return 'all'
  const first = prefix.padEnd(40, '0')
  const last = prefix.padEnd(40, 'f')
  const pieces: [string, string][] =
    arc.lo < arc.hi
      ? [[arc.lo, arc.hi]]
      : [
          ['', arc.hi],
          [arc.lo, 'f'.repeat(40)],
        ]
  if (pieces.some(([lo, hi]) => lo < first && last <= hi)) return 'all'
  return pieces.some(([lo, hi]) => lo < last && first <= hi) ? 'some' : 'none'
}
