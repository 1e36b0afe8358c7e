/**
 * Owns the requests that this node makes to others: HTTP/1.1 by undici over kept-alive connections, one pool a peer.
 */
import { Readable } from 'node:stream'
import { Pool } from 'undici'
import type { Env, Timer } from '../env.ts'
import { ERROR_CODES, type ErrorCode, errorCode, StoreError } from '../errors.ts'
import type { Address } from '../ring/identifier.ts'
import { exchange, type WholeAnswer } from './exchange.ts'
import { Outbox } from './outbox.ts'
import type {
  BodyAnnouncement,
  CallOptions,
  PeerIdentity,
  Peers,
  StageOptions,
  Unreachable,
} from './peers.ts'
import type { Dated, ProtocolVersion } from './protocol.ts'
import { Refusals } from './refusals.ts'
import {
  authenticate,
  type Credentials,
  decode,
  decodeBatch,
  encode,
  hearReply,
  MESSAGE_BYTES_MAX,
  malformedMessage,
  peerHeaders,
} from './wire.ts'
import { wordsOf } from './words.ts'

/** Connections to one peer: messages use one at a time, the others carry calls and bodies. */
const CONNECTIONS_PER_PEER = 32

/** Pools kept; the least recently used one is closed when one more is needed. */
const POOLS_MAX = 1024

/** From sending a batch to its acknowledgement by the peer's door, ms. A peer that takes longer counts as silent. */
const DELIVERY_TIMEOUT_MS = 5_000

/** From the start of a connection attempt until it counts as silent, ms. On one site an answer takes far less. */
const CONNECT_TIMEOUT_MS = 2_000

export interface HttpPeersComponents {
  readonly env: Env
  readonly credentials: Credentials
}

export interface HttpPeersInit<Message, Asked> {
  /** Nodes that serve TLS reach each other by it. */
  readonly scheme: 'http' | 'https'
  /** PEM of the authority that signed the peers' certificates, when the system does not know it. */
  readonly authority?: string
  readonly unreachable: (peer: Address, how: Unreachable) => void
  /** Whether something that rode on a reply is a message. */
  readonly isMessage: (value: unknown, version: ProtocolVersion) => value is Message
  readonly dated: (what: Message | Asked) => Dated
  /** Messages that rode on the reply of a peer. */
  readonly messages: (from: PeerIdentity, messages: readonly Message[]) => void
  /** A batch of messages was acknowledged after this time, ms. */
  readonly took?: (peer: Address, ms: number) => void
}

interface Link {
  readonly pool: Pool
  readonly outbox: Outbox
}

