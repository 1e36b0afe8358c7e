/**
 * What a node tells another one in a round of gossip, and what such a message has to look like. Its length has a bound that does not
 * grow with the network.
 */
import type { ErrorCode } from '../errors.ts'
import * as is from '../peer/shape.ts'
import type { NodeId } from '../ring/identifier.ts'
import { VIEWS_TOLD_MAX, type ViewFilter, type ViewsSaid } from '../routing/kelips/group-views.ts'
import type { Piggyback } from '../routing/routing.ts'
import type { View } from '../views/view.ts'

export interface Beat {
  readonly node: NodeId
  /** Which start of its disk. */
  readonly boot: number
  /** Counts within the start. */
  readonly seq: number
}

/** These observers have not seen a higher heartbeat of the node for T_fail, and do not reach it. */
export interface Doubt extends Beat {
  readonly by: readonly NodeId[]
}

/** What a message says of others. */
export interface Told {
  readonly beats: readonly Beat[]
  readonly doubts: readonly Doubt[]
}

export interface Pair {
  readonly key: string
  readonly value: string
  /** Greater than that of the version which it replaces; of two equal ones that of the greater owner counts. */
  readonly version: number
  /** The node that was told it. */
  readonly owner: NodeId
  /** Until it goes, ms from when it is said. */
  readonly leftMs: number
}

export interface GossipMessage extends Told {
  readonly pairs: readonly Pair[]
  /** What rides on lookups, too: joins, departures, and what the hearer lacks of the map. */
  readonly piggyback?: Piggyback | undefined
  /** Of nodes that route by Kelips: the views of an arc. */
  readonly views?: ViewsSaid | undefined
}

/** Nodes beside this one in each direction whom it watches; twice as many heartbeats are in a message at the most. */
export const WATCHED_EACH_WAY = 16

/** Heartbeats and doubts that are news, in one message. */
export const NEWS_TOLD_MAX = 16

/** Observers that a doubt names; more than are ever needed. */
export const OBSERVERS_MAX = 8

/** UTF-8 bytes of a key, and of a value. */
export const PAIR_KEY_BYTES_MAX = 64
export const PAIR_VALUE_BYTES_MAX = 512

/** Pairs in one message, which they make longer by less than 5 KiB. */
export const PAIRS_TOLD_MAX = 8

export const PAIR_VERSION_MAX = 2 ** 48

/** The longest TTL of a pair. */
export const PAIR_TTL_MAX_MS = 86_400_000

/** Of what a message may carry, so much more is taken of a program with other bounds. */
const ROOM = 4

const BEATS_MAX = ROOM * (1 + 2 * WATCHED_EACH_WAY + NEWS_TOLD_MAX)
const DOUBTS_MAX = ROOM * NEWS_TOLD_MAX
const TOLD_RECORDS_MAX = 256

/** How a program refuses that does not know what gossip is. */
export const UNKNOWN_CALL: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'INVALID_REQUEST',
  'PROTOCOL_UNSUPPORTED',
  'ROUTE_NOT_FOUND',
])

const node = is.text<NodeId>(64, 1)
const beat: is.Fields<Beat> = { node, boot: is.integer(), seq: is.integer() }

const isPair = is.object<Pair>({
  key: is.text(PAIR_KEY_BYTES_MAX, 1),
  value: is.text(PAIR_VALUE_BYTES_MAX),
  version: is.integer(0, PAIR_VERSION_MAX),
  owner: node,
  leftMs: is.both(is.finite, value => (value as number) >= 0 && (value as number) <= PAIR_TTL_MAX_MS),
})

/** Bytes of a filter: there are not more views of one arc than that allows for. */
const FILTER_BYTES_MAX = 2 ** 16

const filter = is.object<ViewFilter>({
  ...{ from: is.integer(), to: is.integer(), salt: is.integer() },
  bits: is.bytes(FILTER_BYTES_MAX),
})

/** @param isPiggyback as in a lookup. @param isView as everywhere. */
export function gossipMessage(
  isPiggyback: is.Shape<Piggyback>,
  isView: is.Shape<View>,
): is.Shape<GossipMessage> {
  return is.object<GossipMessage>({
    beats: is.list(is.object<Beat>(beat), BEATS_MAX),
    doubts: is.list(is.object<Doubt>({ ...beat, by: is.list(node, ROOM * OBSERVERS_MAX) }), DOUBTS_MAX),
    pairs: is.list(isPair, ROOM * PAIRS_TOLD_MAX),
    piggyback: is.absentOr(is.both(isPiggyback, hasFewRecords)),
    views: is.absentOr(
      is.object<ViewsSaid>({ views: is.list(isView, ROOM * VIEWS_TOLD_MAX), known: is.absentOr(filter) }),
    ),
  })
}

function hasFewRecords(value: unknown): boolean {
  const { news, records } = value as Piggyback
  return news.length <= TOLD_RECORDS_MAX && records.length <= TOLD_RECORDS_MAX
}
