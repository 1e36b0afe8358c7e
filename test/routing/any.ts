/** The records and small networks of the routing tests. */
import fc from 'fast-check'
import type { Address, NodeId } from '../../src/ring/identifier.ts'
import { type MapRecord, NODE_STATUSES } from '../../src/routing/map-record.ts'
import { NetworkMap } from '../../src/routing/network-map.ts'
import { Roster } from '../../src/routing/roster.ts'

/** The record of the node with this name, alive in incarnation 0 unless `change` says otherwise. */
export function record(name: string, change: Partial<MapRecord> = {}): MapRecord {
  const address = `${name}:5000` as Address
  return {
    nodeId: `node-${name}` as NodeId,
    address,
    ringAddress: address,
    incarnation: 0,
    status: 'alive',
    zone: undefined,
    ...change,
  }
}

/** The map of the node with this name, which knows itself and `others`. */
export function mapOf(
  name: string,
  others: readonly MapRecord[] = [],
  roster = new Roster({ virtualNodes: 1 }),
): NetworkMap {
  const map = new NetworkMap({ roster }, { self: record(name) })
  for (const other of others) map.merge(other, 0)
  return map
}

/** Records of a few nodes; what a node says of itself depends on the incarnation alone, as it does in a network. */
export const anyRecord: fc.Arbitrary<MapRecord> = fc
  .record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    incarnation: fc.integer({ min: 0, max: 3 }),
    status: fc.constantFrom(...NODE_STATUSES),
  })
  .map(({ name, incarnation, status }) =>
    record(name, {
      incarnation,
      status,
      address: `${name}${incarnation}:5000` as Address,
      ringAddress: `${name}0:5000` as Address,
      zone: incarnation % 2 === 0 ? undefined : `zone-${incarnation}`,
    }),
  )