export class HttpPeers<Message, Call, Answer, Stream = never>
  implements Peers<Message, Call, Answer, Stream>
{
  readonly #components: HttpPeersComponents
  readonly #init: HttpPeersInit<Message, Call | Stream>
  readonly #links = new Map<Address, Link>()
  readonly #refusals: Refusals
  #closed = false

  constructor(components: HttpPeersComponents, init: HttpPeersInit<Message, Call | Stream>) {
    this.#components = components
    this.#init = init
    this.#refusals = new Refusals(components.env)
  }

  send(to: Address, message: Message): void {
    if (this.#closed) return
    const { kind, since } = this.#init.dated(message)
    const { versions } = this.#components.credentials
    if (since <= (versions.of(to) ?? versions.oldest)) this.#link(to).outbox.add(encode(message))
    else this.#components.env.log.debug({ op: 'peer.send', peer: to, kind, since }, 'newer than the peer')
  }

  async call(to: Address, call: Call, options: CallOptions): Promise<Answer> {
    const body = encode(call)
    return this.#untilExpired(to, options.signal, async (signal, expire) => {
      const timer = this.#components.env.timers.after(options.timeoutMs, expire)
      try {
        const ask = { to, method: 'POST', url: '/peer/call', body, options: { ...options, signal } } as const
        return (await readAnswer(await this.#agree(ask, this.#init.dated(call)))) as Answer
      } finally {
        timer.cancel()
      }
    })
  }

  async *stream(to: Address, call: Stream, options: CallOptions): AsyncGenerator<unknown> {
    const ask = { to, method: 'POST', url: '/peer/stream', body: encode(call), options } as const
    const reply = await this.#agree(ask, this.#init.dated(call))
    try {
      yield* wordsOf(reply.body)
    } catch (cause) {
      options.signal?.throwIfAborted()
      if (cause instanceof StoreError) throw cause
      throw new StoreError('UNAVAILABLE', `The answer of the node ${to} broke off.`, { cause })
    }
  }

  async fetchBody(from: Address, name: string, first: number, options: CallOptions): Promise<Readable> {
    const url = `/peer/bodies/${encodeURIComponent(name)}?first=${first}`
    const reply = await this.#agree({ to: from, method: 'GET', url, body: undefined, options }, BODY)
    return reply.body
  }

  async stageBody(
    to: Address,
    name: string,
    announced: BodyAnnouncement,
    body: AsyncIterable<Uint8Array>,
    options: StageOptions,
  ): Promise<Answer> {
    const isWhole = 'sha256' in announced
    const query = isWhole ? `sha256=${announced.sha256}` : `onward=${announced.onward.join()}`
    const url = `/peer/staging/${encodeURIComponent(name)}?${query}`
    const { kind, since } = isWhole ? BODY : GROWING_BODY
    // Bytes that have left are gone: when the version is refused, the next try is in the other one.
    const version = this.#components.credentials.versions.versionFor(to, since, kind)
    return this.#untilExpired(to, options.signal, async (signal, expire) => {
      const { timers } = this.#components.env
      const pieces = watched(body, () => timers.after(options.stallMs, expire))
      const bytes = Readable.from(pieces, { objectMode: false })
      const ask = { to, method: 'PUT', url, body: bytes, options: { ...options, signal } } as const
      return (await readAnswer(await this.#request(ask, version))) as Answer
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    const links = [...this.#links.values()]
    this.#links.clear()
    await Promise.all(links.map(link => link.pool.destroy()))
  }

  /** Gives `exchange` a signal, and the way to end it: a peer that is waited for no longer counts as silent. */
  async #untilExpired<Result>(
    to: Address,
    caller: AbortSignal | undefined,
    exchange: (signal: AbortSignal, expire: () => void) => Promise<Result>,
  ): Promise<Result> {
    const deadline = new AbortController()
    const expire = () => deadline.abort(new Error('The deadline has passed.'))
    try {
      return await exchange(caller ? AbortSignal.any([caller, deadline.signal]) : deadline.signal, expire)
    } catch (error) {
      if (!deadline.signal.aborted) throw error
      this.#init.unreachable(to, 'silent')
      throw new StoreError('UNAVAILABLE', `The node ${to} did not answer in time.`, { cause: error })
    }
  }

  /** Asks in the newest version that both speak; one that is refused is tried once more in the other. */
  async #agree(ask: Ask<Buffer | undefined>, { kind, since }: Dated): Promise<Reply> {
    const { versions } = this.#components.credentials
    const version = versions.versionFor(ask.to, since, kind)
    try {
      return await this.#request(ask, version)
    } catch (error) {
      const next = versions.of(ask.to)
      if (errorCode(error) !== 'PROTOCOL_UNSUPPORTED' || next === undefined || next === version) throw error
      return await this.#request(ask, versions.versionFor(ask.to, since, kind))
    }
  }

  async #request(
    { to, method, url, body, options }: Ask<Buffer | Readable | undefined>,
    version: ProtocolVersion,
  ) {
    const { credentials } = this.#components
    const signed = body instanceof Readable ? undefined : body
    try {
      const reply = await this.#link(to).pool.request({
        method,
        path: url,
        headers: peerHeaders(credentials, method, url, signed, version),
        body: body ?? null,
        signal: options.signal ?? null,
        headersTimeout: options.timeoutMs,
        bodyTimeout: options.timeoutMs,
      })
      const speaks = hearReply(credentials, to, reply.headers)
      if (reply.statusCode < 300) return reply
      const error = refusal(reply.statusCode, await readLimited(reply))
      throw this.#isOfVersion(error, to, version, speaks) ? unsupported(to, version, error) : error
    } catch (error) {
      if (error instanceof StoreError || options.signal?.aborted) throw error
      const how = howUnreachable(error)
      if (how === 'refused') credentials.versions.forget(to)
      this.#init.unreachable(to, how)
      throw new StoreError(
        'UNAVAILABLE',
        `The node ${to} ${how === 'refused' ? 'refused' : 'did not answer'}.`,
        {
          cause: error,
        },
      )
    }
  }

  /** Whether a node has refused a request for its version, and not for what a third one said; that is noted. */
  #isOfVersion(
    error: StoreError,
    to: Address,
    version: ProtocolVersion,
    speaks: number | undefined,
  ): boolean {
    const { versions } = this.#components.credentials
    // A door that only newer programs have is not found at an older one.
    const lacksDoor = error.code === 'ROUTE_NOT_FOUND' && version > versions.oldest
    if (error.code !== 'PROTOCOL_UNSUPPORTED' && !lacksDoor) return false
    if (speaks !== undefined && speaks >= version) return false
    if (versions.of(to) === version)
      this.#components.env.log.warn(
        { op: 'peer.send', peer: to, version },
        'peer refuses the version that it spoke',
      )
    if (speaks === undefined) versions.refused(to, version)
    return true
  }

  async #deliver(to: Address, pool: Pool, batch: readonly Uint8Array[]) {
    const [first] = batch
    const body = first !== undefined && batch.length === 1 ? first : Buffer.concat(batch)
    const url = '/peer/messages'
    const { clock } = this.#components.env
    const { credentials } = this.#components
    const beganMs = clock.monotonicMs()
    try {
      for (let tries = 1; ; tries++) {
        const version = credentials.versions.of(to) ?? credentials.versions.oldest
        const headers = peerHeaders(credentials, 'POST', url, body, version)
        const timeoutMs = DELIVERY_TIMEOUT_MS
        const answer = await exchange(pool, { method: 'POST', path: url, headers, body, timeoutMs })
        const { status } = answer
        const speaks = hearReply(credentials, to, answer.headers)
        if (status < 300) {
          this.#init.took?.(to, clock.monotonicMs() - beganMs)
          this.#takeReplies(url, answer)
          return 'delivered'
        }
        const error = refusal(status, answer.body)
        if (tries === 1 && this.#isOfVersion(error, to, version, speaks)) continue
        this.#components.env.log.warn({ op: 'peer.send', peer: to, status }, 'peer refused messages')
        return 'delivered'
      }
    } catch (error) {
      const how = howUnreachable(error)
      if (how === 'refused') credentials.versions.forget(to)
      return how
    }
  }

  /** Only what is signed as an answer counts: another program may have taken over the port. */
  #takeReplies(url: string, { headers, body }: WholeAnswer): void {
    if (body.byteLength === 0) return
    const head = { method: 'REPLY', url, headers }
    const from = authenticate(this.#components.credentials, head, body)
    const messages = decodeBatch(body)
    const malformed = messages.find(message => !this.#init.isMessage(message, from.version))
    if (malformed === undefined) return this.#init.messages(from, messages as Message[])
    const { code, message: reason } = malformedMessage(malformed)
    this.#refusals.note({ op: 'peer.refused', peer: from.address, url, code, reason })
  }

  #link(to: Address): Link {
    const known = this.#links.get(to)
    if (known !== undefined) {
      this.#links.delete(to)
      this.#links.set(to, known)
      return known
    }
    if (this.#links.size >= POOLS_MAX) this.#dropOldestLink()
    const pool = new Pool(`${this.#init.scheme}://${to}`, {
      connections: CONNECTIONS_PER_PEER,
      pipelining: 1,
      keepAliveTimeout: 60_000,
      connect: {
        timeout: CONNECT_TIMEOUT_MS,
        ...(this.#init.authority !== undefined && { ca: this.#init.authority }),
      },
    })
    const outbox = new Outbox({
      deliver: batch => this.#deliver(to, pool, batch),
      lost: (how, messages) => {
        this.#components.env.log.debug({ op: 'peer.send', peer: to, how, messages }, 'messages lost')
        this.#init.unreachable(to, how)
      },
    })
    const link = { pool, outbox }
    this.#links.set(to, link)
    return link
  }

  #dropOldestLink(): void {
    for (const [address, link] of this.#links) {
      if (link.outbox.waiting > 0) continue
      this.#links.delete(address)
      void link.pool.close()
      return
    }
  }
}

