/**
 * How a request between nodes looks on the wire: MessagePack bodies, and headers that say which protocol, which
 * network and which node speaks, signed with the network's secret. Whatever does not fit is refused before its body
 * is looked at.
 *
 * The signature (HMAC-SHA-256, RFC 2104) covers method, URL, sender and body, so the secret never travels. It
 * also covers the start of the node that is meant and the turn of the request (turns.ts), so that a request which was
 * captured is good for nothing, and each answer is signed with the signature of its question. TLS is what hides. A streamed
 * body is covered by its own SHA-256, which travels in a signed message.
 *
 * A request is in the newest version that both sides speak. Where that is not the sender's own newest, it says that one
 * beside it, signed on its own, because a program of the older version checks the signature as it knows it.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { Packr } from 'msgpackr'
import { StoreError } from '../errors.ts'
import type { Address, NodeId } from '../ring/identifier.ts'
import type { PeerIdentity } from './peers.ts'
import type { PeerVersions, ProtocolVersion } from './protocol.ts'
import type { Turn } from './sessions.ts'
import type { Turns } from './turns.ts'

/**
 * Bytes of one request or reply of messages. Usual ones stay near 1 MiB (outbox.ts, differenceBytesMax); what needs more
 * is a comparison of many parts with long paths, or one part of a difference that is full of inline bodies.
 */
export const MESSAGE_BYTES_MAX = 32 * 1024 * 1024

export interface Credentials {
  /**
   * What this node signs with. The nodes of a network share it; undefined only where everything is bound to loopback or
   * --insecure.
   */
  readonly secret: string | undefined
  /** What counts as well when others sign with it, while one secret takes the place of another. */
  readonly otherSecrets?: readonly string[]
  /** Undefined as long as the node belongs to no network. */
  networkId(): string | undefined
  self(): PeerIdentity
  /** Of this node and of the others; `authenticate` notes there what a sender speaks. */
  readonly versions: PeerVersions
  /** The turns that were taken of others. */
  readonly turns: Turns
}

/** Who sent a request, and in which version of the protocol. */
export interface PeerSender extends PeerIdentity {
  readonly version: ProtocolVersion
}

// Plain records, no shared structures: each message stands alone, whichever connection it takes.
const packr = new Packr({ useRecords: false, int64AsType: 'number' })

export function encode(value: unknown): Buffer {
  return packr.pack(value)
}

/** @throws StoreError INVALID_REQUEST for bytes that are not MessagePack. */
export function decode(bytes: Uint8Array): unknown {
  try {
    return packr.unpack(bytes)
  } catch (cause) {
    throw new StoreError('INVALID_REQUEST', 'The body is not a message of the peer protocol.', { cause })
  }
}

/** The messages of a batch: encoded messages, one after the other. */
export function decodeBatch(bytes: Uint8Array): unknown[] {
  if (bytes.byteLength === 0) return []
  try {
    return packr.unpackMultiple(bytes) as unknown[]
  } catch (cause) {
    throw new StoreError('INVALID_REQUEST', 'The body is not a batch of messages of the peer protocol.', {
      cause,
    })
  }
}

/** The headers of a request of this node. `body` is undefined for a streamed one. */
export function peerHeaders(
  credentials: Credentials,
  method: string,
  url: string,
  body: Uint8Array | undefined,
  version: ProtocolVersion = credentials.versions.oldest,
  turn?: Turn,
): Record<string, string> {
  const headers: Record<string, string> = {
    'ring-protocol': String(version),
    'ring-network': credentials.networkId() ?? '',
    'ring-node': nodeText(credentials),
    ...(version < credentials.versions.newest && spoken(credentials)),
    ...(turn && { 'ring-to': turn.to, 'ring-turn': turn.turn }),
  }
  const signature = sign(credentials.secret, method, url, name => headers[name] ?? '', body)
  if (signature !== undefined) headers['ring-signature'] = signature
  return headers
}

