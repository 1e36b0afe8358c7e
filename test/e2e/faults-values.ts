/**
 * What clients of a run of faults write: a value is a name that says how many bytes it stands for, and the bytes
 * follow from the name, so that nobody has to keep them to know whether they came back whole.
 */
import { createHash } from 'node:crypto'

const CHUNK_BYTES = 256 * 1024

/** @param name unique in a history, without slashes. */
export function valueNamed(name: string, bytes: number): string {
  return `${name}/${bytes}`
}

export function bytesIn(value: string): number {
  return Number(value.split('/')[1])
}

/** The bytes that a value stands for: its name, then bytes that follow from it, as many as it says. */
export function* chunksOf(value: string): Generator<Buffer> {
  const size = bytesIn(value)
  const head = Buffer.from(`${value}\n`)
  const pattern = patternOf(value)
  yield head.subarray(0, size)
  for (let sent = head.length; sent < size; ) {
    const chunk = pattern.subarray(0, Math.min(CHUNK_BYTES, size - sent))
    yield chunk
    sent += chunk.length
  }
}

/** The value that bytes stand for. Bytes that were mixed up or cut off stand for none, and the text says how. */
export async function valueIn(body: AsyncIterable<Uint8Array>): Promise<string> {
  let value: string | undefined
  let seen = 0
  let pattern: Buffer = Buffer.alloc(0)
  let first: Buffer = Buffer.alloc(0)
  for await (const part of body) {
    let chunk: Buffer = Buffer.from(part.buffer, part.byteOffset, part.byteLength)
    if (value === undefined) {
      first = Buffer.concat([first, chunk])
      const end = first.indexOf('\n')
      if (end === -1) continue
      value = first.subarray(0, end).toString()
      pattern = patternOf(value)
      seen = end + 1
      chunk = first.subarray(end + 1)
    }
    const wrong = firstDifference(chunk, pattern, seen - Buffer.byteLength(value) - 1)
    if (wrong !== undefined) return `damaged bytes of ${value}: differs at ${seen + wrong}`
    seen += chunk.length
  }
  if (value === undefined || !/^[^/]+\/\d+$/.test(value)) return `damaged bytes: no value in ${seen}`
  return seen === bytesIn(value) ? value : `damaged bytes of ${value}: ${seen} bytes`
}

function patternOf(value: string): Buffer {
  return Buffer.alloc(CHUNK_BYTES, createHash('sha256').update(value).digest())
}

/** Where a chunk leaves the repeated pattern, whose `offset`-th byte it begins with. */
function firstDifference(chunk: Buffer, pattern: Buffer, offset: number): number | undefined {
  for (let at = 0; at < chunk.length; ) {
    const from = (offset + at) % pattern.length
    const length = Math.min(chunk.length - at, pattern.length - from)
    if (!chunk.subarray(at, at + length).equals(pattern.subarray(from, from + length))) {
      while (chunk[at] === pattern[(offset + at) % pattern.length]) at++
      return at
    }
    at += length
  }
  return undefined
}
