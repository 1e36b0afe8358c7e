/**
 * The last step of a large body: into the answer.
 */
import type { Readable } from 'node:stream'
import { giveBack } from '../lent-memory.ts'

/** Makes a stream, when it is piped, give the memory of what has gone out back to where it came from. */
export function givingBack(body: Readable): Readable {
  body.pipe = (to, { end = true } = {}) => {
    body.on('data', (bytes: Uint8Array) => {
      if (!to.write(bytes, () => giveBack(bytes))) body.pause()
    })
    to.on('drain', () => body.resume())
    if (end) body.once('end', () => to.end())
    return to
  }
  return body
}
