/**
 * How many bytes of messages teach, counted without being encoded.
 */
import type { Digest } from '../../routing/digest.ts'
import type { MapRecord } from '../../routing/map-record.ts'
import type { Piggyback } from '../../routing/routing.ts'

/** What rides on a message; nothing where there is none. */
export function piggybackBytes(piggyback: Piggyback | undefined): number {
  if (piggyback === undefined) return 0
  const { from, news, records, digest } = piggyback
  let bytes = recordBytes(from) + 3
  for (const record of news) bytes += recordBytes(record)
  for (const record of records) bytes += recordBytes(record)
  return digest === undefined ? bytes : bytes + digestBytes(digest)
}

/**
 * Bytes of a record as a list in MessagePack: each part with the one or two bytes that say what it is, without names.
 * Counted without being encoded, since millions of records are.
 */
export function recordBytes({ nodeId, address, incarnation, ringAddress, zone }: MapRecord): number {
  const bytes = 2 + textBytes(nodeId) + textBytes(address) + countBytes(incarnation)
  const zoneBytes = zone === undefined ? 1 : textBytes(zone)
  if (ringAddress !== address) return bytes + zoneBytes + textBytes(ringAddress)
  return zone === undefined ? bytes : bytes + zoneBytes
}

function textBytes({ length }: string): number {
  return (length < 32 ? 1 : 2) + length
}

function countBytes(count: number): number {
  return count < 128 ? 1 : count < 256 ? 2 : count < 65_536 ? 3 : 5
}

/** Two 64-bit numbers, a 32-bit one and a binary string, each with what says so. */
export function digestBytes(digest: Digest): number {
  return 9 + 9 + 5 + 3 + digest.bits.length
}
