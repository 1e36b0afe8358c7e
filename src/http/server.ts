/**
 * The HTTP server: which endpoints there are, what every request passes on its way to one, and how every failure is
 * answered. Bodies are never parsed by the framework: what a client sends is what is stored.
 */
import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from 'fastify'
import type { NodeConfig } from '../config.ts'
import { davRoutes } from '../dav/dav-routes.ts'
import type { Env } from '../env.ts'
import { StoreError } from '../errors.ts'
import type { FileService } from '../files/file-service.ts'
import { InvariantError, raise } from '../invariant.ts'
import { asksForLink } from '../peer/link-reception.ts'
import { peerRoutes } from '../peer/peer-routes.ts'
import { watchHandshakes } from '../peer/tls-handshakes.ts'
import { TLS_OPTIONS } from '../peer/tls-options.ts'
import type { PathName } from '../ring/path-name.ts'
import type { EventualParts } from '../ring-node/eventual-wiring.ts'
import type { RingNode } from '../ring-node/ring-node.ts'
import { archiveRoutes } from './archive-routes.ts'
import { BASIC_CHALLENGE } from './basic-auth.ts'
import { clusterRoutes, type NodeControl } from './cluster-routes.ts'
import { Connections } from './connections.ts'
import { CONSOLE_URL, consoleRoutes, wantsConsole } from './console-routes.ts'
import { copyRoutes } from './copy-routes.ts'
import { type HttpComponents, ringHeaders } from './endpoint.ts'
import { asStoreError, errorReply } from './error-reply.ts'
import { registerForms } from './form-parts.ts'
import { Gate } from './gate.ts'
import { gossipRoutes } from './gossip-routes.ts'
import { kvRoutes } from './kv-routes.ts'
import { listRoutes } from './list-routes.ts'
import { Metrics } from './metrics.ts'
import { describeEndpoints } from './openapi.ts'
import { type NodeFacts, nodesOf, operatorRoutes, routingOf } from './operator-routes.ts'
import { readRoutes } from './read-routes.ts'
import { recoverRoutes } from './recover-routes.ts'
import { hasBody } from './request-body.ts'
import { endpointOf } from './request-target.ts'
import { rangeHeaders } from './ring-range.ts'
import { ShareLinks, shareKeysOf } from './share-links.ts'
import { shareRoutes } from './share-routes.ts'
import { trashRoutes } from './trash-routes.ts'
import { uploadRoutes } from './upload-routes.ts'
import { UploadSlots } from './upload-slots.ts'
import { verifyRoutes } from './verify-routes.ts'
import { webappRoutes, webappUploadRoute } from './webapp-routes.ts'
import { writeRoutes } from './write-routes.ts'

export type ServerConfig = Pick<
  NodeConfig,
  | 'host'
  | 'advertise'
  | 'tokens'
  | 'secret'
  | 'shareKey'
  | 'trash'
  | 'tls'
  | 'allowedExtensions'
  | 'logLevel'
  | 'limits'
>

export interface ServerComponents {
  readonly files: FileService
  readonly ring: RingNode
  readonly control: NodeControl
  readonly env: Env
}

export interface ServerInit {
  readonly config: ServerConfig
  readonly facts: NodeFacts
}

/** How often connections are looked over for headers that do not come, ms; a header may be late by as much. */
const HEADER_CHECK_MS = 1000

/** How long a connection may wait for its next request, ms: longer than the pause of usual connection pools. */
const KEEP_ALIVE_MS = 72_000

/** Bytes that wait for a socket before its response is told to wait: one small piece of a download (blob-stream.ts). */
const SOCKET_BYTES = 16 * 1024

declare module 'fastify' {
  interface FastifyInstance {
    /** Lets no client in any more, and resolves when those who are in have their answers; other nodes still get in. */
    closeToClients(): Promise<void>
  }
}

/**
 * The endpoints of one node, ready to listen. `close()` of the result stops accepting and waits for what runs.
 * @throws an error of the file system when a TLS file can't be read.
 */
export async function buildServer(
  { files, ring, control, env }: ServerComponents,
  { config, facts }: ServerInit,
): Promise<FastifyInstance> {
  const { limits } = config
  const components = makeComponents({ files, ring, env }, { config, facts })
  const { connections, gate, metrics } = components
  const fail = failureHandler(components)
  const fastify = Fastify({
    ...(await serverOptions(config, connections)),
    frameworkErrors: (error, request, reply) => fail(error, request, reply as unknown as FastifyReply),
  }) as unknown as FastifyInstance

  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser('*', (_request, _payload, done) => done(null, undefined))
  fastify.decorateRequest('declaredType', undefined)
  fastify.decorate('closeToClients', () => gate.close())
  fastify.setErrorHandler(fail)
  endLines(fastify)
  const { version } = facts
  const contract = describeEndpoints(fastify, { version, hasTokens: gate.hasTokens })
  const methodsOf = watchMethods(fastify)
  unknownUrls(fastify, components, { methodsOf, fail })
  if (config.logLevel === 'debug') logRequests(fastify, env)

  fileRoutes(fastify, components)
  await registerForms(fastify, scope => {
    uploadRoutes(scope, components)
    webappUploadRoute(scope, components)
  })
  clusterRoutes(fastify, components, control)
  operatorRoutes(fastify, components, { facts, contract })
  await consoleRoutes(fastify, components)
  await peerRoutes(fastify, { env, credentials: ring.credentials, reception: ring, metrics })
  if (config.tls !== undefined) watchHandshakes(fastify.server)
  tameServer(fastify, connections, limits.connectionsMax)
  return fastify
}

