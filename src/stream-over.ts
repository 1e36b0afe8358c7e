/**
 * Streams that a generator makes out of another one. A generator that was never begun runs none of its code, `finally`
 * included, so a reader who goes away before the first byte would leave the other stream, and its file or connection, open.
 */
import { Readable } from 'node:stream'

/** A stream of bytes, read ahead by no one; it takes `source` with it when it ends, however that is. */
export function streamOver(source: Readable, bytes: AsyncIterable<Uint8Array>): Readable {
  return Readable.from(bytes, { objectMode: false, highWaterMark: 1 }).once('close', () => source.destroy())
}

/** Lends a stream to whoever reads it; afterwards it is closed, read or not. */
export async function lending<Result>(
  source: Readable,
  use: (source: Readable) => Promise<Result>,
): Promise<Result> {
  try {
    return await use(source)
  } finally {
    source.destroy()
  }
}
