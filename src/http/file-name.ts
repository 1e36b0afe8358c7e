/**
 * Owns the names of uploaded files: what a browser sends as one is made safe, and only allowed kinds come in.
 */
import { Buffer } from 'node:buffer'
import { StoreError } from '../errors.ts'
import type { PathName } from '../ring/path-name.ts'

/** What file systems allow for one name, in bytes. */
export const FILE_NAME_BYTES_MAX = 255

// Windows opens a device for these, whatever the extension; a file of this name could not be fetched there.
const deviceName = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)/i

/**
 * A name that is safe everywhere, as near as possible to the one given: the last segment (of either slash), in Unicode
 * form NFC, without control and invisible formatting characters, without dots in front, without dots and spaces behind,
 * no Windows device, at most 255 bytes with its extension kept. Undefined when nothing is left of it.
 */
export function safeFileName(given: string): string | undefined {
  const segment = given.toWellFormed().split(/[/\\]/).at(-1) ?? ''
  const name = segment
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '')
    .replace(/[<>:"|?*]/g, '_')
    .replace(/^[.\s]+/, '')
    .replace(/[.\s]+$/, '')
  if (name === '') return undefined
  return shortened(deviceName.test(name) ? `_${name}` : name)
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
