/**
 * Owns the client library: the doors of a node as typed calls. It is what the package exports and what the command
 * line is made of.
 */
import { createHash, type Hash } from 'node:crypto'
import { type Env, realEnv } from '../env.ts'
import { errorCode, StoreError } from '../errors.ts'
import { parsePathName, parsePathPrefix } from '../ring/path-name.ts'
import { linesOf } from './json-lines.ts'
import { jsonOf, type Reply, Transport, type TransportComponents, type WireRequest } from './transport.ts'
import { hashed, sha256OfReprDigest, verifiedBody } from './verified-body.ts'
import type {
  DamagedFile,
  FetchedFile,
  JoinAnswer,
  ListedFile,
  ListedFolder,
  LookupAnswer,
  Overlay,
  Receipt,
  VerificationProgress,
} from './wire-types.ts'

export { type ErrorCode, errorCode, StoreError } from '../errors.ts'
export type * from './wire-types.ts'

export interface StoreClientInit {
  /** URL of any node, for example `http://127.0.0.1:5000`. */
  readonly node: string
  readonly token?: string
  /** How long to wait for a connection, and for the header of a reply once a request is sent, ms. 60 s. */
  readonly answerTimeoutMs?: number
  /** The longest a body in either direction may stand still, ms. 60 s. */
  readonly idleTimeoutMs?: number
  /** Tries of one request, the first included. 4. */
  readonly attemptsMax?: number
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
  /** Replace exactly this version; PRECONDITION_FAILED when another one stands there. */
  readonly ifMatch?: string
  /** Bytes of a body that comes as a stream, when they are known: the node can refuse early. */
  readonly size?: number
}

export interface RemoveOptions extends CallOptions {
  readonly ifMatch?: string
  readonly idempotencyKey?: string
}

export interface GetOptions extends CallOptions {
  /** First and last byte, both included; without `last`, up to the end. */
  readonly range?: { readonly first: number; readonly last?: number }
}

export interface ListOptions extends CallOptions {
  /** Only what comes after this path. */
  readonly after?: string
  /** Lines at the most; without it, all. */
  readonly limit?: number
}

/** A node gives up after four hours; a terabyte takes two and more. */
const DEPARTURE_TIMEOUT_MS = 5 * 60 * 60 * 1000

/** Connections in a row that may break without a line having come. */
const LIST_BREAKS_MAX = 4
/** Before the next try; twice, three times as long after more breaks. */
const LIST_BREAK_PAUSE_MS = 100

export class StoreClient {
  readonly #transport: Transport
  readonly #env: Env

  /**
   * @throws StoreError INVALID_REQUEST when `init.node` is no http or https URL.
   */
  constructor(init: StoreClientInit, components: Partial<TransportComponents> = {}) {
    this.#env = components.env ?? realEnv()
    this.#transport = new Transport(
      { ...components, env: this.#env },
      {
        origin: originOf(init.node),
        token: init.token,
        answerTimeoutMs: init.answerTimeoutMs ?? 60_000,
        idleTimeoutMs: init.idleTimeoutMs ?? 60_000,
        attemptsMax: init.attemptsMax ?? 4,
      },
    )
  }

