/**
 * Reading NDJSON: one JSON value in each line.
 */
import { StringDecoder } from 'node:string_decoder'
import { StoreError } from '../errors.ts'

/** Characters of one line; a line of a list is a path of 1,024 bytes and a few fields. */
const LINE_LENGTH_MAX = 64 * 1024

/** The values of the lines as they come in. @throws StoreError INVALID_REQUEST for a line that is no JSON or too long. */
export async function* linesOf(
  body: AsyncIterable<Uint8Array>,
  lengthMax: number = LINE_LENGTH_MAX,
): AsyncGenerator<unknown> {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  for await (const chunk of body) {
    const lines = (rest + decoder.write(Buffer.from(chunk))).split('\n')
    rest = lines.pop() as string
    for (const line of lines) if (line !== '') yield parseLine(line)
    if (rest.length > lengthMax) throw new StoreError('INVALID_REQUEST', 'The list has an endless line.')
  }
  if (rest !== '') yield parseLine(rest)
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (cause) {
    throw new StoreError('INVALID_REQUEST', 'The list has a line that is no JSON.', { cause })
  }
}
