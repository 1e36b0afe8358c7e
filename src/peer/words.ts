/**
 * An answer of many words on its way between nodes: one line of JSON for each, signed, so that each can be taken as it
 * comes.
 */
import { StoreError } from '../errors.ts'

/** Characters of one word; the longest one names a path and says a sentence about it. */
const WORD_LENGTH_MAX = 64 * 1024

/** The signature of a word, by its text and its number. */
type Sign = (text: string, index: number) => string

/**
 * Each line ends with a tab and its signature, and an empty word comes last.
 * @throws StoreError INVALID_REQUEST for what is no line of JSON or not signed; whatever `chunks` throws.
 */
export async function* wordsOf(chunks: AsyncIterable<Uint8Array>, sign: Sign): AsyncGenerator<unknown> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let rest = ''
  let index = 0
  let isWhole = false
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > WORD_LENGTH_MAX) throw malformed()
    for (const line of lines) {
      const text = unsigned(line, index++, sign)
      if (text === '') isWhole = true
      else yield parse(text)
    }
  }
  if (rest !== '' || !isWhole) throw malformed()
}

export async function* linesOf(words: AsyncIterable<object>, sign: Sign): AsyncGenerator<string> {
  let index = 0
  for await (const word of words) {
    const text = JSON.stringify(word)
    yield `${text}\t${sign(text, index++)}\n`
  }
  yield `\t${sign('', index)}\n`
}

function unsigned(line: string, index: number, sign: Sign): string {
  const tab = line.indexOf('\t')
  const text = line.slice(0, Math.max(0, tab))
  if (tab === -1 || line.slice(tab + 1) !== sign(text, index)) throw malformed()
  return text
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
