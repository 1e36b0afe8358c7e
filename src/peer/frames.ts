/**
 * The frames of a link between two nodes: length (4 bytes, of what follows), kind (1 byte), proof (16 bytes), content.
 *
 * A link is authenticated when it opens; the proof keeps it so: HMAC-SHA-256 (RFC 2104, cut to 128 bits as its section 5
 * allows) over the number of the frame, its kind and its content, with a key that is of this link and this direction.
 * So nothing can be put in, left out, repeated or turned around on the way. A network without a secret has no proofs.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { StoreError } from '../errors.ts'
import { MESSAGE_BYTES_MAX } from './wire.ts'

export const FRAME_KINDS = {
  /** Messages, one encoded behind the other, from the node that opened the link. */
  messages: 1,
  /**
   * How many frames of messages were taken so far (6 bytes), how long the first of those that this tells of has waited to
   * be told of (4 bytes, us), and what is said in return at once.
   */
  taken: 2,
  /** Who speaks from here on, as in the header Ring-Node: a node may count a new start while it runs. */
  self: 3,
  /** Why the link ends, as JSON: `{"error": {code, message}}`. */
  refused: 4,
} as const

export type FrameKind = keyof typeof FRAME_KINDS

export interface Frame {
  readonly kind: FrameKind
  readonly content: Buffer
}

/** The direction of a frame: from the node that opened the link, or back to it. */
export type Direction = 'out' | 'back'

const LENGTH_BYTES = 4
const KIND_BYTES = 1
const PROOF_BYTES = 16

const COUNT_BYTES = 6
const HELD_BYTES = 4

/** What a frame says of the frames that were taken. */
export interface Taken {
  readonly count: number
  readonly heldMs: number
  /** What is said in return, messages one behind the other. */
  readonly replies: Buffer
}

export function encodeTaken({ count, heldMs }: Omit<Taken, 'replies'>): Buffer {
  const bytes = Buffer.allocUnsafe(COUNT_BYTES + HELD_BYTES)
  bytes.writeUIntBE(count, 0, COUNT_BYTES)
  bytes.writeUInt32BE(Math.min(0xff_ff_ff_ff, Math.round(heldMs * 1000)), COUNT_BYTES)
  return bytes
}

/** @throws StoreError INVALID_REQUEST. */
export function decodeTaken(content: Buffer): Taken {
  if (content.byteLength < COUNT_BYTES + HELD_BYTES)
    throw new StoreError('INVALID_REQUEST', 'The link does not say what was taken.')
  return {
    count: content.readUIntBE(0, COUNT_BYTES),
    heldMs: content.readUInt32BE(COUNT_BYTES) / 1000,
    replies: content.subarray(COUNT_BYTES + HELD_BYTES),
  }
}

const kindOfByte = new Map(
  Object.entries(FRAME_KINDS).map(([kind, byte]) => [byte as number, kind as FrameKind]),
)

/** Proves the frames of one direction of one link, each by its number. */
class Prover {
  readonly #key: Buffer | undefined
  readonly #number = Buffer.alloc(8)
  #frames = 0

  /** `opening` is what both ends know of the opening and nobody has opened a link with before: its signature. */
  constructor(secret: string | undefined, opening: string, direction: Direction) {
    if (secret !== undefined)
      this.#key = createHmac('sha256', secret).update(`LINK\n${direction}\n${opening}\n`).digest()
  }

  get proofBytes(): number {
    return this.#key === undefined ? 0 : PROOF_BYTES
  }

  /** The proof of the next frame. */
  next(kind: number, pieces: readonly Uint8Array[]): Buffer | undefined {
    if (this.#key === undefined) return undefined
    this.#number.writeBigUInt64BE(BigInt(++this.#frames))
    const hmac = createHmac('sha256', this.#key).update(this.#number).update(Uint8Array.of(kind))
    for (const piece of pieces) hmac.update(piece)
    return hmac.digest().subarray(0, PROOF_BYTES)
  }
}

export class FrameWriter {
  readonly #prover: Prover

  constructor(secret: string | undefined, opening: string, direction: Direction) {
    this.#prover = new Prover(secret, opening, direction)
  }

  /** A frame as bytes for the socket. */
  frame(kind: FrameKind, pieces: readonly Uint8Array[]): Buffer {
    const byte = FRAME_KINDS[kind]
    const proof = this.#prover.next(byte, pieces)
    const contentBytes = pieces.reduce((sum, piece) => sum + piece.byteLength, 0)
    const head = Buffer.allocUnsafe(LENGTH_BYTES + KIND_BYTES)
    head.writeUInt32BE(KIND_BYTES + this.#prover.proofBytes + contentBytes)
    head[LENGTH_BYTES] = byte
    return Buffer.concat(proof === undefined ? [head, ...pieces] : [head, proof, ...pieces])
  }
}

export class FrameReader {
  readonly #prover: Prover
  /** Bytes of a frame that is not complete yet. */
  #chunks: Buffer[] = []
  #bytes = 0
  /** Bytes that have to be there until there is something to look at again. */
  #wanted = LENGTH_BYTES

  constructor(secret: string | undefined, opening: string, direction: Direction) {
    this.#prover = new Prover(secret, opening, direction)
  }

  /**
   * The frames that are complete with this chunk.
   * @throws StoreError INVALID_REQUEST for what is no frame, UNAUTHORIZED for one whose proof is wrong. Nothing that
   *   follows on the link can be told any more.
   */
  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk)
    this.#bytes += chunk.byteLength
    if (this.#bytes < this.#wanted) return []
    let rest = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks)
    const frames: Frame[] = []
    for (;;) {
      this.#wanted = LENGTH_BYTES
      if (rest.byteLength < LENGTH_BYTES) break
      const length = rest.readUInt32BE()
      const overhead = KIND_BYTES + this.#prover.proofBytes
      if (length < overhead || length > overhead + MESSAGE_BYTES_MAX)
        throw new StoreError('INVALID_REQUEST', 'The link carries something that is no frame.')
      this.#wanted += length
      if (rest.byteLength < this.#wanted) break
      frames.push(this.#check(rest.subarray(LENGTH_BYTES, this.#wanted)))
      rest = rest.subarray(this.#wanted)
    }
    this.#chunks = rest.byteLength === 0 ? [] : [rest]
    this.#bytes = rest.byteLength
    return frames
  }

  #check(frame: Buffer): Frame {
    const byte = frame[0] as number
    const given = frame.subarray(KIND_BYTES, KIND_BYTES + this.#prover.proofBytes)
    const content = frame.subarray(KIND_BYTES + this.#prover.proofBytes)
    const proof = this.#prover.next(byte, [content])
    if (proof !== undefined && !timingSafeEqual(proof, given))
      throw new StoreError('UNAUTHORIZED', 'A frame is not signed for this place of this link.')
    const kind = kindOfByte.get(byte)
    if (kind === undefined)
      throw new StoreError('INVALID_REQUEST', 'The link carries a frame of an unknown kind.')
    return { kind, content }
  }
}
