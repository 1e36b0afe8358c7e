/**
 * Owns the blocks of a body that lies on other nodes: read in order from one holder, and from the next one on when that
 * breaks off or a block is not what the record says. Every block is checked by the reader (checked-blocks.ts).
 */
import type { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { errorCode, StoreError } from '../../errors.ts'
import { BLOCK_BYTES, type FileRecord } from '../../storage/record.ts'
import type { ByteRange } from '../../storage/storage.ts'
import type { NodeId } from '../../views/view.ts'

export interface RemoteBlocksComponents {
  readonly pull: (node: NodeId, first: number) => Promise<Readable>
  readonly holders: readonly NodeId[]
}

export interface RemoteBlocksInit {
  readonly record: FileRecord
  readonly range: ByteRange
  /** A copy was found bad already. */
  readonly sawBadBlock: boolean
}

export class RemoteBlocks {
  readonly #components: RemoteBlocksComponents
  readonly #init: RemoteBlocksInit
  #source: { readonly stream: Readable; readonly chunks: AsyncIterator<Buffer>; rest: Buffer } | undefined
  #holder = 0
  #sawBadBlock: boolean
  #sawSilence = false

  constructor(components: RemoteBlocksComponents, init: RemoteBlocksInit) {
    this.#components = components
    this.#init = init
    this.#sawBadBlock = init.sawBadBlock
  }

  /**
   * The next block; they are asked for in order.
   * @throws StoreError CORRUPT when a block was bad and no holder has a good one; FILE_NOT_FOUND when no holder has the
   *   body any more, since another version took its place; UNAVAILABLE when some can't be reached.
   */
  async read(index: number, length: number): Promise<Uint8Array> {
    for (; this.#holder < this.#components.holders.length; this.#holder++) {
      try {
        const block = await this.#readFrom(index, length)
        if (crc32(block) === this.#init.record.body.blockChecksums[index]) return block
        this.#sawBadBlock = true
      } catch (error) {
        // The next holder may do better; when none does, the error below says so.
        if (errorCode(error) !== 'FILE_NOT_FOUND') this.#sawSilence = true
      }
      this.close()
    }
    const { path } = this.#init.record
    if (this.#sawBadBlock) throw new StoreError('CORRUPT', 'No replica has good bytes of the file.', { path })
    if (this.#components.holders.length > 0 && !this.#sawSilence) {
      throw new StoreError('FILE_NOT_FOUND', 'The bytes of this version are gone.', { path })
    }
    throw new StoreError('UNAVAILABLE', 'No replica that has the bytes of the file answers.', { path })
  }

  close(): void {
    this.#source?.stream.destroy()
    this.#source = undefined
  }

  async #readFrom(index: number, length: number): Promise<Buffer> {
    this.#source ??= await this.#open(index * BLOCK_BYTES)
    const source = this.#source
    const parts: Buffer[] = [source.rest]
    let bytes = source.rest.length
    while (bytes < length) {
      const { value, done } = await source.chunks.next()
      if (done) throw new StoreError('UNAVAILABLE', 'The bytes of a replica broke off.')
      parts.push(value)
      bytes += value.length
    }
    const all = parts.length === 1 ? source.rest : Buffer.concat(parts, bytes)
    source.rest = all.subarray(length)
    return all.subarray(0, length)
  }

  async #open(first: number) {
    const node = this.#components.holders[this.#holder] as NodeId
    const stream = await this.#components.pull(node, first)
    // Whoever reads it next meets the error; until then it must not end the process.
    stream.on('error', () => undefined)
    return { stream, chunks: stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>, rest: Buffer.alloc(0) }
  }
}
