/**
 * What a path may be. Every path of a user comes in through here, once, and is a PathName from then on.
 */
import { Buffer } from 'node:buffer'
import { StoreError } from '../errors.ts'

/** A checked path: UTF-8, 1 to 1,024 bytes, non-empty segments separated by `/`, no leading `/`. */
export type PathName = string & { readonly brand: 'PathName' }

/** Bytes of UTF-8. LMDB keys end at 1,978 bytes; an identifier of 20 bytes stands before the path in one index. */
export const PATH_BYTES_MAX = 1024

/**
 * The path that `text` names; one leading `/` is dropped.
 * @throws StoreError INVALID_PATH with a sentence that names the fault.
 */
export function parsePathName(text: string): PathName {
  const path = text.startsWith('/') ? text.slice(1) : text
  const fault = pathFault(path)
  if (fault !== undefined) throw invalidPath(fault, text)
  return path as PathName
}

/**
 * The path that a percent-encoded piece of a URL names. `%2F` becomes a slash; `+` stays a plus.
 * @throws StoreError INVALID_PATH also for malformed percent-encoding and for bytes that are not UTF-8.
 */
export function parsePathNameFromUrl(encoded: string): PathName {
  return parsePathName(decodeUrlText(encoded))
}

/**
 * Percent-decodes strictly: overlong and truncated UTF-8 are refused rather than replaced.
 * @throws StoreError INVALID_PATH.
 */
export function decodeUrlText(encoded: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch (cause) {
    throw invalidPath('its percent-encoding is malformed or does not encode UTF-8', encoded, cause)
  }
}

/**
 * The prefix that a list starts from: empty, or the beginning of a path (it may end with `/` or within a segment).
 * @throws StoreError INVALID_PATH.
 */
export function parsePathPrefix(text: string): string {
  const prefix = text.startsWith('/') ? text.slice(1) : text
  if (prefix === '') return ''
  const fault = pathFault(prefix.endsWith('/') ? prefix.slice(0, -1) : prefix)
  if (fault !== undefined) throw invalidPath(fault, text)
  return prefix
}

/** What separates the levels of a path. */
export type Delimiter = '/'

/** The level that a path under `prefix` lies in, with its delimiter: `a/b/` of `a/b/c` under `a/`. Undefined: none below the prefix's own. */
export function commonPrefix(path: string, prefix: string, delimiter: Delimiter): string | undefined {
  const end = path.indexOf(delimiter, prefix.length)
  return end === -1 ? undefined : path.slice(0, end + 1)
}

/** A text that sorts after every path with this prefix: paths have at most PATH_BYTES_MAX bytes, U+10FFFF is greatest. */
export function behind(prefix: string): string {
  const room = PATH_BYTES_MAX + 4 - Buffer.byteLength(prefix)
  return prefix + '\u{10ffff}'.repeat(Math.ceil(room / 4))
}

/** Sorts paths by their UTF-8 bytes, which is the order of every list. */
export function comparePathNames(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

const controlCharacter = /\p{Cc}/u

/** What most paths are, and every such text is a path if it is short enough. */
const usualPath = /^(?:[\w-][\w.-]*\/)*[\w-][\w.-]*$/

function pathFault(path: string): string | undefined {
  if (path.length <= PATH_BYTES_MAX && usualPath.test(path)) return undefined
  if (path === '') return 'it is empty'
  if (!path.isWellFormed()) return 'it is not valid Unicode'
  const bytes = Buffer.byteLength(path)
  if (bytes > PATH_BYTES_MAX) return `it has ${bytes} bytes and ${PATH_BYTES_MAX} are allowed`
  if (controlCharacter.test(path)) return 'it contains a control character'
  for (const segment of path.split('/')) {
    if (segment === '') return 'it has an empty segment'
    if (segment === '.' || segment === '..') return `a segment is "${segment}"`
  }
  return undefined
}

function invalidPath(fault: string, text: string, cause?: unknown): StoreError {
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text
  return new StoreError('INVALID_PATH', `This path is refused: ${fault}.`, {
    path: shown.toWellFormed(),
    cause,
  })
}
