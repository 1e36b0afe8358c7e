/**
 * Owns how a request between nodes looks on the wire: MessagePack bodies, and headers that say which protocol, which
 * network and which node speaks, signed with the network's secret. Whatever does not fit is refused before its body
 * is looked at.
 *
 * The signature (HMAC-SHA-256, RFC 2104) covers method, URL, sender and body, so the secret never travels. It does not
 * hide anything and does not stop a replay: the protocol takes repeated messages by design, and TLS is what hides. A
 * streamed body is covered by its own SHA-256, which travels in a signed message.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { Packr } from 'msgpackr'
import { StoreError } from '../errors.ts'
import type { Address, NodeId } from '../ring/identifier.ts'
import type { PeerIdentity } from './peers.ts'

/** The version that this program speaks. It also understands the one before, so a network is upgraded node by node. */
export const PROTOCOL_VERSION = 1
const OLDEST_PROTOCOL_VERSION = 1

/**
 * Bytes of one request or reply of messages. Usual ones stay near 1 MiB (outbox.ts, differenceBytesMax); what needs more
 * is a comparison of many parts with long paths, or one part of a difference that is full of inline bodies.
 */
export const MESSAGE_BYTES_MAX = 32 * 1024 * 1024

export interface Credentials {
  /** Shared by the nodes of a network; undefined only where everything is bound to loopback or --insecure. */
  readonly secret: string | undefined
  /** Undefined as long as the node belongs to no network. */
  networkId(): string | undefined
  self(): PeerIdentity
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
): Record<string, string> {
  const { address, nodeId, boot } = credentials.self()
  const headers: Record<string, string> = {
    'ring-protocol': String(PROTOCOL_VERSION),
    'ring-network': credentials.networkId() ?? '',
    'ring-node': `${nodeId}/${boot.counter}.${boot.nonce}/${address}`,
  }
  const signature = sign(credentials.secret, method, url, headers, body)
  if (signature !== undefined) headers['ring-signature'] = signature
  return headers
}

/** What a request says of itself, as far as its headers go. */
export interface PeerRequestHead {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/**
 * Who sent a request.
 * @throws StoreError PROTOCOL_UNSUPPORTED, WRONG_NETWORK, UNAUTHORIZED or INVALID_REQUEST.
 */
export function authenticate(
  credentials: Credentials,
  head: PeerRequestHead,
  body: Uint8Array | undefined,
): PeerIdentity {
  const text = (name: string) => {
    const value = head.headers[name]
    return typeof value === 'string' ? value : ''
  }
  const version = Number(text('ring-protocol'))
  if (!(version >= OLDEST_PROTOCOL_VERSION && version <= PROTOCOL_VERSION)) {
    throw new StoreError(
      'PROTOCOL_UNSUPPORTED',
      `This node speaks the peer protocol ${OLDEST_PROTOCOL_VERSION} to ${PROTOCOL_VERSION}, not "${text('ring-protocol').slice(0, 20)}".`,
    )
  }
  const signed = {
    'ring-protocol': text('ring-protocol'),
    'ring-network': text('ring-network'),
    'ring-node': text('ring-node'),
  }
  const expected = sign(credentials.secret, head.method, head.url, signed, body)
  if (!sameSignature(expected, text('ring-signature'))) {
    throw new StoreError('UNAUTHORIZED', 'The request is not signed with the secret of this network.')
  }
  const network = credentials.networkId()
  if (signed['ring-network'] !== '' && network !== undefined && signed['ring-network'] !== network) {
    throw new StoreError('WRONG_NETWORK', 'The request comes from a node of another network.')
  }
  return parseIdentity(signed['ring-node'])
}

const identityPattern = /^([0-9a-f]{32})\/(\d{1,15})\.([0-9a-f]{1,32})\/([\x21-\x7e]{1,300})$/

function parseIdentity(text: string): PeerIdentity {
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
  headers: Readonly<Record<string, string>>,
  body: Uint8Array | undefined,
): string | undefined {
  if (secret === undefined) return undefined
  const hmac = createHmac('sha256', secret)
  hmac.update(
    `${method}\n${url}\n${headers['ring-protocol']}\n${headers['ring-network']}\n${headers['ring-node']}\n`,
  )
  if (body !== undefined) hmac.update(body)
  return hmac.digest('base64url')
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
