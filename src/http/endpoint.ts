/**
 * What the endpoints have in common: the parts they stand on, what a route says of itself, and the headers about the
 * ring that every reply about a file carries.
 */
import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Limits } from '../config.ts'
import type { Env } from '../env.ts'
import type { FileService, WriteOptions } from '../files/file-service.ts'
import { parseIdempotencyKey } from '../files/idempotency.ts'
import { receiptOf, type Written } from '../files/receipt.ts'
import type { Address } from '../ring/identifier.ts'
import type { RingNode } from '../ring-node/ring-node.ts'
import type { Access } from './auth.ts'
import { withBasic } from './basic-auth.ts'
import type { Connections } from './connections.ts'
import type { EndpointContract } from './contract.ts'
import type { Gate } from './gate.ts'
import type { Metrics } from './metrics.ts'
import type { ShareLinks } from './share-links.ts'
import type { UploadSlots } from './upload-slots.ts'

/** What the routes are built from. */
export interface HttpComponents {
  readonly gate: Gate
  readonly metrics: Metrics
  readonly files: FileService
  readonly ring: RingNode
  readonly env: Env
  readonly connections: Connections
  readonly slots: UploadSlots
  readonly shareLinks: ShareLinks
  /** Archives that are being sent. */
  readonly archives: Set<Readable>
  readonly limits: Limits
  /** How long what is removed or replaced here is kept, ms. */
  readonly trashMs: number
  /** Lower-case, without the dot; undefined accepts every file name. */
  readonly allowedExtensions: readonly string[] | undefined
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** True for endpoints that other nodes ask at, with a signature of their own. */
    peer?: boolean
    /** True when the endpoint needs no token. */
    open?: boolean
    /** True for endpoints whose replies carry Ring-Chain and Ring-Hops. */
    aboutFile?: boolean
    /** True when the endpoint takes Basic authentication. */
    basic?: boolean
    /** What /openapi.json says of the endpoint. */
    contract?: EndpointContract
  }
  interface FastifyRequest {
    /** The Content-Type as the client sent it; the router refuses malformed ones, a store does not care. */
    declaredType: string | undefined
  }
}

export type Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE' | 'OPTIONS' | DavMethod

/** The methods that WebDAV adds (RFC 4918, section 9). */
export type DavMethod = 'PROPFIND' | 'PROPPATCH' | 'MKCOL' | 'COPY' | 'MOVE' | 'LOCK' | 'UNLOCK'

export interface Endpoint {
  readonly methods: readonly Method[]
  readonly urls: readonly string[]
  readonly access: Access
  readonly aboutFile: boolean
  readonly contract: EndpointContract
  /** Basic authentication is taken beside Bearer. */
  readonly basic?: boolean
  /** Answers are compressed for whoever takes them so; the scope has the plugin for it. */
  readonly compress?: { readonly threshold: number }
  /** Gives nothing when it has answered already. */
  readonly handler: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown> | undefined
}

export function addEndpoint(
  fastify: FastifyInstance,
  { gate, metrics }: HttpComponents,
  endpoint: Endpoint,
): void {
  const { access, aboutFile, contract, basic, compress, handler } = endpoint
  const config = {
    open: access === 'open' || access === 'signed',
    aboutFile,
    contract,
    basic: basic ?? false,
  }
  const onRequest = basic ? withBasic(gate.hookFor(access)) : gate.hookFor(access)
  for (const url of endpoint.urls) {
    for (const method of endpoint.methods) {
      const onResponse = metrics.hookFor(url)
      fastify.route({ method, url, config, onRequest, onResponse, handler, ...(compress && { compress }) })
    }
  }
}

/** Which nodes the request visited; hops are the steps between them. Names and values in turn. */
export function ringFields(chain: readonly Address[]): [string, string, string, string] {
  if (chain.length === 1) return ['ring-chain', chain[0] as string, 'ring-hops', '0']
  return ['ring-chain', chain.join(', '), 'ring-hops', String(Math.max(0, chain.length - 1))]
}

export function ringHeaders(reply: FastifyReply, chain: readonly Address[]): void {
  const [chainName, chainText, hopsName, hops] = ringFields(chain)
  reply.header(chainName, chainText).header(hopsName, hops)
}

/** Answers a write with its receipt: 201 when a file came into being, 200 when one was replaced. */
export function sendWritten(reply: FastifyReply, files: FileService, written: Written): FastifyReply {
  const receipt = receiptOf(written, files.keeping)
  ringHeaders(reply, written.chain)
  reply.code(written.replaced ? 200 : 201).header('etag', receipt.etag)
  return reply.type('application/json; charset=utf-8').send(JSON.stringify(receipt))
}

/** @throws StoreError INVALID_REQUEST. */
export function idempotencyOf(request: FastifyRequest): Pick<WriteOptions, 'idempotencyKey'> {
  const key = request.headers['idempotency-key']
  return key === undefined ? {} : { idempotencyKey: parseIdempotencyKey(String(key)) }
}
