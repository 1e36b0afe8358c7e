/**
 * Owns storage that lasts as long as its process: for `--memory`, tests and the simulator.
 *
 * A commit is one synchronous step, so there is nothing that a reader could see half done.
 */
import { Buffer } from 'node:buffer'
import { Readable } from 'node:stream'
import type { Env } from '../env.ts'
import { type Identifier, identifierOfPath } from '../ring/identifier.ts'
import type { PathName } from '../ring/path-name.ts'
import { BufferPool } from './buffer-pool.ts'
import { checkedBlocks, checkedInline, wholeRange } from './checked-blocks.ts'
import { notFound, planCommit } from './commit-plan.ts'
import { type BodySink, PIECE_BYTES, receive, tooSmallForName } from './intake.ts'
import { MemoryReplicaStore } from './memory-replica-store.ts'
import { checkKey, outcomeOf, replayedAnswer, tooManyOutcomes } from './outcomes.ts'
import { BLOCK_BYTES, type BlobId, type Body, etagOf, type FileRecord } from './record.ts'
import type { RecordWrite, ReplicaStore } from './replica-store.ts'
import { byteOrderKey, SortedMap } from './sorted-map.ts'
import { StagedBodies } from './staged-bodies.ts'
import {
  type ByteRange,
  type Change,
  type CommitOptions,
  type Committed,
  type ListEntry,
  OUTCOME_KEPT_MS,
  OUTCOMES_MAX,
  type Outcome,
  type StagedBody,
  type StageOptions,
  type Storage,
  type StorageStatistics,
} from './storage.ts'

export class MemoryStorage implements Storage {
  /** Names this storage for as long as it lives: 32 hexadecimal digits. */
  readonly nodeId: string
  readonly boot = 1
  /** What a replica keeps here. */
  readonly replica: ReplicaStore
  readonly #env: Env
  readonly #outcomesMax: number
  readonly #byPath = new SortedMap<FileRecord>()
  readonly #byPosition = new SortedMap<FileRecord>()
  readonly #blobs = new Map<BlobId, readonly Uint8Array[]>()
  readonly #outcomes = new Map<string, { readonly outcome: Outcome; readonly keptUntilMs: number }>()
  readonly #pieces = new BufferPool({ bufferBytes: PIECE_BYTES, freeMax: 16 })
  readonly #staged = new StagedBodies()
  #seq = 0
  #files = 0
  #bytes = 0

