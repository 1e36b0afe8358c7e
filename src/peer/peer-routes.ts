/**
 * The endpoints that only other nodes ask at: /peer/messages, /peer/call, /peer/stream, /peer/bodies, /peer/staging. A request
 * that is not signed, of another network, of an unknown protocol or garbled is refused, logged once for each sender,
 * and changes nothing.
 */
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  onResponseHookHandler,
  onSendHookHandler,
} from 'fastify'
import type { Env } from '../env.ts'
import { errorCode, StoreError } from '../errors.ts'
import type { BlobId } from '../storage/record.ts'
import { parseBodyName, parseNodes, parseSha256 } from './body-name.ts'
import { asksForLink, LinkReception } from './link-reception.ts'
import type { BodyAnnouncement, PeerIdentity } from './peers.ts'
import type { ProtocolVersion } from './protocol.ts'
import { Refusals } from './refusals.ts'
import { answerGreeting, answerHeaders, questionOf, wordSigner } from './signed-answer.ts'
import {
  authenticate,
  type Credentials,
  decode,
  decodeBatch,
  encode,
  MESSAGE_BYTES_MAX,
  malformedMessage,
  OtherStart,
  spoken,
} from './wire.ts'
import { linesOf } from './words.ts'

/** What the node does with a request of another. */
export interface PeerReception<Message, Call, Answer, Stream = never> {
  /** Whether there is such a message in that version of the protocol. */
  isMessage(value: unknown, version: ProtocolVersion): value is Message
  isCall(value: unknown, version: ProtocolVersion): value is Call
  /** Gives what is to be said to the sender at once. */
  messages(from: PeerIdentity, messages: readonly Message[]): readonly Message[]
  call(from: PeerIdentity, call: Call, signal: AbortSignal): Promise<Answer>
  isStream(value: unknown, version: ProtocolVersion): value is Stream
  /** The words of the answer, as they come; nobody takes them any more once the asking node has gone. */
  stream(from: PeerIdentity, call: Stream): AsyncIterable<object>
  openBody(from: PeerIdentity, name: BlobId, first: number, last?: number): Promise<Readable | Uint8Array>
  stageBody(
    from: PeerIdentity,
    name: BlobId,
    announced: BodyAnnouncement,
    body: Readable,
    signal: AbortSignal,
  ): Promise<Answer>
}

export interface PeerRoutesComponents<Message, Call, Answer, Stream = never> {
  readonly env: Env
  readonly credentials: Credentials
  readonly reception: PeerReception<Message, Call, Answer, Stream>
  /** What counts the answers of an endpoint. */
  readonly metrics?: { hookFor(endpoint: string): onResponseHookHandler }
}

export async function peerRoutes<Message, Call, Answer, Stream = never>(
  app: FastifyInstance,
  components: PeerRoutesComponents<Message, Call, Answer, Stream>,
): Promise<void> {
  const { credentials, reception } = components
  const refusals = new Refusals(components.env)
  addHooks(app, components, refusals)
  acceptLinks(app, components, refusals)
  app.post('/peer/messages', endpointOptions(components, '/peer/messages'), async (request, reply) => {
    const body = await readBody(request)
    const from = authenticate(credentials, headOf(request), body)
    const messages = decodeBatch(body)
    const malformed = messages.find(message => !reception.isMessage(message, from.version))
    if (malformed !== undefined) throw malformedMessage(malformed)
    const replies = reception.messages(from, messages as Message[])
    // Past the framework: most requests between nodes are of this kind.
    reply.hijack()
    const answer = Buffer.concat(replies.map(encode))
    const status = replies.length === 0 ? 204 : 200
    reply.raw.writeHead(status, {
      ...answerHeaders(credentials, questionOf(request.headers), status, answer),
      ...(status === 200 && { 'content-type': 'application/msgpack', 'content-length': answer.length }),
    })
    reply.raw.end(answer)
    return reply
  })

  app.post('/peer/call', endpointOptions(components, '/peer/call'), async (request, reply) => {
    const body = await readBody(request)
    const greeted = answerGreeting(credentials, headOf(request), body)
    if (greeted !== undefined) return reply.type('application/msgpack').send(greeted)
    const from = authenticate(credentials, headOf(request), body)
    const call = decode(body)
    if (!reception.isCall(call, from.version)) throw unknownMessage()
    const answer = await reception.call(from, call, goneSignal(reply))
    return reply.type('application/msgpack').send(encode(answer))
  })
  app.post('/peer/stream', endpointOptions(components, '/peer/stream'), async (request, reply) => {
    const body = await readBody(request)
    const from = authenticate(credentials, headOf(request), body)
    const call = decode(body)
    if (!reception.isStream(call, from.version)) throw unknownMessage()
    const question = questionOf(request.headers)
    const sign = wordSigner(credentials, question)
    const lines = Readable.from(linesOf(reception.stream(from, call), sign), { objectMode: false })
    lines.on('error', error => {
      components.env.log.warn({ op: 'peer.stream', peer: from.address, err: error }, 'an answer broke off')
      if (reply.raw.headersSent) reply.raw.destroy()
    })
    return reply.type('application/x-ndjson').send(lines)
  })
  bodyRoutes(app, components)
}

