/**
 * Owns the digests by which two replicas find what differs between them without sending it all: a tree of sums over the
 * first hexadecimal digits of the positions, kept up to date as records are written. A Merkle tree (1987) with sums in
 * place of nested hashes, so that a write costs no more than its depth.
 */
import { createHash } from 'node:crypto'
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

interface Sum {
  count: number
  /** The XOR of the first 128 bits of each record's SHA-256. */
  readonly words: Int32Array
}

/** Bytes of a leaf as `leaf` gives and `restore` takes it. */
const LEAF_BYTES = 20

export class DigestTree {
  readonly #sums = new Map<string, Sum>()

  add(record: Summand): void {
    this.#change(record, 1)
  }

  remove(record: Summand): void {
    this.#change(record, -1)
  }

  /** True when some record's position begins with `prefix`. */
  has(prefix: string): boolean {
    return this.#sums.has(prefix)
  }

  /** The sum of one leaf for stable storage; undefined when it is empty. */
  leaf(prefix: string): Uint8Array | undefined {
    const sum = this.#sums.get(prefix)
    if (sum === undefined) return undefined
    const bytes = Buffer.alloc(LEAF_BYTES)
    bytes.writeUInt32LE(sum.count, 0)
    for (let word = 0; word < 4; word++) bytes.writeInt32LE(sum.words[word] as number, 4 + 4 * word)
    return bytes
  }

  /** Puts a leaf back that `leaf` gave. */
  restore(prefix: string, bytes: Uint8Array): void {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const words = Int32Array.from([4, 8, 12, 16], at => view.readInt32LE(at))
    this.#addAlong(prefix, { count: view.readUInt32LE(0), words })
  }

  /**
   * The digest of the records in the arc whose positions begin with `prefix`.
   * @param within reads the records of a leaf that lies in the arc only in part.
   */
  digest(arc: Arc, prefix: string, within: (prefix: string) => Iterable<Summand>): Digest {
    const sum: Sum = { count: 0, words: new Int32Array(4) }
    this.#collect(arc, prefix, sum, within)
    return { count: sum.count, hash: [...sum.words].map(word => (word >>> 0).toString(16)).join('-') }
  }

  #collect(arc: Arc, prefix: string, into: Sum, within: (prefix: string) => Iterable<Summand>): void {
    const here = this.#sums.get(prefix)
    const shared = here === undefined ? 'none' : overlap(arc, prefix)
    if (here === undefined || shared === 'none') return
    if (shared === 'all') addSum(into, here)
    else if (prefix.length < PREFIX_DIGITS) {
      for (const digit of DIGITS) this.#collect(arc, prefix + digit, into, within)
    } else {
      for (const record of within(prefix)) addSum(into, sumOf(record))
    }
  }

  #change(record: Summand, sign: 1 | -1): void {
    const added = sumOf(record)
    this.#addAlong(record.position.slice(0, PREFIX_DIGITS), { count: sign * added.count, words: added.words })
  }

  #addAlong(leaf: string, added: Sum): void {
    for (let digits = 0; digits <= PREFIX_DIGITS; digits++) {
      const prefix = leaf.slice(0, digits)
      let sum = this.#sums.get(prefix)
      if (sum === undefined) {
        sum = { count: 0, words: new Int32Array(4) }
        this.#sums.set(prefix, sum)
      }
      addSum(sum, added)
      if (sum.count === 0) this.#sums.delete(prefix)
    }
  }
}

export const DIGITS = [...'0123456789abcdef']

function sumOf(record: Summand): Sum {
  const text = `${record.version.epoch}.${record.version.seq} ${record.path}`
  const bytes = createHash('sha256').update(text).digest()
  return { count: 1, words: Int32Array.from([0, 4, 8, 12], at => bytes.readInt32LE(at)) }
}

function addSum(into: Sum, added: Sum): void {
  into.count += added.count
  for (let word = 0; word < 4; word++) (into.words[word] as number) ^= added.words[word] as number
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
