/**
 * Owns the settings: NodeConfig belongs to this process alone. (Settings that every node of a network shares never mix
 * with these.)
 */

/** Limits of one node's doors. Each has its default in DEFAULT_LIMITS. */
export interface Limits {
  /** Bytes of one body; more is FILE_TOO_LARGE. */
  readonly fileBytesMax: number
  /** Bytes of one request's header; more is HEADERS_TOO_LARGE. */
  readonly headerBytesMax: number
  /** From the first byte of a request to the end of its header, ms. */
  readonly headerTimeoutMs: number
  /** The longest a body in either direction may stand still, ms. */
  readonly bodyIdleTimeoutMs: number
  /** Bodies being received at once; one more waits in the queue. */
  readonly uploadsMax: number
  /** Uploads waiting for their turn; one more is OVERLOADED (429 with Retry-After). */
  readonly uploadQueueMax: number
  /** Open connections; one more is closed at once. */
  readonly connectionsMax: number
  /** How long a stopping node lets running requests finish, ms. */
  readonly shutdownTimeoutMs: number
}

export interface NodeConfig {
  readonly host: string
  readonly port: number
  /** Where the files are kept; undefined keeps them in memory only. */
  readonly dataDirectory: string | undefined
  /** What clients must show as `Authorization: Bearer ...`; with neither, every client may do everything. */
  readonly tokens: { readonly readWrite?: string; readonly readOnly?: string }
  /** PEM files. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined
  /** Lower-case, without the dot; undefined accepts every file name. */
  readonly allowedExtensions: readonly string[] | undefined
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  readonly limits: Limits
}

export const DEFAULT_LIMITS: Limits = {
  // 1 TiB: large enough never to be met by accident, small enough to name a fault in a loop that never ends.
  fileBytesMax: 2 ** 40,
  headerBytesMax: 16 * 1024,
  headerTimeoutMs: 10_000,
  bodyIdleTimeoutMs: 30_000,
  uploadsMax: 256,
  uploadQueueMax: 1024,
  connectionsMax: 10_000,
  shutdownTimeoutMs: 10_000,
}
