/**
 * Owns the door of a node that waits for its network: it tells other nodes that it has none yet, so that of nodes which
 * start together exactly one founds the network, and tells everybody else to come back.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { ERROR_CODES, type ErrorCode, errorCode, StoreError } from '../errors.ts'
import { authenticate, type Credentials, MESSAGE_BYTES_MAX } from './wire.ts'

export interface WaitingDoorInit {
  readonly credentials: Credentials
  /** PEM; undefined serves plain HTTP. */
  readonly tls: { readonly cert: Buffer; readonly key: Buffer } | undefined
}

/** Statuses of the few refusals that there are; http/error-reply.ts knows all, and stands above this layer. */
const STATUS: Partial<Record<ErrorCode, number>> = { NO_NETWORK: 503, UNAVAILABLE: 503, UNAUTHORIZED: 401 }

/** A server that is not listening yet. */
export function waitingDoor({ credentials, tls }: WaitingDoorInit): Server {
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    // Messages belong to a node that runs: to their senders this one is not there yet.
    if (request.url === '/peer/messages') {
      request.socket.destroy()
      return
    }
    answer(credentials, request).then(
      () => send(response, 200, { status: 'ok' }),
      (error: unknown) => refuse(response, error),
    )
  }
  return tls === undefined ? createServer(onRequest) : createTlsServer(tls, onRequest)
}

/** Resolves for whoever asks whether this process is alive. @throws StoreError for everybody else. */
async function answer(credentials: Credentials, request: IncomingMessage): Promise<void> {
  const { method = '', url = '', headers } = request
  if (url === '/health' && (method === 'GET' || method === 'HEAD')) return
  if (url !== '/peer/call' || method !== 'POST')
    throw new StoreError('UNAVAILABLE', 'This node waits for its network.')
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += (chunk as Buffer).byteLength
    if (bytes > MESSAGE_BYTES_MAX) throw new StoreError('INVALID_REQUEST', 'The message is too large.')
    chunks.push(chunk as Buffer)
  }
  authenticate(credentials, { method, url, headers }, Buffer.concat(chunks))
  throw new StoreError('NO_NETWORK', 'This node has no network yet.')
}

function refuse(response: ServerResponse, error: unknown): void {
  const code = errorCode(error) ?? 'INTERNAL'
  const { message } = error as Error
  const { retryable } = ERROR_CODES[code]
  send(response, STATUS[code] ?? 400, { error: { code, message, retryable } })
}

function send(response: ServerResponse, status: number, value: object): void {
  const text = JSON.stringify(value)
  // Nobody keeps a connection to a door that is about to be replaced.
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    connection: 'close',
    ...(status === 503 && { 'retry-after': '1' }),
  }
  response.writeHead(status, headers).end(text)
}
