/**
 * How this node speaks to others: HTTP/1.1 by undici over kept-alive connections, one pool a peer, and a link that stays
 * open for its messages (peer-link.ts). A peer that knows no links yet gets its messages in requests.
 */
import { Readable } from 'node:stream'
import { Pool } from 'undici'
import { eitherSignal } from '../either-signal.ts'
import type { Env, Timer } from '../env.ts'
import { StoreError } from '../errors.ts'
import type { Address } from '../ring/identifier.ts'
import { exchange } from './exchange.ts'
import { type Delivery, Outbox } from './outbox.ts'
import { howUnreachable, notSigned, refusal, unsupported } from './peer-errors.ts'
import { LINK_TARGET, openLink, type PeerLink } from './peer-link.ts'
import { type Manner, PeerRequests, type Whereabouts } from './peer-requests.ts'
import type {
  BodyAnnouncement,
  CallOptions,
  PeerIdentity,
  Peers,
  StageOptions,
  Unreachable,
} from './peers.ts'
import { type Dated, LINK_VERSION, OLDEST_VERSION, type ProtocolVersion } from './protocol.ts'
import { Refusals } from './refusals.ts'
import { answeredBy, questionOf, wordSigner } from './signed-answer.ts'
import { type Credentials, decodeBatch, encode, hearReply, malformedMessage, peerHeaders } from './wire.ts'
import { wordsOf } from './words.ts'

/** Connections to one peer beside its link: they carry calls and bodies, and what goes to a peer that knows no links. */
const CONNECTIONS_PER_PEER = 32

/** Pools kept; the least recently used one is closed when one more is needed. */
const POOLS_MAX = 1024

/** From sending a batch to its acknowledgement by the peer's endpoint, ms. A peer that takes longer counts as silent. */
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
  /** A node was meant that lives at this address no more: another one does. */
  readonly replaced?: (there: Whereabouts) => void
  /** A batch of messages was acknowledged after this time, ms. */
  readonly took?: (peer: Address, ms: number) => void
}

/** The ways to one peer. */
interface Ways {
  readonly pool: Pool
  readonly outbox: Outbox
  /** Undefined until there is something to say, and with a peer that knows no links. */
  link?: PeerLink | undefined
}

