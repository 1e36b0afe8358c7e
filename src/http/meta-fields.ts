/**
 * What is said of a file beside its bytes, as header fields: user metadata (`Meta-NAME: VALUE`, on a request that writes and on
 * replies that are about one file), and the media type: what the client said when it is well-formed, else a sequence of bytes.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { StoreError } from '../errors.ts'
import type { UserMeta } from '../storage/record.ts'
import { USER_META_BYTES_MAX, userMetaOf } from '../storage/user-meta.ts'
import { header } from './contract.ts'

const PREFIX = 'meta-'

/** Begins the names under which the S3 endpoint keeps what is its own (s3/object-meta.ts). */
const RESERVED = '$'

/** The metadata of a request; undefined when it has none. @throws StoreError INVALID_REQUEST, METADATA_TOO_LARGE. */
export function userMetaOfRequest(headers: IncomingHttpHeaders): UserMeta | undefined {
  let given: [string, string][] | undefined
  for (const name in headers) {
    if (!name.startsWith(PREFIX)) continue
    const own = name.slice(PREFIX.length)
    if (own.startsWith(RESERVED))
      throw new StoreError(
        'INVALID_REQUEST',
        `No metadata can be named ${own}: names that begin with ${RESERVED} are the store's own.`,
      )
    given ??= []
    given.push([own, String(headers[name])])
  }
  return given && userMetaOf(given)
}

/** The metadata that users see. */
export function shownMeta(user: UserMeta = []): UserMeta {
  return user.filter(([name]) => !name.startsWith(RESERVED))
}

/** Names and values of fields in turn. */
export function metaFields(user: UserMeta | undefined): string[] {
  return shownMeta(user).flatMap(([name, value]) => [PREFIX + name, value])
}

export const metaParameter = header(
  'Meta-*',
  `User metadata: any number of fields, ${USER_META_BYTES_MAX} bytes of names and values together. Names are kept in lower case, and begin with no "$".`,
)

export const DEFAULT_MEDIA_TYPE = 'application/octet-stream'

/** Longer ones are no media types; the value comes back as a header of every get. */
const MEDIA_TYPE_LENGTH_MAX = 255

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const quoted = '"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e]|\\\\[\\t \\x21-\\x7e])*"'
const mediaTypePattern = new RegExp(
  `^${token}/${token}(?:[ \\t]*;[ \\t]*(?:${token}=(?:${token}|${quoted}))?)*$`,
)

/** RFC 9110, section 8.3.1. Nothing that ends a header line gets through. */
export function storedMediaType(declared: string | undefined): string {
  if (declared === undefined || declared.length > MEDIA_TYPE_LENGTH_MAX) return DEFAULT_MEDIA_TYPE
  return mediaTypePattern.test(declared) ? declared : DEFAULT_MEDIA_TYPE
}
