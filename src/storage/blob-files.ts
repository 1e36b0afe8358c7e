/**
 * The files that hold bodies too large for a record: written under `staging/`, made durable, renamed to
 * `blobs/ab/abcdef…`, never changed afterwards.
 *
 * A staged or removed blob is listed as unsettled in the index for as long as its file may exist without a record, so
 * that a start after a crash unlinks exactly those and never has to look through all files.
 */
import { createHash } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errorCode, StoreError } from '../errors.ts'
import { syncDirectory } from './data-directory.ts'
import { diskError } from './disk-errors.ts'
import { type DiskWatch, UNWATCHED } from './disk-watch.ts'
import type { BodySink } from './intake.ts'
import type { BlobId } from './record.ts'
import type { GiveWay } from './storage.ts'

/** Bytes after which a flush is begun while more come in, so that the last one has little left to wait for. */
const FLUSH_BYTES = 32 * 1024 * 1024

type Watch = Pick<DiskWatch, 'during'>

export class BlobFiles {
  readonly #staging: string
  readonly #blobs: string
  readonly #watch: Watch
  /** Asked for room when the disk has none left. */
  giveWay: GiveWay = async () => false
  /** Folders that exist durably: the first two digits of an id, so with a million blobs about 4,000 files in each. */
  readonly #folders = new Set<string>()

  private constructor(directory: string, watch: Watch) {
    this.#watch = watch
    this.#staging = join(directory, 'staging')
    this.#blobs = join(directory, 'blobs')
  }

