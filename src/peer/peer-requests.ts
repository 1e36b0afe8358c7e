/**
 * One request to another node: in the version that both speak, as one that counts once, and with an answer that is that of the node that was asked.
 */
import { Readable } from 'node:stream'
import type { Pool } from 'undici'
import type { Env } from '../env.ts'
import { errorCode, StoreError } from '../errors.ts'
import type { Address, NodeId } from '../ring/identifier.ts'
import { exchange } from './exchange.ts'
import { distrust, howUnreachable, notSigned, refusal, unsupported } from './peer-errors.ts'
import type { CallOptions, PeerIdentity, Unreachable } from './peers.ts'
import type { Dated, ProtocolVersion } from './protocol.ts'
import { Sessions, type Turn } from './sessions.ts'
import { answeredBy, greeting, parseGreeted, type Question, questionOf } from './signed-answer.ts'
import { drawName } from './turns.ts'
import { type Credentials, decode, hearReply, MESSAGE_BYTES_MAX, peerHeaders } from './wire.ts'

/** From a greeting to its answer, ms. A peer that takes longer counts as silent. */
const GREETING_TIMEOUT_MS = 5_000

type Reply = Awaited<ReturnType<Pool['request']>>

/** The version of a request, and its turn. */
export interface Manner {
  readonly version: ProtocolVersion
  readonly turn: Turn
}

export interface Asked {
  readonly reply: Reply
  readonly question: Question
}

export interface Ask<Body> {
  readonly to: Address
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly url: string
  readonly body: Body
  readonly options: CallOptions
}

/** Which node lives where. */
export type Whereabouts = Pick<PeerIdentity, 'nodeId' | 'address'>

export interface PeerRequestsInit {
  readonly unreachable: (peer: Address, how: Unreachable) => void
  /** A node was meant that lives at this address no more: another one does. */
  readonly replaced?: (there: Whereabouts) => void
  /** The connections to a peer. */
  readonly pool: (to: Address) => Pool
}

export class PeerRequests {
  readonly #components: { readonly env: Env; readonly credentials: Credentials }
  readonly #init: PeerRequestsInit
  readonly #sessions: Sessions

  constructor(components: { readonly env: Env; readonly credentials: Credentials }, init: PeerRequestsInit) {
    this.#components = components
    this.#init = init
    this.#sessions = new Sessions(components.env)
  }

  /** Asks in the newest version that both speak; what is refused for its version or its turn is tried once more. */
  async agree(ask: Ask<Buffer | undefined>, dated: Dated): Promise<Asked> {
    for (let tries = 1; ; tries++) {
      const manner = await this.begin(ask.to, dated, ask.options)
      try {
        return await this.request(ask, manner)
      } catch (error) {
        if (tries === 2 || !this.mayAgree(ask.to, manner, error)) throw error
      }
    }
  }

  /** Whether the same request may be taken when it is made once more: the peer has started anew, or speaks another version. */
  mayAgree(to: Address, { version, turn }: Manner, error: unknown): boolean {
    const code = errorCode(error)
    if (code === 'UNAUTHORIZED') {
      this.#sessions.drop(to, turn)
      return true
    }
    if (code !== 'PROTOCOL_UNSUPPORTED') return false
    this.#sessions.drop(to)
    const next = this.#components.credentials.versions.of(to)
    return next !== undefined && next !== version
  }

  /** As manner, where the node lives that is meant; a peer that can't be greeted is told, and thrown as UNAVAILABLE. */
  async begin(
    to: Address,
    dated: Dated,
    { node, signal }: Pick<CallOptions, 'node' | 'signal'>,
  ): Promise<Manner> {
    for (let tries = 1; ; tries++) {
      const manner = await this.#reaching(to, signal, () => this.manner(to, dated, signal))
      const there = manner.turn.to.split('.')[0] as NodeId
      if (node === undefined || there === node) return manner
      // The session may be that with the node of before.
      this.#sessions.drop(to, manner.turn)
      if (tries === 1) continue
      this.#init.replaced?.({ nodeId: there, address: to })
      throw new StoreError('UNAVAILABLE', `Another node lives at ${to} by now.`)
    }
  }

  /** How the next request to that peer is made; greets it first where that is needed. */
  async manner(to: Address, { kind, since }: Dated, signal?: AbortSignal): Promise<Manner> {
    const turn = await this.#sessions.next(to, () => this.#greet(to), signal)
    return { version: this.#components.credentials.versions.versionFor(to, since, kind), turn }
  }

  /** Asks for the name of the peer's present start. */
  async #greet(to: Address): Promise<string> {
    const { versions } = this.#components.credentials
    const version = versions.of(to) ?? versions.newest
    try {
      return await this.#greetIn(version, to)
    } catch (error) {
      // It is one version older, and has said so.
      const other = versions.of(to)
      if (errorCode(error) !== 'PROTOCOL_UNSUPPORTED' || other === undefined || other === version) throw error
      return this.#greetIn(other, to)
    }
  }