  constructor(components: { readonly env: Env }, init: { readonly outcomesMax?: number } = {}) {
    this.#env = components.env
    this.#outcomesMax = init.outcomesMax ?? OUTCOMES_MAX
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

  async stageCopy(record: FileRecord): Promise<StagedBody> {
    const { content } = record.body
    if ('inline' in content) return this.#staged.add(record.body)
    const blobId = this.#newBlobId()
    this.#blobs.set(blobId, this.#blocksOf(record, content.blobId))
    return this.#staged.add({ ...record.body, content: { blobId } })
  }

  async discard(staged: StagedBody): Promise<void> {
    if (this.#staged.drop(staged)) this.#forgetBlob(staged)
  }

  handOver(staged: StagedBody): void {
    this.#staged.take(staged)
    this.#staged.committed(staged)
  }

  async commit(change: Change, options: CommitOptions = {}): Promise<Committed> {
    const staged = change.kind === 'put' ? change.body : undefined
    if (staged) this.#staged.take(staged)
    else this.#staged.assertOpen()
    try {
      const replayed = this.#replay(options)
      if (replayed !== undefined) {
        if (staged) this.#forgetBlob(staged)
        return { record: undefined, previous: undefined, replayed }
      }
      const { record, previous, source } = this.#plan(change)
      const committed = { record, previous }
      this.#keepOutcome(options, committed)
      if (previous) this.#forget(previous, record)
      if (source) this.#forget(source, record)
      if (record) this.#remember(record)
      if (staged) this.#staged.committed(staged)
      return committed
    } catch (error) {
      if (staged) this.#forgetBlob(staged)
      throw error
    }
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

  async *scan(lo: Identifier, hi: Identifier): AsyncGenerator<FileRecord> {
    this.#staged.assertOpen()
    for (const [position, record] of this.#byPosition.from(`${lo}\0`)) {
      if (lo < hi && position > hi) return
      yield record
    }
    if (lo < hi) return
    for (const [position, record] of this.#byPosition.from('')) {
      if (position > hi) return
      yield record
    }
  }

  *list(prefix: string, after = ''): Generator<ListEntry> {
    this.#staged.assertOpen()
    const prefixKey = byteOrderKey(prefix)
    // No path begins with NUL, so that without `after` this is where the first of all paths follows.
    const afterKey = `${byteOrderKey(after)}\0`
    const [, firstKey = afterKey] = [prefixKey, afterKey].sort()
    for (const [key, record] of this.#byPath.from(firstKey)) {
      if (!key.startsWith(prefixKey)) return
      const { path, body, meta, writtenAtMs } = record
      yield { path, size: body.size, etag: etagOf(record), mediaType: meta.mediaType, writtenAtMs }
    }
  }

  async outcome(key: string): Promise<Outcome | undefined> {
    this.#staged.assertOpen()
    const kept = this.#outcomes.get(key)
    return kept && kept.keptUntilMs > this.#env.clock.nowMs() ? kept.outcome : undefined
  }

  statistics(): StorageStatistics {
    return { files: this.#files, bytes: this.#bytes, staged: this.#staged.count, durable: false }
  }

  async close(): Promise<void> {
    await this.#staged.close()
  }

  #putFile({ path, record }: RecordWrite): void {
    const before = this.#byPath.get(byteOrderKey(path))
    if (before) this.#forget(before, before)
    if (record?.file) this.#remember(record.file)
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

  #plan(change: Change) {
    const stamp = { version: { epoch: 1, seq: this.#seq + 1 }, writtenAtMs: this.#env.clock.nowMs() }
    const plan = planCommit(change, stamp, path => this.#byPath.get(byteOrderKey(path)))
    this.#seq += 1
    return plan
  }

  #replay(options: CommitOptions): string | undefined {
    const { idempotency } = options
    const kept = idempotency && this.#outcomes.get(checkKey(idempotency.key))
    if (!kept || kept.keptUntilMs <= this.#env.clock.nowMs()) return undefined
    return replayedAnswer(kept.outcome, idempotency)
  }

  #keepOutcome(options: CommitOptions, committed: Committed): void {
    const { idempotency } = options
    if (!idempotency) return
    const nowMs = this.#env.clock.nowMs()
    for (const [key, { keptUntilMs }] of this.#outcomes) {
      if (keptUntilMs > nowMs) break
      this.#outcomes.delete(key)
    }
    if (this.#outcomes.size >= this.#outcomesMax) throw tooManyOutcomes()
    const outcome = outcomeOf(idempotency, committed)
    this.#outcomes.delete(idempotency.key)
    this.#outcomes.set(idempotency.key, { outcome, keptUntilMs: nowMs + OUTCOME_KEPT_MS })
  }

  #remember(record: FileRecord): void {
    this.#byPath.set(byteOrderKey(record.path), record)
    this.#byPosition.set(identifierOfPath(record.path), record)
    this.#files += 1
    this.#bytes += record.body.size
  }

  #forget(record: FileRecord, successor: FileRecord | undefined): void {
    this.#byPath.delete(byteOrderKey(record.path))
    this.#byPosition.delete(identifierOfPath(record.path))
    this.#files -= 1
    this.#bytes -= record.body.size
    if (record.body !== successor?.body) this.#forgetBlob(record.body)
  }

  #forgetBlob(body: Pick<FileRecord['body'], 'content'>): void {
    if ('blobId' in body.content) this.#blobs.delete(body.content.blobId)
  }

  #blocksOf(record: FileRecord, blobId: BlobId): readonly Uint8Array[] {
    const blocks = this.#blobs.get(blobId)
    if (!blocks) throw notFound(record.path)
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
