/**
 * Storage that lasts as long as its process: for `--memory`, tests and the simulator.
 *
 * A batch is one synchronous step, so there is nothing that a reader could see half done.
 */
import { Buffer } from 'node:buffer'
import { Readable } from 'node:stream'
import type { Env } from '../env.ts'
import { StoreError } from '../errors.ts'
import type { PathName } from '../ring/path-name.ts'
import { isTrashPath, TRASH_PREFIX } from '../ring/trash-path.ts'
import type { WholeBody } from '../whole-body.ts'
import { BufferPool } from './buffer-pool.ts'
import { checkedBlocks, checkedInline, wholeRange } from './checked-blocks.ts'
import { type BodySink, PIECE_BYTES, receive, receiveWhole, tooSmallForName } from './intake.ts'
import { MemoryReplicaStore } from './memory-replica-store.ts'
import { BLOCK_BYTES, type BlobId, type Body, etagOf, type FileRecord } from './record.ts'
import type { RecordWrite, ReplicaStore } from './replica-store.ts'
import { byteOrderKey, SortedMap } from './sorted-map.ts'
import { StagedBodies } from './staged-bodies.ts'
import type { ByteRange, ListEntry, StagedBody, StageOptions, Storage, StorageStatistics } from './storage.ts'

export class MemoryStorage implements Storage {
  /** Names this storage for as long as it lives: 32 hexadecimal digits. */
  readonly nodeId: string
  readonly boot = 1
  /** What a replica keeps here. */
  readonly replica: ReplicaStore
  readonly #env: Env
  readonly #byPath = new SortedMap<FileRecord>()
  readonly #blobs = new Map<BlobId, readonly Uint8Array[]>()
  readonly #pieces = new BufferPool({ bufferBytes: PIECE_BYTES, freeMax: 16 })
  readonly #staged = new StagedBodies()
  #files = 0
  #bytes = 0
  #trash = { versions: 0, bytes: 0 }

  constructor(components: { readonly env: Env }) {
    this.#env = components.env
    this.nodeId = Buffer.from(components.env.randomness.bytes(16)).toString('hex')
    this.replica = new MemoryReplicaStore({
      putFile: write => this.#putFile(write),
      receiveBlob: (blobId, body, options) => this.#receiveBlob(blobId, body, options),
      hasBlob: blobId => this.#blobs.has(blobId),
      dropBlob: blobId => this.#blobs.delete(blobId),
      openBlob: blobId => this.#openBlob(blobId),
    })
  }

  stage(body: AsyncIterable<Uint8Array>, options: StageOptions): Promise<StagedBody> {
    return this.#staged.receive(options, async watched => {
      const sink = new BlockSink()
      const { inline, ...digest } = await receive(body, watched, this.#pieces, async () => sink)
      if (inline) return { ...digest, content: { inline } }
      const blobId = this.#newBlobId()
      this.#blobs.set(blobId, sink.finish())
      return { ...digest, content: { blobId } }
    })
  }

  stageAtOnce(body: WholeBody, { sizeMax }: Pick<StageOptions, 'sizeMax'>): StagedBody | undefined {
    this.#staged.assertOpen()
    return body.bytes.length > sizeMax ? undefined : this.#staged.add(receiveWhole(body))
  }

  async discard(staged: StagedBody): Promise<void> {
    if (this.#staged.drop(staged)) this.#forgetBlob(staged)
  }

  handOver(staged: StagedBody): void {
    this.#staged.handOver(staged)
  }

  async find(path: PathName): Promise<FileRecord | undefined> {
    this.#staged.assertOpen()
    return this.#byPath.get(byteOrderKey(path))
  }

  async read(record: FileRecord, range?: ByteRange): Promise<Uint8Array | Readable> {
    this.#staged.assertOpen()
    const wanted = wholeRange(record, range)
    const { content } = record.body
    if ('inline' in content) return checkedInline(record, content.inline, wanted)
    const blocks = this.#blocksOf(record, content.blobId)
    const readBlock = async (index: number) => blocks[index] ?? new Uint8Array()
    return Readable.from(checkedBlocks(record, wanted, readBlock), { objectMode: false })
  }

  *list(prefix: string, after = ''): Generator<ListEntry> {
    this.#staged.assertOpen()
    const prefixKey = byteOrderKey(prefix)
    const withTrash = prefix.startsWith(TRASH_PREFIX)
    // No path begins with NUL, so that without `after` this is where the first of all paths follows.
    const afterKey = `${byteOrderKey(after)}\0`
    const [, firstKey = afterKey] = [prefixKey, afterKey].sort()
    for (const [key, record] of this.#byPath.from(firstKey)) {
      if (!key.startsWith(prefixKey)) return
      if (!withTrash && isTrashPath(record.path)) continue
      const { path, body, meta, writtenAtMs } = record
      const { mediaType, user } = meta
      const { size, sha256 } = body
      yield { path, size, etag: etagOf(record), mediaType, writtenAtMs, sha256, ...(user && { user }) }
    }
  }

  statistics(): StorageStatistics {
    return {
      files: this.#files,
      bytes: this.#bytes,
      trash: this.#trash,
      staged: this.#staged.count,
      durable: false,
    }
  }

  async close(): Promise<void> {
    await this.#staged.close()
  }

  #putFile({ path, record }: RecordWrite): void {
    const key = byteOrderKey(path)
    const before = this.#byPath.get(key)
    const after = record?.file
    if (after) this.#byPath.set(key, after)
    else this.#byPath.delete(key)
    const files = (after ? 1 : 0) - (before ? 1 : 0)
    const bytes = (after?.body.size ?? 0) - (before?.body.size ?? 0)
    if (isTrashPath(path)) {
      this.#trash = { versions: this.#trash.versions + files, bytes: this.#trash.bytes + bytes }
    } else {
      this.#files += files
      this.#bytes += bytes
    }
  }

  async #receiveBlob(blobId: BlobId, body: AsyncIterable<Uint8Array>, options: StageOptions): Promise<Body> {
    const sink = new BlockSink()
    const { inline, ...digest } = await receive(body, options, this.#pieces, async () => sink)
    if (inline) throw tooSmallForName()
    this.#blobs.set(blobId, sink.finish())
    return { ...digest, content: { blobId } }
  }

  #openBlob(blobId: BlobId): readonly Uint8Array[] | undefined {
    return this.#blobs.get(blobId)
  }

  #forgetBlob(body: Pick<FileRecord['body'], 'content'>): void {
    if ('blobId' in body.content) this.#blobs.delete(body.content.blobId)
  }

  #blocksOf(record: FileRecord, blobId: BlobId): readonly Uint8Array[] {
    const blocks = this.#blobs.get(blobId)
    const { path } = record
    if (!blocks) throw new StoreError('FILE_NOT_FOUND', 'This version of the file is gone.', { path })
    return blocks
  }

  #newBlobId(): BlobId {
    return Buffer.from(this.#env.randomness.bytes(16)).toString('hex') as BlobId
  }
}

/** Gathers pieces into blocks. */
class BlockSink implements BodySink {
  readonly #blocks: Buffer[] = []
  #pieces: Buffer[] = []

  async write(piece: Uint8Array): Promise<void> {
    this.#pieces.push(Buffer.from(piece))
    if (this.#pieces.length === BLOCK_BYTES / PIECE_BYTES) this.#closeBlock()
  }

  finish(): readonly Uint8Array[] {
    if (this.#pieces.length > 0) this.#closeBlock()
    return this.#blocks
  }

  #closeBlock(): void {
    this.#blocks.push(Buffer.concat(this.#pieces))
    this.#pieces = []
  }
}
