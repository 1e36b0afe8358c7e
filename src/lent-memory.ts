/**
 * Memory that goes out with bytes in it and may come back: whoever makes large buffers one after the other lends them, and uses again what it is
 * given back. New ones would each bring the next full collection of garbage nearer, which looks at the whole heap (docs/decisions/0462).
 */
import { Buffer } from 'node:buffer'

/** Who takes it back; by the memory, since what somebody has of it may be a part, or another view. */
const lenders = new WeakMap<ArrayBufferLike, (memory: Buffer) => void>()

/** Notes that a buffer, which has its memory for itself, is lent. `takeBack` is called at most once. */
export function lend(buffer: Buffer, takeBack: (memory: Buffer) => void): Buffer {
  lenders.set(buffer.buffer, takeBack)
  return buffer
}

/** Whoever is done with bytes may say so, and not look at them again. Nobody has to, and of what was not lent it says nothing. */
export function giveBack({ buffer }: Uint8Array): void {
  const takeBack = lenders.get(buffer)
  lenders.delete(buffer)
  takeBack?.(Buffer.from(buffer))
}
