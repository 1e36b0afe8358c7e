/**
 * The form in which messages of replication travel between nodes.
 */
import type { ProtocolVersion } from '../peer/protocol.ts'
import type { Message } from '../replication/chain/messages.ts'
import { isMessage } from '../replication/chain/messages.ts'
import type { NodeId } from '../ring/identifier.ts'
import { isKnownIn } from './calls.ts'

/** A message as it travels: to which disk, since another one may have taken over the address. */
export type Envelope = readonly [to: NodeId, message: Message]

export function isEnvelope(value: unknown, version: ProtocolVersion): value is Envelope {
  const [to, message] = Array.isArray(value) ? value : []
  return typeof to === 'string' && isMessage(message) && isKnownIn(version, message)
}
