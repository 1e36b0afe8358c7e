/**
 * What a replica keeps on disk: a thin layer over the index and the blob files.
 */
import type { Readable } from 'node:stream'
import type { Env } from '../env.ts'
import { errorCode, StoreError } from '../errors.ts'
import type { Identifier } from '../ring/identifier.ts'
import type { PathName } from '../ring/path-name.ts'
import type { BlobFiles } from './blob-files.ts'
import type { BlobRemover } from './blob-remover.ts'
import type { BufferPool } from './buffer-pool.ts'
import { diskError } from './disk-errors.ts'
import type { DiskWatch } from './disk-watch.ts'
import { PIECE_BYTES, receive, tooSmallForName } from './intake.ts'
import type { IndexWrite, LmdbIndex } from './lmdb-index.ts'
import type { BlobId, Body } from './record.ts'
import type { InspectedRecord, KeptRecord, ReplicaBatch, ReplicaStore } from './replica-store.ts'
import { StagedBlob } from './staged-blob.ts'
import type { StageOptions } from './storage.ts'

export interface LmdbReplicaStoreComponents {
  readonly env: Env
  readonly index: LmdbIndex
  readonly files: BlobFiles
  readonly remover: BlobRemover
  readonly pieces: BufferPool
  /** Of the bodies. */
  readonly watch: DiskWatch
  /** Throws DISK_FULL while nothing may be put. */
  readonly assertRoom: () => Promise<void>
  /** Gives up the room that is kept for the case of a full disk. */
  readonly giveUpReserve: () => Promise<void>
}

export class LmdbReplicaStore implements ReplicaStore {
  readonly #components: LmdbReplicaStoreComponents
  readonly #receiving = new Map<BlobId, Promise<Body>>()
  /** Blobs on their way out, and when the remover has them: whoever is asked for one says no, and a new one of the same name waits. */
  readonly #dropping = new Map<BlobId, Promise<void>>()

  constructor(components: LmdbReplicaStoreComponents) {
    this.#components = components
  }

  record(path: PathName, position?: Identifier): KeptRecord | undefined {
    return this.#components.index.kept(path, position)
  }

  records(lo: Identifier, hi: Identifier): Iterable<KeptRecord> {
    return this.#components.index.keptWithin(lo, hi)
  }

  inspect(lo: Identifier, hi: Identifier): Iterable<InspectedRecord> {
    return this.#components.index.inspectWithin(lo, hi)
  }

  values(prefix: string): Iterable<readonly [string, Uint8Array]> {
    return this.#components.index.values(prefix)
  }

  tombstones(lo: Identifier, hi: Identifier, withTrash?: boolean): Iterable<KeptRecord> {
    return this.#components.index.tombstonesWithin(lo, hi, withTrash)
  }

  async apply(batch: ReplicaBatch): Promise<void> {
    const dropped = batch.dropBlobs.filter(blobId => !this.#dropping.has(blobId))
    const applied = this.#apply(batch, dropped)
    this.#noteDrop(dropped, applied)
    return applied
  }

  receive(blobId: BlobId, body: AsyncIterable<Uint8Array>, options: StageOptions): Promise<Body> {
    const { watch } = this.#components
    const running = this.#receiving.get(blobId)
    if (running !== undefined) return watch.unlessHanging(running)
    const receipt = this.#receive(blobId, body, options).finally(() => this.#receiving.delete(blobId))
    this.#receiving.set(blobId, receipt)
    // What arrives when the disk goes on is kept by nobody, unless it was wanted again meanwhile.
    return watch.unlessHanging(receipt)
  }

  async replaceBlob(blobId: BlobId, sha256: string, body: AsyncIterable<Uint8Array>): Promise<void> {
    const { assertRoom, files, watch } = this.#components
    try {
      await assertRoom()
      await watch.unlessHanging(files.replace(blobId, sha256, body))
    } catch (error) {
      throw diskError(error, 'The good copy of a body was not stored')
    }
  }

  async openBlob(blobId: BlobId, first: number, last?: number): Promise<Readable> {
    try {
      const { files, watch } = this.#components
      const file = await watch.unlessHanging(files.open(blobId), late => void late.close())
      return file.createReadStream({
        start: first,
        highWaterMark: PIECE_BYTES,
        ...(last !== undefined && { end: last }),
      })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw diskError(error, 'The body was not read')
      throw new StoreError('FILE_NOT_FOUND', 'The body is not here.', { cause: error })
    }
  }

  async hasBlob(blobId: BlobId): Promise<boolean> {
    const { files, watch } = this.#components
    if (this.#dropping.has(blobId)) return false
    return watch.unlessHanging(files.has(blobId)).catch(() => false)
  }

  async tryBody(): Promise<void> {
    const { env, files } = this.#components
    try {
      await files.tryBody(Buffer.from(env.randomness.bytes(16)).toString('hex') as BlobId)
    } catch (error) {
      throw diskError(error, 'The disk takes no bodies')
    }
  }

  async #apply(batch: ReplicaBatch, dropped: readonly BlobId[]): Promise<void> {
    try {
      await this.#write({
        keep: batch.records,
        values: batch.values,
        settle: batch.keepBlobs,
        unsettle: batch.dropBlobs,
      })
    } catch (error) {
      for (const blobId of dropped) this.#dropping.delete(blobId)
      throw error
    }
    await this.#remove(dropped)
  }

  /** @param handedOver settles when the remover has them. */
  #noteDrop(blobIds: readonly BlobId[], handedOver: Promise<void>): void {
    const settled = handedOver.catch(() => undefined)
    for (const blobId of blobIds) this.#dropping.set(blobId, settled)
  }

  /** Resolves when the file of a blob that is on its way out has gone: until then it would take a new one of its name with it. */
  async #outOfTheWay(blobId: BlobId): Promise<void> {
    const handedOver = this.#dropping.get(blobId)
    if (handedOver === undefined) return
    await handedOver
    await this.#components.remover.idle()
  }

  /** The files go in the background. Until they have gone, nothing of the same name comes in, which would go with them. */
  async #remove(blobIds: readonly BlobId[]): Promise<void> {
    if (blobIds.length === 0) return
    const { remover } = this.#components
    await remover.add(blobIds)
    void remover.idle().then(() => {
      for (const blobId of blobIds) this.#dropping.delete(blobId)
    })
  }

  /** What others have decided has to be kept here too: a full disk gives the last room that there is. */
  async #write(write: IndexWrite): Promise<void> {
    const { index, giveUpReserve } = this.#components
    try {
      await index.write(write)
    } catch (error) {
      if (errorCode(error) !== 'DISK_FULL') throw error
      await giveUpReserve()
      await index.write(write)
    }
  }

  async #receive(blobId: BlobId, body: AsyncIterable<Uint8Array>, options: StageOptions): Promise<Body> {
    const { pieces, assertRoom } = this.#components
    const blob = new StagedBlob(this.#components, { blobId })
    try {
      await this.#outOfTheWay(blobId)
      await assertRoom()
      const { inline, ...digest } = await receive(body as Readable, options, pieces, () =>
        blob.begin(options.onGrowing),
      )
      if (inline !== undefined) throw tooSmallForName()
      return { ...digest, content: { blobId: await blob.finish(digest.sha256) } }
    } catch (error) {
      const left = await blob.abandon(error)
      const removed = this.#remove(left)
      this.#noteDrop(left, removed)
      await removed
      throw diskError(error, 'The body was not stored')
    }
  }
}
