/**
 * Small files in one piece: a stream of a few bytes costs more than the request that carries them, and so does each hand-over to
 * a thread of the pool.
 */
import { closeSync, openSync, readSync } from 'node:fs'

/** Up to here a file is read in one piece; a node keeps such a body in its record. */
export const SMALL_FILE_BYTES_MAX = 64 * 1024

/** The first `size` bytes of a file, or all when it has become shorter. */
export function beginningInMemory(file: string, size: number): Uint8Array {
  const descriptor = openSync(file, 'r')
  try {
    const bytes = Buffer.allocUnsafe(size)
    let filled = 0
    while (filled < size) {
      const count = readSync(descriptor, bytes, filled, size - filled, null)
      if (count === 0) break
      filled += count
    }
    return bytes.subarray(0, filled)
  } finally {
    closeSync(descriptor)
  }
}
