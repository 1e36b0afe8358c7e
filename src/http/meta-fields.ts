/**
 * User metadata as header fields: `Meta-NAME: VALUE` on a request that writes, and on replies that are about one file.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { UserMeta } from '../storage/record.ts'
import { USER_META_BYTES_MAX, userMetaOf } from '../storage/user-meta.ts'
import { header } from './contract.ts'

const PREFIX = 'meta-'

/** The metadata of a request; undefined when it has none. @throws StoreError INVALID_REQUEST, METADATA_TOO_LARGE. */
export function userMetaOfRequest(headers: IncomingHttpHeaders): UserMeta | undefined {
  let given: [string, string][] | undefined
  for (const name in headers) {
    if (!name.startsWith(PREFIX)) continue
    given ??= []
    given.push([name.slice(PREFIX.length), String(headers[name])])
  }
  return given && userMetaOf(given)
}

/** Names and values of fields in turn. */
export function metaFields(user: UserMeta | undefined): string[] {
  return user === undefined ? [] : user.flatMap(([name, value]) => [PREFIX + name, value])
}

export const metaParameter = header(
  'Meta-*',
  `User metadata: any number of fields, ${USER_META_BYTES_MAX} bytes of names and values together. Names are kept in lower case.`,
)
