/**
 * A small filesystem in memory for tests of full disks. Mounting one takes root on Linux.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A disk that is written to all the time is caught standing still after a few. */
const FILL_TRIES_MAX = 100

export class SmallDisk {
  /** Where it is mounted. */
  readonly folder: string
  readonly #bytes: number

  private constructor(folder: string, bytes: number) {
    this.folder = folder
    this.#bytes = bytes
  }

  /** Unmount it. @throws Error when this user may not. */
  static async mount(bytes: number): Promise<SmallDisk> {
    const folder = await mkdtemp(join(tmpdir(), 'altered-chord-disk-'))
    try {
      await run('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder])
    } catch (error) {
      await rm(folder, { recursive: true })
      throw error
    }
    return new SmallDisk(folder, bytes)
  }

  /** Why small filesystems can't be mounted here, or false when they can. */
  static async refusal(): Promise<string | false> {
    try {
      await (await SmallDisk.mount(1024 * 1024)).unmount()
      return false
    } catch (error) {
      return `needs a small filesystem, and mounting one is refused: ${(error as Error).message.trim()}`
    }
  }

  /** Takes away every free byte: the disk shrinks to what is used, give or take what is written meanwhile. */
  async fill(): Promise<void> {
    for (let tries = 1; ; tries++) {
      const { blocks, bavail, bsize } = await statfs(this.folder)
      try {
        await this.#resize(Math.max(1, blocks - bavail) * bsize)
        return
      } catch (error) {
        // Something was written since the disk was looked at.
        if (tries === FILL_TRIES_MAX) throw error
      }
    }
  }

  /** Gives back what `fill` took away. */
  async clear(): Promise<void> {
    await this.#resize(this.#bytes)
  }

  async unmount(): Promise<void> {
    await run('umount', ['--lazy', this.folder])
    await rm(this.folder, { recursive: true, force: true })
  }

  async #resize(bytes: number): Promise<void> {
    await run('mount', ['-o', `remount,size=${bytes}`, this.folder])
  }
}
