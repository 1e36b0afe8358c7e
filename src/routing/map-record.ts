/**
 * The noun of the network map: what nodes tell each other of a node, how two such records are ordered, and how a
 * record looks on the wire.
 *
 * The records of one node form a chain (a totally ordered set): by incarnation, then by status. Only the node itself
 * raises its incarnation, so it has the last word about itself (SWIM's alive/confirm messages: Das, Gupta & Motivala,
 * DSN 2002, section 4.2).
 */
import { StoreError } from '../errors.ts'
import type { Address, NodeId } from '../ring/identifier.ts'

/** In rising order: within one incarnation a later one overrides an earlier one. */
export const NODE_STATUSES = ['alive', 'left', 'dead'] as const

/** `left` on its own word; `dead` when two others could not reach it. Both mean: send nothing there. */
export type NodeStatus = (typeof NODE_STATUSES)[number]

export interface MapRecord {
  readonly nodeId: NodeId
  /** Where the node is reached now; a new one comes with a higher incarnation. */
  readonly address: Address
  /** Where it was first admitted. Its ring identifiers come from here and never change. */
  readonly ringAddress: Address
  /** From 0 to INCARNATION_MAX; raised by the node alone, to refute what others say or to tell news of itself. */
  readonly incarnation: number
  readonly status: NodeStatus
  /** What fails together with it; undefined where nobody said so. */
  readonly zone: string | undefined
}

/** 30 bits: beside the 2 bits of a status they fill an unsigned 32-bit integer. One start a second takes 34 years. */
export const INCARNATION_MAX = 2 ** 30 - 1

/** Bytes of UTF-8; a zone is a short name. */
const ZONE_LENGTH_MAX = 64
/** A host name has up to 253 characters (RFC 1035, section 2.3.4), a port 6 with its colon. */
const ADDRESS_LENGTH_MAX = 259
/** A UUID has 36. */
const NODE_ID_LENGTH_MAX = 64

/**
 * Incarnation and status in one number, so that of two records of a node the greater number is the newer record and
 * merging is `Math.max`. 0 is left for "nothing known".
 */
export function packState(incarnation: number, status: NodeStatus): number {
  if (!Number.isInteger(incarnation) || incarnation < 0 || incarnation > INCARNATION_MAX)
    throw new TypeError(`not an incarnation: ${incarnation}`)
  return incarnation * 4 + NODE_STATUSES.indexOf(status) + 1
}

export function unpackState(state: number): { incarnation: number; status: NodeStatus } {
  return { incarnation: Math.floor(state / 4), status: NODE_STATUSES[(state % 4) - 1] as NodeStatus }
}

/** True for a packed state with the status `alive`. */
export function isAliveState(state: number): boolean {
  return (state & 3) === 1
}

/** The packed state that was alive in the same incarnation. */
export function aliveStateOf(state: number): number {
  return state - (state % 4) + 1
}

/** `[nodeId, address, incarnation, status, zone, ringAddress]`; the last two are left out when they say nothing. */
export type WireRecord = readonly [string, string, number, number, (string | null)?, string?]

export function recordToWire(record: MapRecord): WireRecord {
  const status = NODE_STATUSES.indexOf(record.status)
  const { nodeId, address, incarnation, ringAddress } = record
  if (ringAddress !== address) return [nodeId, address, incarnation, status, record.zone ?? null, ringAddress]
  if (record.zone !== undefined) return [nodeId, address, incarnation, status, record.zone]
  return [nodeId, address, incarnation, status]
}

/** @throws StoreError INVALID_REQUEST for anything that recordToWire does not yield. */
export function recordFromWire(wire: unknown): MapRecord {
  if (!Array.isArray(wire)) throw invalid('a record is a list')
  const [nodeId, address, incarnation, status, zone, ringAddress] = wire as unknown[]
  if (!isText(nodeId, NODE_ID_LENGTH_MAX)) throw invalid('the nodeId of a record is no short text')
  if (!isText(address, ADDRESS_LENGTH_MAX)) throw invalid('the address of a record is no short text')
  if (
    !Number.isInteger(incarnation) ||
    (incarnation as number) < 0 ||
    (incarnation as number) > INCARNATION_MAX
  )
    throw invalid('the incarnation of a record is no integer in its bounds')
  const name = NODE_STATUSES[status as number]
  if (name === undefined) throw invalid('the status of a record is unknown')
  if (zone !== undefined && zone !== null && !isText(zone, ZONE_LENGTH_MAX))
    throw invalid('the zone of a record is no short text')
  if (ringAddress !== undefined && !isText(ringAddress, ADDRESS_LENGTH_MAX))
    throw invalid('the ring address of a record is no short text')
  return {
    nodeId: nodeId as NodeId,
    address: address as Address,
    ringAddress: (ringAddress ?? address) as Address,
    incarnation: incarnation as number,
    status: name,
    zone: zone ?? undefined,
  }
}

function isText(value: unknown, lengthMax: number): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= lengthMax
}

function invalid(fault: string): StoreError {
  return new StoreError('INVALID_REQUEST', `The message of a peer is malformed: ${fault}.`)
}
