/**
 * `tsx bench/lookup-in-map.ts`: how long a node takes to find the closest known node of a key in a map of 10,000 nodes
 * with 8 virtual nodes each. The goal is 2 microseconds.
 */
import { performance } from 'node:perf_hooks'
import { type Address, type Identifier, identifierOfPath, type NodeId } from '../src/ring/identifier.ts'
import { parsePathName } from '../src/ring/path-name.ts'
import type { MapRecord } from '../src/routing/map-record.ts'
import { NetworkMap } from '../src/routing/network-map.ts'
import { Roster } from '../src/routing/roster.ts'
import { spreadOf } from './statistics.ts'

const NODES = 10_000
const VIRTUAL_NODES = 8
const KEYS = 100_000
const ROUNDS = 9

function record(index: number): MapRecord {
  const address = `10.0.${index >> 8}.${index & 255}:5000` as Address
  const nodeId = `node-${index}` as NodeId
  return { nodeId, address, ringAddress: address, incarnation: 0, status: 'alive', zone: undefined }
}

/** Keys that are made beforehand: SHA-1 is not what is measured. */
const keys: readonly Identifier[] = Array.from({ length: KEYS }, (_, index) =>
  identifierOfPath(parsePathName(`key ${index}`)),
)
const roster = new Roster({ virtualNodes: VIRTUAL_NODES })
const map = new NetworkMap({ roster }, { self: record(0) })
const learningStarted = performance.now()
for (let index = 1; index < NODES; index++) map.merge(record(index), 0)
map.closestKnown(keys[0] as Identifier)
const learningMs = performance.now() - learningStarted

const rounds: number[] = []
let checksum = 0
for (let round = 0; round <= ROUNDS; round++) {
  const started = performance.now()
  for (const key of keys) checksum += map.closestKnown(key) as number
  // The first round warms up.
  if (round > 0) rounds.push(((performance.now() - started) * 1e6) / KEYS)
}
const { median, lowest, highest } = spreadOf(rounds)
const nanoseconds = (value: number) => `${Math.round(value)} ns`
console.log(
  `map of ${map.aliveCount} nodes, ${roster.positions} positions, learned in ${Math.round(learningMs)} ms`,
)
console.log(
  `lookup in the map: ${nanoseconds(median)} (${nanoseconds(lowest)} to ${nanoseconds(highest)} in ${ROUNDS} rounds of ${KEYS} keys; checksum ${checksum})`,
)
