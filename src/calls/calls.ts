/**
 * What nodes ask each other one to one, apart from the messages of replication: one call, one answer. Also since which version of
 * the peer protocol each thing that nodes say exists, so that a network in which both versions run does without what is new.
 */

import type { PeerIdentity } from '../peer/peers.ts'
import { type Dated, OLDEST_VERSION, type ProtocolVersion, TRASH_VERSION } from '../peer/protocol.ts'
import * as is from '../peer/shape.ts'
import { MESSAGE_BYTES_MAX } from '../peer/wire.ts'
import type { ChainRecord } from '../replication/chain/chain-record.ts'
import type { Digest } from '../replication/chain/digest-tree.ts'
import { type Message, messageSince } from '../replication/chain/messages.ts'
import type { CheckWord } from '../replication/chain/range-check.ts'
import { identifier } from '../replication/chain/record-shapes.ts'
import { boot, view } from '../replication/chain/view-shapes.ts'
import { EVENTUAL_FIELDS, type EventualAsks } from '../replication/eventual/eventual-calls.ts'
import type { Conflicts, Consistency } from '../replication/replication.ts'
import type { Arc } from '../ring/arc.ts'
import type { Address } from '../ring/identifier.ts'
import type { PathName } from '../ring/path-name.ts'
import type { Digest as MapDigest } from '../routing/digest.ts'
import type { LookupReply, LookupRequest } from '../routing/lookup.ts'
import { INCARNATION_MAX, type MapRecord, NODE_STATUSES } from '../routing/map-record.ts'
import type { Piggyback } from '../routing/routing.ts'
import type { BlobId } from '../storage/record.ts'
import type { ListEntry, ListQuery } from '../storage/storage.ts'
import type { Knowledge } from '../views/recovery.ts'
import type { Boot, NodeId, View, ViewId } from '../views/view.ts'
import { type Beat, type GossipMessage, gossipMessage } from './gossip-message.ts'
import type { Vitals } from './vitals.ts'

/** What every node of one network has in common. */
export interface NetworkConfig {
  /** UUID, drawn by the first node. */
  readonly networkId: string
  /** Copies of each file. */
  readonly replicas: number
  /** Copies without which a write is refused, unless there are fewer nodes. */
  readonly minReplicas: number
  readonly virtualNodes: number
  /** How files are kept; absent: by chains. */
  readonly consistency?: 'eventual' | undefined
  /** Of versions that stand beside each other only the newest is kept; absent: all are. */
  readonly conflicts?: 'newest' | undefined
  /** Nodes that never come back, in the order of their names: they have departed, or an operator has given them up. */
  readonly retired?: readonly NodeId[] | undefined
  /** How often the number of copies was changed; absent as long as it is that of the founder. */
  readonly revision?: number | undefined
}

/** What a flag or the environment asks of the network; undefined asks nothing. */
export interface NetworkWish
  extends Partial<Pick<NetworkConfig, 'replicas' | 'minReplicas' | 'virtualNodes'>> {
  readonly consistency?: Consistency | undefined
  readonly conflicts?: Conflicts | undefined
}

/**
 * How far a range has come. `serving`: everything is where it belongs. `back-filling`: it serves, and large bodies are
 * still on their way to some replica. `changing`: its next view is being decided or installed; requests wait.
 * `unknown`: none of the nodes that answered has a part in it.
 */
export type RangeState = 'serving' | 'back-filling' | 'changing' | 'unknown'

/** One node's word about one range that it has a part in. */
export interface RangeReport extends Arc {
  readonly epoch: number
  /** Of the view; nodes of before version 0.2 do not say it. */
  readonly id?: ViewId | undefined
  /** Head first. */
  readonly replicas: readonly NodeId[]
  readonly acceptors: readonly NodeId[]
  readonly state: Exclude<RangeState, 'unknown'>
}

export interface Recovery {
  /** In which the survivor goes on alone. */
  readonly view: View
  /** Nodes that were given up. */
  readonly lost: readonly NodeId[]
  /** Wall clock, ms since 1970. */
  readonly atMs: number
}

/** Nodes that one is told of to pass news on to. */
export const ONWARD_MAX = 16

/** Messages of a node that come by way of another one. */
export interface Forwarded {
  readonly from: PeerIdentity
  readonly messages: readonly Uint8Array[]
}

/** Calls that are answered by many words, as they come. */
export interface PeerStreams {
  /** Checks every copy that the asked node keeps of a range, and with `heal` replaces what is damaged. */
  check: { readonly ask: Arc & { readonly heal: boolean }; readonly word: CheckWord }
}

