/**
 * User metadata, pairs of a name and a value that a file carries in its record: what they may be, and their bytes.
 *
 * Names and values travel as header fields (`Meta-NAME: VALUE`), so they are what a field can carry unchanged (RFC 9110,
 * sections 5.1 and 5.5): tokens without regard to case, and printable ASCII without spaces at the ends.
 */
import { Buffer } from 'node:buffer'
import { StoreError } from '../errors.ts'
import type { UserMeta } from './record.ts'

/** Bytes of all names and values of one file together, as Amazon S3 counts and limits them. */
export const USER_META_BYTES_MAX = 2048

const namePattern = /^[a-z0-9!#$%&'*+.^_`|~-]+$/
const valuePattern = /^(?:[!-~](?:[ -~]*[!-~])?)?$/

/**
 * What a user has given, in lower case and in the order of the names; undefined when it is nothing.
 * @throws StoreError INVALID_REQUEST for a name or a value that no field can carry, METADATA_TOO_LARGE.
 */
export function userMetaOf(given: Iterable<readonly [name: string, value: string]>): UserMeta | undefined {
  const fields: [string, string][] = []
  const names = new Set<string>()
  for (const [givenName, value] of given) {
    const name = givenName.toLowerCase()
    if (!namePattern.test(name)) throw invalid(`${shown(givenName)} is no name of metadata`)
    if (!valuePattern.test(value))
      throw invalid(`The metadata ${shown(name)} has a value that is not printable ASCII`)
    if (names.has(name)) throw invalid(`The metadata ${shown(name)} is given twice`)
    names.add(name)
    fields.push([name, value])
  }
  if (fields.length === 0) return undefined
  const bytes = userMetaBytes(fields)
  if (bytes > USER_META_BYTES_MAX)
    throw new StoreError(
      'METADATA_TOO_LARGE',
      `The names and values of the metadata have ${bytes} bytes, and may have ${USER_META_BYTES_MAX}.`,
    )
  return fields.sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Whether it is user metadata as userMetaOf gives it. */
export function isUserMeta(value: unknown): value is UserMeta {
  if (!Array.isArray(value) || value.length === 0) return false
  let before = ''
  for (const field of value as unknown[]) {
    if (!Array.isArray(field) || field.length !== 2) return false
    const [name, text] = field as unknown[]
    if (typeof name !== 'string' || typeof text !== 'string') return false
    if (name <= before || !namePattern.test(name) || !valuePattern.test(text)) return false
    before = name
  }
  return userMetaBytes(value as unknown as UserMeta) <= USER_META_BYTES_MAX
}

/** Bytes of all names and values. */
export function userMetaBytes(fields: UserMeta): number {
  return fields.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
}

/** Bytes as they are kept: for each field the length of its name and of its value, 16 bits each, and the two. */
export function encodeUserMeta(fields: UserMeta): Buffer {
  const bytes = Buffer.allocUnsafe(userMetaBytes(fields) + 4 * fields.length)
  let at = 0
  for (const [name, value] of fields) {
    at = bytes.writeUInt16LE(name.length, at)
    at = bytes.writeUInt16LE(value.length, at)
    at += bytes.write(name, at, 'latin1')
    at += bytes.write(value, at, 'latin1')
  }
  return bytes
}

export function decodeUserMeta(bytes: Buffer): UserMeta {
  const fields: [string, string][] = []
  for (let at = 0; at + 4 <= bytes.length; ) {
    const nameEnd = at + 4 + bytes.readUInt16LE(at)
    const valueEnd = nameEnd + bytes.readUInt16LE(at + 2)
    fields.push([bytes.toString('latin1', at + 4, nameEnd), bytes.toString('latin1', nameEnd, valueEnd)])
    at = valueEnd
  }
  return fields
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 100))
}

function invalid(message: string): StoreError {
  return new StoreError('INVALID_REQUEST', `${message}.`)
}
