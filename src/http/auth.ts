/**
 * Owns who may do what: bearer tokens (RFC 6750), read-only and read-write. Tokens are compared by their hashes and in
 * constant time, so that neither content nor length leaks.
 */
import type { Buffer } from 'node:buffer'
import { createHash, timingSafeEqual } from 'node:crypto'
import { StoreError } from '../errors.ts'

/**
 * What a door asks of a request: nothing, a signature in its URL (which the door checks itself), a token that may read,
 * or one that may write.
 */
export type Access = 'open' | 'signed' | 'read' | 'write'

export interface Tokens {
  readonly readWrite?: string
  readonly readOnly?: string
}

/** The check of a request's Authorization header; undefined when there are no tokens and everybody may do everything. */
export function authorizer(
  tokens: Tokens,
): ((authorization: string | undefined, access: Access) => void) | undefined {
  const { readWrite, readOnly } = tokens
  if (readWrite === undefined && readOnly === undefined) return undefined
  const writeHash = readWrite === undefined ? undefined : hashOf(readWrite)
  const readHash = readOnly === undefined ? undefined : hashOf(readOnly)
  return (authorization, access) => {
    if (access === 'open' || access === 'signed') return
    const shown = bearerToken(authorization)
    const hash = hashOf(shown)
    if (writeHash && timingSafeEqual(hash, writeHash)) return
    if (readHash && timingSafeEqual(hash, readHash)) {
      if (access === 'read') return
      throw new StoreError('FORBIDDEN', 'This token may read only.')
    }
    throw new StoreError('UNAUTHORIZED', 'This token is unknown.')
  }
}

function bearerToken(authorization: string | undefined): string {
  const match = /^Bearer +(\S+) *$/i.exec(authorization ?? '')
  if (match?.[1] !== undefined) return match[1]
  throw new StoreError('UNAUTHORIZED', 'This node wants a token: Authorization: Bearer TOKEN.')
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