/** Links come by CONNECT, which no route of the framework sees. */
function acceptLinks<Message, Call, Answer, Stream>(
  app: FastifyInstance,
  { env, credentials, reception }: PeerRoutesComponents<Message, Call, Answer, Stream>,
  refusals: Refusals,
): void {
  const links = new LinkReception<Message>(
    { env, credentials, refusals },
    {
      isMessage: (value, version): value is Message => reception.isMessage(value, version),
      messages: (from, messages) => reception.messages(from, messages),
    },
  )
  app.server.on('connect', (request, socket) => {
    if (asksForLink(request)) links.accept(request, socket as Socket)
  })
  app.addHook('preClose', async () => links.close())
}

/** Every reply shows what this node speaks to those who may not know; every refusal does, and is logged. */
function addHooks(
  app: FastifyInstance,
  components: Pick<PeerRoutesComponents<never, never, never>, 'env' | 'credentials'>,
  refusals: Refusals,
): void {
  const { credentials } = components
  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.config.peer !== true) return
    // Who speaks the newest version already needs to be told nothing.
    if (request.headers['ring-protocol'] !== `${credentials.versions.newest}`)
      reply.headers(spoken(credentials))
  })
  app.addHook('onError', async (request, reply, error) => {
    if (request.routeOptions.config.peer !== true) return
    reply.headers(spoken(credentials))
    if (error instanceof OtherStart) {
      components.env.log.debug(
        { op: 'peer.refused', peer: request.ip, reason: error.message },
        'greeted again',
      )
      return
    }
    const code = errorCode(error) ?? 'INTERNAL'
    refusals.note({ op: 'peer.refused', peer: request.ip, url: request.url, code, reason: error.message })
  })
}

/** How an endpoint is told from those of clients, counted, and signs its answers. */
function endpointOptions(
  { credentials, metrics }: Pick<PeerRoutesComponents<never, never, never>, 'credentials' | 'metrics'>,
  endpoint: string,
) {
  const onResponse = metrics?.hookFor(endpoint)
  const onSend: onSendHookHandler = (request, reply, payload, done) => {
    if (request.signedPeer === true)
      reply.headers(
        answerHeaders(credentials, questionOf(request.headers), reply.statusCode, bytesOf(payload)),
      )
    done(null, payload)
  }
  return { config: { peer: true }, onSend, ...(onResponse && { onResponse }) } as const
}

declare module 'fastify' {
  interface FastifyRequest {
    /** A request of another node whose signature was found right. */
    signedPeer?: boolean
  }
}

/** What an answer signs of its body: all of it, unless it is a stream that only its reader can tell. */
function bytesOf(payload: unknown): Uint8Array | string | undefined {
  if (typeof payload === 'string' || payload instanceof Uint8Array) return payload
  return (payload as { wholeText?: string } | null)?.wholeText
}

/** Bodies are streams, so their endpoints look at headers only. */
function bodyRoutes<Message, Call, Answer, Stream>(
  app: FastifyInstance,
  components: PeerRoutesComponents<Message, Call, Answer, Stream>,
): void {
  const { credentials, reception } = components
  app.get<{ Params: { name: string }; Querystring: { first?: string; last?: string } }>(
    '/peer/bodies/:name',
    endpointOptions(components, '/peer/bodies/:name'),
    async (request, reply) => {
      const from = authenticate(credentials, headOf(request), undefined)
      const first = Number(request.query.first ?? 0)
      const last = request.query.last === undefined ? undefined : Number(request.query.last)
      if (!isPosition(first) || (last !== undefined && !isPosition(last - first))) throw unknownMessage()
      const body = await reception.openBody(from, parseBodyName(request.params.name), first, last)
      return reply.type('application/octet-stream').send(body)
    },
  )

  app.put<{ Params: { name: string }; Querystring: { sha256?: string; onward?: string } }>(
    '/peer/staging/:name',
    endpointOptions(components, '/peer/staging/:name'),
    async (request, reply) => {
      const from = authenticate(credentials, headOf(request), undefined)
      const name = parseBodyName(request.params.name)
      const { sha256, onward } = request.query
      // However long the disk and those further on take then, it is not this peer that stands still.
      const unhurried = () => request.raw.socket.setTimeout(0)
      if (onward === undefined) request.raw.once('end', unhurried)
      else unhurried()
      const announced =
        onward === undefined ? { sha256: parseSha256(sha256) } : { onward: parseNodes(onward) }
      const answer = await reception.stageBody(from, name, announced, request.raw, goneSignal(reply))
      return reply.type('application/msgpack').send(encode(answer))
    },
  )
}

function headOf(request: FastifyRequest) {
  const onSigned = () => {
    request.signedPeer = true
  }
  return { method: request.method, url: request.raw.url ?? '', headers: request.headers, onSigned }
}

/** Aborts when the other side is gone before it was answered. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(new StoreError('UNAVAILABLE', 'The peer has gone.'))
  })
  return controller.signal
}

/** By its events: an iterator over a small body costs more than the body. */
function readBody({ raw }: FastifyRequest): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const onData = (chunk: Buffer) => {
      bytes += chunk.length
      chunks.push(chunk)
      if (bytes <= MESSAGE_BYTES_MAX) return
      raw.off('data', onData).pause()
      reject(new StoreError('INVALID_REQUEST', 'The message is too large.'))
    }
    raw.on('data', onData)
    raw.once('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)))
    raw.once('error', reject)
    // Every request closes; an error that nobody takes would cost each of them a stack trace.
    raw.once('close', () => {
      if (!raw.complete) reject(new StoreError('INVALID_REQUEST', 'The message was cut off.'))
    })
  })
}

function isPosition(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function unknownMessage(): StoreError {
  return new StoreError('INVALID_REQUEST', 'The message is not one of the peer protocol.')
}
