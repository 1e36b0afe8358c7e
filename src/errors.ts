/**
 * The one error type that crosses module and wire boundaries, and the table of its stable codes.
 *
 * Callers match on `code`, never on text or `instanceof`. HTTP statuses are known only to http/error-reply.ts.
 * Programmer errors are `TypeError`s and are not caught.
 */

/** Every code with whether trying the same request again can help, and what it means to a user. */
export const ERROR_CODES = {
  INVALID_PATH: { retryable: false, meaning: 'the path is not one that a file can have' },
  INVALID_REQUEST: { retryable: false, meaning: 'the request is malformed' },
  UNAUTHORIZED: { retryable: false, meaning: 'a token is missing or unknown' },
  FORBIDDEN: { retryable: false, meaning: 'the token, or the site the browser is on, may not do this' },
  FILE_NOT_FOUND: { retryable: false, meaning: 'no file has this path' },
  ROUTE_NOT_FOUND: { retryable: false, meaning: 'no endpoint answers at this URL' },
  METHOD_NOT_ALLOWED: { retryable: false, meaning: 'the endpoint exists but not for this method' },
  REQUEST_TIMEOUT: { retryable: true, meaning: 'the request made no progress for too long' },
  FILE_EXISTS: { retryable: false, meaning: 'a write, copy or move that may only create met a file' },
  PRECONDITION_FAILED: { retryable: false, meaning: 'the file is not in the version that the request names' },
  LOCKED: { retryable: false, meaning: 'a WebDAV lock that the request does not name is on the path' },
  FILE_TOO_LARGE: { retryable: false, meaning: 'the body is larger than this node accepts' },
  METADATA_TOO_LARGE: { retryable: false, meaning: 'names and values of the metadata exceed 2 KiB' },
  TYPE_NOT_ALLOWED: { retryable: false, meaning: 'files of this kind are not accepted here' },
  RANGE_NOT_SATISFIABLE: { retryable: false, meaning: 'the file has no byte in the requested range' },
  IDEMPOTENCY_KEY_REUSED: { retryable: false, meaning: 'the key was used before for a different request' },
  OVERLOADED: { retryable: true, meaning: 'a queue is full; Retry-After says when to come back' },
  HEADERS_TOO_LARGE: { retryable: false, meaning: 'the request header is too large' },
  INTERNAL: { retryable: false, meaning: 'a defect of this program; the log of the node has the cause' },
  CORRUPT: { retryable: false, meaning: 'stored bytes fail their checksum and no good copy is left' },
  UNAVAILABLE: { retryable: true, meaning: 'the node is starting or stopping, or lacks replicas' },
  INDETERMINATE: { retryable: false, meaning: 'the outcome of the write is unknown' },
  NO_NETWORK: { retryable: true, meaning: 'the node waits for a network and belongs to none yet' },
  ALREADY_IN_NETWORK: {
    retryable: false,
    meaning: 'the node has other nodes or files beside it in its network, and joins no second one',
  },
  WRONG_NETWORK: { retryable: false, meaning: 'the request comes from, or is meant for, another network' },
  PROTOCOL_UNSUPPORTED: {
    retryable: false,
    meaning: 'two nodes run programs that are too far apart; the message says which one has to be upgraded',
  },
  DISK_FULL: { retryable: true, meaning: 'no space is left for the bytes' },
} as const satisfies Record<string, { retryable: boolean; meaning: string }>

export type ErrorCode = keyof typeof ERROR_CODES

/** What a StoreError carries besides its message. `path` is the file concerned, as the user wrote it. */
export interface StoreErrorInit {
  readonly path?: string
  readonly cause?: unknown
  /** Seconds after which a retry makes sense (only with OVERLOADED and UNAVAILABLE). */
  readonly retryAfterSeconds?: number
  /** Addresses of nodes that are missing, where that is why nothing can be done (only with UNAVAILABLE and INDETERMINATE). */
  readonly missing?: readonly string[]
}

/** The error of this store. `message` is one sentence for a person; `code` is for programs and never changes. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: ErrorCode
  readonly path: string | undefined
  readonly retryable: boolean
  readonly retryAfterSeconds: number | undefined
  readonly missing: readonly string[] | undefined

  constructor(code: ErrorCode, message: string, init: StoreErrorInit = {}) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause })
    this.code = code
    this.path = init.path
    this.retryable = ERROR_CODES[code].retryable
    this.retryAfterSeconds = init.retryAfterSeconds
    this.missing = init.missing
  }
}

/** The code of a StoreError, or of anything that carries one of the codes; undefined for every other error. */
export function errorCode(error: unknown): ErrorCode | undefined {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : undefined
}
