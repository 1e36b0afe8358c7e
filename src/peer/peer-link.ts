/**
 * A link: the connection that stays open from this node to another one and carries its messages (docs/decisions/0360).
 *
 * It opens as an HTTP request on the port that everything else uses, signed and good for once like all of them, and carries
 * frames from then on (frames.ts). Batches leave without waiting for each other; the other end says how many it has taken.
 */
import type { Socket } from 'node:net'
import type { Pool } from 'undici'
import type { Env, Timer } from '../env.ts'
import { StoreError } from '../errors.ts'
import type { Address } from '../ring/identifier.ts'
import { decodeTaken, type Frame, FrameReader, FrameWriter } from './frames.ts'
import type { Delivery } from './outbox.ts'
import { notSigned, refusal } from './peer-errors.ts'
import type { Manner } from './peer-requests.ts'
import type { PeerIdentity } from './peers.ts'
import { answeredBy, questionOf } from './signed-answer.ts'
import { type Credentials, hearReply, nodeText, parseIdentity, peerHeaders } from './wire.ts'

/**
 * What a link is asked for with: a CONNECT, since node:http hands a connection over for that method alone without asking
 * for the Upgrade of other clients, too. It names nothing but the link, so no other connection is opened.
 */
export const LINK_TARGET = 'peer-link:0'

/** Batches under way on one link: enough to fill a round trip, few enough that little is lost with it. */
export const LINK_BATCHES_MAX = 64

/** From a batch to the word that it was taken, ms. A peer that takes longer counts as silent. */
const TAKEN_TIMEOUT_MS = 5_000

/** A link that carried nothing for so long is closed, ms. */
const IDLE_MS = 60_000

/** Bytes of a refusal that are read. */
const REFUSAL_BYTES_MAX = 64 * 1024

export interface PeerLinkInit {
  readonly to: Address
  readonly socket: Socket
  /** Who has answered. */
  readonly from: PeerIdentity
  /** The signature of the request that opened the link, and how this node has named itself in it. */
  readonly opening: string
  readonly self: string
  /** What the other end says in return at once, messages one behind the other. @throws StoreError for what is none. */
  readonly replied: (from: PeerIdentity, content: Buffer) => void
  /** The way there and back of the oldest of the batches that were taken just now has taken this time, ms. */
  readonly took: (ms: number) => void
  /** The link has ended; `refused` when the other end has said why. */
  readonly ended: (refused: StoreError | undefined) => void
}

interface UnderWay {
  readonly beganMs: number
  readonly end: (delivery: Delivery) => void
}

export class PeerLink {
  readonly #env: Env
  readonly #credentials: Credentials
  readonly #init: PeerLinkInit
  readonly #writer: FrameWriter
  readonly #reader: FrameReader
  readonly #underWay: UnderWay[] = []
  #from: PeerIdentity
  /** How this node has named itself last. */
  #self: string
  #taken = 0
  #usedMs: number
  #deadline: Timer | undefined
  #idle: Timer
  #ended = false

