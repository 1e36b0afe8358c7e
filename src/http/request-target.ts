/**
 * What a URL says: the encoded piece behind the endpoint's name, and the query. Both are decoded here, strictly and
 * once; the router's own lenient decoding is used for nothing but finding the endpoint.
 */
import { StoreError } from '../errors.ts'
import { decodeUrlText, type PathName, parsePathNameFromUrl } from '../ring/path-name.ts'

const notVisibleAscii = /[^\x21-\x7e]/

/** The part of a request target before `?`, without scheme and authority (RFC 9112, section 3.2.2). */
export function pathPart(url: string): string {
  const query = url.indexOf('?')
  const path = query === -1 ? url : url.slice(0, query)
  if (path.startsWith('/')) return path
  const authority = path.indexOf('://')
  const start = authority === -1 ? -1 : path.indexOf('/', authority + 3)
  return start === -1 ? '/' : path.slice(start)
}

/** The endpoint's name: the first segment, as it is written. */
export function endpointOf(url: string): string {
  const path = pathPart(url)
  const end = path.indexOf('/', 1)
  return end === -1 ? path.slice(1) : path.slice(1, end)
}

/**
 * The encoded text behind `/ENDPOINT/`; empty when there is none.
 * @throws StoreError INVALID_PATH for a character that must be percent-encoded.
 */
export function restOf(url: string): string {
  const path = pathPart(url)
  const start = path.indexOf('/', 1)
  if (start === -1) return ''
  const rest = path.slice(start + 1)
  if (notVisibleAscii.test(rest) || rest.includes('#')) {
    throw new StoreError(
      'INVALID_PATH',
      'This path is refused: a character that is not visible ASCII, or a #, must be percent-encoded.',
    )
  }
  return rest
}

/** The decoded text behind `/ENDPOINT/`; empty when there is none. @throws StoreError INVALID_PATH. */
export function decodedRestOf(url: string): string {
  return decodeUrlText(restOf(url))
}

/** The path behind `/ENDPOINT/`. @throws StoreError INVALID_PATH. */
export function pathOf(url: string): PathName {
  return parsePathNameFromUrl(restOf(url))
}

/**
 * The two paths behind `/ENDPOINT/`, written with one slash between them: a slash inside either of them is `%2F`.
 * @throws StoreError INVALID_PATH.
 */
export function twoPathsOf(url: string): { source: PathName; destination: PathName } {
  const pieces = restOf(url).split('/')
  const [source, destination] = pieces
  if (source === undefined || destination === undefined || pieces.length !== 2) {
    throw new StoreError(
      'INVALID_PATH',
      'This endpoint takes two paths with one slash between them, /SRC/DST; a slash inside a path is written %2F.',
      { path: restOf(url) },
    )
  }
  return { source: parsePathNameFromUrl(source), destination: parsePathNameFromUrl(destination) }
}

/**
 * The query as name and value. `+` is a space, as in forms.
 * @throws StoreError INVALID_REQUEST for a name that is not in `names` or comes twice (an ignored `?overwite=true`
 *   would be a trap), INVALID_PATH for malformed encoding.
 */
export function queryOf(url: string, names: readonly string[]): Partial<Record<string, string>> {
  const start = url.indexOf('?')
  return start === -1 || start === url.length - 1 ? {} : parseForm(url.slice(start + 1), names)
}

/** As queryOf, for a text of the type application/x-www-form-urlencoded. */
export function parseForm(text: string, names: readonly string[]): Partial<Record<string, string>> {
  const values: Partial<Record<string, string>> = {}
  for (const pair of text.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decodeFormText(equals === -1 ? pair : pair.slice(0, equals))
    if (!names.includes(name)) throw unknownName(name, names)
    if (values[name] !== undefined) throw invalid(`The parameter ${name} comes twice.`)
    values[name] = equals === -1 ? '' : decodeFormText(pair.slice(equals + 1))
  }
  return values
}

/** @throws StoreError INVALID_REQUEST for anything but `true` and `false`. */
export function parseFlag(name: string, text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined
  if (text === 'true') return true
  if (text === 'false') return false
  throw invalid(`The parameter ${name} is either true or false.`)
}

function decodeFormText(text: string): string {
  return decodeUrlText(text.replaceAll('+', ' '))
}

function unknownName(name: string, names: readonly string[]): StoreError {
  const known = names.length === 0 ? 'This endpoint takes none.' : `This endpoint knows: ${names.join(', ')}.`
  return invalid(`Unknown parameter ${JSON.stringify(name.slice(0, 100))}. ${known}`)
}

function invalid(message: string): StoreError {
  return new StoreError('INVALID_REQUEST', message)
}
