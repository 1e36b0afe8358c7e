/**
 * What a key-value pair is: which keys there are, and the path of the small file that a pair is. Pure.
 *
 * The path of a pair is `kv/` and its key, in which percent-encoding stands for what a path can't have: control
 * characters, a `.` or `..` between slashes, and a slash that begins or ends the key or follows another one. `%` itself
 * is encoded too, so that decoding the path gives the key back and no two keys share a file
 * (docs/decisions/0090-pairs-are-files.md).
 */
import { Buffer } from 'node:buffer'
import { StoreError } from '../errors.ts'
import type { PathName } from '../ring/path-name.ts'
import { compactJson, type JsonText, membersOf } from './json-text.ts'

/** Names a pair: 1 to 256 bytes of UTF-8. */
export type Key = string & { readonly brand: 'Key' }

export interface Pair {
  readonly key: Key
  readonly value: JsonText
}

/** Bytes of UTF-8. Every byte percent-encoded, with `kv/` before it, is far below the longest path. */
export const KEY_BYTES_MAX = 256

/**
 * Bytes of a value's JSON text, without whitespace. A value is read and checked in one turn of the event loop: the worst
 * that 256 KiB can hold (measured: brackets nested 130,000 deep) keeps it for some 60 ms. What is larger is a file.
 */
export const VALUE_BYTES_MAX = 256 * 1024

/** Bytes of `{"key": ..., "value": ...}` as it is sent: whoever indents doubles it. */
export const PAIR_BYTES_MAX = 2 * VALUE_BYTES_MAX

/** The beginning of the paths of all pairs. */
export const PAIR_PREFIX = 'kv/'

export const PAIR_MEDIA_TYPE = 'application/json'

/** @throws StoreError INVALID_REQUEST with a sentence that names the fault. */
export function parseKey(text: string): Key {
  const fault = keyFault(text)
  if (fault === undefined) return text as Key
  throw invalid(`This key is refused: ${fault}.`)
}

/** The key that a JSON value stands for: a string itself, anything else its JSON text. @throws as parseKey. */
export function keyOfJson(json: JsonText): Key {
  return parseKey(json.startsWith('"') ? JSON.parse(json) : json)
}

/**
 * The pair that `{"key": ..., "value": ...}` says.
 * @throws StoreError INVALID_REQUEST; FILE_TOO_LARGE.
 */
export function parsePair(text: string): Pair {
  const members = membersOf(bodyJson(text))
  if (members === undefined) throw invalid('The body is not a JSON object: {"key": ..., "value": ...}.')
  const given = new Map<string, JsonText>()
  for (const [name, json] of members) {
    if (name !== 'key' && name !== 'value')
      throw invalid(
        `The body has the unknown member ${JSON.stringify(name.slice(0, 100))}; it takes key and value.`,
      )
    if (given.has(name)) throw invalid(`The body has two members named ${name}.`)
    given.set(name, json)
  }
  const [key, value] = [given.get('key'), given.get('value')]
  if (key === undefined) throw invalid('The body has no member named key.')
  if (value === undefined) throw invalid('The body has no member named value; null is a value too.')
  return { key: keyOfJson(key), value: checkedValue(value) }
}

function bodyJson(text: string): JsonText {
  if (text.trim() === '') throw invalid('The body is empty; it takes {"key": ..., "value": ...}.')
  try {
    return compactJson(text)
  } catch (cause) {
    throw new StoreError('INVALID_REQUEST', 'The body is not JSON; it takes {"key": ..., "value": ...}.', {
      cause,
    })
  }
}

/** @throws StoreError FILE_TOO_LARGE. */
export function checkedValue(value: JsonText): JsonText {
  if (Buffer.byteLength(value) <= VALUE_BYTES_MAX) return value
  throw new StoreError(
    'FILE_TOO_LARGE',
    `The JSON text of a value may have ${VALUE_BYTES_MAX} bytes; larger things are files, see /put.`,
  )
}

export function pathOfKey(key: Key): PathName {
  return `${PAIR_PREFIX}${encodedKey(key)}` as PathName
}

/** The key whose pair has this path; undefined when no key has it. */
export function keyOfPath(path: string): Key | undefined {
  if (!path.startsWith(PAIR_PREFIX)) return undefined
  try {
    const key = parseKey(decodeURIComponent(path.slice(PAIR_PREFIX.length)))
    return pathOfKey(key) === path ? key : undefined
  } catch {
    // Whoever puts files under kv/ may give them other names.
    return undefined
  }
}

function encodedKey(key: string): string {
  return key
    .replace(/[%\p{Cc}]/gu, percentEncoded)
    .replace(/^\/|\/$|(?<=\/)\//g, '%2F')
    .split('/')
    .map(segment => (segment === '.' || segment === '..' ? segment.replaceAll('.', '%2E') : segment))
    .join('/')
}

function percentEncoded(character: string): string {
  return [...Buffer.from(character)]
    .map(byte => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
    .join('')
}

function keyFault(text: string): string | undefined {
  if (text === '') return 'it is empty'
  if (!text.isWellFormed()) return 'it is not valid Unicode'
  const bytes = Buffer.byteLength(text)
  return bytes > KEY_BYTES_MAX ? `it has ${bytes} bytes and ${KEY_BYTES_MAX} are allowed` : undefined
}

function invalid(message: string): StoreError {
  return new StoreError('INVALID_REQUEST', message)
}