  constructor(components: { readonly env: Env; readonly credentials: Credentials }, init: PeerLinkInit) {
    const { env, credentials } = components
    this.#env = env
    this.#credentials = credentials
    this.#init = init
    this.#from = init.from
    this.#self = init.self
    this.#writer = new FrameWriter(credentials.secret, init.opening, 'out')
    this.#reader = new FrameReader(credentials.secret, init.opening, 'back')
    this.#usedMs = env.clock.monotonicMs()
    this.#idle = env.timers.after(IDLE_MS, () => this.#closeWhenIdle())
    const { socket } = init
    socket.setNoDelay(true)
    socket.on('data', chunk => this.#onData(chunk))
    socket.on('error', () => undefined)
    socket.on('end', () => socket.destroy())
    socket.on('close', () => this.#end('refused'))
  }

  /** Whether another batch may leave now; one can always be given that waits for the socket. */
  get hasRoom(): boolean {
    return this.#underWay.length < LINK_BATCHES_MAX && !this.#init.socket.writableNeedDrain
  }

  /** Resolves when the other end has taken the batch, or when the link is lost. Never rejects. */
  deliver(batch: readonly Uint8Array[]): Promise<Delivery> {
    if (this.#ended) return Promise.resolve('refused')
    const nowMs = this.#env.clock.monotonicMs()
    this.#usedMs = nowMs
    const { socket } = this.#init
    const self = nodeText(this.#credentials)
    if (self !== this.#self) {
      this.#self = self
      socket.write(this.#writer.frame('self', [Buffer.from(self)]))
    }
    socket.write(this.#writer.frame('messages', batch))
    return new Promise(end => {
      this.#underWay.push({ beganMs: nowMs, end })
      this.#deadline ??= this.#env.timers.after(TAKEN_TIMEOUT_MS, () => this.#giveUpWhenSilent())
    })
  }

  /** Ends the link; what is under way counts as silent. */
  close(): void {
    this.#end('silent')
  }

  #onData(chunk: Buffer): void {
    try {
      for (const frame of this.#reader.push(chunk)) this.#onFrame(frame)
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      const { code, message: reason } = error
      this.#env.log.warn({ op: 'peer.link', peer: this.#init.to, code, reason }, 'a link carries garbage')
      this.#end('silent')
    }
  }

  #onFrame({ kind, content }: Frame): void {
    switch (kind) {
      case 'taken':
        this.#onTaken(content)
        break
      case 'self':
        this.#from = sameNode(this.#from, content)
        break
      case 'refused':
        this.#end('delivered', refusal(this.#init.to, 400, content, true))
        break
      default:
        throw new StoreError('INVALID_REQUEST', `A link does not carry ${kind} in this direction.`)
    }
  }

  #onTaken(content: Buffer): void {
    const { count, heldMs, replies } = decodeTaken(content)
    const taken = count - this.#taken
    if (taken < 0 || taken > this.#underWay.length)
      throw new StoreError('INVALID_REQUEST', 'More was taken than was sent.')
    this.#taken = count
    const ended = this.#underWay.splice(0, taken)
    const [oldest] = ended
    if (oldest !== undefined)
      this.#init.took(Math.max(0, this.#env.clock.monotonicMs() - oldest.beganMs - heldMs))
    if (replies.byteLength > 0) this.#init.replied(this.#from, replies)
    for (const { end } of ended) end('delivered')
  }

  #giveUpWhenSilent(): void {
    this.#deadline = undefined
    const [oldest] = this.#underWay
    if (oldest === undefined) return
    const waitedMs = this.#env.clock.monotonicMs() - oldest.beganMs
    if (waitedMs >= TAKEN_TIMEOUT_MS) return this.#end('silent')
    this.#deadline = this.#env.timers.after(TAKEN_TIMEOUT_MS - waitedMs, () => this.#giveUpWhenSilent())
  }

  #closeWhenIdle(): void {
    const idleMs = this.#env.clock.monotonicMs() - this.#usedMs
    if (idleMs >= IDLE_MS && this.#underWay.length === 0) return this.#end('delivered')
    this.#idle = this.#env.timers.after(Math.max(IDLE_MS - idleMs, 1000), () => this.#closeWhenIdle())
  }

  #end(delivery: Delivery, refused?: StoreError): void {
    if (this.#ended) return
    this.#ended = true
    this.#deadline?.cancel()
    this.#idle.cancel()
    this.#init.socket.destroy()
    for (const { end } of this.#underWay.splice(0)) end(delivery)
    this.#init.ended(refused)
  }
}

/** Who a frame says that the other end is from here on: another start, and no other node. @throws StoreError. */
export function sameNode(known: PeerIdentity, content: Buffer): PeerIdentity {
  const said = parseIdentity(content.toString('latin1'))
  if (said.nodeId === known.nodeId) return said
  throw new StoreError('INVALID_REQUEST', 'A link does not change the node at its other end.')
}

export interface OpenLinkInit extends Omit<PeerLinkInit, 'socket' | 'from' | 'opening' | 'self'> {
  readonly pool: Pool
  readonly manner: Manner
  /** What a refusal means; `speaks` is the version that the other end has shown. */
  readonly refused: (error: StoreError, speaks: number | undefined) => StoreError
}

/**
 * Opens a link to another node.
 * @throws StoreError the refusal of the other end, UNAVAILABLE when its answer is not signed; what undici says of the
 *   connection.
 */
export async function openLink(
  components: { readonly env: Env; readonly credentials: Credentials },
  init: OpenLinkInit,
): Promise<PeerLink> {
  const { env, credentials } = components
  const { to, pool, manner } = init
  const fields = peerHeaders(credentials, 'CONNECT', LINK_TARGET, undefined, manner.version, manner.turn)
  const question = questionOf(fields)
  const deadline = new AbortController()
  const timer = env.timers.after(TAKEN_TIMEOUT_MS, () =>
    deadline.abort(new Error('The deadline has passed.')),
  )
  try {
    // The pool knows its origin, whatever the type of its options says.
    const options = { path: LINK_TARGET, headers: fields, signal: deadline.signal } as never
    const { statusCode: status, headers, socket } = await connecting(pool, options)
    const speaks = hearReply(credentials, to, headers)
    if (status !== 200) {
      const bytes = await restOf(socket, deadline.signal)
      const isSigned = answeredBy(credentials, question, { status, headers, body: bytes }) !== undefined
      throw init.refused(refusal(to, status, bytes, isSigned), speaks)
    }
    const from = answeredBy(credentials, question, { status, headers, body: undefined })
    if (from === undefined) {
      socket.destroy()
      throw notSigned(to)
    }
    const self = fields['ring-node'] as string
    return new PeerLink(components, { ...init, socket, from, opening: question.signature, self })
  } finally {
    timer.cancel()
  }
}

interface Connected {
  readonly statusCode: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly socket: Socket
}

async function connecting(pool: Pool, options: Parameters<Pool['connect']>[0]): Promise<Connected> {
  return (await pool.connect(options)) as unknown as Connected
}

/** What comes until the connection ends. */
function restOf(socket: Socket, signal: AbortSignal): Promise<Buffer> {
  return new Promise(resolve => {
    const chunks: Buffer[] = []
    let bytes = 0
    const end = () => {
      socket.destroy()
      resolve(Buffer.concat(chunks))
    }
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.byteLength
      if (bytes > REFUSAL_BYTES_MAX) end()
    })
    socket.on('error', end).on('end', end).on('close', end)
    signal.addEventListener('abort', end, { once: true })
    socket.resume()
  })
}