type Reply = Awaited<ReturnType<Pool['request']>>

interface Ask<Body> {
  readonly to: Address
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly url: string
  readonly body: Body
  readonly options: CallOptions
}

const BODY: Dated = { kind: 'body', since: 1 }
const GROWING_BODY: Dated = { kind: 'growing body', since: 2 }

/** The pieces of a body; a timer runs from each until the next one is asked for. */
async function* watched(body: AsyncIterable<Uint8Array>, watch: () => Timer): AsyncGenerator<Uint8Array> {
  for await (const piece of body) {
    const timer = watch()
    try {
      yield piece
    } finally {
      timer.cancel()
    }
  }
}

async function readAnswer(reply: Reply): Promise<unknown> {
  return decode(await readLimited(reply))
}

async function readLimited(reply: Reply): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of reply.body) {
    bytes += (chunk as Buffer).byteLength
    if (bytes > MESSAGE_BYTES_MAX)
      throw new StoreError('INVALID_REQUEST', 'The answer of a peer is too large.')
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}

/** The error of a peer, as it said it: codes cross the wire unchanged. */
function refusal(status: number, bytes: Buffer): StoreError {
  const fault = parseRefusal(bytes.toString())
  if (fault === undefined) return new StoreError('UNAVAILABLE', `A peer answered ${status} and no reason.`)
  return new StoreError(fault.code, fault.message, fault.path === undefined ? {} : { path: fault.path })
}

function unsupported(to: Address, version: ProtocolVersion, cause: StoreError): StoreError {
  const message = `The node ${to} does not speak the peer protocol ${version}: ${cause.message}`
  return new StoreError('PROTOCOL_UNSUPPORTED', message, { cause })
}

function parseRefusal(text: string): { code: ErrorCode; message: string; path?: string } | undefined {
  try {
    const { error } = JSON.parse(text) as { error: { code: ErrorCode; message: string; path?: string } }
    return Object.hasOwn(ERROR_CODES, error.code) && typeof error.message === 'string' ? error : undefined
  } catch {
    return undefined
  }
}

function howUnreachable(error: unknown): Unreachable {
  const code = (error as { code?: string }).code
  return code === 'ECONNREFUSED' || code === 'ECONNRESET' || code === 'UND_ERR_SOCKET' ? 'refused' : 'silent'
}