/** What the routes stand on. */
function makeComponents(
  { files, ring, env }: Omit<ServerComponents, 'control'>,
  { config, facts }: ServerInit,
): HttpComponents {
  const { limits } = config
  const connections = new Connections({ env }, limits)
  const slots = new UploadSlots({ timers: env.timers }, { ...limits, waitMs: limits.bodyIdleTimeoutMs })
  const metrics = new Metrics({
    files,
    slots,
    nodes: () => nodesOf(ring),
    routing: () => routingOf(ring),
    diskRefuses: () => ring.refusedBodies.diskRefuses,
    beliefs: () => ring.gossip?.changes,
    answered: facts.answered,
    copied: () => ring.driver.kept.copied(),
    eventual: ring.eventual && (() => (ring.eventual as EventualParts).node.status()),
  })
  const gate = new Gate({ connections, ring }, config)
  return {
    gate,
    metrics,
    files,
    ring,
    env,
    connections,
    slots,
    trashMs: ring.eventual === undefined ? config.trash.keptMs : 0,
    shareLinks: new ShareLinks(env, { keys: shareKeysOf(config, ring.network.networkId) }),
    archives: new Set(),
    limits,
    allowedExtensions: config.allowedExtensions,
  }
}

/** What no endpoint answers: a browser at `/` goes to the console, and everybody else is told which endpoints there are. */
function unknownUrls(
  fastify: FastifyInstance,
  { gate, metrics }: HttpComponents,
  { methodsOf, fail }: { methodsOf: MethodsOf; fail: ReturnType<typeof failureHandler> },
): void {
  const [enter, enterOpen] = [gate.hookForNone('read'), gate.hookForNone('open')]
  const count = metrics.hookFor('none')
  fastify.setNotFoundHandler((request, reply) => {
    if (wantsConsole(request.raw)) {
      return enterOpen(request, reply, refusal => {
        if (refusal) fail(refusal, request, reply)
        else reply.header('vary', 'accept').redirect(CONSOLE_URL)
      })
    }
    return enter(request, reply, refusal => {
      reply.raw.once('finish', () => count(request, reply, () => {}))
      fail(refusal ?? noRoute(request, reply, methodsOf), request, reply)
    })
  })
}

function fileRoutes(fastify: FastifyInstance, components: HttpComponents): void {
  readRoutes(fastify, components)
  writeRoutes(fastify, components)
  copyRoutes(fastify, components)
  listRoutes(fastify, components)
  kvRoutes(fastify, components)
  maintenanceRoutes(fastify, components)
  shareRoutes(fastify, components)
  trashRoutes(fastify, components)
  archiveRoutes(fastify, components)
  davRoutes(fastify, components)
  webappRoutes(fastify, components)
  gossipRoutes(fastify, components)
}

async function serverOptions(config: ServerConfig, connections: Connections): Promise<FastifyServerOptions> {
  const { limits, tls } = config
  const http = {
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: limits.headerTimeoutMs,
    // node:http compares the two before Fastify sets the one below.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(HEADER_CHECK_MS, limits.headerTimeoutMs),
    // The missing Host is refused in gate(), as JSON.
    requireHostHeader: false,
    highWaterMark: SOCKET_BYTES,
  }
  const options = {
    logger: false,
    genReqId: () => '',
    exposeHeadRoutes: false,
    // Bodies are limited where they are received; no body passes through the framework.
    bodyLimit: Number.MAX_SAFE_INTEGER,
    connectionTimeout: limits.bodyIdleTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // A long upload is no fault; a body that stands still is, and bodyIdleTimeoutMs ends it.
    requestTimeout: 0,
    forceCloseConnections: 'idle' as const,
    return503OnClosing: false,
    clientErrorHandler: (error: Error & { code?: string }, socket: Socket) =>
      connections.onClientError(error, socket),
  }
  if (tls === undefined) return { ...options, http } as FastifyServerOptions
  const [cert, key] = await Promise.all([readFile(tls.certFile), readFile(tls.keyFile)])
  return {
    ...options,
    https: { ...http, ...TLS_OPTIONS, handshakeTimeout: limits.headerTimeoutMs, cert, key },
  } as FastifyServerOptions
}

