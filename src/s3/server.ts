/**
 * The listener of S3: what every request passes on its way to an operation, and how every failure is answered.
 */
import { Buffer } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Limits, NodeConfig, S3Config } from '../config.ts'
import type { Env } from '../env.ts'
import { StoreError } from '../errors.ts'
import type { FileService } from '../files/file-service.ts'
import { Connections } from '../http/connections.ts'
import { UploadSlots } from '../http/upload-slots.ts'
import { InvariantError, raise } from '../invariant.ts'
import { watchHandshakes } from '../peer/tls-handshakes.ts'
import { TLS_OPTIONS } from '../peer/tls-options.ts'
import { Authentication } from './authentication.ts'
import { Buckets } from './buckets.ts'
import { corsHeaders, preflightHeaders } from './cors.ts'
import { asS3Error, S3Error } from './errors.ts'
import type { S3Components } from './operation.ts'
import { type Operation, operationOf } from './operations.ts'
import { isPostForm, postObject } from './post-object.ts'
import { sendEmpty, sendError } from './reply.ts'
import { readRequest, refuseUnsupported, type S3Request } from './request.ts'
import { Uploads } from './uploads.ts'

/** How often connections are looked over for headers that do not come, ms; a header may be late by as much. */
const HEADER_CHECK_MS = 1000

/** How long a connection may wait for its next request, ms: longer than the pause of usual connection pools. */
const KEEP_ALIVE_MS = 72_000

/** Bytes that wait for a socket before its response is told to wait: one small piece of a download (blob-stream.ts). */
const SOCKET_BYTES = 16 * 1024

export interface S3ServerConfig extends Pick<NodeConfig, 'host' | 'tls' | 'allowedExtensions'> {
  readonly limits: Limits
  readonly s3: S3Config
}

export class S3Server {
  readonly server: Server
  readonly #env: Env
  readonly #components: S3Components
  readonly #authentication: Authentication
  readonly #domains: readonly string[]
  readonly #corsOrigins: readonly string[]
  /** Requests that are not answered yet. */
  #running = 0
  #isClosed = false
  #onLast = () => {}

  private constructor(
    components: { readonly files: FileService; readonly env: Env },
    { limits, s3, allowedExtensions }: S3ServerConfig,
    serve: (
      handler: (request: IncomingMessage, response: ServerResponse) => void,
      connections: Connections,
    ) => Server,
  ) {
    const { files, env } = components
    this.#env = env
    this.#authentication = new Authentication(s3.keys)
    this.#domains = s3.domains
    this.#corsOrigins = s3.corsOrigins
    const connections = new Connections({ env }, limits)
    this.#components = {
      env,
      files,
      buckets: new Buckets({ files }),
      uploads: new Uploads({ files, env }),
      connections,
      slots: new UploadSlots({ timers: env.timers }, { ...limits, waitMs: limits.bodyIdleTimeoutMs }),
      fileBytesMax: limits.fileBytesMax,
      allowedExtensions,
    }
    this.server = serve((request, response) => void this.#handle(request, response), connections)
  }

  /**
   * The endpoint, ready to listen.
   * @throws an error of the file system when a TLS file can't be read.
   */
  static async open(
    components: { readonly files: FileService; readonly env: Env },
    config: S3ServerConfig,
  ): Promise<S3Server> {
    const { limits, tls } = config
    const options: ServerOptions = {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headerTimeoutMs,
      connectionsCheckingInterval: Math.min(HEADER_CHECK_MS, limits.headerTimeoutMs),
      keepAliveTimeout: KEEP_ALIVE_MS,
      highWaterMark: SOCKET_BYTES,
      // A long upload is no fault; a body that stands still is, and bodyIdleTimeoutMs ends it.
      requestTimeout: 0,
    }
    const pem = tls && {
      ...{ cert: await readFile(tls.certFile), key: await readFile(tls.keyFile) },
      handshakeTimeout: limits.headerTimeoutMs,
    }
    return new S3Server(components, config, (handler, connections) => {
      const server: Server = pem
        ? (createTlsServer({ ...options, ...TLS_OPTIONS, ...pem }, handler) as unknown as Server)
        : createServer(options, handler)
      if (pem !== undefined) watchHandshakes(server)
      server.maxConnections = limits.connectionsMax
      server.timeout = limits.bodyIdleTimeoutMs
      // The 100 is sent when the body is wanted; unknown expectations may be ignored (RFC 9110, section 10.1.1).
      server.on('checkContinue', handler)
      server.on('checkExpectation', handler)
      server.on('timeout', socket => connections.onTimeout(socket))
      server.on('clientError', (error, socket) => connections.onClientError(error, socket))
      server.on('connect', (_request, socket) => connections.onConnect(socket))
      return server
    })
  }

