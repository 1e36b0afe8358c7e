/**
 * What a simulated node does to know its part of the network with Kelips: rounds of gossip, and questions when it joins.
 */
import { chooseTargets } from '../../membership/gossip/targets.ts'
import { Kelips } from '../../routing/kelips/kelips.ts'
import type { Learning } from '../../routing/learning.ts'
import type { MapRecord } from '../../routing/map-record.ts'
import type { NetworkMap } from '../../routing/network-map.ts'
import type { Suspects } from '../../routing/suspects.ts'
import { digestBytes, piggybackBytes, recordBytes } from './message-bytes.ts'

interface Knowing {
  readonly record: MapRecord
  readonly map: NetworkMap
  readonly routing: Learning | Kelips
  readonly suspects: Suspects
  readonly alive: boolean
}

/** As in the program: questions of a joining node one after the other, and records in an answer. */
const QUESTION_ROUNDS_MAX = 8
const RECORDS_ASKED_MAX = 128

/** Whom a node tells in a round; nobody without Kelips. It looks around before. */
export function targetsOf(
  { record, map, routing, suspects }: Knowing,
  of: {
    readonly fanOut: number
    readonly round: number
    readonly nowMs: number
    readonly draw: () => number
  },
): MapRecord[] {
  if (!(routing instanceof Kelips)) return []
  routing.lookAround()
  const all = [...map.records()].filter(
    ({ nodeId, status }) =>
      status === 'alive' && nodeId !== record.nodeId && !suspects.isSuspect(nodeId, of.nowMs),
  )
  const watched = routing.peersAmong(all)
  return chooseTargets({ watched, all, count: of.fanOut, roundTripMs: () => 0, ...of })
}

/** A node forgets whom it need not know. */
export function forgetRest({ routing, suspects }: Knowing, nowMs: number): void {
  if (!(routing instanceof Kelips)) return
  for (const nodeId of routing.forget(() => false, nowMs)) suspects.clear(nodeId)
}

/** One tells the other, and is answered unless that one is gone. Gives the bytes of both. */
export function exchange(node: Knowing, other: Knowing, nowMs: number): { bytes: number; isSilent: boolean } {
  const said = node.routing.forRequest(other.record.nodeId)
  if (!other.alive) return { bytes: piggybackBytes(said), isSilent: true }
  other.routing.absorb(said, nowMs)
  const answer = other.routing.forReply(said)
  node.routing.absorb(answer, nowMs)
  return { bytes: piggybackBytes(said) + piggybackBytes(answer), isSilent: false }
}

/** A node that joins asks those who are nearest to it, until they have nothing more to tell. Gives the bytes of that. */
export function askNeighbours(node: Knowing, find: (record: MapRecord) => Knowing, nowMs: number): number {
  const { routing, map } = node
  let bytes = 0
  if (!(routing instanceof Kelips)) return bytes
  for (let round = 0; round < QUESTION_ROUNDS_MAX; round++) {
    routing.lookAround()
    const before = map.knownCount
    const questions = routing.questions().flatMap(({ digest, asked }) => asked.map(one => ({ digest, one })))
    for (const { digest, one } of questions) {
      const other = find(one)
      bytes += digestBytes(digest)
      if (!other.alive) continue
      other.routing.learnNews(node.record, nowMs)
      for (const record of other.routing.lackedBy(digest, node.record, RECORDS_ASKED_MAX)) {
        routing.learn(record, nowMs)
        bytes += recordBytes(record)
      }
    }
    if (map.knownCount === before) break
  }
  return bytes
}