export type PeerStream = { readonly kind: 'check' } & PeerStreams['check']['ask']

export interface VersionsAnswer {
  readonly versions: readonly (readonly [path: PathName, epoch: number, seq: number, isFile: boolean])[]
}

export type KnownBoots = readonly (readonly [NodeId, Boot])[]

export interface JoinAnswer {
  readonly network: NetworkConfig
  /** The whole map: it makes the start easy. */
  readonly records: readonly MapRecord[]
  /** The place of a node that is gone, to one that takes it. Absent where its own address is its place. */
  readonly place?: Address | undefined
  /** The latest start of each node that is remembered: a disk restored from an earlier one is refused. Since version 3. */
  readonly boots?: KnownBoots | undefined
}

/** What a list asks each node for; one of before version 0.2 does not know the delimiter, and answers with files. */
export interface ListAsk extends ListQuery {
  /** Nodes that gave no part: who can stand in for one of them does, and nobody else answers. Programs of before answer as always. */
  readonly insteadOf?: readonly NodeId[] | undefined
}

export interface ListAnswer {
  /** The files of the ranges below, in byte order, from after `after` on. */
  readonly lines: readonly ListEntry[]
  /** Common prefixes of other files of these ranges, in no order; absent without a delimiter. */
  readonly levels?: readonly string[] | undefined
  /** Everything up to here was looked at; undefined when that was everything. */
  readonly upTo: string | undefined
  /** The ranges that the asked node answers for. */
  readonly arcs: readonly ListedArc[]
}

export interface RangesAnswer {
  readonly ranges: readonly RangeReport[]
  /** Absent from nodes of before it was said, and where nobody has told the node. */
  readonly vitals?: Vitals | undefined
}

export interface ListedArc extends Arc {
  /** Of the view, for compareViews; nodes of before version 0.2 do not say the id. */
  readonly epoch: number
  readonly id?: ViewId | undefined
}

/** Nodes that one message names; a network has a few thousand. */
const NODES_MAX = 100_000

/** Nodes that one recovery gives up. */
const LOST_MAX = 10_000

/** Messages that go round together. */
export const FORWARDED_MAX = 200

/** Parts of a range that one call compares. */
export const PREFIXES_MAX = 4096

/** Copies that a network may have; the setting has the same bound. */
export const REPLICAS_MAX = 15

/** Characters of a view's id, which names a node, its start and a count. */
const VIEW_ID_LENGTH_MAX = 180

/** Characters of a path prefix or of a setting's name. */
const TEXT_LENGTH_MAX = 4096

const nodeId = is.text<NodeId>(64, 1)
const address = is.text<Address>(300, 1)
const mapRecord = is.object<MapRecord>({
  ...{ nodeId, address, ringAddress: address },
  incarnation: is.integer(0, INCARNATION_MAX),
  status: is.oneOf(...NODE_STATUSES),
  zone: is.absentOr(is.text(64)),
})
const mapRecords = is.list(mapRecord, NODES_MAX)
const takesPlace = is.absentOr(is.flag)
const digest = is.object<MapDigest>({
  ...{ from: is.integer(), to: is.integer(), salt: is.integer(), bits: is.bytes(NODES_MAX) },
  every: is.absentOr(is.flag),
})
const piggyback = is.object<Piggyback>({
  ...{ from: mapRecord, news: mapRecords, records: mapRecords },
  digest: is.absentOr(digest),
})
const lookupRequest = is.object<LookupRequest>({
  key: identifier,
  visited: is.list(nodeId, NODES_MAX),
  hopsLeft: is.integer(),
  budgetMs: is.finite,
  suspects: is.list(is.object({ suspect: mapRecord, observer: nodeId }), NODES_MAX),
  piggyback: is.absentOr(piggyback),
})
const wish = is.object<NetworkWish>({
  replicas: is.absentOr(is.integer()),
  minReplicas: is.absentOr(is.integer()),
  virtualNodes: is.absentOr(is.integer()),
  consistency: is.absentOr(is.oneOf('chain', 'eventual')),
  conflicts: is.absentOr(is.oneOf('keep', 'newest')),
})

const networkConfig = is.object<NetworkConfig>({
  networkId: is.text(TEXT_LENGTH_MAX, 1),
  replicas: is.integer(1, REPLICAS_MAX),
  minReplicas: is.integer(1, REPLICAS_MAX),
  virtualNodes: is.integer(1),
  revision: is.absentOr(is.integer(0)),
  consistency: is.absentOr(is.oneOf('eventual')),
  conflicts: is.absentOr(is.oneOf('newest')),
  retired: is.absentOr(is.list(nodeId, NODES_MAX)),
})

