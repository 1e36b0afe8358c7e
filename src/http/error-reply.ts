/**
 * How an error looks on the wire: its status, and the JSON that every refusal has. The one place that knows statuses.
 */
import { Buffer } from 'node:buffer'
import { STATUS_CODES } from 'node:http'
import { type ErrorCode, errorCode, StoreError } from '../errors.ts'

/** The status of each code. */
export const ERROR_STATUS: Readonly<Record<ErrorCode, number>> = {
  INVALID_PATH: 400,
  INVALID_REQUEST: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  FILE_NOT_FOUND: 404,
  ROUTE_NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_TIMEOUT: 408,
  FILE_EXISTS: 409,
  PRECONDITION_FAILED: 412,
  FILE_TOO_LARGE: 413,
  TYPE_NOT_ALLOWED: 415,
  RANGE_NOT_SATISFIABLE: 416,
  NO_NETWORK: 503,
  ALREADY_IN_NETWORK: 409,
  WRONG_NETWORK: 409,
  PROTOCOL_UNSUPPORTED: 400,
  IDEMPOTENCY_KEY_REUSED: 422,
  LOCKED: 423,
  OVERLOADED: 429,
  METADATA_TOO_LARGE: 431,
  HEADERS_TOO_LARGE: 431,
  INTERNAL: 500,
  CORRUPT: 502,
  UNAVAILABLE: 503,
  INDETERMINATE: 503,
  DISK_FULL: 507,
}

/** When nothing better is known, a client comes back after this many seconds. */
const RETRY_AFTER_SECONDS = 1

/** Codes that say when to come back. */
const comeBack: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['OVERLOADED', 'UNAVAILABLE'])

export interface ErrorReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** JSON: `{"error": {code, message, path, retryable, missing}}`, and a newline. */
  readonly text: string
}

/** What is said of an error. `path` stands in where the error does not name one. */
export function errorReply(error: StoreError, path?: string): ErrorReply {
  const { code, message, retryable, missing } = error
  const text = `${JSON.stringify({ error: { code, message, path: error.path ?? path, retryable, missing } })}\n`
  const headers: Record<string, string> = {
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(text)),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  }
  if (comeBack.has(code)) headers['retry-after'] = String(error.retryAfterSeconds ?? RETRY_AFTER_SECONDS)
  if (code === 'UNAUTHORIZED') headers['www-authenticate'] = 'Bearer realm="altered-chord"'
  return { status: ERROR_STATUS[code], headers, text }
}

/** An error as bytes for a socket whose request never was one. The connection ends with it. */
export function rawErrorReply(error: StoreError): string {
  const { status, headers, text } = errorReply(error)
  // Which methods there are depends on the endpoint, and there was none yet (RFC 9110, section 15.5.6).
  const allow = status === 405 ? { allow: 'GET, HEAD, PUT, POST, DELETE' } : {}
  const fields = Object.entries({ ...headers, ...allow }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${fields.join('')}connection: close\r\n\r\n${text}`
}

/** Whatever was thrown, as an error of this store; what is not ours and no fault of the request is INTERNAL. */
export function asStoreError(thrown: unknown): StoreError {
  if (thrown instanceof StoreError) return thrown
  const code = errorCode(thrown)
  const { message, statusCode, code: foreign } = thrown as Error & { statusCode?: number; code?: string }
  if (code !== undefined) return new StoreError(code, message, { cause: thrown })
  if (foreign === 'FST_ERR_BAD_URL') {
    const fault = 'its percent-encoding is malformed or does not encode UTF-8'
    return new StoreError('INVALID_PATH', `This path is refused: ${fault}.`, { cause: thrown })
  }
  if (foreign?.startsWith('FST_') && statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new StoreError('INVALID_REQUEST', message, { cause: thrown })
  }
  return new StoreError('INTERNAL', 'The node failed on this request; its log has the cause.', {
    cause: thrown,
  })
}
