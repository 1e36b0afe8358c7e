/**
 * Storage on disk: one LMDB environment for everything small, blob files for large bodies, in one data directory.
 *
 * The order of steps is what makes it safe. A large body is marked as unsettled, written, flushed and renamed; only
 * then can a batch name it, in one transaction that also takes its mark away and marks the blob that it replaces. A
 * crash between any two steps leaves either the old file or the new one, and marks for everything else.
 */
import { Buffer } from 'node:buffer'
import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Env } from '../env.ts'
import { errorCode, StoreError } from '../errors.ts'
import type { PathName } from '../ring/path-name.ts'
import type { WholeBody } from '../whole-body.ts'
import { BlobFiles } from './blob-files.ts'
import { BlobRemover } from './blob-remover.ts'
import { blobStream } from './blob-stream.ts'
import { BufferPool } from './buffer-pool.ts'
import { checkedInline, wholeRange } from './checked-blocks.ts'
import { DataDirectory, syncDirectory } from './data-directory.ts'
import { diskError, FreeSpace } from './disk-errors.ts'
import { DiskWatch } from './disk-watch.ts'
import { DownloadRoom } from './download-room.ts'
import { refuseLostIndex } from './index-file.ts'
import { PIECE_BYTES, receive, receiveWhole } from './intake.ts'
import { LmdbIndex } from './lmdb-index.ts'
import { LmdbReplicaStore } from './lmdb-replica-store.ts'
import type { BlobId, Body, FileRecord } from './record.ts'
import type { ReplicaStore } from './replica-store.ts'
import { SpaceReserve } from './space-reserve.ts'
import { StagedBlob } from './staged-blob.ts'
import { StagedBodies } from './staged-bodies.ts'
import type {
  ByteRange,
  DiskRoom,
  GiveWay,
  ListEntry,
  StagedBody,
  StageOptions,
  Storage,
  StorageStatistics,
} from './storage.ts'

/** Free bytes without which no small body is taken in: room for the writes of about sixty others (lmdb-index.ts). */
const PUT_SPARE_BYTES = 4 * 1024 * 1024

/** Pieces kept for the next upload: 16 MiB, enough for 32 uploads at once without a new allocation. */
const PIECES_KEPT = 64

/** Pieces lent at once: 64 MiB, for 128 uploads. */
const PIECES_LENT_MAX = 256

interface Parts {
  readonly env: Env
  readonly directory: DataDirectory
  readonly index: LmdbIndex
  readonly files: BlobFiles
  readonly reserve: SpaceReserve
  readonly space: FreeSpace
  readonly watches: Watches
}

/** One for each way on the disk: while one hangs, the other may get things done. */
interface Watches {
  readonly index: DiskWatch
  readonly bodies: DiskWatch
  onHang: (fault: StoreError) => void
}

export interface LmdbStorageInit {
  /** The data directory; made when it is missing. */
  readonly directory: string
}

