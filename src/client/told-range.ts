/**
 * What a reply tells of the ring: the range that a path lies in, as the header Ring-Range says it (docs/http.md).
 */
import { isIP } from 'node:net'
import { addressOfTarget, parseTarget } from '../ring/address.ts'
import { parseIdentifier } from '../ring/identifier.ts'
import type { KnownRange } from './range-table.ts'

/** Replicas of one range; the most that a network can have. */
const REPLICAS_MAX = 15

/**
 * The range that a field `LO HI EPOCH ADDRESS...` says, with addresses under the scheme of the node that the user named:
 * what began with TLS goes on with TLS. Undefined when it is malformed, or when nobody it names may be asked: a node
 * elsewhere that says it is on loopback means its own machine.
 */
export function toldRange(field: string, named: URL): KnownRange | undefined {
  const [lo = '', hi = '', epoch = '', ...addresses] = field.split(' ')
  if (!/^\d{1,15}$/.test(epoch) || addresses.length > REPLICAS_MAX) return undefined
  const origins = addresses
    .map(address => originOfAddress(address, named))
    .filter(origin => origin !== undefined)
  if (origins.length === 0) return undefined
  try {
    return { lo: parseIdentifier(lo), hi: parseIdentifier(hi), epoch: Number(epoch), origins }
  } catch {
    return undefined
  }
}

function originOfAddress(address: string, named: URL): string | undefined {
  const target = parseTarget(address)
  if (target === undefined || !address.includes(':')) return undefined
  if (isLoopbackName(target.host) && !isLoopbackName(named.hostname)) return undefined
  return new URL(`${named.protocol}//${addressOfTarget(target)}`).origin
}

function isLoopbackName(host: string): boolean {
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '[::1]' ||
    (isIP(host) === 4 && host.startsWith('127.'))
  )
}
