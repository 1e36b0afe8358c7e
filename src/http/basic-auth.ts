/**
 * Basic authentication (RFC 7617), for clients that can show a token in no other way: the password is the token, and the
 * name says nothing. It is taken where nobody can listen: over TLS, or from this machine.
 */
import { Buffer } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import { StoreError } from '../errors.ts'
import { isLoopback } from '../ring/address.ts'
import type { RequestHook } from './gate.ts'

export const BASIC_CHALLENGE = 'Basic realm="altered-chord", charset="UTF-8"'

/** The hook of an endpoint that takes Basic beside Bearer. */
export function withBasic(enter: RequestHook): RequestHook {
  return (request, reply, done) => {
    try {
      request.raw.headers.authorization = bearerOf(request.raw)
    } catch (error) {
      done(error as Error)
      return
    }
    enter(request, reply, done)
  }
}

/** @throws StoreError FORBIDDEN. */
function bearerOf({ headers, socket }: IncomingMessage): string | undefined {
  const { authorization } = headers
  const encoded = /^Basic +([A-Za-z0-9+/=]+) *$/i.exec(authorization ?? '')?.[1]
  if (encoded === undefined) return authorization
  if (!(socket instanceof TLSSocket) && !isLoopback((socket.remoteAddress ?? '').replace(/^::ffff:/, '')))
    throw new StoreError('FORBIDDEN', 'This node takes passwords over TLS, or from its own machine.')
  const pair = Buffer.from(encoded, 'base64').toString('utf8')
  return `Bearer ${pair.slice(pair.indexOf(':') + 1)}`
}
