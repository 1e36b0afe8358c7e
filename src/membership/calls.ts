/**
 * What nodes ask each other one to one, apart from the messages of replication: one call, one answer. Also since which version of
 * the peer protocol each thing that nodes say exists, so that a network in which both versions run does without what is new.
 */
import type { PeerIdentity } from '../peer/peers.ts'
import { type Dated, OLDEST_VERSION, type ProtocolVersion, USER_META_VERSION } from '../peer/protocol.ts'
import * as is from '../peer/shape.ts'
import { MESSAGE_BYTES_MAX } from '../peer/wire.ts'
import type { ChainRecord } from '../replication/chain/chain-record.ts'
import type { Digest } from '../replication/chain/digest-tree.ts'
import { isView } from '../replication/chain/message-shapes.ts'
import type { Message } from '../replication/chain/messages.ts'
import type { CheckWord } from '../replication/chain/range-check.ts'
import type { Arc } from '../ring/arc.ts'
import type { PathName } from '../ring/path-name.ts'
import type { Piggyback } from '../routing/learning.ts'
import type { LookupReply, LookupRequest } from '../routing/lookup.ts'
import { INCARNATION_MAX, type MapRecord, NODE_STATUSES } from '../routing/map-record.ts'
import type { BlobId } from '../storage/record.ts'
import type { ListEntry, ListQuery } from '../storage/storage.ts'
import type { Knowledge } from '../views/recovery.ts'
import type { Boot, NodeId, View, ViewId } from '../views/view.ts'
import type { NetworkConfig, NetworkWish } from './network-config.ts'
import type { RangeReport } from './overlay.ts'
import { isRecovery, type Recovery } from './recoveries.ts'

/** What can be asked, and what is answered. */
export interface PeerCalls {
  /** "May I join?" Answered with what every node of the network has to know; a wish that contradicts it is refused. */
  join: {
    readonly ask: { readonly record: MapRecord; readonly wish?: NetworkWish }
    readonly answer: JoinAnswer
  }
  /** News of the network map; answered with the receiver's own record, and with what it knows of those asked about. */
  learn: {
    readonly ask: { readonly records: readonly MapRecord[]; readonly about?: readonly NodeId[] }
    readonly answer: { readonly record: MapRecord; readonly records?: readonly MapRecord[] }
  }
  lookup: { readonly ask: { readonly request: LookupRequest }; readonly answer: LookupReply<View> }
  'has-body': { readonly ask: { readonly blobId: BlobId }; readonly answer: { readonly has: boolean } }
  list: { readonly ask: ListAsk; readonly answer: ListAnswer }
  /** How equal the records of a range are, part by part. */
  digests: {
    readonly ask: Arc & { readonly prefixes: readonly string[] }
    readonly answer: { readonly digests: readonly Digest[] }
  }
  /** The records of one small part of a range. */
  versions: { readonly ask: Arc & { readonly prefix: string }; readonly answer: VersionsAnswer }
  /** A record with its body, when it is small: a good copy for a replica that has none. */
  record: { readonly ask: { readonly path: PathName }; readonly answer: { readonly record?: ChainRecord } }
  /** "Take the record of that node, if it is newer than yours." */
  mend: { readonly ask: { readonly path: PathName; readonly from: NodeId }; readonly answer: object }
  /** "Look after everything that is unfinished; these nodes did not answer." */
  heal: {
    readonly ask: { readonly silent: readonly NodeId[] }
    /** Bodies that the asked node still waits for. */
    readonly answer: { readonly missing: number }
  }
  /** What the asked node holds and knows of ranges; for an operator's recovery. */
  holdings: { readonly ask: object; readonly answer: Knowledge }
  /** "Go on alone with this range." Refused when a view is known that is newer than the one of the basis. */
  recover: {
    /** `basisId` since version 3: without it, any view of that epoch may be the basis. */
    readonly ask: { readonly view: View; readonly basis: number; readonly basisId?: ViewId | undefined }
    readonly answer: object
  }
  /** "This range was recovered by force": the asked node keeps that, and gives up what it holds of older views. */
  recovered: { readonly ask: { readonly recovery: Recovery }; readonly answer: object }
  /** Everything that was ever recovered by force. */
  recoveries: { readonly ask: object; readonly answer: { readonly recoveries: readonly Recovery[] } }
  /** "Pass this on to that node, which I do not reach": messages as they are encoded; without any, whether it is reached. */
  forward: {
    readonly ask: Forwarded & { readonly to: NodeId }
    readonly answer: { readonly reached: boolean }
  }
  /** What another node has passed on. */
  forwarded: { readonly ask: Forwarded; readonly answer: object }
  /** The ranges that the asked node has a part in. */
  ranges: { readonly ask: object; readonly answer: { readonly ranges: readonly RangeReport[] } }
}

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
  /** The latest start of each node that is remembered: a disk restored from an earlier one is refused. Since version 3. */
  readonly boots?: KnownBoots | undefined
}

/** What a list asks each node for; one of before version 0.2 does not know the delimiter, and answers with files. */
export type ListAsk = ListQuery

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

export interface ListedArc extends Arc {
  /** Of the view, for compareViews; nodes of before version 0.2 do not say the id. */
  readonly epoch: number
  readonly id?: ViewId | undefined
}

export type CallKind = keyof PeerCalls

export type PeerCall = { [Kind in CallKind]: { readonly kind: Kind } & PeerCalls[Kind]['ask'] }[CallKind]