const forwarded: is.Fields<Forwarded> = {
  from: is.object<PeerIdentity>({ address, nodeId, boot }),
  messages: is.list(is.bytes(MESSAGE_BYTES_MAX), FORWARDED_MAX),
}
const arc = { lo: identifier, hi: identifier }
const { met } = EVENTUAL_FIELDS.forward
const prefix = is.matching(/^[0-9a-f]{0,4}$/)
const path = is.text(TEXT_LENGTH_MAX, 1)
const recovery = is.object<Recovery>({ view, lost: is.list(nodeId, LOST_MAX), atMs: is.finite })

const listFields: is.Fields<ListAsk> = {
  prefix: is.text(TEXT_LENGTH_MAX),
  after: is.absentOr(is.text(TEXT_LENGTH_MAX)),
  limit: is.integer(1),
  delimiter: is.absentOr(is.oneOf('/')),
  insteadOf: is.absentOr(is.list(nodeId, NODES_MAX)),
}
const isCheck = is.object<PeerStream>({ kind: is.oneOf('check'), ...arc, heal: is.flag })

interface Answers<Answer> {
  readonly answer?: Answer
}

interface CallRow<Ask, Answer> extends Answers<Answer> {
  readonly since: ProtocolVersion
  readonly fits: is.Shape<Ask>
}

/** Only a type: an answer is trusted as far as the node that was asked. */
function answers<Answer extends object>(): Answers<Answer> {
  return {}
}

function since<Ask extends object, Answer extends object>(
  version: ProtocolVersion,
  ask: Ask,
  _answers: Answers<Answer>,
): CallRow<is.ObjectOf<Ask>, Answer> {
  return { since: version, fits: is.fieldsFit(ask) }
}

/** Nodes that the asking one does not reach. */
const onward = is.absentOr(is.list(nodeId, ONWARD_MAX))

/** What can be asked, since which version, and what is answered; answers.ts has the handlers, in the same order. */
const CALLS = {
  /** "May I join?" Answered with what every node of the network has to know; a wish that contradicts it is refused. `takesPlace`: see Places. */
  join: since(3, { record: mapRecord, wish: is.absentOr(wish), takesPlace }, answers<JoinAnswer>()),
  /**
   * News of the network map; answered with the receiver's own record, and with what it knows of those asked about. `onward`: nodes
   * that the asking one does not reach, to be told the same; programs of before do not pass it on. `digest`: what the asking one knows
   * of a part of the ring, of which it wants to know more; it is answered like those asked about.
   */
  learn: since(
    3,
    {
      records: mapRecords,
      about: is.absentOr(is.list(nodeId, NODES_MAX)),
      onward,
      digest: is.absentOr(digest),
    },
    answers<{
      readonly record: MapRecord
      readonly records?: readonly MapRecord[]
      /** Absent in the answers of programs of before. */
      readonly network?: NetworkConfig
    }>(),
  ),
  lookup: since(3, { request: lookupRequest }, answers<LookupReply<View>>()),
  'has-body': since(3, { blobId: is.text<BlobId>(TEXT_LENGTH_MAX) }, answers<{ readonly has: boolean }>()),
  list: since(3, listFields, answers<ListAnswer>()),
  /** The ranges that the asked node has a part in, and how it is doing. */
  ranges: since(3, {}, answers<RangesAnswer>()),
  /** How equal the records of a range are, part by part. */
  digests: since(
    3,
    { ...arc, met, prefixes: is.list(prefix, PREFIXES_MAX) },
    answers<{ readonly digests: readonly Digest[] }>(),
  ),
  /** The records of one small part of a range. */
  versions: since(3, { ...arc, prefix, met }, answers<VersionsAnswer>()),
  /** A record with its body, when it is small: a good copy for a replica that has none. */
  record: since(3, { path }, answers<{ readonly record?: ChainRecord }>()),
  /** "Take the record of that node, if it is newer than yours." */
  mend: since(3, { path, from: nodeId }, answers<object>()),
  /** "Look after everything that is unfinished; these nodes did not answer." Answered with how many bodies are waited for. */
  heal: since(3, { silent: is.list(nodeId, NODES_MAX) }, answers<{ readonly missing: number }>()),
  /** What the asked node holds and knows of ranges; for an operator's recovery. */
  holdings: since(3, {}, answers<Knowledge>()),
  /** "Go on alone with this range." Refused when a view is known that is newer than the one of the basis. */
  recover: since(
    3,
    {
      view,
      basis: is.integer(),
      /** Without it any view of that epoch may be the basis. */
      basisId: is.absentOr(is.text<ViewId>(VIEW_ID_LENGTH_MAX, 1)),
    },
    answers<object>(),
  ),
  /** "This range was recovered by force": the asked node keeps that, and gives up what it holds of older views. */
  recovered: since(3, { recovery }, answers<object>()),
  /** Everything that was ever recovered by force. */
  recoveries: since(3, {}, answers<{ readonly recoveries: readonly Recovery[] }>()),
  /** "Pass this on to that node, which I do not reach": messages as they are encoded; without any, whether it is reached. */
  forward: since(4, { ...forwarded, to: nodeId }, answers<{ readonly reached: boolean }>()),
  /** What another node has passed on. */
  forwarded: since(4, forwarded, answers<object>()),
  /** "Take this configuration, if it is newer than yours." Answered with the one that the asked node has then. `onward` as in `learn`. */
  configure: since(5, { network: networkConfig, onward }, answers<{ readonly network: NetworkConfig }>()),
  /** What a round of gossip says; a node that does not gossip answers nothing. */
  gossip: since(
    5,
    { said: gossipMessage(piggyback, view) },
    answers<{ readonly said?: GossipMessage | undefined }>(),
  ),
  /** "Do you reach that node?" Answered with its heartbeat, when it gave one. */
  'gossip-probe': since(5, { node: nodeId }, answers<{ readonly beat?: Beat | undefined }>()),
  /** Only in networks with eventual consistency, as all that follow: "Take this write." */
  'eventual-accept': since(5, EVENTUAL_FIELDS.accept, answers<EventualAsks['accept']['answer']>()),
  'eventual-fetch': since(5, EVENTUAL_FIELDS.fetch, answers<EventualAsks['fetch']['answer']>()),
  /** "Take in what I have of these paths." */
  'eventual-take': since(5, EVENTUAL_FIELDS.take, answers<EventualAsks['take']['answer']>()),
  /** "Keep these tombstones, and say whether you have nothing else." */
  'eventual-confirm': since(5, EVENTUAL_FIELDS.confirm, answers<EventualAsks['confirm']['answer']>()),
  /** "All have these tombstones: forget them." */
  'eventual-collected': since(5, EVENTUAL_FIELDS.collected, answers<object>()),
  /** "Ask that node, which I do not reach, in my place": the question and its answer as they are encoded. */
  'eventual-forward': since(5, EVENTUAL_FIELDS.forward, answers<{ readonly answer: Uint8Array }>()),
}

