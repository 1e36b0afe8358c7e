/**
 * A disk that is in trouble on demand, below one process: bad-disk.c, compiled here and preloaded there.
 */
import { execFile, execFileSync } from 'node:child_process'
import { rename, rm, writeFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const SOURCE = fileURLToPath(new URL('bad-disk.c', import.meta.url))

/** An error of the system, or calls that do not return: those that change something, or those that read. */
export type Trouble = 'EIO' | 'ENOSPC' | 'EROFS' | 'hang' | 'read-hang'

/** Why there can be none here; false when there can. */
export function whyNoBadDisk(): string | false {
  if (process.platform !== 'linux') return 'needs LD_PRELOAD of Linux'
  try {
    execFileSync('gcc', ['--version'], { stdio: 'ignore' })
    return false
  } catch {
    return 'needs gcc, to compile what stands between a process and its disk'
  }
}

export class BadDisk {
  /** What the process has to find in its environment. */
  readonly environment: Readonly<Record<string, string>>
  readonly #order: string

  private constructor(library: string, order: string) {
    this.environment = { LD_PRELOAD: library, BAD_DISK_ORDER: order }
    this.#order = order
  }

  /** Compiles what is preloaded into an empty folder. */
  static async make(folder: string): Promise<BadDisk> {
    const library = join(folder, 'bad-disk.so')
    await run('gcc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', library, SOURCE, '-ldl'])
    return new BadDisk(library, join(folder, 'order'))
  }

  /** From now on whatever lies below a place is in trouble. */
  async trouble(trouble: Trouble, place: string): Promise<void> {
    const word = trouble in constants.errno ? constants.errno[trouble as 'EIO'] : trouble
    await writeFile(`${this.#order}.new`, `${word} ${place}\n`)
    // In one step: half an order would be none.
    await rename(`${this.#order}.new`, this.#order)
  }

  /** All is well again, and what hung goes on. */
  async heal(): Promise<void> {
    await rm(this.#order, { force: true })
  }
}
