/**
 * A measure of routing alone: how long a node takes to find the closest known node of a key in its map.
 */
import { performance } from 'node:perf_hooks'
import { type Address, type Identifier, identifierOfPath, type NodeId } from '../src/ring/identifier.ts'
import { parsePathName } from '../src/ring/path-name.ts'
import type { MapRecord } from '../src/routing/map-record.ts'
import { NetworkMap } from '../src/routing/network-map.ts'
import { Roster } from '../src/routing/roster.ts'

export interface MapLookups {
  readonly nodes: number
  readonly virtualNodes: number
  /** Looked up in each round; they are made beforehand, since SHA-1 is not what is measured. */
  readonly keys: number
  readonly rounds: number
}

/** Nanoseconds a lookup, one figure for each round after one that warms up. */
export function measureMapLookups({ nodes, virtualNodes, keys: count, rounds }: MapLookups): number[] {
  const keys: readonly Identifier[] = Array.from({ length: count }, (_, index) =>
    identifierOfPath(parsePathName(`key ${index}`)),
  )
  const map = new NetworkMap({ roster: new Roster({ virtualNodes }) }, { self: record(0) })
  for (let index = 1; index < nodes; index++) map.merge(record(index), 0)
  const figures: number[] = []
  const found = new Set<number>()
  for (let round = 0; round <= rounds; round++) {
    const startedMs = performance.now()
    let sum = 0
    for (const key of keys) sum += map.closestKnown(key) as number
    figures.push(((performance.now() - startedMs) * 1e6) / count)
    found.add(sum)
  }
  // The sum keeps the lookups from being optimized away, and shows that each round did the same.
  if (found.size !== 1 || map.aliveCount !== nodes) throw new TypeError('The rounds did not do the same.')
  return figures.slice(1)
}

function record(index: number): MapRecord {
  const address = `10.0.${index >> 8}.${index & 255}:5000` as Address
  const nodeId = `node-${index}` as NodeId
  return { nodeId, address, ringAddress: address, incarnation: 0, status: 'alive', zone: undefined }
}