  async #greetIn(version: ProtocolVersion, to: Address): Promise<string> {
    const { credentials, env } = this.#components
    const url = '/peer/call'
    const body = greeting(drawName(env.randomness))
    const headers = peerHeaders(credentials, 'POST', url, body, version)
    const timeoutMs = GREETING_TIMEOUT_MS
    const question = { method: 'POST', path: url, headers, body, timeoutMs } as const
    const answer = await exchange(this.#init.pool(to), question)
    const from = answeredBy(credentials, questionOf(headers), answer)
    const speaks = hearReply(credentials, to, answer.headers)
    if (answer.status === 200 && from !== undefined) {
      credentials.versions.heard(to, from, Math.max(version, speaks ?? 0))
      return parseGreeted(answer.body)
    }
    if (answer.status < 300) throw notSigned(to)
    const error = refusal(to, answer.status, answer.body, from !== undefined)
    throw this.isOfVersion(error, to, version, speaks) ? unsupported(to, version, error) : error
  }

  async request(
    { to, method, url, body, options }: Ask<Buffer | Readable | undefined>,
    { version, turn }: Manner,
  ): Promise<Asked> {
    const { credentials } = this.#components
    const signed = body instanceof Readable ? undefined : body
    const headers = peerHeaders(credentials, method, url, signed, version, turn)
    const question = questionOf(headers)
    return this.#reaching(to, options.signal, async () => {
      const reply = await this.#init.pool(to).request({
        method,
        path: url,
        headers,
        body: body ?? null,
        signal: options.signal ?? null,
        headersTimeout: options.timeoutMs,
        bodyTimeout: options.timeoutMs,
      })
      const speaks = hearReply(credentials, to, reply.headers)
      if (reply.statusCode < 300) return { reply, question }
      const bytes = await readLimited(reply)
      const error = refusal(to, reply.statusCode, bytes, this.#isSigned(reply, question, bytes))
      throw this.isOfVersion(error, to, version, speaks) ? unsupported(to, version, error) : error
    })
  }

  /** Runs a request; what happens to its connection is told, and thrown as UNAVAILABLE. */
  async #reaching<Result>(
    to: Address,
    signal: AbortSignal | undefined,
    run: () => Promise<Result>,
  ): Promise<Result> {
    try {
      return await run()
    } catch (error) {
      if (error instanceof StoreError) throw error
      signal?.throwIfAborted()
      const how = this.lose(to, error)
      this.#init.unreachable(to, how)
      const distrusted = distrust(error)
      const what =
        distrusted !== undefined
          ? `shows a certificate that is not trusted (${distrusted})`
          : how === 'refused'
            ? 'refused'
            : 'did not answer'
      throw new StoreError('UNAVAILABLE', `The node ${to} ${what}.`, { cause: error })
    }
  }

  /** Whatever answers there next may be another start, of another program. */
  lose(to: Address, error: unknown): Unreachable {
    const how = howUnreachable(error)
    if (how === 'refused') {
      this.#components.credentials.versions.forget(to)
      this.#sessions.drop(to)
    }
    return how
  }

  /** Whether a peer has signed an answer to this question; `body` is undefined where it comes as a stream. */
  #isSigned(reply: Reply, question: Question, body: Buffer | undefined): boolean {
    const answer = { status: reply.statusCode, headers: reply.headers, body }
    return answeredBy(this.#components.credentials, question, answer) !== undefined
  }

  /** @throws StoreError UNAVAILABLE for a streamed answer that nobody knows who gave. */
  checkHead(to: Address, reply: Reply, question: Question): void {
    if (this.#isSigned(reply, question, undefined)) return
    reply.body.destroy()
    throw notSigned(to)
  }

  async readAnswer(to: Address, { reply, question }: Asked): Promise<unknown> {
    const bytes = await readLimited(reply).catch(cause => {
      if (cause instanceof StoreError) throw cause
      throw new StoreError('UNAVAILABLE', `The answer of the node ${to} broke off.`, { cause })
    })
    if (!this.#isSigned(reply, question, bytes)) throw notSigned(to)
    return decode(bytes)
  }

  /** Whether a node has refused a request for its version, and not for what a third one said; that is noted. */
  isOfVersion(error: StoreError, to: Address, version: ProtocolVersion, speaks: number | undefined): boolean {
    const { versions } = this.#components.credentials
    // An endpoint that only newer programs have is not found at an older one.
    const isNowhere = error.code === 'ROUTE_NOT_FOUND' || error.code === 'METHOD_NOT_ALLOWED'
    const lacksEndpoint = isNowhere && version > versions.oldest
    if (error.code !== 'PROTOCOL_UNSUPPORTED' && !lacksEndpoint) return false
    if (speaks !== undefined && speaks >= version) return false
    if (versions.of(to) === version)
      this.#components.env.log.warn(
        { op: 'peer.send', peer: to, version },
        'peer refuses the version that it spoke',
      )
    if (speaks === undefined) versions.refused(to, version)
    return true
  }
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
