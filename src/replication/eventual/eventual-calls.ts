/**
 * What nodes of a network with eventual consistency ask each other. All of it may be repeated, may come late and in any order.
 */
import * as is from '../../peer/shape.ts'
import { MESSAGE_BYTES_MAX } from '../../peer/wire.ts'
import type { Arc } from '../../ring/arc.ts'
import type { NodeId } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { Body, FileMeta, Version } from '../../storage/record.ts'
import type { Digest } from '../chain/digest-tree.ts'
import type { BlobRef } from '../chain/messages.ts'
import {
  body,
  condition,
  EPOCH_MAX,
  identifier,
  meta,
  path,
  sha256,
  version,
} from '../chain/record-shapes.ts'
import { boot } from '../chain/view-shapes.ts'
import type { Condition } from '../replication.ts'
import type { Actor, Seen, Span } from './dot.ts'
import {
  type EventualRecord,
  OUTCOMES_MAX,
  type RequestOutcome,
  SIBLINGS_MAX,
  type Sibling,
} from './eventual-record.ts'

/** Says how often a node has forgotten tombstones; what was said before counts for nothing at paths that it has forgotten. */
export type Memory = string & { readonly brand: 'Memory' }

/** A change of one path, as it is accepted. */
export interface Acceptance {
  readonly path: PathName
  readonly condition: Condition
  /** Names the request, so that it happens once wherever it has been accepted before. */
  readonly request: string
  /** Undefined removes. */
  readonly file: { readonly body: Body; readonly meta: FileMeta } | undefined
}

/** Whether a node is asked because it is taken for a replica; one that is none any more says so. */
interface AsReplica {
  readonly asReplica?: boolean | undefined
}

/** What became of it. */
export type Accepted =
  | {
      readonly kind: 'done'
      /** What was written; undefined for a removal. */
      readonly file: RequestOutcome['file']
      readonly replaced: boolean
    }
  | { readonly kind: 'refused'; readonly because: 'condition' | 'key-reused' }
  /** The large body is not here. */
  | { readonly kind: 'no-body' }
  /** It was asked as a replica, and knows that others keep the path by now. */
  | { readonly kind: 'elsewhere' }
  /** It keeps the path for others, and reaches nobody who could say whether there is what the change wants. */
  | { readonly kind: 'unknown' }

export interface Taken {
  readonly memory: Memory
  /** Large bodies that have to come first. */
  readonly lacking: readonly (readonly [PathName, BlobRef])[]
  /** What was said may be older than what was forgotten here: say it again. */
  readonly stale: readonly PathName[]
}

/** Bounds of what one call carries. */
export const RECORDS_MAX = 256
export const COLLECTED_MAX = 1024

/** Characters of what names a start of a node, a request, or a node's memory. */
const NAME_LENGTH_MAX = 512
/** Starts of nodes that have written one path, and breaks in what each of them kept of it. */
const ACTORS_MAX = 10_000
const SPANS_MAX = 10_000
/** Nodes that are going to keep what one of them asks for. */
const KEEPERS_MAX = 4
/** Nodes that ever held one path. */
const HOLDERS_MAX = 10_000

const count = is.integer(1, EPOCH_MAX)
const actor = is.text<Actor>(NAME_LENGTH_MAX, 1)
const request = is.text(NAME_LENGTH_MAX, 1)
const nodeId = is.text<NodeId>(64, 1)
const memory = is.text<Memory>(NAME_LENGTH_MAX)

const isSpan = is.both(is.tuple<Span>(count, count), value => (value as Span)[0] <= (value as Span)[1])
const isSpans = is.both(is.list(isSpan, SPANS_MAX), value => {
  const spans = value as readonly Span[]
  return spans.length > 0 && spans.every(([first], at) => at === 0 || first > (spans[at - 1] as Span)[1] + 1)
})
const seen = is.both(
  is.list(is.tuple<readonly [Actor, readonly Span[]]>(actor, isSpans), ACTORS_MAX) as is.Shape<Seen>,
  value => isRising((value as Seen).map(([one]) => one)),
)

function isRising(names: readonly string[]): boolean {
  return names.every((name, at) => at === 0 || name > (names[at - 1] as string))
}

const sibling = is.object<Sibling>({
  dot: is.object({ actor, n: count }),
  stamp: is.integer(),
  request,
  body,
  meta,
  writtenAtMs: is.finite,
})
const outcome = is.object<RequestOutcome>({
  request,
  stamp: is.integer(),
  replaced: is.flag,
  file: is.absentOr(is.object({ version, size: is.integer(), sha256 })),
})
const eventualRecord = is.object<EventualRecord>({
  path,
  position: identifier,
  siblings: is.list(sibling, SIBLINGS_MAX),
  seen,
  outcomes: is.list(outcome, OUTCOMES_MAX),
  holders: is.both(is.list(nodeId, HOLDERS_MAX), value => isRising(value as readonly string[])),
})
const eventualRecords = is.list(eventualRecord, RECORDS_MAX)

