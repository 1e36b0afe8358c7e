/**
 * Owns what the doors have in common: the parts they stand on, what a route says of itself, and the headers about the
 * ring that every reply about a file carries.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Limits } from '../config.ts'
import type { Env } from '../env.ts'
import type { FileService, WriteOptions } from '../files/file-service.ts'
import { parseIdempotencyKey } from '../files/idempotency.ts'
import type { Written } from '../files/receipt.ts'
import type { Address } from '../ring/identifier.ts'
import type { Access } from './auth.ts'
import type { Connections } from './connections.ts'
import type { DoorContract } from './contract.ts'
import type { UploadSlots } from './upload-slots.ts'

/** What the routes are built from. */
export interface Doors {
  readonly files: FileService
  readonly env: Env
  readonly connections: Connections
  readonly slots: UploadSlots
  readonly limits: Limits
  /** Lower-case, without the dot; undefined accepts every file name. */
  readonly allowedExtensions: readonly string[] | undefined
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may come in; without it, a token that may read. */
    access?: Access
    /** True for doors whose replies carry Ring-Chain and Ring-Hops. */
    aboutFile?: boolean
    /** What /openapi.json says of the door. */
    contract?: DoorContract
  }
  interface FastifyRequest {
    /** The Content-Type as the client sent it; the router refuses malformed ones, a store does not care. */
    declaredType: string | undefined
  }
}

export interface Door {
  readonly methods: readonly ('GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE')[]
  readonly urls: readonly string[]
  readonly access: Access
  readonly aboutFile: boolean
  readonly contract: DoorContract
  readonly handler: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>
}

export function addDoor(fastify: FastifyInstance, door: Door): void {
  const { access, aboutFile, contract, handler } = door
  for (const url of door.urls) {
    for (const method of door.methods) {
      fastify.route({ method, url, config: { access, aboutFile, contract }, handler })
    }
  }
}

/** Says which nodes the request visited; hops are the steps between them. */
export function ringHeaders(reply: FastifyReply, chain: readonly Address[]): void {
  reply.header('ring-chain', chain.length === 1 ? chain[0] : chain.join(', '))
  reply.header('ring-hops', chain.length <= 1 ? '0' : String(chain.length - 1))
}

/** Answers a write with its receipt: 201 when a file came into being, 200 when one was replaced. */
export function sendWritten(reply: FastifyReply, written: Written): FastifyReply {
  ringHeaders(reply, written.chain)
  reply.code(written.created ? 201 : 200)
  if (written.receipt) reply.header('etag', written.receipt.etag)
  return reply.type('application/json; charset=utf-8').send(JSON.stringify(written.receipt))
}

/** @throws StoreError INVALID_REQUEST. */
export function idempotencyOf(request: FastifyRequest): Pick<WriteOptions, 'idempotencyKey'> {
  const key = request.headers['idempotency-key']
  return key === undefined ? {} : { idempotencyKey: parseIdempotencyKey(String(key)) }
}
