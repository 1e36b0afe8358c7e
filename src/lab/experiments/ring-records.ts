/**
 * Names and the order of the nodes of a simulated ring.
 */
import {
  type Identifier,
  identifierPrefix,
  identifiersOfAddress,
  type NodeId,
} from '../../ring/identifier.ts'
import type { MapRecord } from '../../routing/map-record.ts'

/**
 * The order in which the roster gives its numbers. What a map knows then lies in memory as it lies on the ring, and the
 * digests, which walk along the ring through thousands of maps, read memory from end to end.
 */
export function inRingOrder(records: readonly MapRecord[]): MapRecord[] {
  const positioned = records.map(record => {
    const [identifier] = identifiersOfAddress(record.ringAddress, 1)
    return { record, position: identifierPrefix(identifier as Identifier) }
  })
  return positioned.sort((a, b) => a.position - b.position).map(({ record }) => record)
}

/** A node's name of 16 random bytes. */
export function uuid(bytes: Uint8Array): NodeId {
  const hex = Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}` as NodeId
}
