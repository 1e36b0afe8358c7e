/**
 * What the errors of a disk mean to a caller: full, or unable to take or give bytes; and whether there is room.
 */
import { statfsSync } from 'node:fs'
import type { Clock } from '../env.ts'
import { errorCode, StoreError } from '../errors.ts'

/** "No space" of the file system, of a quota, of a file's largest size, and of LMDB's map (MDB_MAP_FULL). */
const FULL = new Set<unknown>(['ENOSPC', 'EDQUOT', 'EFBIG', 28, 122, 27, -30792])

/**
 * What the system says of a disk that fails, or that may not be written: by name, and by number where LMDB says it. Something
 * else in the place of a file or a folder of ours is one of these, and so is a network disk that is gone.
 */
const FAILING = new Set<unknown>([
  ...[
    'EIO',
    'EROFS',
    'EACCES',
    'EPERM',
    'ENOTDIR',
    'EISDIR',
    'ENOENT',
    'EEXIST',
    'ENOTEMPTY',
    'ELOOP',
    'EXDEV',
  ],
  ...['ESTALE', 'ENXIO', 'ENODEV', 'ENOTCONN', 'ETIMEDOUT', 'EREMOTEIO', 'EUCLEAN', 'EBUSY'],
  ...[5, 30, 13, 1, 2, 20, 21, 116, 117],
])

/** Not the disk, but this process has no file descriptor left. */
const EXHAUSTED = new Set<unknown>(['EMFILE', 'ENFILE'])

/**
 * The error to throw for one that a write met: DISK_FULL or UNAVAILABLE for what the disk says, the error itself when
 * it is not about the disk. Of what the system says, the name of a file here is left out: clients read this.
 */
export function diskError(error: unknown, what: string): unknown {
  if (errorCode(error)) return error
  const code = (error as { code?: unknown } | null)?.code
  if (FULL.has(code)) return new StoreError('DISK_FULL', 'No space is left on the disk.', { cause: error })
  if (FAILING.has(code) || EXHAUSTED.has(code)) {
    const [said] = (error as Error).message.split(', ', 1)
    return new StoreError('UNAVAILABLE', `${what}: ${said}.`, { cause: error })
  }
  return error
}

/**
 * True for an error of ours that says that the disk failed; false for one that says that it is full. Of the index that is INDETERMINATE,
 * and a body needs its mark there.
 */
export function isDiskFailure(error: unknown): boolean {
  const cause = (error as { cause?: { code?: unknown } } | null)?.cause
  const code = errorCode(error)
  return (code === 'UNAVAILABLE' || code === 'INDETERMINATE') && FAILING.has(cause?.code)
}

/** How full the disk is that holds a folder. */
export class FreeSpace {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #folder: string
  #free = 0
  #lookedAtMs = Number.NEGATIVE_INFINITY

  constructor(components: { readonly clock: Pick<Clock, 'monotonicMs'> }, init: { readonly folder: string }) {
    this.#clock = components.clock
    this.#folder = init.folder
  }

  /**
   * Before something begins that must not fail for want of space. Looking costs as much as a tenth of a small put, so
   * where there is plenty, it is looked at four times a second.
   * @throws StoreError DISK_FULL when the disk has fewer bytes left.
   */
  assert(bytes: number): void {
    if (!this.has(bytes)) throw new StoreError('DISK_FULL', 'No space is left on the disk.')
  }

  /** As assert, without a throw. */
  has(bytes: number): boolean {
    const nowMs = this.#clock.monotonicMs()
    if (this.#free < bytes + PLENTY_BYTES || nowMs - this.#lookedAtMs >= LOOK_MS) {
      const { bavail, bsize } = statfsSync(this.#folder)
      this.#free = bavail * bsize
      this.#lookedAtMs = nowMs
    }
    return this.#free >= bytes
  }
}

/** More than all programs of a machine write until the next look. */
const PLENTY_BYTES = 4 * 1024 ** 3

const LOOK_MS = 250
