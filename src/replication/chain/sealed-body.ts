/**
 * The form in which a body travels whose hash nobody knows before its last byte: its SHA-256 comes at its end, as 32
 * bytes more. One that was cut off has the wrong end, so it is never taken for a whole one.
 */
import { StoreError } from '../../errors.ts'

const SEAL_BYTES = 32

/** The bytes of a body, and its hash as soon as it is known. */
export async function* sealed(
  body: AsyncIterable<Uint8Array>,
  sha256: Promise<string>,
): AsyncGenerator<Uint8Array> {
  yield* body
  yield Buffer.from(await sha256, 'hex')
}

/** A sealed body on its arrival. */
export class SealedBody {
  readonly #arriving: AsyncIterable<Uint8Array>
  /** What its sender says that its hash is. */
  #sha256: string | undefined

  constructor(arriving: AsyncIterable<Uint8Array>) {
    this.#arriving = arriving
  }

  /** All of it has come, with its seal. */
  get isWhole(): boolean {
    return this.#sha256 !== undefined
  }

  /** Without the seal. To be read once. @throws StoreError CORRUPT when it ends before its seal. */
  async *bytes(): AsyncGenerator<Uint8Array> {
    let held: Uint8Array = Buffer.alloc(0)
    for await (const chunk of this.#arriving) {
      if (chunk.length < SEAL_BYTES) {
        const both = Buffer.concat([held, chunk])
        held = both.subarray(-SEAL_BYTES)
        if (both.length > SEAL_BYTES) yield both.subarray(0, -SEAL_BYTES)
      } else {
        if (held.length > 0) yield held
        held = chunk.subarray(-SEAL_BYTES)
        if (chunk.length > SEAL_BYTES) yield chunk.subarray(0, -SEAL_BYTES)
      }
    }
    if (held.length < SEAL_BYTES) throw new StoreError('CORRUPT', 'A body arrived cut short.')
    this.#sha256 = Buffer.from(held).toString('hex')
  }

  /** The hash that was found, when it is the one in the seal. @throws StoreError CORRUPT. */
  checked(found: string): string {
    if (found === this.#sha256) return found
    throw new StoreError('CORRUPT', 'A body arrived with another hash than in its seal.')
  }
}