function failureHandler({ connections, env, ring }: HttpComponents) {
  return (thrown: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const error = asStoreError(thrown)
    if (thrown instanceof InvariantError) raise(thrown)
    if (error.code === 'INTERNAL' || error.code === 'CORRUPT') {
      env.log.error(
        { op: endpointOf(request.raw.url ?? ''), path: error.path, err: error.cause ?? error },
        'request failed',
      )
    }
    const { status, headers, text } = errorReply(error)
    for (const name of Object.keys(reply.getHeaders())) {
      if (!keptOnError.has(name)) reply.removeHeader(name)
    }
    if (request.routeOptions.config?.aboutFile) {
      ringHeaders(reply, [ring.members.self.address])
      // A refusal of the gate names no path: who is not let in learns nothing of the ring.
      if (error.path !== undefined && error.code !== 'INVALID_PATH') {
        rangeHeaders(ring, reply, error.path as PathName)
      }
    }
    reply.code(status).headers(headers)
    if (status === 401 && request.routeOptions.config?.basic)
      reply.header('www-authenticate', BASIC_CHALLENGE)
    if (hasBody(request.raw) && !request.raw.readableEnded) {
      reply.header('connection', 'close').send(connections.lingering(text, request.raw))
    } else {
      reply.send(text)
    }
  }
}

/** Headers that an endpoint may have set and that an error has too. */
const keptOnError: ReadonlySet<string> = new Set(['content-range', 'allow'])

type MethodsOf = (url: string) => readonly string[]

/** Collects which methods there are behind an endpoint's name, with and without more of a URL. */
function watchMethods(fastify: FastifyInstance): MethodsOf {
  const byUrl = new Map<string, string[]>()
  const byShape = new Map<string, string[]>()
  const shapeOf = (url: string, more: boolean) => `${endpointOf(url)}${more ? '/*' : ''}`
  fastify.addHook('onRoute', ({ url, method }) => {
    for (const [map, key] of [[byUrl, url] as const, [byShape, shapeOf(url, url.endsWith('/*'))] as const])
      map.set(key, [...(map.get(key) ?? []), ...[method].flat()])
  })
  return url => {
    const path = url.split('?', 1)[0] ?? ''
    return byUrl.get(path) ?? byShape.get(shapeOf(url, path.indexOf('/', 1) !== -1)) ?? []
  }
}

function noRoute(request: FastifyRequest, reply: FastifyReply, methodsOf: MethodsOf): StoreError {
  const url = request.raw.url as string
  const endpoint = endpointOf(url)
  const methods = methodsOf(url)
  if (methods.length > 0) {
    reply.header('allow', methods.join(', '))
    return new StoreError('METHOD_NOT_ALLOWED', `/${endpoint} answers to ${methods.join(', ')}.`)
  }
  if (methodsOf(`/${endpoint}/path`).length > 0) {
    return new StoreError('INVALID_PATH', `This path is refused: it is empty. /${endpoint}/ takes a path.`)
  }
  return new StoreError('ROUTE_NOT_FOUND', 'No endpoint answers at this URL; /openapi.json lists them.')
}

/** JSON ends with a newline: most of those who read it sit at a terminal, with their prompt behind it. */
function endLines(fastify: FastifyInstance): void {
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    const isJson = String(reply.getHeader('content-type')).startsWith('application/json')
    done(null, isJson && typeof payload === 'string' && !payload.endsWith('\n') ? `${payload}\n` : payload)
  })
}

function logRequests(fastify: FastifyInstance, env: Env): void {
  fastify.addHook('onResponse', (request, reply, done) => {
    const { method } = request.raw
    // Whoever has the token of a share link has what it gives.
    const url = request.raw.url?.replace(/^\/shared\/[^/?]*/, '/shared/…')
    env.log.debug({ op: method, url, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'request')
    done()
  })
}

/** Where the framework has no say: expectations, time-outs and connections. */
function tameServer(fastify: FastifyInstance, connections: Connections, connectionsMax: number): void {
  const { server } = fastify
  const route = (request: IncomingMessage, response: ServerResponse) => fastify.routing(request, response)
  // Of this method the framework wants a Content-Type before it says that no route has it, as none has TRACE.
  server.prependListener('request', (request: IncomingMessage) => {
    if (request.method === 'QUERY') request.method = 'TRACE'
  })
  server.maxConnections = connectionsMax
  // The 100 is sent when the body is wanted; unknown expectations may be ignored (RFC 9110, section 10.1.1).
  server.on('checkContinue', route)
  server.on('checkExpectation', route)
  server.on('timeout', socket => connections.onTimeout(socket))
  server.on('connect', (request, socket) => {
    if (!asksForLink(request)) connections.onConnect(socket)
  })
}

/** HttpComponents by which an operator looks after what is kept. */
function maintenanceRoutes(fastify: FastifyInstance, components: HttpComponents): void {
  verifyRoutes(fastify, components)
  recoverRoutes(fastify, components)
}
