/**
 * Who may do what: bearer tokens (RFC 6750), read-only and read-write. Tokens are compared by their hashes and in
 * constant time, so that neither content nor length leaks.
 */
import type { Buffer } from 'node:buffer'
import { createHash, timingSafeEqual } from 'node:crypto'
import { StoreError } from '../errors.ts'

/**
 * What an endpoint asks of a request: nothing, a signature in its URL (which the endpoint checks itself), a token that may read,
 * or one that may write.
 */
export type Access = 'open' | 'signed' | 'read' | 'write'

export interface Tokens {
  /** One, or several separated by commas: the one that counts from now on, and those that clients may still show. */
  readonly readWrite?: string
  readonly readOnly?: string
}

/** The check of a request's Authorization header; undefined when there are no tokens and everybody may do everything. */
export function authorizer(
  tokens: Tokens,
): ((authorization: string | undefined, access: Access) => void) | undefined {
  const { readWrite, readOnly } = tokens
  if (readWrite === undefined && readOnly === undefined) return undefined
  const writeHashes = hashesOf(readWrite)
  const readHashes = hashesOf(readOnly)
  return (authorization, access) => {
    if (access === 'open' || access === 'signed') return
    const shown = bearerToken(authorization)
    const hash = hashOf(shown)
    if (isAmong(hash, writeHashes)) return
    if (isAmong(hash, readHashes)) {
      if (access === 'read') return
      throw new StoreError('FORBIDDEN', 'This token may read only.')
    }
    throw new StoreError('UNAUTHORIZED', 'This token is unknown.')
  }
}

function bearerToken(authorization: string | undefined): string {
  const match = /^Bearer +(\S+) *$/i.exec(authorization ?? '')
  if (match?.[1] !== undefined) return match[1]
  throw new StoreError('UNAUTHORIZED', 'This node wants a token (Authorization: Bearer TOKEN).')
}

function hashesOf(tokens: string | undefined): readonly Buffer[] {
  return tokens === undefined ? [] : tokens.split(',').map(hashOf)
}

/** Compares with all of them, so that the time tells nothing. */
function isAmong(hash: Buffer, hashes: readonly Buffer[]): boolean {
  return hashes.filter(each => timingSafeEqual(hash, each)).length > 0
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
