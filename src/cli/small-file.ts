/**
 * Small files in one piece: a stream of a few bytes costs more than the request that carries them.
 */
import { open } from 'node:fs/promises'

/** Up to here a file is read in one piece; a node keeps such a body in its record. */
export const SMALL_FILE_BYTES_MAX = 64 * 1024

/** The first `size` bytes of a file, or all when it has become shorter. */
export async function beginningInMemory(file: string, size: number): Promise<Uint8Array> {
  const handle = await open(file)
  try {
    const bytes = Buffer.allocUnsafe(size)
    let filled = 0
    while (filled < size) {
      const { bytesRead } = await handle.read(bytes, filled, size - filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return bytes.subarray(0, filled)
  } finally {
    await handle.close()
  }
}
