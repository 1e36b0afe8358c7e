/**
 * The client library: the endpoints of a node as typed calls. It is what the package exports and what the command
 * line is made of.
 */
import { createHash, type Hash } from 'node:crypto'
import { type Env, realEnv } from '../env.ts'
import { StoreError } from '../errors.ts'
import { type PathName, parsePathName, parsePathPrefix } from '../ring/path-name.ts'
import { Archives } from './archives.ts'
import type {
  CallOptions,
  CopyOptions,
  GetOptions,
  ListOptions,
  PutBody,
  PutOptions,
  RemoveOptions,
  StoreClientInit,
  WriteOptions,
} from './call-options.ts'
import { EventualCalls } from './eventual.ts'
import { type ExchangeComponents, exactly, signalOf, type WireRequest } from './exchange.ts'
import { fetchFile } from './fetched-file.ts'
import { SpreadPairs } from './gossip.ts'
import { linesOf } from './json-lines.ts'
import { type Lines, listLines } from './listing.ts'
import { Pairs } from './pairs.ts'
import { jsonOf, type Reply } from './reply.ts'
import { encodePath, metaHeaders, originOf } from './request-parts.ts'
import { Transport } from './transport.ts'
import { Trash } from './trash.ts'
import { hashed, verifiedBody } from './verified-body.ts'
import type {
  ActiveNodes,
  FetchedFile,
  JoinAnswer,
  ListedFile,
  ListedFolder,
  LookupAnswer,
  NetworkAnswer,
  Overlay,
  Receipt,
  RecoveryPlan,
  ReplicasChanged,
  SharedLink,
  VerificationWord,
} from './wire-types.ts'

export { type ErrorCode, errorCode, StoreError } from '../errors.ts'
export type * from './archives.ts'
export type * from './call-options.ts'
export type { SpreadOptions } from './gossip.ts'
export type { PairKey, PairWriteOptions } from './pairs.ts'
export type * from './wire-types.ts'

/** A body up to this, bytes, is stored without a pause: it travels inside the message that commits it. */
const SMALL_BODY_BYTES_MAX = 64 * 1024

/** A node gives up after four hours; a terabyte takes two and more. */
const DEPARTURE_TIMEOUT_MS = 5 * 60 * 60 * 1000