  /**
   * Stores a file, create-only unless `overwrite` or `ifMatch` says otherwise. Resolves when the node says that it is
   * stored, with the same SHA-256 as the bytes that were sent.
   * @throws StoreError FILE_EXISTS, PRECONDITION_FAILED, FILE_TOO_LARGE, TYPE_NOT_ALLOWED, DISK_FULL, INVALID_PATH,
   *   CORRUPT, and those of every call: UNAUTHORIZED, FORBIDDEN, OVERLOADED, UNAVAILABLE, REQUEST_TIMEOUT,
   *   INDETERMINATE (it was sent and no answer came).
   */
  async put(path: string, body: PutBody, options: PutOptions = {}): Promise<Receipt> {
    const name = parsePathName(path)
    let hash: Hash = createHash('sha256')
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    const request: WireRequest = {
      method: 'PUT',
      target: `/put/${encodePath(name)}${options.overwrite ? '?overwrite=true' : ''}`,
      headers: {
        'content-type': options.mediaType ?? 'application/octet-stream',
        ...(options.ifMatch === undefined ? {} : { 'if-match': options.ifMatch }),
        ...(options.size === undefined ? {} : { 'content-length': String(options.size) }),
      },
      body: () => {
        hash = createHash('sha256')
        if (bytes instanceof Uint8Array) {
          hash.update(bytes)
          return bytes
        }
        return hashed(typeof bytes === 'function' ? bytes() : bytes, hash)
      },
      bodyOnce: !(bytes instanceof Uint8Array || typeof bytes === 'function'),
      path: name,
    }
    const receipt = (await this.#write(options, request, jsonOf)) as Receipt
    if (receipt.sha256 !== hash.digest('hex')) {
      throw new StoreError('CORRUPT', 'The node stored other bytes than were sent.', { path: name })
    }
    return receipt
  }

  /**
   * Opens a file. The body fails with CORRUPT when what arrives does not have the stored SHA-256 (for a range the node
   * alone checks).
   * @throws StoreError FILE_NOT_FOUND, RANGE_NOT_SATISFIABLE, CORRUPT, INVALID_PATH, and those of every call.
   */
  async get(path: string, options: GetOptions = {}): Promise<FetchedFile> {
    const name = parsePathName(path)
    const { range } = options
    const request: WireRequest = {
      method: 'GET',
      target: `/get/${encodePath(name)}`,
      headers: range === undefined ? {} : { range: `bytes=${range.first}-${range.last ?? ''}` },
      path: name,
      ...signalOf(options),
    }
    return this.#transport.send(request, reply => fetchedFile(reply, name, options.signal))
  }

  /** True when a file has this path. @throws StoreError INVALID_PATH, and those of every call. */
  async exists(path: string, options: CallOptions = {}): Promise<boolean> {
    const name = parsePathName(path)
    const answer = await this.#read(`/exists/${encodePath(name)}`, options, name)
    return answer === true
  }

  /**
   * Copies a file inside the store.
   * @throws StoreError FILE_NOT_FOUND (no source), FILE_EXISTS, INVALID_PATH, and those of every call.
   */
  copy(source: string, destination: string, options: WriteOptions = {}): Promise<Receipt> {
    return this.#transfer('copy', source, destination, options)
  }

  /**
   * Gives a file another path; it is never at neither of them.
   * @throws StoreError FILE_NOT_FOUND (no source), FILE_EXISTS, INVALID_PATH, and those of every call.
   */
  move(source: string, destination: string, options: WriteOptions = {}): Promise<Receipt> {
    return this.#transfer('move', source, destination, options)
  }

  /** @throws StoreError FILE_NOT_FOUND, PRECONDITION_FAILED, INVALID_PATH, and those of every call. */
  async remove(path: string, options: RemoveOptions = {}): Promise<void> {
    const name = parsePathName(path)
    const headers = options.ifMatch === undefined ? {} : { 'if-match': options.ifMatch }
    const target = `/remove/${encodePath(name)}`
    await this.#write(options, { method: 'DELETE', target, headers, path: name }, reply => reply.body.dump())
  }

  /**
   * The files whose paths begin with `prefix`, in the byte order of their paths, as they come in. A connection that
   * breaks is taken up again after the last path that came. A live view: files may come and go meanwhile.
   * @throws StoreError INVALID_PATH, and those of every call.
   */
  async *list(prefix = '', options: ListOptions = {}): AsyncGenerator<ListedFile> {
    for await (const line of this.#listLines(prefix, options, '')) yield line as ListedFile
  }

  /** One level under `prefix` (empty, or ending with `/`): its files, and its folders as common prefixes. */
  listLevel(prefix = '', options: ListOptions = {}): AsyncGenerator<ListedFile | ListedFolder> {
    return this.#listLines(prefix, options, '/')
  }

  /** What an operator asks of a node; see docs/http.md. */
  async status(options: CallOptions = {}): Promise<unknown> {
    return this.#read('/status', options)
  }

  /** Who answers for a path, whether or not it has a file. @throws StoreError INVALID_PATH, and those of every call. */
  async lookup(path: string, options: CallOptions = {}): Promise<LookupAnswer> {
    const name = parsePathName(path)
    return (await this.#read(`/lookup/${encodePath(name)}`, options, name)) as LookupAnswer
  }

  /** The ring in the order of its positions, as all nodes that can be reached see it. */
  async overlay(options: CallOptions = {}): Promise<Overlay> {
    return (await this.#read('/overlay', options)) as Overlay
  }

  /**
   * Makes the node join the network of another node, for which it has to be alone and empty; without `boot`, that of
   * the boot nodes that it was started with.
   * @throws StoreError ALREADY_IN_NETWORK, and those of every call.
   */
  async join(boot: string | undefined, options: CallOptions = {}): Promise<JoinAnswer> {
    const request: WireRequest = {
      method: 'POST',
      target: '/join',
      ...(boot !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: () => Buffer.from(JSON.stringify({ boot })),
      }),
      ...signalOf(options),
    }
    return (await this.#transport.send(request, jsonOf)) as JoinAnswer
  }

  /**
   * Makes the node hand everything over and end, or with `stay` go on alone and empty. Resolves when no other node needs
   * it any more, which takes as long as copying what it holds.
   * @throws StoreError UNAVAILABLE when nobody could take its files; it is a member as before. And those of every call.
   */
  async depart(options: CallOptions & { readonly stay?: boolean } = {}): Promise<void> {
    const target = `/depart${options.stay ? '?stay=true' : ''}`
    const request: WireRequest = {
      method: 'POST',
      target,
      answerTimeoutMs: DEPARTURE_TIMEOUT_MS,
      ...signalOf(options),
    }
    await this.#transport.send(request, jsonOf)
  }

  /**
   * Makes the node read everything that it keeps and check every byte. Yields damaged files as they are found and a
   * word about progress every second; the last one is `done`.
   * @throws StoreError UNAVAILABLE when the connection breaks before that, and those of every call.
   */
  async *verify(options: CallOptions = {}): AsyncGenerator<DamagedFile | VerificationProgress> {
    const request: WireRequest = { method: 'POST', target: '/verify', ...signalOf(options) }
    const body = await this.#transport.send(request, reply =>
      verifiedBody(reply.body, undefined, '', options.signal),
    )
    let done = false
    for await (const line of linesOf(body)) {
      const word = line as DamagedFile | VerificationProgress
      done = 'done' in word && word.done
      yield word
    }
    if (!done) throw new StoreError('UNAVAILABLE', 'The check ended before it was complete.')
  }

  /** Resolves when the node is alive. @throws StoreError UNAVAILABLE. */
  async health(options: CallOptions = {}): Promise<unknown> {
    return this.#read('/health', options)
  }

  /** Lets go of the connections, once what runs has ended. */
  close(): Promise<void> {
    return this.#transport.close()
  }

  async *#listLines(
    prefix: string,
    options: ListOptions,
    delimiter: '' | '/',
  ): AsyncGenerator<ListedFile | ListedFolder> {
    const start = encodePath(parsePathPrefix(prefix))
    let after = options.after
    let left = options.limit ?? Number.POSITIVE_INFINITY
    for (let broken = 0; left > 0; ) {
      const query = [
        ...(delimiter === '' ? [] : [`delimiter=${encodeURIComponent(delimiter)}`]),
        ...(after === undefined ? [] : [`after=${encodeURIComponent(after)}`]),
        ...(left === Number.POSITIVE_INFINITY ? [] : [`limit=${left}`]),
      ]
      const request: WireRequest = {
        method: 'GET',
        target: `/list/${start}${query.length > 0 ? `?${query.join('&')}` : ''}`,
        headers: { accept: 'application/x-ndjson' },
        ...signalOf(options),
      }
      const body = await this.#transport.send(request, reply => reply.body)
      try {
        for await (const line of linesOf(body)) {
          const listed = line as ListedFile | ListedFolder
          after = 'path' in listed ? listed.path : listed.prefix
          left -= 1
          broken = 0
          yield listed
        }
        return
      } catch (cause) {
        options.signal?.throwIfAborted()
        if (errorCode(cause) !== undefined) throw cause
        broken += 1
        if (broken === LIST_BREAKS_MAX) {
          throw new StoreError('UNAVAILABLE', 'The connection broke before the list was complete.', { cause })
        }
        await this.#env.timers.sleep(LIST_BREAK_PAUSE_MS * broken, options.signal)
      }
    }
  }

  async #transfer(
    verb: 'copy' | 'move',
    source: string,
    destination: string,
    options: WriteOptions,
  ): Promise<Receipt> {
    const [from, to] = [parsePathName(source), parsePathName(destination)]
    const query = options.overwrite ? '?overwrite=true' : ''
    const target = `/${verb}/${encodeURIComponent(from)}/${encodeURIComponent(to)}${query}`
    return (await this.#write(options, { method: 'POST', target, path: from }, jsonOf)) as Receipt
  }

  #write<T>(
    options: CallOptions & { readonly idempotencyKey?: string },
    request: WireRequest,
    take: (reply: Reply) => Promise<T>,
  ): Promise<T> {
    const key = options.idempotencyKey ?? Buffer.from(this.#env.randomness.bytes(16)).toString('hex')
    const headers = { ...request.headers, 'idempotency-key': key }
    return this.#transport.send({ ...request, headers, ...signalOf(options) }, take)
  }

  async #read(target: string, options: CallOptions, path?: string): Promise<unknown> {
    const pathField = path === undefined ? {} : { path }
    return this.#transport.send({ method: 'GET', target, ...pathField, ...signalOf(options) }, jsonOf)
  }
}

function fetchedFile(reply: Reply, path: string, signal: AbortSignal | undefined): FetchedFile {
  const sha256 = sha256OfReprDigest(headerOf(reply, 'repr-digest'))
  const lastModified = headerOf(reply, 'last-modified')
  return {
    path,
    mediaType: headerOf(reply, 'content-type') ?? 'application/octet-stream',
    size: Number(headerOf(reply, 'content-length')),
    etag: headerOf(reply, 'etag') ?? '',
    sha256,
    writtenAt: lastModified === undefined ? undefined : new Date(lastModified),
    chain: (headerOf(reply, 'ring-chain') ?? '').split(/\s*,\s*/).filter(address => address !== ''),
    body: verifiedBody(reply.body, reply.statusCode === 206 ? undefined : sha256, path, signal),
  }
}

function signalOf(options: CallOptions): { readonly signal?: AbortSignal } {
  return options.signal === undefined ? {} : { signal: options.signal }
}

function headerOf(reply: Reply, name: string): string | undefined {
  const value = reply.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

/** Slashes stay, everything else is percent-encoded. */
function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}

function originOf(node: string): string {
  const url = URL.canParse(node) ? new URL(node) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search !== '') {
    throw new StoreError(
      'INVALID_REQUEST',
      `"${node}" is not the URL of a node, such as http://127.0.0.1:5000.`,
    )
  }
  return url.origin
}