/** Headers by which a node shows what it speaks, on a request and on a reply. */
export function spoken(credentials: Credentials): Record<string, string> {
  const { newest } = credentials.versions
  const node = nodeText(credentials)
  const signature = signSpoken(credentials.secret, newest, node)
  return {
    'ring-node': node,
    'ring-speaks': signature === undefined ? `${newest}` : `${newest}.${signature}`,
  }
}

export function nodeText(credentials: Credentials): string {
  const { address, nodeId, boot } = credentials.self()
  return `${nodeId}/${boot.counter}.${boot.nonce}/${address}`
}

/** What a request says of itself, as far as its headers go. */
export interface PeerRequestHead {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /**
   * Called once the signature was found right, with the secret that it was made with: from there on, whatever is answered
   * is signed as well.
   */
  readonly onSigned?: (secret: string | undefined) => void
}

/**
 * Who sent a request. What version that node speaks is noted.
 * @throws StoreError PROTOCOL_UNSUPPORTED, WRONG_NETWORK, UNAUTHORIZED (also for what was captured and comes again) or
 *   INVALID_REQUEST.
 */
export function authenticate(
  credentials: Credentials,
  head: PeerRequestHead,
  body: Uint8Array | undefined,
): PeerSender {
  const sender = identify(credentials, head, body)
  const { turns } = credentials
  const to = headerOf(head.headers, 'ring-to')
  const [nodeId, start = ''] = to.split('.')
  const taken = turns.take(start, headerOf(head.headers, 'ring-turn'))
  if (taken === 'elsewhere' || nodeId !== credentials.self().nodeId)
    throw new OtherStart('The request is meant for another node, or for an earlier start of this one.')
  if (taken === 'again') throw new StoreError('UNAUTHORIZED', 'The request has come before.')
  return sender
}

/** A request that is not for this start of this node. Its sender greets again, so it is no news. */
export class OtherStart extends StoreError {
  constructor(message: string) {
    super('UNAUTHORIZED', message)
  }
}

/** As authenticate, for a request that may come again without harm: the greeting, which asks for what others repeat. */
export function identify(
  credentials: Credentials,
  head: PeerRequestHead,
  body: Uint8Array | undefined,
): PeerSender {
  const text = (name: string) => headerOf(head.headers, name)
  const { versions } = credentials
  const version = Number(text('ring-protocol'))
  if (!versions.understands(version)) throw notSpoken(versions, text('ring-protocol'))
  const signed = signedWith(credentials, text('ring-signature'), secret =>
    sign(secret, head.method, head.url, text, body),
  )
  if (signed === undefined) {
    throw new StoreError('UNAUTHORIZED', 'The request is not signed with the secret of this network.')
  }
  head.onSigned?.(signed.secret)
  const network = credentials.networkId()
  if (text('ring-network') !== '' && network !== undefined && text('ring-network') !== network) {
    throw new StoreError('WRONG_NETWORK', 'The request comes from a node of another network.')
  }
  const from = parseIdentity(text('ring-node'))
  const speaks = versionSpoken(credentials, head.headers)
  if (speaks === 'forged')
    throw new StoreError(
      'UNAUTHORIZED',
      'What the node speaks is not signed with the secret of this network.',
    )
  versions.heard(from.address, from, Math.max(version, speaks ?? 0))
  return { ...from, version }
}

function notSpoken({ oldest, newest }: PeerVersions, given: string): StoreError {
  const ours = oldest === newest ? `${newest}` : `${oldest} and ${newest}`
  const theirs = given.slice(0, VERSION_LENGTH_MAX)
  return new StoreError(
    'PROTOCOL_UNSUPPORTED',
    `This node speaks the peer protocol ${ours}, not "${theirs}".`,
  )
}

