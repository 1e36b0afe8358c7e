/**
 * The media type that is stored with a file: what the client said when it is well-formed, else a sequence of bytes.
 */

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
