/**
 * The endpoint of a node that waits for its network: it tells other nodes that it has none yet, so that of nodes which
 * start together exactly one founds the network, and tells everybody else to come back.
 */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { ERROR_CODES, type ErrorCode, errorCode, StoreError } from '../errors.ts'
import { answerGreeting, answerHeaders, type Question, questionOf } from './signed-answer.ts'
import { watchHandshakes } from './tls-handshakes.ts'
import { TLS_OPTIONS } from './tls-options.ts'
import { authenticate, type Credentials, MESSAGE_BYTES_MAX } from './wire.ts'

export interface WaitingServerInit {
  readonly credentials: Credentials
  /** PEM files; undefined serves plain HTTP. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined
}

/** Statuses of the few refusals that there are; http/error-reply.ts knows all, and stands above this layer. */
const STATUS: Partial<Record<ErrorCode, number>> = { NO_NETWORK: 503, UNAVAILABLE: 503, UNAUTHORIZED: 401 }

/** Where a server listens. */
interface Place {
  readonly host: string
  readonly port: number
}

/** What Node.js knows a port by that is listened on: `listen` takes it over from any object that has one. */
interface HasHandle {
  _handle: object | null
}

interface State {
  hasNetwork: boolean
}

export class WaitingServer {
  readonly server: Server
  readonly #state: State

  private constructor(server: Server, state: State) {
    this.server = server
    this.#state = state
  }

  /** Not listening yet. @throws an error of the file system when a TLS file can't be read. */
  static async create({ credentials, tls }: WaitingServerInit): Promise<WaitingServer> {
    const state = { hasNetwork: false }
    const onRequest = requestHandler(credentials, state)
    if (tls === undefined) return new WaitingServer(createServer(onRequest), state)
    const pem = { cert: await readFile(tls.certFile), key: await readFile(tls.keyFile) }
    const server = createTlsServer({ ...TLS_OPTIONS, ...pem }, onRequest)
    watchHandshakes(server)
    return new WaitingServer(server, state)
  }

  /** From now on nobody is told that there is no network here: on that word another node may found one of its own. */
  joined(): void {
    this.#state.hasNetwork = true
  }

  /** @throws an error of the system. */
  async listen({ host, port }: Place): Promise<void> {
    this.server.listen(port, host)
    await once(this.server, 'listening')
  }

  /**
   * What `listen` of the server takes that comes after this one. It takes the open port: one that is closed and opened
   * again cuts off whoever has connected and was not let in yet, and most clients give up then.
   */
  shared(place: Place): Place {
    const { _handle } = this.server as unknown as HasHandle
    // Not enumerable: fastify copies what it was told to further addresses of `localhost`, where it opens ports of its own.
    return Object.defineProperty({ ...place }, '_handle', { value: _handle })
  }

  /** The port belongs to the server that comes after this one. */
  handedOver(): void {
    const handled = this.server as unknown as HasHandle
    handled._handle = null
  }

  /** Resolves when no connection is open. */
  close(): Promise<void> {
    return new Promise(resolve => this.server.close(() => resolve()))
  }
}

function requestHandler(credentials: Credentials, state: Readonly<State>) {
  return (request: IncomingMessage, response: ServerResponse) => {
    // Messages belong to a node that runs: to their senders this one is not there yet.
    if (request.url === '/peer/messages') {
      request.socket.destroy()
      return
    }
    const asked: Asked = {}
    const headersFor = (status: number, body: Uint8Array | string) =>
      asked.question && answerHeaders(credentials, asked.question, status, body)
    answer(credentials, request, asked, state).then(
      bytes => send(response, 200, bytes, headersFor),
      (error: unknown) => refuse(response, error, headersFor),
    )
  }
}

/** The question of another node, once its signature was found right. */
interface Asked {
  question?: Question | undefined
}

type HeadersFor = (status: number, body: Uint8Array | string) => Record<string, string> | undefined

/** Resolves for whoever asks whether this process is alive, and for a greeting. @throws StoreError for everybody else. */
async function answer(
  credentials: Credentials,
  request: IncomingMessage,
  asked: Asked,
  { hasNetwork }: Readonly<State>,
): Promise<string | Uint8Array> {
  const { method = '', url = '', headers } = request
  if (url === '/health' && (method === 'GET' || method === 'HEAD')) return JSON.stringify({ status: 'ok' })
  if (url !== '/peer/call' || method !== 'POST')
    throw new StoreError('UNAVAILABLE', 'This node waits for its network.')
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += (chunk as Buffer).byteLength
    if (bytes > MESSAGE_BYTES_MAX) throw new StoreError('INVALID_REQUEST', 'The message is too large.')
    chunks.push(chunk as Buffer)
  }
  const onSigned = () => {
    asked.question = questionOf(headers)
  }
  const head = { method, url, headers, onSigned }
  const greeted = answerGreeting(credentials, head, Buffer.concat(chunks))
  if (greeted !== undefined) return greeted
  authenticate(credentials, head, Buffer.concat(chunks))
  if (hasNetwork)
    throw new StoreError('UNAVAILABLE', 'This node has found its network, and does not answer yet.')
  throw new StoreError('NO_NETWORK', 'This node has no network yet.')
}

function refuse(response: ServerResponse, error: unknown, headersFor: HeadersFor): void {
  const code = errorCode(error) ?? 'INTERNAL'
  const { message } = error as Error
  const { retryable } = ERROR_CODES[code]
  const text = JSON.stringify({ error: { code, message, retryable } })
  send(response, STATUS[code] ?? 400, text, headersFor)
}

function send(
  response: ServerResponse,
  status: number,
  body: string | Uint8Array,
  headersFor: HeadersFor,
): void {
  const isText = typeof body === 'string'
  // Nobody keeps a connection to an endpoint that is about to be replaced.
  const headers = {
    ...headersFor(status, body),
    'content-type': isText ? 'application/json; charset=utf-8' : 'application/msgpack',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    connection: 'close',
    ...(status === 503 && { 'retry-after': '1' }),
  }
  response.writeHead(status, headers).end(body)
}
