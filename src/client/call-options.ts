/**
 * What the calls of a client take: how it is made, bodies, and the options of each call.
 */

export interface StoreClientInit {
  /** URL of any node, for example `http://127.0.0.1:5000`. */
  readonly node: string
  readonly token?: string
  /**
   * Go straight to the nodes that keep a path, as far as replies name them, and to others while `node` does not answer.
   * They get the token too, under the same scheme as `node`. Say false where `node` is a proxy that is not to be passed by. true.
   */
  readonly direct?: boolean
  /** How long to wait for a connection, and for the header of a reply once a request is sent, ms. 60 s. */
  readonly answerTimeoutMs?: number
  /** The longest a body in either direction may stand still, ms. 60 s. */
  readonly idleTimeoutMs?: number
  /** Tries of one request, the first included; about 20 s with their pauses. 10; 4 while no node has ever answered. */
  readonly attemptsMax?: number
  /** How long a node that has never answered is asked again, ms from when the client is made: it may be starting. 0: no longer than those 4 tries. */
  readonly firstContactMs?: number
}

/**
 * Bytes to store. A function is called again for each try, so that a lost connection can be repaired; a bare stream
 * can be sent only once.
 */
export type PutBody = string | Uint8Array | AsyncIterable<Uint8Array> | (() => AsyncIterable<Uint8Array>)

export interface CallOptions {
  /** Ends the call; it rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

export interface WriteOptions extends CallOptions {
  /** Replace what stands at the path; without it, a file there is FILE_EXISTS. */
  readonly overwrite?: boolean
  /** Makes repetitions of one write happen once; by default a new one for each call. */
  readonly idempotencyKey?: string
}

export interface PutOptions extends WriteOptions {
  /** `application/octet-stream` when absent. */
  readonly mediaType?: string
  /**
   * User metadata: names (in lower case) and values of printable ASCII, 2,048 bytes together. They come back with `get`
   * and `list`, and copies have them too.
   */
  readonly meta?: Readonly<Record<string, string>>
  /** Replace exactly this version; PRECONDITION_FAILED when another one stands there. With eventual consistency several, parted by commas. */
  readonly ifMatch?: string
  /** Bytes of a body that comes as a stream, when they are known: the node can refuse early. */
  readonly size?: number
}

export interface CopyOptions extends WriteOptions {
  /** Replace exactly this version of the destination; PRECONDITION_FAILED when another one stands there. */
  readonly ifMatch?: string
  /** Takes the place of the source's metadata; the copy may then have the path of the source. */
  readonly meta?: Readonly<Record<string, string>>
}

export interface RemoveOptions extends CallOptions {
  readonly ifMatch?: string
  readonly idempotencyKey?: string
}

export interface RestoreOptions extends WriteOptions {
  /** EPOCH.SEQ, as the trash lists it; without it the version that went in last. */
  readonly version?: string
  /** Where it is put; without it where it was. */
  readonly to?: string
  /** Replace exactly this version; PRECONDITION_FAILED when another one stands there. */
  readonly ifMatch?: string
}

export interface GetOptions extends CallOptions {
  /** The ETag of one of several versions that stand beside each other; see `versions`. */
  readonly version?: string
  /** First and last byte, both included; without `last`, up to the end. */
  readonly range?: { readonly first: number; readonly last?: number }
}

export interface ListOptions extends CallOptions {
  /** Only what comes after this path. */
  readonly after?: string
  /** Lines at the most; without it, all. */
  readonly limit?: number
}
