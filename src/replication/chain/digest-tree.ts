/**
 * The digests by which two replicas find what differs between them without sending it all: a tree of sums over the
 * first hexadecimal digits of the positions, kept up to date as records are written. A Merkle tree (1987) with sums in
 * place of nested hashes, so that a write costs no more than its depth.
 */
import { hash } from 'node:crypto'
import type { Arc } from '../../ring/arc.ts'
import type { Identifier } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { Version } from '../../storage/record.ts'

/** How many records, and a fingerprint of their paths and versions. */
export interface Digest {
  readonly count: number
  readonly hash: string
}

/** Depth of the tree: 65,536 leaves, so that a million records make 15 a leaf. */
export const PREFIX_DIGITS = 4

/** What a record adds to its sums. */
export interface Summand {
  readonly path: PathName
  readonly position: Identifier
  readonly version: Version
}

/** Sums lie one after the other: how many records, and the XOR of the first 128 bits of each record's SHA-256. */
type Sums = Int32Array
const SUM_WORDS = 5

/** Bytes of a leaf as `leaf` gives and `restore` takes it. */
const LEAF_BYTES = 4 * SUM_WORDS

/** Where the sums of the prefixes of each length begin, the empty one first; the last is how many there are. */
const LEVELS = Array.from({ length: PREFIX_DIGITS + 2 }, (_, digits) => (16 ** digits - 1) / 15)
const PREFIXES = LEVELS[PREFIX_DIGITS + 1] as number

export class DigestTree {
  /** 1.4 MB of zeros, of which the system provides what is used, and none before the first record. */
  #sums: Sums | undefined

  add(record: Summand): void {
    this.#change(record, 1)
  }

  remove(record: Summand): void {
    this.#change(record, -1)
  }

  /** True when some record's position begins with `prefix`. */
  has(prefix: string): boolean {
    return this.#countOf(prefix) > 0
  }

  /** The sum of one leaf for stable storage; undefined when it is empty. */
  leaf(prefix: string): Uint8Array | undefined {
    const sums = this.#sums
    if (sums === undefined || !this.has(prefix)) return undefined
    const from = indexOf(prefix)
    const bytes = Buffer.alloc(LEAF_BYTES)
    for (let word = 0; word < SUM_WORDS; word++) bytes.writeInt32LE(sums[from + word] as number, 4 * word)
    return bytes
  }

  /** Puts a leaf back that `leaf` gave. */
  restore(prefix: string, bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const sum = new Int32Array(SUM_WORDS)
    for (let word = 0; word < SUM_WORDS; word++) sum[word] = view.getInt32(4 * word, true)
    this.#addAlong(prefix, sum)
  }

  /**
   * The digest of the records in the arc whose positions begin with `prefix`.
   * @param within reads the records of a leaf that lies in the arc only in part.
   */
  digest(arc: Arc, prefix: string, within: (prefix: string) => Iterable<Summand>): Digest {
    const sum = new Int32Array(SUM_WORDS)
    this.#collect(arc, prefix, sum, within)
    const [count = 0, ...words] = sum
    return { count, hash: words.map(word => (word >>> 0).toString(16)).join('-') }
  }

  #collect(arc: Arc, prefix: string, into: Sums, within: (prefix: string) => Iterable<Summand>): void {
    const shared = this.has(prefix) ? overlap(arc, prefix) : 'none'
    if (shared === 'none') return
    if (shared === 'all') addSum(into, 0, this.#sums as Sums, indexOf(prefix))
    else if (prefix.length < PREFIX_DIGITS) {
      for (const digit of DIGITS) this.#collect(arc, prefix + digit, into, within)
    } else {
      for (const record of within(prefix)) addSum(into, 0, sumOf(record), 0)
    }
  }

  #change(record: Summand, sign: 1 | -1): void {
    const added = sumOf(record)
    added[0] = sign
    this.#addAlong(record.position.slice(0, PREFIX_DIGITS), added)
  }

  #addAlong(leaf: string, added: Sums): void {
    this.#sums ??= new Int32Array(PREFIXES * SUM_WORDS)
    let number = Number.parseInt(leaf, 16)
    for (let digits = PREFIX_DIGITS; digits >= 0; digits--) {
      addSum(this.#sums, ((LEVELS[digits] as number) + number) * SUM_WORDS, added, 0)
      number >>= 4
    }
  }

  #countOf(prefix: string): number {
    return this.#sums?.[indexOf(prefix)] ?? 0
  }
}

export const DIGITS = [...'0123456789abcdef']

/** Where the sum of a prefix begins. */
function indexOf(prefix: string): number {
  const number = prefix === '' ? 0 : Number.parseInt(prefix, 16)
  return ((LEVELS[prefix.length] as number) + number) * SUM_WORDS
}

function sumOf(record: Summand): Sums {
  const bytes = hash('sha256', `${record.version.epoch}.${record.version.seq} ${record.path}`, 'buffer')
  const sum = new Int32Array(SUM_WORDS)
  sum[0] = 1
  for (let word = 1; word < SUM_WORDS; word++) sum[word] = bytes.readInt32LE(4 * (word - 1))
  return sum
}

function addSum(into: Sums, at: number, added: Sums, from: number): void {
  ;(into[at] as number) += added[from] as number
  for (let word = 1; word < SUM_WORDS; word++) (into[at + word] as number) ^= added[from + word] as number
}

/** How much of the positions that begin with `prefix` lies in the arc. */
export function overlap(arc: Arc, prefix: string): 'none' | 'some' | 'all' {
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