  /** Listens; 0 takes a free port. @throws an error of the system. */
  listen(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject).listen({ host, port }, () => {
        this.server.off('error', reject)
        resolve()
      })
    })
  }

  /** The port that it listens on. */
  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  /** Lets nobody in any more; resolves when those who are in have their answers. */
  async closeToClients(): Promise<void> {
    this.#isClosed = true
    if (this.#running === 0) return
    await new Promise<void>(resolve => {
      this.#onLast = resolve
    })
  }

  /** Stops listening, and resolves when every connection has ended. */
  close(): Promise<void> {
    return new Promise(resolve => void this.server.close(() => resolve()))
  }

  async #handle(raw: IncomingMessage, reply: ServerResponse): Promise<void> {
    const { connections } = this.#components
    const requestId = Buffer.from(this.#env.randomness.bytes(8)).toString('hex').toUpperCase()
    reply.setHeader('x-amz-request-id', requestId)
    for (const field of Object.entries(corsHeaders(raw.headers, this.#corsOrigins))) reply.setHeader(...field)
    this.#running++
    try {
      const previous = connections.begin(raw, reply)
      if (previous !== undefined) await new Promise(resolve => previous.once('close', resolve))
      await this.#answer(raw, reply, requestId)
    } catch (thrown) {
      await this.#fail(thrown, { raw, reply, requestId })
    } finally {
      this.#running--
      if (this.#running === 0) this.#onLast()
    }
  }

  async #answer(raw: IncomingMessage, reply: ServerResponse, requestId: string): Promise<void> {
    if (this.#isClosed) throw new StoreError('UNAVAILABLE', 'The node is stopping; ask another one.')
    if (raw.method === 'OPTIONS')
      return sendEmpty({ reply }, 200, preflightHeaders(raw.headers, this.#corsOrigins))
    const unchecked = readRequest(raw, this.#domains)
    if (isPostForm(unchecked))
      return postObject(this.#components, this.#authentication, { ...unchecked, raw, reply, requestId })
    const sender = this.#authentication.authenticate(unchecked, this.#env.clock.nowMs())
    const request: S3Request = { ...unchecked, raw, reply, requestId, sender }
    const operation: Operation = operationOf(request)
    if (operation.writes && sender.key.readOnly)
      throw new S3Error('AccessDenied', 'This access key may read only.')
    refuseUnsupported(request)
    await operation.run(this.#components, request)
  }

  async #fail(thrown: unknown, request: Pick<S3Request, 'raw' | 'reply' | 'requestId'>): Promise<void> {
    const error = asS3Error(thrown)
    const { raw, reply, requestId } = request
    // The client went away in the middle of its answer: nobody is there to be told.
    const isGone = reply.destroyed || (thrown as { code?: string }).code === 'ERR_STREAM_PREMATURE_CLOSE'
    if (error.code === 'InternalError' && !isGone) {
      const cause = error.cause ?? error
      this.#env.log.error({ op: 's3', method: raw.method, requestId, err: cause }, 'request failed')
    }
    await sendError(request, error, this.#components.connections)
    if (thrown instanceof InvariantError) raise(thrown)
  }
}
