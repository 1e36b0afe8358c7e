/**
 * The other end of links (peer-link.ts): lets them in, gives what they carry to the node, and says what was taken.
 */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Env, Timer } from '../env.ts'
import { errorCode, StoreError } from '../errors.ts'
import { InvariantError, raise } from '../invariant.ts'
import { encodeTaken, type Frame, FrameReader, FrameWriter } from './frames.ts'
import { LINK_TARGET, sameNode } from './peer-link.ts'
import type { PeerIdentity } from './peers.ts'
import { LINK_VERSION, type ProtocolVersion } from './protocol.ts'
import type { Refusals } from './refusals.ts'
import { answerHeaders, questionOf } from './signed-answer.ts'
import {
  authenticate,
  type Credentials,
  decodeBatch,
  encode,
  headerOf,
  malformedMessage,
  nodeText,
  OtherStart,
  type PeerSender,
  spoken,
} from './wire.ts'

/** A link on which nothing came for so long is closed, ms: its opener closes it long before, and so it is gone. */
const GONE_MS = 300_000

/**
 * From taking a frame to saying so, ms, as long as there is nothing else to say. Nobody waits for it but whoever measures how
 * long messages take, and that knows how long it was held.
 */
const TELL_MS = 25

/** Frames of messages after which it is said sooner: half of what may be under way (LINK_BATCHES_MAX). */
const TELL_FRAMES = 32

/** Bytes that may wait for a node that does not read what this one has taken. Until they are fewer, it is not read from. */
const UNREAD_BYTES_MAX = 1024 * 1024

/** How long whoever was refused has to read why and to end the connection, ms. Then it is closed whatever it does. */
const REFUSED_MS = 5_000

export interface LinkReceptionInit<Message> {
  readonly isMessage: (value: unknown, version: ProtocolVersion) => value is Message
  /** Gives what is to be said to the sender at once. */
  readonly messages: (from: PeerIdentity, messages: readonly Message[]) => readonly Message[]
}

export interface LinkReceptionComponents {
  readonly env: Env
  readonly credentials: Credentials
  readonly refusals: Refusals
}

/** Whether a CONNECT asks for a link. */
export function asksForLink(request: IncomingMessage): boolean {
  return request.url === LINK_TARGET
}

export class LinkReception<Message> {
  readonly #components: LinkReceptionComponents
  readonly #init: LinkReceptionInit<Message>
  /** One link of each start of a node: who opens another has lost the first. */
  readonly #links = new Map<string, Socket>()
  #closed = false

  constructor(components: LinkReceptionComponents, init: LinkReceptionInit<Message>) {
    this.#components = components
    this.#init = init
  }

  /** A CONNECT that asks for a link. Whoever may not have one is answered like at every other endpoint of nodes. */
  accept(request: IncomingMessage, socket: Socket): void {
    const { env, credentials, refusals } = this.#components
    socket.on('error', () => undefined)
    // Over a connection that was there when the closing began: the server would wait for it as long as it is open.
    if (this.#closed) {
      socket.destroy()
      return
    }
    const { method = '', url = '', headers } = request
    let signed: { readonly secret: string | undefined } | undefined
    const onSigned = (secret: string | undefined) => {
      signed = { secret }
    }
    try {
      const from = authenticate(credentials, { method, url, headers, onSigned }, undefined)
      if (from.version < LINK_VERSION)
        throw new StoreError('INVALID_REQUEST', `There are links since version ${LINK_VERSION}.`)
      this.#open(request, socket, from, signed?.secret)
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      const { code, message } = error
      const text = JSON.stringify({ error: { code, message } })
      const proof = signed ? answerHeaders(credentials, questionOf(headers), 400, Buffer.from(text)) : {}
      const fields = { ...spoken(credentials), ...proof, 'content-length': `${Buffer.byteLength(text)}` }
      endWith(env, socket, httpHead('400 Bad Request', { ...fields, connection: 'close' }) + text)
      if (!(error instanceof OtherStart))
        refusals.note({ op: 'peer.refused', peer: `${socket.remoteAddress}`, url, code, reason: message })
    }
  }

