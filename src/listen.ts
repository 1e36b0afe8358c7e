/**
 * How a node gets its ports: what the system has against one becomes a sentence.
 */
import { type AddressInfo, createServer } from 'node:net'
import { StoreError } from './errors.ts'
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
