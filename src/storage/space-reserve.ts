/**
 * A file of ballast that is given up when the disk is full, so that files can still be removed there: for a removal
 * LMDB needs a few new pages first. Until there is room for the ballast again, nothing may be put.
 */
import { type FileHandle, open, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Randomness } from '../env.ts'
import { errorCode, StoreError } from '../errors.ts'
import { diskError } from './disk-errors.ts'

/** Bytes: a thousand pages of LMDB, where a removal changes about ten. */
const RESERVE_BYTES = 4 * 1024 * 1024

/** Bytes that are enough to go on: the rest may have gone into the index when the reserve was given up. */
const RESERVE_BYTES_MIN = 256 * 1024

export class SpaceReserve {
  readonly #file: string
  readonly #randomness: Randomness
  #held = false
  #taking: Promise<void> | undefined

  /** Call `tryTake` before anything else. */
  constructor(components: { readonly randomness: Randomness }, init: { readonly directory: string }) {
    this.#randomness = components.randomness
    this.#file = join(init.directory, 'reserve')
  }

  get held(): boolean {
    return this.#held
  }

  /**
   * Resolves when puts may go on.
   * @throws StoreError DISK_FULL.
   */
  async assertHeld(): Promise<void> {
    if (!this.#held) await this.tryTake()
    if (!this.#held) throw new StoreError('DISK_FULL', 'No space is left on the disk.')
  }

  /** Takes the space; a disk without room for it is no error. */
  async tryTake(): Promise<void> {
    if (this.#held) return
    this.#taking ??= this.#take().finally(() => {
      this.#taking = undefined
    })
    await this.#taking
  }

  /** Gives the space up for removals. */
  async giveUp(): Promise<void> {
    await this.#taking
    this.#held = false
    await this.#drop()
  }

  async #take(): Promise<void> {
    const present = await stat(this.#file).catch(() => undefined)
    if ((present?.size ?? 0) >= RESERVE_BYTES_MIN) this.#held = true
    else if (await this.#write()) this.#held = true
    else await this.#drop()
  }

  async #drop(): Promise<void> {
    await unlink(this.#file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
  }

  /** True when the disk had room for enough. */
  async #write(): Promise<boolean> {
    const file = await open(this.#file, 'w')
    try {
      // Random bytes, because zeros would take no room on a file system that compresses.
      const written = await fill(file, this.#randomness.bytes(RESERVE_BYTES))
      await file.sync()
      return written >= RESERVE_BYTES_MIN
    } catch (error) {
      const refusal = diskError(error, 'The reserve was not written')
      if (errorCode(refusal) === 'DISK_FULL') return false
      throw refusal
    } finally {
      await file.close()
    }
  }
}

/** Writes as much as there is room for and says how much that was. */
async function fill(file: FileHandle, bytes: Uint8Array): Promise<number> {
  for (let at = 0; ; ) {
    if (at === bytes.length) return at
    try {
      at += (await file.write(bytes, at, bytes.length - at, at)).bytesWritten
    } catch (error) {
      if (at < RESERVE_BYTES_MIN) throw error
      return at
    }
  }
}