  /** Ends all links, and lets no more in. */
  close(): void {
    this.#closed = true
    for (const socket of this.#links.values()) socket.destroy()
  }

  /** `secret` is the one that the opening was signed with: the frames of this link are proven with it, in both directions. */
  #open({ headers }: IncomingMessage, socket: Socket, from: PeerSender, secret: string | undefined): void {
    const { credentials } = this.#components
    const question = questionOf(headers)
    const opener = headerOf(headers, 'ring-node')
    this.#links.get(opener)?.destroy()
    this.#links.set(opener, socket)
    socket.setNoDelay(true)
    socket.setTimeout(GONE_MS, () => socket.destroy())
    socket.once('close', () => {
      if (this.#links.get(opener) === socket) this.#links.delete(opener)
    })
    socket.write(httpHead('200 OK', answerHeaders(credentials, question, 200, undefined)))
    new OpenLink(this.#components, { ...this.#init, socket, from, secret, opening: question.signature })
  }
}

interface OpenLinkInit<Message> extends LinkReceptionInit<Message> {
  readonly socket: Socket
  readonly from: PeerSender
  readonly secret: string | undefined
  readonly opening: string
}

class OpenLink<Message> {
  readonly #components: LinkReceptionComponents
  readonly #init: OpenLinkInit<Message>
  readonly #reader: FrameReader
  readonly #writer: FrameWriter
  #from: PeerIdentity
  #self: string
  /** Frames of messages that were taken, and how many of them the other end was told of. */
  #taken = 0
  #told = 0
  /** When the first of those that it was not told of was taken. */
  #untoldMs = 0
  #tellingSoon: Timer | undefined

  constructor(components: LinkReceptionComponents, init: OpenLinkInit<Message>) {
    const { credentials } = components
    const { socket, secret, opening } = init
    this.#components = components
    this.#init = init
    this.#from = init.from
    this.#self = nodeText(credentials)
    this.#reader = new FrameReader(secret, opening, 'out')
    this.#writer = new FrameWriter(secret, opening, 'back')
    socket.on('data', chunk => this.#onData(chunk))
    socket.on('end', () => socket.destroy())
    socket.on('drain', () => socket.resume())
    socket.on('close', () => this.#tellingSoon?.cancel())
  }

  #onData(chunk: Buffer): void {
    const { socket } = this.#init
    const replies: Message[] = []
    let refused: StoreError | undefined
    try {
      for (const frame of this.#reader.push(chunk)) this.#onFrame(frame, replies)
    } catch (error) {
      refused = this.#refusalOf(error)
    }
    if (socket.destroyed) return
    if (replies.length > 0 || refused !== undefined || this.#taken - this.#told >= TELL_FRAMES)
      this.#tell(replies)
    else if (this.#taken > this.#told)
      this.#tellingSoon ??= this.#components.env.timers.after(TELL_MS, () => this.#tell([]))
    if (refused !== undefined) this.#refuse(refused)
    else if (socket.writableLength > UNREAD_BYTES_MAX) socket.pause()
  }

  #onFrame({ kind, content }: Frame, replies: Message[]): void {
    switch (kind) {
      case 'messages': {
        const { isMessage, messages, from } = this.#init
        const decoded = decodeBatch(content)
        const malformed = decoded.find(message => !isMessage(message, from.version))
        if (malformed !== undefined) throw malformedMessage(malformed)
        if (this.#taken++ === this.#told) this.#untoldMs = this.#components.env.clock.monotonicMs()
        replies.push(...messages(this.#from, decoded as Message[]))
        break
      }
      case 'self':
        this.#from = sameNode(this.#from, content)
        break
      default:
        throw new StoreError('INVALID_REQUEST', `A link does not carry ${kind} in this direction.`)
    }
  }

  /** Says what was taken by now, and `replies` with it. */
  #tell(replies: readonly Message[]): void {
    this.#tellingSoon?.cancel()
    this.#tellingSoon = undefined
    const { socket } = this.#init
    if (socket.destroyed || (this.#taken === this.#told && replies.length === 0)) return
    this.#told = this.#taken
    const self = nodeText(this.#components.credentials)
    if (self !== this.#self) {
      this.#self = self
      socket.write(this.#writer.frame('self', [Buffer.from(self)]))
    }
    const heldMs = this.#components.env.clock.monotonicMs() - this.#untoldMs
    const taken = encodeTaken({ count: this.#taken, heldMs })
    socket.write(this.#writer.frame('taken', [taken, ...replies.map(encode)]))
  }

  #refuse({ code, message }: StoreError): void {
    const { socket, from } = this.#init
    this.#components.refusals.note({
      op: 'peer.refused',
      peer: from.address,
      url: LINK_TARGET,
      code,
      reason: message,
    })
    const text = JSON.stringify({ error: { code, message } })
    socket.removeAllListeners('data')
    endWith(this.#components.env, socket, this.#writer.frame('refused', [Buffer.from(text)]))
  }

  #refusalOf(error: unknown): StoreError {
    if (error instanceof StoreError) return error
    if (error instanceof InvariantError) raise(error)
    this.#components.env.log.error(
      { op: 'peer.link', peer: this.#from.address, err: error },
      'messages failed',
    )
    return new StoreError(errorCode(error) ?? 'INTERNAL', 'The node failed on these messages.')
  }
}

/**
 * Says the last word. What still comes is read and dropped, so that the end of the other side is noticed; one that does not end, or
 * goes on sending, holds the connection for a while and no longer.
 */
function endWith(env: Env, socket: Socket, last: string | Buffer): void {
  const over = env.timers.after(REFUSED_MS, () => socket.destroy())
  socket.once('close', () => over.cancel())
  socket.end(last)
  socket.resume()
}

function httpHead(status: string, fields: Readonly<Record<string, string>>): string {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status}\r\n${lines.join('')}\r\n`
}