export class StoreClient {
  readonly #transport: Transport
  readonly #env: Env
  readonly #node: string
  /** Key-value pairs. */
  readonly pairs = new Pairs({
    read: (options, request, take) => this.#transport.send({ ...request, ...signalOf(options) }, take),
    write: (options, request, take) => this.#write(options, request, take),
  })
  /** Small pairs that spread by gossip and go with their time. */
  readonly gossip = new SpreadPairs({
    send: (options, request, take) => this.#transport.send({ ...request, ...signalOf(options) }, take),
  })
  /** Versions that stand beside each other. */
  readonly eventual = new EventualCalls({ send: (request, take) => this.#transport.send(request, take) })
  /** What was removed or replaced. */
  readonly trash = new Trash({
    lines: { env: () => this.#env, send: (request, take) => this.#transport.send(request, take) },
    send: (request, take) => this.#transport.send(request, take),
    write: (options, request, take) => this.#write(options, request, take),
  })
  /** Whole folders as tar or zip archives. */
  readonly archives = new Archives({ send: (request, take) => this.#transport.send(request, take) })

  /** @throws StoreError INVALID_REQUEST when `init.node` is no http or https URL. */
  constructor(init: StoreClientInit, components: Partial<ExchangeComponents> = {}) {
    this.#env = components.env ?? realEnv()
    this.#node = originOf(init.node)
    this.#transport = new Transport(
      { ...components, env: this.#env },
      {
        origin: this.#node,
        token: init.token,
        answerTimeoutMs: init.answerTimeoutMs ?? 60_000,
        idleTimeoutMs: init.idleTimeoutMs ?? 60_000,
        direct: init.direct ?? true,
        attemptsMax: init.attemptsMax ?? 10,
        firstContactMs: init.firstContactMs ?? 0,
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
        ...metaHeaders(options.meta),
        ...(options.ifMatch === undefined ? {} : { 'if-match': options.ifMatch }),
        ...(options.size === undefined ? {} : { 'content-length': String(options.size) }),
      },
      body: () => {
        hash = createHash('sha256')
        if (bytes instanceof Uint8Array) {
          hash.update(bytes)
          return bytes
        }
        const source = typeof bytes === 'function' ? bytes() : bytes
        return hashed(options.size === undefined ? source : exactly(source, options.size), hash)
      },
      quick: bytes instanceof Uint8Array && bytes.length <= SMALL_BODY_BYTES_MAX,
      goal: { path: name, writes: true },
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
    return fetchFile(this.#transport, parsePathName(path), options)
  }

  /** True when a file has this path. @throws StoreError INVALID_PATH, and those of every call. */
  async exists(path: string, options: CallOptions = {}): Promise<boolean> {
    const name = parsePathName(path)
    const request: WireRequest = {
      method: 'GET',
      target: `/exists/${encodePath(name)}`,
      goal: { path: name, writes: false },
      quick: true,
      path: name,
      ...signalOf(options),
    }
    return (await this.#transport.send(request, jsonOf)) === true
  }

  /**
   * Copies a file inside the store.
   * @throws StoreError FILE_NOT_FOUND (no source), FILE_EXISTS, PRECONDITION_FAILED, INVALID_PATH, and those of every call.
   */
  copy(source: string, destination: string, options: CopyOptions = {}): Promise<Receipt> {
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
    const goal = { path: name, writes: true }
    const request: WireRequest = { method: 'DELETE', target, headers, goal, quick: true, path: name }
    await this.#write(options, request, reply => reply.body.dump())
  }

  /**
   * The files whose paths begin with `prefix`, in the byte order of their paths, as they come in. A connection that
   * breaks is taken up again after the last path that came. A live view: files may come and go meanwhile.
   * @throws StoreError INVALID_PATH, and those of every call.
   */
  async *list(prefix = '', options: ListOptions = {}): AsyncGenerator<ListedFile> {
    for await (const line of this.#lines(prefix, options, '')) yield line as ListedFile
  }

  /** One level under `prefix` (empty, or ending with `/`): its files, and its folders as common prefixes. */
  listLevel(prefix = '', options: ListOptions = {}): AsyncGenerator<ListedFile | ListedFolder> {
    return this.#lines(prefix, options, '/')
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

  /** What the node has learned of the network: its settings and its nodes, those that have left included. */
  async network(options: CallOptions = {}): Promise<NetworkAnswer> {
    return (await this.#read('/network', options)) as NetworkAnswer
  }

  /** The ring in the order of its positions, as all nodes that can be reached see it. */
  async overlay(options: CallOptions = {}): Promise<Overlay> {
    return (await this.#read('/overlay', options)) as Overlay
  }

  /** The nodes that are there, as far as the node that is asked knows. */
  async activeNodes(options: CallOptions = {}): Promise<ActiveNodes> {
    return (await this.#read('/overlay?active=true', options)) as ActiveNodes
  }

  /**
   * Makes a link that gives a file, or with a slash at the end of `path` a folder and all that is below it, to whoever
   * has it. `for` is a time such as `7d` (the default) or `12h`.
   * @throws StoreError FILE_NOT_FOUND, FORBIDDEN (the token may only read), INVALID_REQUEST, and those of every call.
   */
  async share(path: string, options: CallOptions & { readonly for?: string } = {}): Promise<SharedLink> {
    const name = parsePathPrefix(path)
    const query = options.for === undefined ? '' : `?for=${encodeURIComponent(options.for)}`
    const target = `/share/${name.split('/').map(encodeURIComponent).join('/')}${query}`
    const request: WireRequest = { method: 'POST', target, ...signalOf(options) }
    const { link, ...shared } = (await this.#transport.send(request, jsonOf)) as SharedLink
    return { ...shared, link: new URL(link, this.#node).href }
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
   * Changes how many copies the network keeps of each file. Resolves when the nodes know it; the ranges follow, and `overlay`
   * shows how far they are. `min` is how many copies a write needs.
   * @throws StoreError INVALID_REQUEST, PRECONDITION_FAILED (somebody else has changed it), PROTOCOL_UNSUPPORTED (a node
   *   has to be upgraded first), and those of every call.
   */
  async setReplicas(
    count: number,
    options: CallOptions & { readonly min?: number | undefined } = {},
  ): Promise<ReplicasChanged> {
    const min = options.min === undefined ? '' : `&min=${options.min}`
    const target = `/replicas?count=${count}${min}`
    const request: WireRequest = { method: 'POST', target, ...signalOf(options) }
    return (await this.#transport.send(request, jsonOf)) as ReplicasChanged
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
   * Makes the network check every copy of every file and heal what is damaged, or with `local` the asked node read what it
   * keeps itself. Yields what was wrong as it is found, and counts about every second; the last word is `done`.
   * @throws StoreError UNAVAILABLE when the connection breaks before that, OVERLOADED, and those of every call.
   */
  async *verify(options: CallOptions & { readonly local?: boolean } = {}): AsyncGenerator<VerificationWord> {
    const target = `/verify${options.local ? '?local=true' : ''}`
    const request: WireRequest = { method: 'POST', target, ...signalOf(options) }
    const body = await this.#transport.send(request, reply =>
      verifiedBody(reply.body, undefined, '', options.signal),
    )
    let done = false
    for await (const line of linesOf(body)) {
      const word = line as VerificationWord
      done = 'done' in word && word.done
      yield word
    }
    if (!done) throw new StoreError('UNAVAILABLE', 'The check ended before it was complete.')
  }

  /** Which ranges can't come back by themselves, and what could be made of them; changes nothing. */
  async planRecovery(options: CallOptions = {}): Promise<RecoveryPlan> {
    const request: WireRequest = { method: 'POST', target: '/recover', ...signalOf(options) }
    return (await this.#transport.send(request, jsonOf)) as RecoveryPlan
  }

  /**
   * Carries out a plan of recovery: the nodes that were silent are given up. Gives how many ranges were recovered.
   * @throws StoreError PRECONDITION_FAILED when the network is not as the plan says, and those of every call.
   */
  async recover(plan: string, options: CallOptions = {}): Promise<number> {
    const request: WireRequest = {
      method: 'POST',
      target: '/recover',
      headers: { 'content-type': 'application/json' },
      body: () => Buffer.from(JSON.stringify({ force: plan })),
      ...signalOf(options),
    }
    const { recovered } = (await this.#transport.send(request, jsonOf)) as { recovered: unknown[] }
    return recovered.length
  }

  /** Resolves when the node is alive. @throws StoreError UNAVAILABLE. */
  async health(options: CallOptions = {}): Promise<unknown> {
    return this.#read('/health', options)
  }

  /** Lets go of the connections, once what runs has ended. */
  close(): Promise<void> {
    return this.#transport.close()
  }

  #lines(
    prefix: string,
    options: ListOptions,
    delimiter: '' | '/',
  ): AsyncGenerator<ListedFile | ListedFolder> {
    const send: Lines['send'] = (request, take) => this.#transport.send(request, take)
    return listLines({ env: () => this.#env, send }, prefix, options, delimiter)
  }

  async #transfer(
    verb: 'copy' | 'move',
    source: string,
    destination: string,
    options: CopyOptions,
  ): Promise<Receipt> {
    const [from, to] = [parsePathName(source), parsePathName(destination)]
    const flags = [
      ...(options.overwrite ? ['overwrite=true'] : []),
      ...(options.meta ? ['replace_meta=true'] : []),
    ]
    const query = flags.length > 0 ? `?${flags.join('&')}` : ''
    const target = `/${verb}/${encodeURIComponent(from)}/${encodeURIComponent(to)}${query}`
    const headers = {
      ...metaHeaders(options.meta),
      ...(options.ifMatch === undefined ? {} : { 'if-match': options.ifMatch }),
    }
    // The outcome is kept where the file comes to be; what it is made of stays inside the network either way.
    const goal = { path: to, writes: true }
    return (await this.#write(
      options,
      { method: 'POST', target, headers, goal, path: from },
      jsonOf,
    )) as Receipt
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

  async #read(target: string, options: CallOptions, path?: PathName): Promise<unknown> {
    const pathField = path === undefined ? {} : { path }
    return this.#transport.send({ method: 'GET', target, ...pathField, ...signalOf(options) }, jsonOf)
  }
}