const acceptFields: is.Fields<EventualAsks['accept']['ask']> = {
  path,
  condition,
  request,
  asReplica: is.absentOr(is.flag),
  file: is.undefinedOr(is.object<{ body: Body; meta: FileMeta }>({ body, meta })),
}
const collectedShape = is.list(is.tuple<readonly [PathName, Version]>(path, version), COLLECTED_MAX)

/** The start that whoever asks remembers of the asked node: one whose disk was restored learns of it so, before it answers. */
const met = is.absentOr(boot)

/** What each call has to look like; calls.ts has them in its table. */
export const EVENTUAL_FIELDS = {
  accept: { ...acceptFields, met },
  fetch: {
    path,
    asReplica: is.absentOr(is.flag),
    keepers: is.absentOr(is.list(nodeId, KEEPERS_MAX)),
    met,
  },
  take: {
    met,
    records: eventualRecords,
    memory,
    told: is.absentOr(is.list(is.list(nodeId, HOLDERS_MAX), RECORDS_MAX)),
    pulls: is.absentOr(is.flag),
  },
  confirm: { records: eventualRecords, met },
  collected: { collected: collectedShape, met },
  forward: { to: nodeId, asked: is.bytes(MESSAGE_BYTES_MAX), met },
}

/** What one node asks another, and what it is answered; `digests` and `versions` are those of the chain. */
export interface EventualAsks {
  accept: { readonly ask: Acceptance & AsReplica; readonly answer: Accepted }
  fetch: {
    readonly ask: {
      readonly path: PathName
      /** Who is going to keep what is answered: they are noted as holders before the answer leaves. */
      readonly keepers?: readonly NodeId[] | undefined
    } & AsReplica
    readonly answer: {
      readonly record?: EventualRecord | undefined
      /** As `elsewhere` of Accepted. */
      readonly elsewhere?: boolean | undefined
    }
  }
  take: {
    readonly ask: {
      readonly records: readonly EventualRecord[]
      readonly memory: Memory
      /** Of each record: to whom the sender sees to that they have it. */
      readonly told?: readonly (readonly NodeId[])[] | undefined
      /** The sender can't bring large bodies: what is lacking is to be had from others. */
      readonly pulls?: boolean | undefined
    }
    readonly answer: Taken
  }
  confirm: {
    readonly ask: { readonly records: readonly EventualRecord[] }
    /** The records as they are here then. */
    readonly answer: { readonly clean: readonly (readonly [PathName, Version, readonly NodeId[]])[] }
  }
  collected: {
    readonly ask: { readonly collected: readonly (readonly [PathName, Version])[] }
    readonly answer: object
  }
  digests: {
    readonly ask: Arc & { readonly prefixes: readonly string[] }
    readonly answer: { readonly digests: readonly Digest[] }
  }
  versions: {
    readonly ask: Arc & { readonly prefix: string }
    readonly answer: { readonly versions: readonly (readonly [PathName, number, number, boolean])[] }
  }
}

export type EventualAsk = keyof EventualAsks

/** The way to the other nodes. */
export interface EventualPeers {
  /** @throws StoreError, UNAVAILABLE when the node does not answer. */
  ask<Kind extends EventualAsk>(
    node: NodeId,
    kind: Kind,
    ask: EventualAsks[Kind]['ask'],
  ): Promise<EventualAsks[Kind]['answer']>
  /** Brings a body that is here to a node. @throws StoreError. */
  pushBody(node: NodeId, blob: BlobRef): Promise<void>
  /** Brings a body here from that node, or another that keeps the path. @throws StoreError. */
  pullBody(node: NodeId, path: PathName, blob: BlobRef): Promise<void>
}

/** Who is responsible for what, as far as this node knows. */
export interface Responsibility {
  readonly self: NodeId
  /** Who keeps a position, the head first; empty where no view of it is known. */
  replicasOf(position: EventualRecord['position']): readonly NodeId[]
  /** Ranges that this node keeps, each with its view's name, and with the nodes that keep or kept it. */
  ownRanges(): readonly (Arc & {
    readonly id: string
    readonly nodes: readonly NodeId[]
    readonly isHead: boolean
  })[]
  isAlive(node: NodeId): boolean
  /** Has left with everything handed over, or was retired: nothing of it comes back. */
  isGone(node: NodeId): boolean
  /** Copies that each file should have at least: as many as there are live nodes for it. */
  copiesWanted(): number
}