/** Notes what the node speaks that has answered at that address, and gives it; undefined when the reply does not show it. */
export function hearReply(
  credentials: Credentials,
  peer: Address,
  headers: PeerRequestHead['headers'],
): number | undefined {
  const speaks = versionSpoken(credentials, headers)
  if (speaks === undefined || speaks === 'forged') return undefined
  credentials.versions.heard(peer, parseIdentity(headerOf(headers, 'ring-node')), speaks)
  return speaks
}

function versionSpoken(
  credentials: Credentials,
  headers: PeerRequestHead['headers'],
): number | 'forged' | undefined {
  const text = headerOf(headers, 'ring-speaks')
  if (text === '') return undefined
  const [, version, signature = ''] = /^(\d{1,9})(?:\.([\w-]+))?$/.exec(text) ?? []
  const node = headerOf(headers, 'ring-node')
  if (version === undefined || !identityPattern.test(node)) return 'forged'
  const signed = signedWith(credentials, signature, secret => signSpoken(secret, version, node))
  return signed === undefined ? 'forged' : Number(version)
}

export function headerOf(headers: PeerRequestHead['headers'], name: string): string {
  const value = headers[name]
  return typeof value === 'string' ? value : ''
}

/** Characters of a version that an error shows. */
const VERSION_LENGTH_MAX = 20

const identityPattern = /^([0-9a-f]{32})\/(\d{1,15})\.([0-9a-f]{1,32})\/([\x21-\x7e]{1,300})$/

export function parseIdentity(text: string): PeerIdentity {
  const match = identityPattern.exec(text)
  if (match === null) throw new StoreError('INVALID_REQUEST', 'The header Ring-Node does not name a node.')
  const [, nodeId, counter, nonce, address] = match
  return {
    nodeId: nodeId as NodeId,
    boot: { counter: Number(counter), nonce: nonce as string },
    address: address as Address,
  }
}

function sign(
  secret: string | undefined,
  method: string,
  url: string,
  text: (name: string) => string,
  body: Uint8Array | undefined,
): string | undefined {
  if (secret === undefined) return undefined
  const hmac = createHmac('sha256', secret)
  hmac.update(`${method}\n${url}\n${text('ring-protocol')}\n${text('ring-network')}\n${text('ring-node')}\n`)
  hmac.update(`${text('ring-to')}\n${text('ring-turn')}\n`)
  if (body !== undefined) hmac.update(body)
  return hmac.digest('base64url')
}

/** Of one start of a node, which speaks the same as long as it runs. No request has such a method. */
function signSpoken(secret: string | undefined, version: number | string, node: string): string | undefined {
  if (secret === undefined) return undefined
  return createHmac('sha256', secret).update(`SPEAKS\n${version}\n${node}\n`).digest('base64url')
}

/** Which of the secrets that count has given this signature; undefined when none of them has. */
export function signedWith(
  { secret, otherSecrets = [] }: Pick<Credentials, 'secret' | 'otherSecrets'>,
  given: string,
  signature: (secret: string | undefined) => string | undefined,
): { readonly secret: string | undefined } | undefined {
  for (const candidate of [secret, ...otherSecrets])
    if (sameSignature(signature(candidate), given)) return { secret: candidate }
  return undefined
}

function sameSignature(expected: string | undefined, given: string): boolean {
  if (expected === undefined) return given === ''
  const a = Buffer.from(expected)
  const b = Buffer.from(given)
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Characters of a message's kind that an error shows; all that there are are shorter. */
const KIND_LENGTH_MAX = 20

/** Names the kind at most: what else it says may be a file. */
export function malformedMessage(message: unknown): StoreError {
  const { kind } = Object(Array.isArray(message) ? message[1] : message) as { kind?: unknown }
  const named = typeof kind === 'string' ? ` of the kind ${kind.slice(0, KIND_LENGTH_MAX)}` : ''
  return new StoreError('INVALID_REQUEST', `A message${named} is not as the peer protocol has it.`)
}
