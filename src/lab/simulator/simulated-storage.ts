/**
 * The storage of a whole node on a simulated disk: bodies that come in, files as readers see them, and what a replica keeps.
 */
import { Buffer } from 'node:buffer'
import { Readable } from 'node:stream'
import type { Env } from '../../env.ts'
import { StoreError } from '../../errors.ts'
import { WHOLE_RING } from '../../ring/arc.ts'
import { comparePathNames, type PathName } from '../../ring/path-name.ts'
import { isTrashPath, TRASH_PREFIX } from '../../ring/trash-path.ts'
import { checkedBlocks, checkedInline, wholeRange } from '../../storage/checked-blocks.ts'
import { BLOCK_BYTES, type BlobId, etagOf, type FileRecord } from '../../storage/record.ts'
import { StagedBodies } from '../../storage/staged-bodies.ts'
import type {
  ByteRange,
  ListEntry,
  StagedBody,
  StageOptions,
  Storage,
  StorageStatistics,
} from '../../storage/storage.ts'
import type { SimulatedReplicaStore } from './simulated-replica-store.ts'

export class SimulatedStorage implements Storage {
  readonly nodeId: string
  readonly boot: number
  readonly replica: SimulatedReplicaStore
  readonly #env: Env
  readonly #staged = new StagedBodies()

  constructor(
    components: { readonly env: Env; readonly store: SimulatedReplicaStore },
    init: { readonly nodeId: string; readonly boot: number },
  ) {
    this.#env = components.env
    this.replica = components.store
    this.nodeId = init.nodeId
    this.boot = init.boot
  }

  stage(body: AsyncIterable<Uint8Array>, options: StageOptions): Promise<StagedBody> {
    const blobId = Buffer.from(this.#env.randomness.bytes(16)).toString('hex') as BlobId
    return this.#staged.receive(options, watched =>
      this.replica.bodies.stage(blobId, body, { ...options, ...watched }),
    )
  }

  async discard(staged: StagedBody): Promise<void> {
    if (!this.#staged.drop(staged) || !('blobId' in staged.content)) return
    await this.replica.apply({
      records: [],
      values: [],
      keepBlobs: [],
      dropBlobs: [staged.content.blobId],
    })
  }

  handOver(staged: StagedBody): void {
    this.#staged.handOver(staged)
  }

  async find(path: PathName): Promise<FileRecord | undefined> {
    return this.replica.record(path)?.file
  }

  async read(record: FileRecord, range?: ByteRange): Promise<Uint8Array | Readable> {
    const wanted = wholeRange(record, range)
    const { content } = record.body
    if ('inline' in content) return checkedInline(record, content.inline, wanted)
    const bytes = this.replica.bodies.bytes(content.blobId)
    if (bytes === undefined) throw this.#missing(record, content.blobId)
    const readBlock = async (index: number) => bytes.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES)
    return Readable.from(checkedBlocks(record, wanted, readBlock), { objectMode: false })
  }

  /** As the storage of the program says it: of the version that is here its body is missing, of another it has gone. */
  #missing({ path }: FileRecord, blobId: BlobId): StoreError {
    const current = this.replica.record(path)?.file?.body.content
    const isHere = current !== undefined && 'blobId' in current && current.blobId === blobId
    return isHere
      ? new StoreError('CORRUPT', 'The body of the file is missing.', { path })
      : new StoreError('FILE_NOT_FOUND', 'This version of the file is gone.', { path })
  }

  *list(prefix: string, after?: string): Generator<ListEntry> {
    const files = [...this.replica.records(WHOLE_RING.lo, WHOLE_RING.hi)].flatMap(({ file }) => file ?? [])
    files.sort((a, b) => comparePathNames(a.path, b.path))
    const withTrash = prefix.startsWith(TRASH_PREFIX)
    for (const file of files) {
      const { path, body, meta, writtenAtMs } = file
      if (!withTrash && isTrashPath(path)) continue
      if (!path.startsWith(prefix) || (after !== undefined && comparePathNames(path, after as PathName) <= 0))
        continue
      yield { path, size: body.size, etag: etagOf(file), mediaType: meta.mediaType, writtenAtMs }
    }
  }

  statistics(): StorageStatistics {
    const [files, trash] = ['', TRASH_PREFIX].map(prefix => [...this.list(prefix)])
    const bytesOf = (lines: readonly ListEntry[] = []) => lines.reduce((sum, { size }) => sum + size, 0)
    return {
      ...{ files: files?.length ?? 0, bytes: bytesOf(files) },
      trash: { versions: trash?.length ?? 0, bytes: bytesOf(trash) },
      ...{ staged: this.#staged.count, durable: true },
    }
  }

  async close(): Promise<void> {
    await this.#staged.close()
  }
}
