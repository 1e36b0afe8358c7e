/**
 * The noun of the network map: what nodes tell each other of a node, and how two such records are ordered.
 *
 * The records of one node form a chain (a totally ordered set): by incarnation, then by status. Only the node itself
 * raises its incarnation, so it has the last word about itself (SWIM's alive/confirm messages: Das, Gupta & Motivala,
 * DSN 2002, section 4.2).
 */
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