export class HttpPeers<Message, Call, Answer, Stream = never>
  implements Peers<Message, Call, Answer, Stream>
{
  readonly #components: HttpPeersComponents
  readonly #init: HttpPeersInit<Message, Call | Stream>
  readonly #ways = new Map<Address, Ways>()
  /** Since when the batches under way to a peer have waited, oldest first, ms of the monotonic clock. */
  readonly #underWay = new Map<Address, number[]>()
  readonly #refusals: Refusals
  readonly #requests: PeerRequests
  /** Messages that wait for a peer of which it is not known whether it understands them. */
  readonly #newer = new WeakMap<Uint8Array, Dated>()
  #closed = false

  constructor(components: HttpPeersComponents, init: HttpPeersInit<Message, Call | Stream>) {
    this.#components = components
    this.#init = init
    this.#refusals = new Refusals(components.env)
    const pool = (to: Address) => this.#waysTo(to).pool
    const { unreachable, replaced } = init
    this.#requests = new PeerRequests(components, { unreachable, pool, ...(replaced && { replaced }) })
  }

  send(to: Address, message: Message): void {
    if (this.#closed) return
    const dated = this.#init.dated(message)
    const { versions } = this.#components.credentials
    const known = versions.of(to)
    if (known !== undefined && known < dated.since) return this.#drop(to, dated)
    const encoded = encode(message)
    if (known === undefined && dated.since > versions.oldest) this.#newer.set(encoded, dated)
    this.#waysTo(to).outbox.add(encoded)
  }

  #drop(to: Address, { kind, since }: Dated): void {
    this.#components.env.log.debug({ op: 'peer.send', peer: to, kind, since }, 'newer than the peer')
  }

  /** How long the messages under way to a peer have waited for its answer, ms; 0 when none are. */
  waitsMs(to: Address): number {
    const since = this.#underWay.get(to)?.[0]
    return since === undefined ? 0 : this.#components.env.clock.monotonicMs() - since
  }

  async call(to: Address, call: Call, options: CallOptions): Promise<Answer> {
    const body = encode(call)
    return this.#untilExpired(to, options.signal, async (signal, expire) => {
      const timer = this.#components.env.timers.after(options.timeoutMs, expire)
      try {
        const ask = { to, method: 'POST', url: '/peer/call', body, options: { ...options, signal } } as const
        return (await this.#requests.readAnswer(
          to,
          await this.#requests.agree(ask, this.#init.dated(call)),
        )) as Answer
      } finally {
        timer.cancel()
      }
    })
  }

  async *stream(to: Address, call: Stream, options: CallOptions): AsyncGenerator<unknown> {
    const ask = { to, method: 'POST', url: '/peer/stream', body: encode(call), options } as const
    const { reply, question } = await this.#requests.agree(ask, this.#init.dated(call))
    this.#requests.checkHead(to, reply, question)
    try {
      yield* wordsOf(reply.body, wordSigner(this.#components.credentials, question))
    } catch (cause) {
      options.signal?.throwIfAborted()
      if (cause instanceof StoreError) throw cause
      throw new StoreError('UNAVAILABLE', `The answer of the node ${to} broke off.`, { cause })
    }
  }

  async fetchBody(
    from: Address,
    name: string,
    first: number,
    options: CallOptions & { readonly last?: number | undefined },
  ): Promise<Readable> {
    const end = options.last === undefined ? '' : `&last=${options.last}`
    const url = `/peer/bodies/${encodeURIComponent(name)}?first=${first}${end}`
    const ask = { to: from, method: 'GET', url, body: undefined, options } as const
    const { reply, question } = await this.#requests.agree(ask, BODY)
    this.#requests.checkHead(from, reply, question)
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
    return this.#untilExpired(to, options.signal, async (signal, expire) => {
      const { timers } = this.#components.env
      const pieces = watched(body, () => timers.after(options.stallMs, expire))
      const bytes = Readable.from(pieces, { objectMode: false })
      const ask = { to, method: 'PUT', url, body: bytes, options: { ...options, signal } } as const
      const greeting = timers.after(options.stallMs, expire)
      const manner = await this.#requests.begin(to, BODY, ask.options).finally(() => greeting.cancel())
      try {
        return (await this.#requests.readAnswer(to, await this.#requests.request(ask, manner))) as Answer
      } catch (error) {
        // Bytes that have left are gone: the next try is in the other version, or with a new greeting.
        if (!this.#requests.mayAgree(to, manner, error)) throw error
        throw new StoreError('UNAVAILABLE', `The node ${to} has started anew.`, { cause: error })
      } finally {
        bytes.destroy()
      }
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    const all = [...this.#ways.values()]
    this.#ways.clear()
    for (const { link } of all) link?.close()
    await Promise.all(all.map(({ pool }) => pool.destroy()))
  }

  /** Gives `exchange` a signal, and the way to end it: a peer that is waited for no longer counts as silent. */
  async #untilExpired<Result>(
    to: Address,
    caller: AbortSignal | undefined,
    exchange: (signal: AbortSignal, expire: () => void) => Promise<Result>,
  ): Promise<Result> {
    const deadline = new AbortController()
    const expire = () => deadline.abort(new Error('The deadline has passed.'))
    const ends = eitherSignal([deadline.signal, ...(caller === undefined ? [] : [caller])])
    try {
      return await exchange(ends, expire)
    } catch (error) {
      if (!deadline.signal.aborted) {
        caller?.throwIfAborted()
        throw error
      }
      this.#init.unreachable(to, 'silent')
      throw new StoreError('UNAVAILABLE', `The node ${to} did not answer in time.`, { cause: error })
    } finally {
      ends.clear()
    }
  }

  async #deliver(to: Address, ways: Ways, batch: readonly Uint8Array[]): Promise<Delivery> {
    const { log } = this.#components.env
    try {
      for (let tries = 1; ; tries++) {
        if (ways.link !== undefined) {
          const understood = this.#understood(to, batch, LINK_VERSION)
          return understood.length === 0 ? 'delivered' : await ways.link.deliver(understood)
        }
        const manner = await this.#requests.manner(to, MESSAGES)
        try {
          if (manner.version < LINK_VERSION) return await this.#post(to, ways.pool, batch, manner)
          ways.link = await this.#open(to, ways, manner)
        } catch (error) {
          if (tries > 2 || !this.#requests.mayAgree(to, manner, error)) throw error
        }
      }
    } catch (error) {
      if (!(error instanceof StoreError)) return this.#requests.lose(to, error)
      if (error.cause !== undefined && !(error.cause instanceof StoreError))
        return howUnreachable(error.cause)
      log.warn({ op: 'peer.send', peer: to, code: error.code }, 'peer refused messages')
      return 'delivered'
    }
  }

  async #open(to: Address, ways: Ways, manner: Manner): Promise<PeerLink> {
    const { log } = this.#components.env
    const link = await openLink(this.#components, {
      to,
      manner,
      pool: ways.pool,
      refused: (error, speaks) =>
        this.#requests.isOfVersion(error, to, manner.version, speaks)
          ? unsupported(to, manner.version, error)
          : error,
      took: ms => this.#init.took?.(to, ms),
      replied: (from, content) => this.#takeReplies(LINK_TARGET, content, manner.version, from),
      ended: refused => {
        ways.link = undefined
        if (refused !== undefined)
          log.warn({ op: 'peer.send', peer: to, code: refused.code }, 'peer refused messages')
      },
    })
    if (this.#closed) link.close()
    return link
  }

  /** One batch as one request, as nodes did it before there were links. @throws StoreError; what undici says. */
  async #post(to: Address, pool: Pool, batch: readonly Uint8Array[], manner: Manner): Promise<Delivery> {
    const url = '/peer/messages'
    const { credentials } = this.#components
    const { clock } = this.#components.env
    const { version, turn } = manner
    const understood = this.#understood(to, batch, version)
    const [first] = understood
    const body = first !== undefined && understood.length === 1 ? first : Buffer.concat(understood)
    const beganMs = clock.monotonicMs()
    const headers = peerHeaders(credentials, 'POST', url, body, version, turn)
    const timeoutMs = DELIVERY_TIMEOUT_MS
    const answer = await exchange(pool, { method: 'POST', path: url, headers, body, timeoutMs })
    const { status } = answer
    const speaks = hearReply(credentials, to, answer.headers)
    const from = answeredBy(credentials, questionOf(headers), answer)
    if (status >= 300) {
      const error = refusal(to, status, answer.body, from !== undefined)
      throw this.#requests.isOfVersion(error, to, version, speaks) ? unsupported(to, version, error) : error
    }
    this.#init.took?.(to, clock.monotonicMs() - beganMs)
    if (answer.body.byteLength === 0) return 'delivered'
    // Only what is signed as an answer counts: another program may have taken over the port.
    if (from === undefined) throw notSigned(to)
    this.#takeReplies(url, answer.body, version, from)
    return 'delivered'
  }

  /** Messages without those that are newer than the peer has turned out to be. */
  #understood(to: Address, batch: readonly Uint8Array[], version: ProtocolVersion): readonly Uint8Array[] {
    return batch.filter(message => {
      const dated = this.#newer.get(message)
      if (dated === undefined || dated.since <= version) return true
      this.#drop(to, dated)
      return false
    })
  }

  #takeReplies(url: string, body: Uint8Array, version: ProtocolVersion, from: PeerIdentity): void {
    const messages = decodeBatch(body)
    const malformed = messages.find(message => !this.#init.isMessage(message, version))
    if (malformed === undefined) return this.#init.messages(from, messages as Message[])
    const { code, message: reason } = malformedMessage(malformed)
    this.#refusals.note({ op: 'peer.refused', peer: from.address, url, code, reason })
  }

  #waysTo(to: Address): Ways {
    const known = this.#ways.get(to)
    if (known !== undefined) {
      this.#ways.delete(to)
      this.#ways.set(to, known)
      return known
    }
    if (this.#ways.size >= POOLS_MAX) this.#dropOldest()
    const pool = new Pool(`${this.#init.scheme}://${to}`, {
      connections: CONNECTIONS_PER_PEER,
      pipelining: 1,
      keepAliveTimeout: 60_000,
      connect: {
        timeout: CONNECT_TIMEOUT_MS,
        ...(this.#init.authority !== undefined && { ca: this.#init.authority }),
      },
    })
    const { clock, log, timers } = this.#components.env
    const began: number[] = []
    this.#underWay.set(to, began)
    const outbox = new Outbox({
      soon: then => timers.soon(then),
      deliver: async batch => {
        began.push(clock.monotonicMs())
        // They end in the order in which they began.
        return this.#deliver(to, ways, batch).finally(() => began.shift())
      },
      hasRoom: () => ways.link?.hasRoom ?? false,
      lost: (how, messages) => {
        log.debug({ op: 'peer.send', peer: to, how, messages }, 'messages lost')
        this.#init.unreachable(to, how)
      },
    })
    const ways: Ways = { pool, outbox }
    this.#ways.set(to, ways)
    return ways
  }

  #dropOldest(): void {
    for (const [address, { outbox, link, pool }] of this.#ways) {
      if (outbox.waiting > 0 || this.waitsMs(address) > 0) continue
      this.#ways.delete(address)
      this.#underWay.delete(address)
      link?.close()
      void pool.close()
      return
    }
  }
}

const MESSAGES: Dated = { kind: 'messages', since: OLDEST_VERSION }
const BODY: Dated = { kind: 'body', since: OLDEST_VERSION }

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
