/**
 * Owns what the errors of a disk mean to a caller: full, or unable to take or give bytes.
 */
import { errorCode, StoreError } from '../errors.ts'

/** "No space" of the file system, of a quota, of a file's largest size, and of LMDB's map (MDB_MAP_FULL). */
const FULL = new Set<unknown>(['ENOSPC', 'EDQUOT', 'EFBIG', 28, 122, 27, -30792])

/** What the system says of a disk that fails or may not be written: EIO, EROFS, EACCES, EPERM, ENOTDIR, EMFILE. */
const FAILING = new Set<unknown>([
  'EIO',
  'EROFS',
  'EACCES',
  'EPERM',
  'ENOTDIR',
  'EMFILE',
  'ENFILE',
  5,
  30,
  13,
  1,
])

/**
 * The error to throw for one that a write met: DISK_FULL or UNAVAILABLE for what the disk says, the error itself when
 * it is not about the disk.
 */
export function diskError(error: unknown, what: string): unknown {
  if (errorCode(error)) return error
  const code = (error as { code?: unknown } | null)?.code
  if (FULL.has(code)) return new StoreError('DISK_FULL', 'No space is left on the disk.', { cause: error })
  if (FAILING.has(code)) {
    return new StoreError('UNAVAILABLE', `${what}: ${(error as Error).message}.`, { cause: error })
  }
  return error
}
