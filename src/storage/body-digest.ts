/**
 * What is computed over a body while its bytes pass: size, SHA-256 and one CRC-32 for each block.
 *
 * SHA-256 names the body for people and for end-to-end checks; a CRC-32 lets one block be checked before it is sent
 * without reading the others. zlib's CRC-32 runs at about 7 GB/s, so a check costs less than the copy of the bytes.
 */
import { createHash, type Hash, hash } from 'node:crypto'
import { crc32 } from './crc32.ts'
import { BLOCK_BYTES, type Body } from './record.ts'

/** The part of a Body that its bytes alone decide. */
export type Digest = Pick<Body, 'size' | 'sha256' | 'blockChecksums'>

/** Takes a body's bytes in order, in pieces of any size. */
export class BodyDigest {
  readonly #sha256: Hash = createHash('sha256')
  readonly #blockChecksums: number[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  update(bytes: Uint8Array): void {
    this.#sha256.update(bytes)
    for (let at = 0; at < bytes.length; ) {
      const block = Math.floor(this.#size / BLOCK_BYTES)
      const room = (block + 1) * BLOCK_BYTES - this.#size
      const piece = bytes.subarray(at, at + room)
      this.#blockChecksums[block] = crc32(piece, this.#blockChecksums[block] ?? 0)
      this.#size += piece.length
      at += piece.length
    }
  }

  finish(): Digest {
    return {
      size: this.#size,
      sha256: this.#sha256.digest('hex'),
      blockChecksums: this.#blockChecksums,
    }
  }
}

/** The digest of a body that is wholly in memory and at most one block long. */
export function digestOf(bytes: Uint8Array): Digest {
  if (bytes.length > BLOCK_BYTES) throw new TypeError(`${bytes.length} bytes are more than one block`)
  const blockChecksums = bytes.length === 0 ? [] : [crc32(bytes)]
  return { size: bytes.length, sha256: hash('sha256', bytes), blockChecksums }
}
