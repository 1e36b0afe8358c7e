/**
 * What happens to a connection beside its requests: it stands still, its bytes are no HTTP, or it has to be closed
 * while the client still sends.
 *
 * A socket that is closed with unread bytes is reset, and the reset destroys the answer on its way to the client. So an
 * answer that ends a connection early is sent first, then a bounded amount is read and thrown away, then it is closed.
 */
import { type IncomingMessage, METHODS, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Readable } from 'node:stream'
import type { Env } from '../env.ts'
import { StoreError } from '../errors.ts'
import { rawErrorReply } from './error-reply.ts'

/** What is read and thrown away after an early answer: some round trips of a fast link. */
const LINGER_BYTES_MAX = 16 * 1024 * 1024

/** How long that goes on, ms: some round trips of a slow link. */
const LINGER_MS = 2000

/** Ends the reception of a body with an error that the client still gets to see. */
type Fail = (error: StoreError) => void

const lastResponse = Symbol('lastResponse')
const waitingResponses = Symbol('waitingResponses')

/** A socket knows the answer to its last request; a WeakMap would cost every request as much as its routing. */
type WithResponse = Duplex & { [lastResponse]?: ServerResponse; [waitingResponses]?: Set<ServerResponse> }

export class Connections {
  readonly #env: Env
  readonly #idleTimeoutMs: number
  readonly #receiving = new WeakMap<Duplex, { fail: Fail; isWaiting: () => boolean }>()
  readonly #refusals = new WeakMap<Duplex, StoreError>()

  constructor(components: { readonly env: Env }, init: { readonly bodyIdleTimeoutMs: number }) {
    this.#env = components.env
    this.#idleTimeoutMs = init.bodyIdleTimeoutMs
  }

  /**
   * Every request is announced before anything else is done with it. Gives the answer that it has to wait for: of requests
   * that come one behind the other, only safe ones are carried out at once (RFC 9112, section 9.3.2).
   */
  begin(request: IncomingMessage, response: ServerResponse): ServerResponse | undefined {
    const socket = request.socket as WithResponse
    const previous = socket[lastResponse]
    socket[lastResponse] = response
    if (previous === undefined || previous.writableFinished || previous.destroyed) return undefined
    closeWith(socket, response)
    return isSafe(previous.req?.method) && isSafe(request.method) ? undefined : previous
  }

  /** A body is being received; `isWaiting` tells whether it is the client who is to move. The result ends that. */
  receiving(request: IncomingMessage, watch: { fail: Fail; isWaiting: () => boolean }): () => void {
    const { socket } = request
    this.#receiving.set(socket, watch)
    // Header and malformed body may come in one packet: then the body was refused before anybody read it.
    const refusal = this.#refusals.get(socket)
    if (refusal) watch.fail(refusal)
    return () => {
      this.#receiving.delete(socket)
    }
  }