export class LmdbStorage implements Storage {
  /** Names the disk: 32 hexadecimal digits, kept in the data directory. */
  readonly nodeId: string
  /** How often the data directory was opened: 1 the first time. */
  readonly boot: number
  /** What a replica keeps here. */
  readonly replica: ReplicaStore
  readonly #env: Env
  readonly #directory: DataDirectory
  readonly #space: FreeSpace
  readonly #index: LmdbIndex
  readonly #files: BlobFiles
  readonly #reserve: SpaceReserve
  readonly #remover: BlobRemover
  readonly #watches: Watches
  readonly #room = new DownloadRoom()
  readonly #staged = new StagedBodies()
  readonly #pieces = new BufferPool({
    bufferBytes: PIECE_BYTES,
    freeMax: PIECES_KEPT,
    takenMax: PIECES_LENT_MAX,
  })
  #closing: Promise<void> | undefined

  private constructor(parts: Parts) {
    this.#env = parts.env
    this.#directory = parts.directory
    this.#space = parts.space
    this.#index = parts.index
    this.#files = parts.files
    this.#reserve = parts.reserve
    this.#watches = parts.watches
    this.#remover = new BlobRemover({ files: parts.files, index: parts.index, log: parts.env.log })
    this.replica = new LmdbReplicaStore({
      ...parts,
      remover: this.#remover,
      watch: parts.watches.bodies,
      pieces: this.#pieces,
      assertRoom: () => this.#orGiveWay(() => this.#reserve.assertHeld()),
      giveUpReserve: () => this.#reserve.giveUp(),
    })
    this.nodeId = parts.index.nodeId
    this.boot = parts.index.boot
  }

  /**
   * Opens the data directory, and drops what a crash has left unfinished: O(what was unfinished), not O(files).
   * @throws StoreError UNAVAILABLE (in use, foreign, of a newer format, not writable), DISK_FULL, CORRUPT (also when the
   *   index is gone); the message names the directory.
   */
  static async open(components: { readonly env: Env }, init: LmdbStorageInit): Promise<LmdbStorage> {
    const { env } = components
    const directory = await DataDirectory.open(init.directory)
    const watches = watchesOf(env)
    let index: LmdbIndex | undefined
    try {
      await refuseLostIndex(directory.path)
      const files = await BlobFiles.open(directory.path, watches.bodies)
      const space = new FreeSpace(env, { folder: directory.path })
      index = await LmdbIndex.open(join(directory.path, 'index.mdb'), randomHex(env), space, watches.index)
      const reserve = new SpaceReserve({ randomness: env.randomness }, { directory: directory.path })
      await reserve.tryTake()
      // What is in these files is of use after a power cut only when their names are there as well.
      await syncDirectory(directory.path)
      const storage = new LmdbStorage({ env, directory, index, files, reserve, space, watches })
      await storage.#remover.add(index.unsettledBlobs())
      await storage.#remover.idle()
      return storage
    } catch (error) {
      await index?.close()
      await directory.close()
      throw diskError(error, `The data directory ${init.directory} can't be used`)
    }
  }

  stage(body: AsyncIterable<Uint8Array>, options: StageOptions): Promise<StagedBody> {
    const late = (staged: StagedBody) => void this.discard(staged)
    return this.#watches.bodies.unlessHanging(this.#stage(body, options), late)
  }

  stageAtOnce(body: WholeBody, { sizeMax }: Pick<StageOptions, 'sizeMax'>): StagedBody | undefined {
    if (body.bytes.length > sizeMax || !this.#reserve.held || !this.#space.has(PUT_SPARE_BYTES))
      return undefined
    this.#staged.assertOpen()
    return this.#staged.add(receiveWhole(body))
  }

  #stage(body: AsyncIterable<Uint8Array>, options: StageOptions): Promise<StagedBody> {
    return this.#staged.receive(options, async watched => {
      const blob = this.#newBlob()
      try {
        const { inline, ...digest } = await receive(body, watched, this.#pieces, async () => {
          await this.#orGiveWay(() => this.#reserve.assertHeld())
          return blob.begin(options.onGrowing)
        })
        if (inline) {
          await this.#orGiveWay(() => this.#assertRoom())
          return { ...digest, content: { inline } }
        }
        const blobId = await blob.finish(digest.sha256)
        watched.signal.throwIfAborted()
        return { ...digest, content: { blobId } }
      } catch (error) {
        await this.#remover.add(await blob.abandon(error))
        throw diskError(error, 'The body was not stored')
      }
    })
  }

  /** Refuses a small body while there is still room for the writes under way: a write that is begun can't be refused. */
  async #assertRoom(): Promise<void> {
    if (!this.#reserve.held) await this.#reserve.assertHeld()
    this.#space.assert(PUT_SPARE_BYTES)
  }

  async discard(staged: StagedBody): Promise<void> {
    if (this.#staged.drop(staged)) await this.#remover.add(blobsOf(staged))
  }

  handOver(staged: StagedBody): void {
    this.#staged.handOver(staged)
  }

  async find(path: PathName): Promise<FileRecord | undefined> {
    this.#staged.assertOpen()
    return this.#index.record(path)
  }

  async read(record: FileRecord, range?: ByteRange): Promise<Uint8Array | Readable> {
    this.#staged.assertOpen()
    const wanted = wholeRange(record, range)
    const { content } = record.body
    if ('inline' in content) return checkedInline(record, content.inline, wanted)
    const watch = this.#watches.bodies
    try {
      const file = await watch.unlessHanging(this.#files.open(content.blobId), late => void late.close())
      return await blobStream({ record, range: wanted, file, room: this.#room, watch })
    } catch (error) {
      throw this.#missing(record, error) ?? error
    }
  }

  *list(prefix: string, after?: string): Generator<ListEntry> {
    this.#staged.assertOpen()
    for (const entry of this.#index.lines(prefix, after)) {
      yield entry
      this.#staged.assertOpen()
    }
  }

  statistics(): StorageStatistics {
    return { ...this.#index.totals, staged: this.#staged.count, durable: true }
  }

  async disk(): Promise<DiskRoom> {
    const { blocks, bavail, bsize } = await statfs(this.#directory.path)
    return { bytes: blocks * bsize, freeBytes: bavail * bsize }
  }

  whenFull(giveWay: GiveWay): void {
    this.#files.giveWay = giveWay
  }

  /** Tries it once more when it has met a full disk on which there is room now. */
  async #orGiveWay(action: () => Promise<void>): Promise<void> {
    try {
      await action()
    } catch (error) {
      if (errorCode(error) !== 'DISK_FULL' || !(await this.#files.giveWay(PUT_SPARE_BYTES))) throw error
      await action()
    }
  }

  whenHanging(tell: (fault: StoreError) => void): void {
    this.#watches.onHang = tell
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const left = await this.#staged.close()
    // A batch may have kept one whose owner had no time to hand it over: only what still has its mark goes.
    await this.#index.idle()
    const marked = new Set(this.#index.unsettledBlobs())
    await this.#remover.add(left.flatMap(blobsOf).filter(blobId => marked.has(blobId)))
    await this.#remover.idle()
    await this.#index.close()
    await this.#directory.close()
    this.#watches.index.close()
    this.#watches.bodies.close()
  }

  #newBlob(): StagedBlob {
    return new StagedBlob({ env: this.#env, files: this.#files, index: this.#index })
  }

  /** What it means that the blob of a record can't be opened or read; undefined when it is another fault. */
  #missing(record: FileRecord, error: unknown): StoreError | undefined {
    const code = (error as NodeJS.ErrnoException).code
    const { path } = record
    if (code !== undefined && UNREADABLE.has(code))
      return new StoreError('CORRUPT', "The disk can't read the stored file.", { path, cause: error })
    if (code !== 'ENOENT') return undefined
    const current = this.#index.record(path)?.body.content
    if (!current || !('blobId' in current) || blobsOf(record.body)[0] !== current.blobId)
      return new StoreError('FILE_NOT_FOUND', 'This version of the file is gone.', { path, cause: error })
    return new StoreError('CORRUPT', 'The stored bytes of the file are missing.', { path, cause: error })
  }
}

/** What the system says of a file that is there and can't be read; others may have the body. */
const UNREADABLE = new Set(['EIO', 'EISDIR', 'EACCES', 'EPERM', 'ENOTDIR', 'ELOOP', 'EUCLEAN', 'ESTALE'])

function blobsOf(body: Pick<Body, 'content'> | undefined): BlobId[] {
  return body && 'blobId' in body.content ? [body.content.blobId] : []
}

function watchesOf({ timers }: Env): Watches {
  const onHang = (fault: StoreError) => watches.onHang(fault)
  const watch = () => new DiskWatch({ timers }, { onHang })
  const watches: Watches = { index: watch(), bodies: watch(), onHang: () => undefined }
  return watches
}

function randomHex(env: Env): string {
  return Buffer.from(env.randomness.bytes(16)).toString('hex')
}
