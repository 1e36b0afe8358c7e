/**
 * How a node gets its ports, where what the system has against one becomes a sentence, and how it lets them go.
 */
import { type AddressInfo, createServer } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Env } from './env.ts'
import { StoreError } from './errors.ts'
import { cutHandshakes } from './peer/tls-handshakes.ts'
import type { Address } from './ring/identifier.ts'

/** `host:port`, with brackets around an IPv6 address. */
export function addressOf(host: string, port: number): Address {
  return `${host.includes(':') ? `[${host}]` : host}:${port}` as Address
}

/** Listens; what the system has against it becomes a sentence. */
export async function listening(
  host: string,
  port: number,
  listen: () => Promise<unknown>,
  option = '-p',
): Promise<void> {
  try {
    await listen()
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const where = addressOf(host, port)
    const why =
      code === 'EADDRINUSE'
        ? `${where} is in use by another program; choose another port with ${option}`
        : code === 'EACCES'
          ? `this user may not listen on ${where}; ports below 1024 are often reserved`
          : code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND'
            ? `${host} is no address of this machine`
            : (cause as Error).message
    throw new StoreError('UNAVAILABLE', `The node can't listen: ${why}.`, { cause })
  }
}

/** A port that was free a moment ago: receipts name the node by it, so it must be known before the server is built. */
export async function freePort(host: string): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve, reject) => probe.once('error', reject).listen(0, host, resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise(resolve => probe.close(resolve))
  return port
}

/** How often a stopping node looks for connections that have become idle, ms: too short for a person to notice. */
export const IDLE_SWEEP_MS = 50

/** Where requests come in. */
export interface Closable {
  readonly server: FastifyInstance['server']
  /** Lets nobody in any more, and resolves when no connection is open. */
  close(): PromiseLike<unknown>
}

/** Where clients come in: it lets running requests finish, then closes. */
export type Listener = Closable & Pick<FastifyInstance, 'closeToClients'>

/** Takes no more requests, and lets those that run finish for as long as they may. */
export async function finishRequests(
  env: Pick<Env, 'log' | 'timers'>,
  listener: Listener,
  { shutdownTimeoutMs }: { readonly shutdownTimeoutMs: number },
): Promise<void> {
  const ended = new AbortController()
  const late = async () => {
    await env.timers.sleep(shutdownTimeoutMs, ended.signal)
    env.log.warn({ op: 'stop', shutdownTimeoutMs }, 'requests that still run are cut off')
    listener.server.closeAllConnections()
  }
  await Promise.race([listener.closeToClients(), late().catch(() => undefined)])
  ended.abort()
}

/** Closes; whatever is still open after `timeoutMs` is cut off. */
export async function closeListener(
  env: Pick<Env, 'timers'>,
  listener: Closable,
  timeoutMs: number,
): Promise<void> {
  const timer = env.timers.after(timeoutMs, () => listener.server.closeAllConnections())
  let closed = false
  const closing = Promise.resolve(listener.close()).finally(() => {
    closed = true
  })
  // A connection that was busy when the closing began stays open, idle, once its request is answered.
  while (!closed) {
    listener.server.closeIdleConnections()
    cutHandshakes(listener.server)
    await Promise.race([closing, env.timers.sleep(IDLE_SWEEP_MS)])
  }
  await closing
  timer.cancel()
}