export type CallKind = keyof typeof CALLS

/** For each kind of call what is asked, and what is answered. */
export type PeerCalls = {
  [Kind in CallKind]: {
    readonly ask: is.ValueOf<(typeof CALLS)[Kind]['fits']>
    readonly answer: (typeof CALLS)[Kind] extends Answers<infer Answer> ? Answer : never
  }
}

export type PeerCall = { [Kind in CallKind]: { readonly kind: Kind } & PeerCalls[Kind]['ask'] }[CallKind]

export type PeerAnswer = PeerCalls[CallKind]['answer']

/** Whatever one node says to another. */
type Said = PeerCall | PeerStream | Message

/** What is said, with the version since which it exists. */
export function datedOf(said: Said): Dated {
  if (forgets(said)) return { kind: 'forget', since: TRASH_VERSION }
  return { kind: said.kind, since: sinceOf(said) }
}

/** Whether the version has that kind of thing at all. What else an older node repeats in it of a newer one is taken. */
export function isKnownIn(version: ProtocolVersion, said: Said): boolean {
  return sinceOf(said) <= version
}

function sinceOf({ kind }: Said): ProtocolVersion {
  if (kind === 'check') return OLDEST_VERSION
  return isCallKind(kind) ? CALLS[kind].since : messageSince(kind)
}

function isCallKind(kind: string): kind is CallKind {
  return Object.hasOwn(CALLS, kind)
}

/** Whether it takes something out of a trash: an older program has none. */
function forgets(said: Said): boolean {
  return said.kind === 'write' && said.request.operation.kind === 'forget'
}

export function isPeerStream(value: unknown, version: ProtocolVersion): value is PeerStream {
  return isCheck(value) && isKnownIn(version, value as PeerStream)
}

/** Whether a value is a call that there is in that version. */
export function isPeerCall(value: unknown, version: ProtocolVersion): value is PeerCall {
  const kind = (value as { kind?: unknown } | null)?.kind
  return (
    typeof kind === 'string' && isCallKind(kind) && CALLS[kind].fits(value) && CALLS[kind].since <= version
  )
}

export function isRecovery(value: unknown): value is Recovery {
  return recovery(value)
}
