/**
 * JSON as text: compact and cut into members without turning its numbers into doubles, so that a value comes out of
 * the store with the digits that it went in with. Nothing here recurses, so no depth of nesting can end the node.
 */
import { StoreError } from '../errors.ts'

/** A JSON value as text: valid, without whitespace between its tokens, its strings escaped as JSON.stringify does. */
export type JsonText = string & { readonly brand: 'JsonText' }

/** @throws StoreError INVALID_REQUEST when `text` is not one JSON value. */
export function compactJson(text: string): JsonText {
  try {
    JSON.parse(text)
  } catch (cause) {
    throw new StoreError('INVALID_REQUEST', 'The text is not JSON.', { cause })
  }
  let compact = ''
  let from = 0
  for (let at = 0; at < text.length; ) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      const end = endOfString(text, at)
      const piece = text.slice(at, end)
      if (piece.includes('\\')) {
        // Escapes are a matter of taste: é and \u00e9 are one string, and have to be one key.
        compact += text.slice(from, at) + JSON.stringify(JSON.parse(piece))
        from = end
      }
      at = end
    } else if (code <= SPACE) {
      compact += text.slice(from, at)
      from = ++at
    } else at++
  }
  return (compact + text.slice(from)) as JsonText
}

/** JSON.stringify for what has a JSON text. */
export function jsonTextOf(value: string | number | boolean | null): JsonText {
  return JSON.stringify(value) as JsonText
}

/** The members of an object in their order, names twice if they come twice; undefined when `text` is no object. */
export function membersOf(text: JsonText): [string, JsonText][] | undefined {
  if (text.charCodeAt(0) !== OPEN_OBJECT) return undefined
  const members: [string, JsonText][] = []
  for (let at = 1; text.charCodeAt(at) === QUOTE; ) {
    const nameEnd = endOfString(text, at)
    const valueEnd = endOfValue(text, nameEnd + 1)
    members.push([JSON.parse(text.slice(at, nameEnd)), text.slice(nameEnd + 1, valueEnd) as JsonText])
    at = valueEnd + 1
  }
  return members
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const SPACE = 0x20
const COMMA = 0x2c
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d

/** The place behind the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let backslashes = 0
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++
    if (backslashes % 2 === 0) return end + 1
  }
}

/** The place behind the member's value that begins at `start`: a comma of its object, or its closing brace. */
function endOfValue(text: string, start: number): number {
  let depth = 0
  for (let at = start; ; ) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      at = endOfString(text, at)
      continue
    }
    if (depth === 0 && (code === COMMA || code === CLOSE_OBJECT)) return at
    if (code === OPEN_OBJECT || code === OPEN_ARRAY) depth++
    else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) depth--
    at++
  }
}