  /** Opens the folders within the data directory, makes the missing ones, and drops unfinished staging. */
  static async open(directory: string, watch: Watch = UNWATCHED): Promise<BlobFiles> {
    const files = new BlobFiles(directory, watch)
    await mkdir(files.#staging, { recursive: true })
    for (const name of await readdir(files.#staging))
      await rm(join(files.#staging, name), { recursive: true, force: true })
    await mkdir(files.#blobs, { recursive: true })
    await syncDirectory(directory)
    // A folder that a crash kept from becoming durable may be among them.
    await syncDirectory(files.#blobs)
    for (const name of await readdir(files.#blobs)) files.#folders.add(name)
    return files
  }

  /** Begins the file of a blob under its temporary name. */
  async begin(blobId: BlobId): Promise<StagingFile> {
    return this.#begin(blobId, blobId, 'wx')
  }

  /** Does with a few bytes all that has to be done for a body. @throws what the disk says. */
  async tryBody(blobId: BlobId): Promise<void> {
    const file = await this.begin(blobId)
    try {
      await file.write(Buffer.from('trial'))
      await file.finish(Promise.resolve())
    } catch (error) {
      await file.abandon()
      throw error
    }
    await this.remove([blobId])
  }

  async #begin(blobId: BlobId, name: string, flags: 'w' | 'wx'): Promise<StagingFile> {
    const temporary = join(this.#staging, name)
    const opening = this.#ensureFolder(blobId).then(() => this.#openStaging(temporary, flags))
    const file = await this.#watch.during(opening)
    const places = { temporary, path: this.#path(blobId), folder: this.#folder(blobId) }
    const giveWay: GiveWay = bytes => this.giveWay(bytes)
    return new StagingFile({ file, watch: this.#watch, giveWay }, places)
  }

  /** Somebody may have removed the folder under a running node; then it is made again. */
  async #openStaging(temporary: string, flags: 'w' | 'wx'): Promise<FileHandle> {
    try {
      return await open(temporary, flags)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      await mkdir(this.#staging, { recursive: true })
      return open(temporary, flags)
    }
  }

  /**
   * Puts other bytes in the place of a blob at once, when they have this SHA-256: a good copy for a bad or a missing one.
   * @throws StoreError CORRUPT when they have not; the blob is as before then.
   */
  async replace(blobId: BlobId, sha256: string, body: AsyncIterable<Uint8Array>): Promise<void> {
    const file = await this.#begin(blobId, `${blobId}.good`, 'w')
    try {
      const hash = createHash('sha256')
      for await (const chunk of body) {
        hash.update(chunk)
        await file.write(chunk)
      }
      if (hash.digest('hex') !== sha256)
        throw new StoreError('CORRUPT', 'The bytes do not have the SHA-256 of the body.')
      await file.finish(Promise.resolve())
    } catch (error) {
      await file.abandon()
      throw error
    }
  }

  /** Opens a blob for reading; its bytes stay readable when it is removed meanwhile. Fails with ENOENT. */
  open(blobId: BlobId): Promise<FileHandle> {
    return this.#watch.during(open(this.#path(blobId), 'r'))
  }

  async has(blobId: BlobId): Promise<boolean> {
    return this.#watch.during(stat(this.#path(blobId))).then(
      found => found.isFile(),
      () => false,
    )
  }

  /** Removes blobs durably; one that does not exist is fine. */
  async remove(blobIds: readonly BlobId[]): Promise<void> {
    for (const blobId of blobIds) await this.#watch.during(unlinkIfThere(this.#path(blobId)))
    const folders = blobIds
      .filter(blobId => this.#folders.has(blobId.slice(0, 2)))
      .map(blobId => this.#folder(blobId))
    for (const folder of new Set(folders)) await this.#watch.during(syncDirectory(folder))
  }

  async #ensureFolder(blobId: BlobId): Promise<void> {
    const name = blobId.slice(0, 2)
    if (this.#folders.has(name)) return
    await mkdir(this.#folder(blobId), { recursive: true })
    await syncDirectory(this.#blobs)
    this.#folders.add(name)
  }

  #folder(blobId: BlobId): string {
    return join(this.#blobs, blobId.slice(0, 2))
  }

  #path(blobId: BlobId): string {
    return join(this.#folder(blobId), blobId)
  }
}

/** A blob that is being written. It ends with `finish` or `abandon`. */
export class StagingFile implements BodySink {
  readonly #file: FileHandle
  readonly #watch: Watch
  readonly #giveWay: GiveWay
  readonly #temporary: string
  readonly #path: string
  readonly #folder: string
  #position = 0
  #flushedUpTo = 0
  #flushing: Promise<void> | undefined
  #flushFault: unknown

  constructor(
    components: { readonly file: FileHandle; readonly watch: Watch; readonly giveWay: GiveWay },
    places: { readonly temporary: string; readonly path: string; readonly folder: string },
  ) {
    this.#file = components.file
    this.#watch = components.watch
    this.#giveWay = components.giveWay
    this.#temporary = places.temporary
    this.#path = places.path
    this.#folder = places.folder
  }

  async write(piece: Uint8Array): Promise<void> {
    for (let at = 0; at < piece.length; ) {
      // A disk that fills up takes part of the bytes first and says ENOSPC at the next call.
      const writing = this.#file.write(piece, at, piece.length - at, this.#position)
      const bytesWritten = await this.#watch.during(writing).then(
        written => written.bytesWritten,
        (error: unknown) => this.#afterRefusal(error, piece.length - at),
      )
      at += bytesWritten
      this.#position += bytesWritten
    }
    if (this.#position - this.#flushedUpTo >= FLUSH_BYTES) this.#flush()
  }

  /** A full disk may get room again; then nothing of this piece is written yet. @throws what the disk has said. */
  async #afterRefusal(error: unknown, bytes: number): Promise<0> {
    if (errorCode(diskError(error, '')) !== 'DISK_FULL' || !(await this.#giveWay(bytes))) throw error
    return 0
  }

  /** Makes the bytes durable, and with them the name of the blob once `marked` has resolved. */
  async finish(marked: Promise<void>): Promise<void> {
    await this.#flushing
    if (this.#flushFault) throw this.#flushFault
    await this.#watch.during(this.#file.datasync())
    await this.#watch.during(this.#file.close())
    await marked
    await this.#watch.during(this.#rename())
    await this.#watch.during(syncDirectory(this.#folder))
  }

  /** Opens it once more, for reading: under its temporary name, or under its own when that was given meanwhile. */
  async openAgain(): Promise<FileHandle> {
    return open(this.#temporary, 'r').catch(() => open(this.#path, 'r'))
  }

  /** Somebody may have removed the folder under a running node; then it is made again. */
  async #rename(): Promise<void> {
    try {
      await rename(this.#temporary, this.#path)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // A folder that has the name of a body holds nothing that any body needs.
      if (code === 'EISDIR' || code === 'ENOTEMPTY') await rm(this.#path, { recursive: true })
      else if (code === 'ENOENT') {
        await mkdir(this.#folder, { recursive: true })
        await syncDirectory(dirname(this.#folder))
      } else throw error
      await rename(this.#temporary, this.#path)
    }
  }

  /** Drops the file, at whatever point it failed. */
  async abandon(): Promise<void> {
    await this.#flushing
    // Closing a file that is closed already fails, and so may the disk that made us abandon it: the start cleans up.
    await this.#file.close().catch(() => undefined)
    await unlinkIfThere(this.#temporary).catch(() => undefined)
  }

  #flush(): void {
    if (this.#flushing) return
    this.#flushedUpTo = this.#position
    // A failed flush is reported only once by the system; `finish` must see it.
    this.#flushing = this.#watch
      .during(this.#file.datasync())
      .catch((error: unknown) => {
        this.#flushFault = error
      })
      .finally(() => {
        this.#flushing = undefined
      })
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EISDIR' || code === 'EPERM') await rm(path, { recursive: true, force: true })
    else if (code !== 'ENOENT') throw error
  }
}
