/**
 * The names of uploaded files: what a browser sends as one is made safe, and only allowed kinds come in.
 */
import { Buffer } from 'node:buffer'
import { StoreError } from '../errors.ts'
import type { PathName } from '../ring/path-name.ts'

/** What file systems allow for one name, in bytes. */
export const FILE_NAME_BYTES_MAX = 255

// Windows opens a device for these, whatever the extension; a file of this name could not be fetched there.
const deviceName = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)/i

// Controls, line separators, marks of direction, byte order marks, soft hyphens and joiners of words. The other characters of
// the category Cf are letters of a name: emoji, flags and words of Persian or Hindi differ by them alone.
const unseen =
  /[\p{Cc}\p{Zl}\p{Zp}\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0001}]/gu

/**
 * A name that is safe everywhere, as near as possible to the one given: the last segment (of either slash), in Unicode
 * form NFC, without control characters and marks that only hide or turn text, without dots in front, without dots and spaces behind,
 * no Windows device, at most 255 bytes with its extension kept. Undefined when nothing is left of it.
 */
export function safeFileName(given: string): string | undefined {
  const name = lastSegment(given)
    .replace(unseen, '')
    .replace(/[<>:"|?*]/g, '_')
    .replace(/^[.\s]+/, '')
    .replace(/[.\s]+$/, '')
  if (name.replace(/\p{Cf}/gu, '') === '') return undefined
  return shortened(deviceName.test(name) ? `_${name}` : name)
}

/** Whether a name that was made safe lacks something of the one given, so that another given name may have become the same. */
export function hasLost(given: string, safe: string): boolean {
  return lastSegment(given) !== safe
}

function lastSegment(given: string): string {
  return (given.toWellFormed().split(/[/\\]/).at(-1) ?? '').normalize('NFC')
}

function shortened(name: string): string {
  if (Buffer.byteLength(name) <= FILE_NAME_BYTES_MAX) return name
  const dot = name.lastIndexOf('.')
  const extension = dot > 0 && Buffer.byteLength(name.slice(dot)) <= 32 ? name.slice(dot) : ''
  const room = FILE_NAME_BYTES_MAX - Buffer.byteLength(extension)
  let stem = ''
  let bytes = 0
  for (const character of extension === '' ? name : name.slice(0, dot)) {
    bytes += Buffer.byteLength(character)
    if (bytes > room) break
    stem += character
  }
  return stem + extension
}

/**
 * @throws StoreError TYPE_NOT_ALLOWED when there is a list of allowed extensions and the path's is not in it. `.tar.gz`
 *   is allowed by `gz` as well as by `tar.gz`.
 */
export function refuseExtension(path: PathName, allowed: readonly string[] | undefined): void {
  if (allowed === undefined) return
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase()
  if (allowed.some(extension => name.endsWith(`.${extension}`))) return
  throw new StoreError(
    'TYPE_NOT_ALLOWED',
    `Only files named ${allowed.map(e => `*.${e}`).join(', ')} come in.`,
    {
      path,
    },
  )
}
