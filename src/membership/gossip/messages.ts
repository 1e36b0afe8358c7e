/**
 * What a node tells another one in a round of gossip, and what such a message has to look like. Its length has a bound that does not
 * grow with the network.
 */
import * as is from '../../peer/shape.ts'
import type { NodeId } from '../../ring/identifier.ts'
import type { Piggyback } from '../../routing/routing.ts'
import { type Beat, type Doubt, NEWS_TOLD_MAX, OBSERVERS_MAX, type Told } from './beliefs.ts'
import {
  PAIR_KEY_BYTES_MAX,
  PAIR_VALUE_BYTES_MAX,
  PAIR_VERSION_MAX,
  PAIRS_TOLD_MAX,
  type Pair,
} from './pairs.ts'
import { GOSSIP_FIELDS } from './settings.ts'
import { WATCHED_EACH_WAY } from './targets.ts'

export interface GossipMessage extends Told {
  readonly pairs: readonly Pair[]
  /** What rides on lookups, too: joins, departures, and what the hearer lacks of the map. */
  readonly piggyback?: Piggyback | undefined
}

/** Of what a message may carry, so much more is taken of a program with other bounds. */
const ROOM = 4

const BEATS_MAX = ROOM * (1 + 2 * WATCHED_EACH_WAY + NEWS_TOLD_MAX)
const DOUBTS_MAX = ROOM * NEWS_TOLD_MAX
const TOLD_RECORDS_MAX = 256

const node = is.text<NodeId>(64, 1)
const beat: is.Fields<Beat> = { node, boot: is.integer(), seq: is.integer() }

const isPair = is.object<Pair>({
  key: is.text(PAIR_KEY_BYTES_MAX, 1),
  value: is.text(PAIR_VALUE_BYTES_MAX),
  version: is.integer(0, PAIR_VERSION_MAX),
  owner: node,
  leftMs: is.both(is.finite, value => (value as number) >= 0 && (value as number) <= GOSSIP_FIELDS.ttl.max),
})

/** @param isPiggyback as in a lookup. */
export function gossipMessage(isPiggyback: is.Shape<Piggyback>): is.Shape<GossipMessage> {
  return is.object<GossipMessage>({
    beats: is.list(is.object<Beat>(beat), BEATS_MAX),
    doubts: is.list(is.object<Doubt>({ ...beat, by: is.list(node, ROOM * OBSERVERS_MAX) }), DOUBTS_MAX),
    pairs: is.list(isPair, ROOM * PAIRS_TOLD_MAX),
    piggyback: is.absentOr(is.both(isPiggyback, hasFewRecords)),
  })
}

function hasFewRecords(value: unknown): boolean {
  const { news, records } = value as Piggyback
  return news.length <= TOLD_RECORDS_MAX && records.length <= TOLD_RECORDS_MAX
}