export type PeerAnswer = PeerCalls[CallKind]['answer']

/** Nodes that one message names; a network has a few thousand. */
const NODES_MAX = 100_000

/** Messages that go round together. */
export const FORWARDED_MAX = 200

/** Parts of a range that one call compares. */
export const PREFIXES_MAX = 4096

/** Characters of a view's id, which names a node, its start and a count. */
const VIEW_ID_LENGTH_MAX = 180

/** Characters of a path prefix or of a setting's name. */
const TEXT_LENGTH_MAX = 4096

const nodeId = is.text(64, 1)
const address = is.text(300, 1)
const mapRecord = is.object<MapRecord>({
  nodeId,
  address,
  ringAddress: address,
  incarnation: is.integer(0, INCARNATION_MAX),
  status: is.oneOf(...NODE_STATUSES),
  zone: is.absentOr(is.text(64)),
})
const mapRecords = is.list(mapRecord, NODES_MAX)
const piggyback = is.object<Piggyback>({
  from: mapRecord,
  news: mapRecords,
  records: mapRecords,
  digest: is.absentOr(
    is.object({ from: is.integer(), to: is.integer(), salt: is.integer(), bits: is.bytes(NODES_MAX) }),
  ),
})
const lookupRequest = is.object<LookupRequest>({
  key: is.matching(/^[0-9a-f]{40}$/),
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
})

const forwarded: is.Fields<Forwarded> = {
  from: is.object<PeerIdentity>({
    address,
    nodeId,
    boot: is.object<Boot>({ counter: is.integer(), nonce: is.text(64) }),
  }),
  messages: is.list(is.bytes(MESSAGE_BYTES_MAX), FORWARDED_MAX),
}
const arc = { lo: is.matching(/^[0-9a-f]{40}$/), hi: is.matching(/^[0-9a-f]{40}$/) }
const prefix = is.matching(/^[0-9a-f]{0,4}$/)
const path = is.text(TEXT_LENGTH_MAX, 1)
const isCheck = is.object<PeerStream>({ kind: is.oneOf('check'), ...arc, heal: is.flag })

/** What each call has to look like before it is answered. */
const SHAPES: { readonly [Kind in CallKind]: is.Fields<PeerCalls[Kind]['ask']> } = {
  join: { record: mapRecord, wish: is.absentOr(wish) },
  learn: { records: mapRecords, about: is.absentOr(is.list(nodeId, NODES_MAX)) },
  lookup: { request: lookupRequest },
  'has-body': { blobId: is.text(TEXT_LENGTH_MAX) },
  list: {
    prefix: is.text(TEXT_LENGTH_MAX),
    after: is.absentOr(is.text(TEXT_LENGTH_MAX)),
    limit: is.integer(1),
    delimiter: is.absentOr(is.oneOf('/')),
  },
  digests: { ...arc, prefixes: is.list(prefix, PREFIXES_MAX) },
  versions: { ...arc, prefix },
  record: { path },
  mend: { path, from: nodeId },
  heal: { silent: is.list(nodeId, NODES_MAX) },
  holdings: {},
  recover: { view: isView, basis: is.integer(), basisId: is.absentOr(is.text(VIEW_ID_LENGTH_MAX, 1)) },
  recovered: { recovery: isRecovery },
  recoveries: {},
  forward: { ...forwarded, to: nodeId },
  forwarded,
  ranges: {},
}

/** Whatever one node says to another. */
type Said = PeerCall | PeerStream | Message

/** What is newer than OLDEST_VERSION. All kinds of messages are as old as that. */
const SINCE = new Map<Said['kind'], ProtocolVersion>([
  // The way around a link that carries nothing.
  ['forward', 4],
  ['forwarded', 4],
])

/** What is said, with the version since which it exists. */
export function datedOf(said: Said): Dated {
  return { kind: said.kind, since: keepsUserMeta(said) ? USER_META_VERSION : sinceOf(said) }
}

/** Whether the version has that kind of thing at all. What else an older node repeats in it of a newer one is taken. */
export function isKnownIn(version: ProtocolVersion, said: Said): boolean {
  return sinceOf(said) <= version
}

function sinceOf({ kind }: Said): ProtocolVersion {
  return SINCE.get(kind) ?? OLDEST_VERSION
}

/** Whether who takes it keeps a record with user metadata: an older program would drop that, and call the record whole. */
function keepsUserMeta(said: Said): boolean {
  switch (said.kind) {
    case 'write': {
      const { operation } = said.request
      return operation.kind === 'put' && operation.meta.user !== undefined
    }
    case 'pass':
      return said.record.meta?.user !== undefined
    case 'difference':
      return said.records.some(({ meta }) => meta?.user !== undefined)
    default:
      return false
  }
}

export function isPeerStream(value: unknown, version: ProtocolVersion): value is PeerStream {
  return isCheck(value) && isKnownIn(version, value as PeerStream)
}

/** Whether a value is a call that there is in that version. */
export function isPeerCall(value: unknown, version: ProtocolVersion): value is PeerCall {
  const kind = (value as { kind?: unknown } | null)?.kind
  if (typeof kind !== 'string' || !Object.hasOwn(SHAPES, kind)) return false
  const isCall = is.object(SHAPES[kind as CallKind] as is.Fields<PeerCall>)(value)
  return isCall && isKnownIn(version, value as PeerCall)
}