  /** Nothing has moved on a socket for `bodyIdleTimeoutMs` (or, between two requests, for the keep-alive time). */
  onTimeout(socket: Socket): void {
    const receiving = this.#receiving.get(socket)
    const response = (socket as WithResponse)[lastResponse]
    const idle = response === undefined || response.writableFinished || response.destroyed
    if (idle || socket.writableLength > 0) {
      socket.destroy()
    } else if (receiving?.isWaiting()) {
      receiving.fail(new StoreError('REQUEST_TIMEOUT', 'No byte of the body came for too long.'))
    } else {
      // It is this node that is at work, not the client that stands still.
      socket.setTimeout(this.#idleTimeoutMs)
    }
  }

  /** The bytes on a socket are no HTTP, or its header did not come in time. Nothing after them can be understood. */
  onClientError(error: Error & { code?: string }, socket: Duplex): void {
    if (this.#refusals.has(socket)) return
    const refusal = refusalOf(error)
    const response = (socket as WithResponse)[lastResponse]
    if (refusal === undefined || !socket.writable) {
      socket.destroy()
      return
    }
    this.#refusals.set(socket, refusal)
    if (response && !response.writableFinished && !response.destroyed) {
      // The answer to what was understood goes first; when its own body is what is malformed, that is the answer.
      response.shouldKeepAlive = false
      response.once('finish', () => this.#closeSoon(socket))
      this.#receiving.get(socket)?.fail(refusal)
    } else {
      socket.write(rawErrorReply(refusal))
      this.#closeSoon(socket)
    }
  }

  /** A CONNECT request: this is no proxy. */
  onConnect(socket: Duplex): void {
    socket.write(rawErrorReply(new StoreError('METHOD_NOT_ALLOWED', 'No endpoint answers to CONNECT.')))
    this.#closeSoon(socket)
  }

  /** The text of an answer as a stream that ends (and with it the connection) only after a while of draining. */
  lingering(text: string, request: IncomingMessage): Readable {
    const drained = () => this.#drained(request)
    const stream = Readable.from(
      (async function* () {
        yield text
        await drained()
      })(),
      { objectMode: false },
    )
    return Object.assign(stream, { wholeText: text })
  }

  #drained(request: IncomingMessage): Promise<void> {
    return new Promise(resolve => {
      let bytes = 0
      const { socket } = request
      const timer = this.#env.timers.after(LINGER_MS, done)
      function done() {
        timer.cancel()
        request.off('data', onData).off('end', done).off('error', done).off('close', done)
        socket.off('end', done)
        request.pause()
        resolve()
      }
      function onData(chunk: Buffer) {
        bytes += chunk.length
        if (bytes > LINGER_BYTES_MAX) done()
      }
      if (request.readableEnded || request.destroyed || socket.readableEnded) return done()
      // A client that has sent its last byte, in the middle of a body, will send no more.
      socket.on('end', done)
      request.on('data', onData).on('end', done).on('error', done).on('close', done)
      request.resume()
    })
  }

  /** Says that nothing more is sent, and closes a while later, so that the client can read what was. */
  #closeSoon(socket: Duplex): void {
    socket.on('error', () => {})
    socket.end()
    const timer = this.#env.timers.after(LINGER_MS, () => socket.destroy())
    socket.once('close', () => timer.cancel())
  }
}

/**
 * Of several answers on one connection node:http closes only the one whose turn it is when the connection is gone. The others would
 * never end, and what they are made of would stay open.
 */
function closeWith(socket: WithResponse, response: ServerResponse): void {
  let waiting = socket[waitingResponses]
  if (waiting === undefined) {
    const all = new Set<ServerResponse>()
    socket[waitingResponses] = waiting = all
    socket.once('close', () => {
      for (const one of all) if (one.socket === null && !one.writableFinished) one.destroy().emit('close')
    })
  }
  waiting.add(response)
  response.once('close', () => waiting.delete(response))
}

function isSafe(method: string | undefined): boolean {
  return method === 'GET' || method === 'HEAD'
}

/**
 * A request of a method that the parser does not know, and no garbage. A packet that begins with one that it knows has got as far
 * as the bytes behind that request.
 */
const unknownMethod = /^[A-Z][A-Z-]{0,30} [!-~]+ HTTP\/1\.[01]\r\n/

function isUnknownMethod(packet: Buffer | undefined): boolean {
  const [method = ''] = unknownMethod.exec(String(packet ?? ''))?.[0].split(' ', 1) ?? []
  return method !== '' && !METHODS.includes(method)
}

function refusalOf(error: Error & { code?: string; rawPacket?: Buffer }): StoreError | undefined {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return new StoreError('HEADERS_TOO_LARGE', 'The header of the request is too large.')
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new StoreError('INVALID_REQUEST', 'The chunk extensions of the body are too large.')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new StoreError('REQUEST_TIMEOUT', 'The header of the request did not come in time.')
    default:
      if (error.code === 'HPE_INVALID_METHOD' && isUnknownMethod(error.rawPacket))
        return new StoreError('METHOD_NOT_ALLOWED', 'No endpoint answers to this method.')
      return error.code?.startsWith('HPE_')
        ? new StoreError('INVALID_REQUEST', 'These bytes are no HTTP/1.1 request.')
        : undefined
  }
}
