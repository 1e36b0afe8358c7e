/**
 * The proof of an answer, who gave it and to which question: it is signed together with the
 * signature of the question, which nobody else asks and nobody asks twice.
 */
import { createHmac } from 'node:crypto'
import { StoreError } from '../errors.ts'
import type { PeerIdentity } from './peers.ts'
import { OLDEST_VERSION } from './protocol.ts'
import {
  type Credentials,
  decode,
  encode,
  headerOf,
  identify,
  nodeText,
  type PeerRequestHead,
  parseIdentity,
  signedWith,
} from './wire.ts'

/** Header fields by name, as a request or a reply has them. */
type Fields = PeerRequestHead['headers']

/** What an answer signs beside its body: the signature of the question. */
export interface Question {
  readonly signature: string
}

/** The question that a request is. */
export function questionOf(fields: Fields): Question {
  return { signature: headerOf(fields, 'ring-signature') }
}

/** The headers of an answer. `body` is undefined for a streamed one. */
export function answerHeaders(
  credentials: Credentials,
  question: Question,
  status: number,
  body: Uint8Array | string | undefined,
): Record<string, string> {
  const node = nodeText(credentials)
  const signature = sign(credentials.secret, question, status, node, body)
  return {
    'ring-protocol': String(OLDEST_VERSION),
    'ring-node': node,
    ...(signature !== undefined && { 'ring-signature': signature }),
  }
}

/** Who has answered; undefined when the answer is not that of a node to this very question. */
export function answeredBy(
  credentials: Credentials,
  question: Question,
  answer: { readonly status: number; readonly headers: Fields; readonly body: Uint8Array | undefined },
): PeerIdentity | undefined {
  const { status, headers, body } = answer
  const node = headerOf(headers, 'ring-node')
  if (Number(headerOf(headers, 'ring-protocol')) < OLDEST_VERSION || node === '') return undefined
  const signed = signedWith(credentials, headerOf(headers, 'ring-signature'), secret =>
    sign(secret, question, status, node, body),
  )
  return signed && parseIdentity(node)
}

/** Signs the words of a streamed answer, each with its number; an empty one after the last says that there are no more. */
export function wordSigner(
  credentials: Credentials,
  question: Question,
): (text: string, index: number) => string {
  const { secret } = credentials
  return (text, index) =>
    secret === undefined
      ? ''
      : createHmac('sha256', secret)
          .update(`WORD\n${question.signature}\n${index}\n${text}`)
          .digest('base64url')
}

function sign(
  secret: string | undefined,
  question: Question,
  status: number,
  node: string,
  body: Uint8Array | string | undefined,
): string | undefined {
  if (secret === undefined) return undefined
  // No request has such a method, so no request is an answer.
  const hmac = createHmac('sha256', secret).update(`ANSWER\n${status}\n${question.signature}\n${node}\n`)
  return (body === undefined ? hmac : hmac.update(body)).digest('base64url')
}

/** The call that asks for the name of a peer's start. The nonce makes the question one that nobody has asked before. */
export function greeting(nonce: string): Buffer {
  return encode({ kind: 'hello', nonce })
}

/** The answer to a greeting; undefined when the request is another one, and is to be authenticated. @throws as identify. */
export function answerGreeting(
  credentials: Credentials,
  head: PeerRequestHead,
  body: Uint8Array,
): Buffer | undefined {
  if (headerOf(head.headers, 'ring-to') !== '') return undefined
  identify(credentials, head, body)
  if ((decode(body) as { kind?: unknown } | null)?.kind !== 'hello')
    throw new StoreError('INVALID_REQUEST', 'A request has to name the start of the node that it is for.')
  return encode({ to: `${credentials.self().nodeId}.${credentials.turns.start}` })
}

/** What a peer has answered to a greeting. @throws StoreError INVALID_REQUEST. */
export function parseGreeted(body: Uint8Array): string {
  const { to } = Object(decode(body)) as { to?: unknown }
  if (typeof to === 'string' && /^[0-9a-f]{32}\.[0-9a-f]{32}$/.test(to)) return to
  throw new StoreError('INVALID_REQUEST', 'The answer of a peer to a greeting is malformed.')
}
