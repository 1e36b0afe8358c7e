/**
 * What the tests of the endpoints have in common: a server over storage in memory, with settings of its own, and a
 * client that sends bytes as they are and reads one answer.
 */

import type { AddressInfo } from 'node:net'
import { connect, type Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { DEFAULT_LIMITS, type Limits, TRASH } from '../../src/config.ts'
import { type Env, realEnv } from '../../src/env.ts'
import { FileService } from '../../src/files/file-service.ts'
import type { NodeControl } from '../../src/http/cluster-routes.ts'
import { buildServer, type ServerConfig } from '../../src/http/server.ts'
import type { Address } from '../../src/ring/identifier.ts'
import type { RingNodeComponents } from '../../src/ring-node/ring-node-parts.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { foundedRing } from '../ring-node/founded-ring.ts'

type NodeStorage = RingNodeComponents['storage']

export const ADDRESS = 'node.test:5000' as Address

export interface RunningServer {
  readonly server: FastifyInstance
  readonly storage: NodeStorage
  readonly files: FileService
  readonly ring: ReturnType<typeof foundedRing>
  /** `http://127.0.0.1:PORT`, once listening. */
  readonly origin: string
  readonly port: number
}

export interface ServerSettings extends Partial<Omit<ServerConfig, 'limits'>> {
  readonly limits?: Partial<Limits>
  readonly env?: Env
  readonly storage?: NodeStorage
  readonly control?: NodeControl
  readonly listen?: boolean
}

/** A node that goes nowhere. */
export const noControl: NodeControl = {
  join: async () => ({ status: 'member', networkId: 'net-1' }),
  depart: async () => undefined,
  leave: () => undefined,
}

/** A server that ends with the test `t`. Without `listen`, only `server.inject` reaches it. */
export async function runServer(
  t: { teardown(then: () => unknown): void },
  {
    limits,
    env = realEnv(),
    storage = new MemoryStorage({ env }),
    control = noControl,
    listen,
    ...config
  }: ServerSettings = {},
): Promise<RunningServer> {
  const allLimits = { ...DEFAULT_LIMITS, ...limits }
  const ring = foundedRing(env, storage, ADDRESS)
  const files = new FileService(
    { replication: ring.replication, storage },
    { consistency: 'chain', fileBytesMax: allLimits.fileBytesMax },
  )
  const server = await buildServer(
    { files, ring, control, env },
    {
      config: {
        host: '127.0.0.1',
        advertise: undefined,
        tokens: {},
        secret: undefined,
        shareKey: undefined,
        trash: { keptMs: TRASH.default, share: 0.2 },
        tls: undefined,
        allowedExtensions: undefined,
        logLevel: 'silent',
        ...config,
        limits: allLimits,
      },
      facts: { address: ADDRESS, version: '0.0.0-test', notReadyBecause: () => undefined },
    },
  )
  t.teardown(async () => {
    await server.close()
    await ring.close()
  })
  let port = 0
  if (listen) {
    await server.listen({ port: 0, host: '127.0.0.1' })
    port = (server.server.address() as AddressInfo).port
  }
  return { server, storage, files, ring, port, origin: `http://127.0.0.1:${port}` }
}

/** The code of the error in an answer's body. */
export function codeOf(answer: { json(): unknown }): string | undefined {
  return (answer.json() as { error?: { code?: string } }).error?.code
}

/** Sends bytes over a connection of its own, and gives all that comes back until the server closes it. */
export function exchange(
  port: number,
  bytes: string | Uint8Array | ((socket: Socket) => void),
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    const chunks: Buffer[] = []
    socket.on('data', chunk => chunks.push(chunk))
    socket.on('end', () => socket.destroy())
    socket.on('error', error => {
      if (chunks.length === 0) reject(error)
    })
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')))
    socket.on('connect', () => (typeof bytes === 'function' ? bytes(socket) : socket.write(bytes)))
  })
}
