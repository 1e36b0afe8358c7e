/**
 * What the failure of a request to another node means: the refusal that the node gave, or how it could not be reached.
 */
import { ERROR_CODES, type ErrorCode, StoreError } from '../errors.ts'
import type { Address } from '../ring/identifier.ts'
import type { Unreachable } from './peers.ts'
import type { ProtocolVersion } from './protocol.ts'

/** What an endpoint says before it has found a signature right. Anything else only counts with the signature of the answer. */
const SAID_UNSIGNED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'UNAUTHORIZED',
  'PROTOCOL_UNSUPPORTED',
  'INVALID_REQUEST',
  'ROUTE_NOT_FOUND',
  'METHOD_NOT_ALLOWED',
  'UNAVAILABLE',
  'OVERLOADED',
])

/** The error of a peer, as it said it: codes cross the wire unchanged. */
export function refusal(to: Address, status: number, bytes: Buffer, isSigned: boolean): StoreError {
  const fault = parseRefusal(bytes.toString())
  if (fault !== undefined && !isSigned && !SAID_UNSIGNED.has(fault.code)) return notSigned(to)
  if (fault === undefined) return new StoreError('UNAVAILABLE', `A peer answered ${status} and no reason.`)
  return new StoreError(fault.code, fault.message, fault.path === undefined ? {} : { path: fault.path })
}

/** Somebody else may have answered: another program on that port, or one on the way. */
export function notSigned(to: Address): StoreError {
  return new StoreError('UNAVAILABLE', `The answer of the node ${to} is not signed for this request.`)
}

export function unsupported(to: Address, version: ProtocolVersion, cause: StoreError): StoreError {
  const message = `The node ${to} does not speak the peer protocol ${version}: ${cause.message}`
  return new StoreError('PROTOCOL_UNSUPPORTED', message, { cause })
}

function parseRefusal(text: string): { code: ErrorCode; message: string; path?: string } | undefined {
  try {
    const { error } = JSON.parse(text) as { error: { code: ErrorCode; message: string; path?: string } }
    return Object.hasOwn(ERROR_CODES, error.code) && typeof error.message === 'string' ? error : undefined
  } catch {
    return undefined
  }
}

export function howUnreachable(error: unknown): Unreachable {
  const code = (error as { code?: string }).code
  return code === 'ECONNREFUSED' || code === 'ECONNRESET' || code === 'UND_ERR_SOCKET' ? 'refused' : 'silent'
}

/** A connection that broke may have been about to end; one that its machine refuses shows that no process is there. */
export function nobodyListens(error: unknown): boolean {
  return ((error as Error | undefined)?.cause as { code?: string } | undefined)?.code === 'ECONNREFUSED'
}

/** What nobody trusts of the certificate that was shown, in the words of the system; undefined for any other failure. */
export function distrust(error: unknown): string | undefined {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: string }
  const isOfCertificate =
    typeof code === 'string' && /^(?:ERR_TLS_CERT_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/.test(code)
  return isOfCertificate ? `${message}` : undefined
}
