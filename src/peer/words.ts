/**
 * Owns how an answer of many words travels between nodes: one line of JSON for each, so that each can be taken as it
 * comes.
 */
import { StoreError } from '../errors.ts'

/** Characters of one word; the longest one names a path and says a sentence about it. */
const WORD_LENGTH_MAX = 64 * 1024

/** @throws StoreError INVALID_REQUEST for what is no line of JSON; whatever `chunks` throws. */
export async function* wordsOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<unknown> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let rest = ''
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > WORD_LENGTH_MAX) throw malformed()
    for (const line of lines) yield parse(line)
  }
  if (rest !== '') throw malformed()
}

export async function* linesOf(words: AsyncIterable<object>): AsyncGenerator<string> {
  for await (const word of words) yield `${JSON.stringify(word)}\n`
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (cause) {
    throw malformed(cause)
  }
}

function malformed(cause?: unknown): StoreError {
  return new StoreError('INVALID_REQUEST', 'The answer of a peer is malformed.', { cause })
}
