/**
 * What nodes say to each other about views and records: one table with the kind of each message, since which version of
 * the peer protocol it exists, and what it has to look like. The types are derived from it. Who acts on a message is the
 * other half, in the same order (handlers.ts); it stands above all that sends messages, and this below.
 *
 * Every message travels in an Envelope that names sender and receiver by their disks, and the sender's boot.
 */
import type { ProtocolVersion } from '../../peer/protocol.ts'
import * as is from '../../peer/shape.ts'
import { type Arc, arcContains } from '../../ring/arc.ts'
import type { Identifier } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { BlobId, Version } from '../../storage/record.ts'
import { isTrashName } from '../../storage/trash-name.ts'
import { areChildren } from '../../views/lawful.ts'
import type { Boot, NodeId, View } from '../../views/view.ts'
import type { Condition } from '../replication.ts'
import type { ChainRecord, IdempotencyKey, Operation, RequestId } from './chain-record.ts'
import { type Digest, PREFIX_DIGITS } from './digest-tree.ts'
import {
  blobId,
  body,
  condition,
  identifier,
  intent,
  key,
  meta,
  NAME_LENGTH_MAX,
  NODE_ID_LENGTH_MAX,
  path,
  record,
  requestId,
  sha256,
  TRASH_LENGTH_MAX,
  version,
} from './record-shapes.ts'
import {
  accepted,
  ballot,
  boot,
  children,
  heldView,
  nodeId,
  source,
  view,
  viewId,
  views,
} from './view-shapes.ts'

export interface Envelope {
  readonly from: NodeId
  readonly boot: Boot
  readonly to: NodeId
  readonly message: Message
}

/** Matches an answer with its question; it names one start of one node. */
export type Tag = string & { readonly brand: 'Tag' }
const tag = is.text<Tag>(NAME_LENGTH_MAX, 1)

export interface BlobRef {
  readonly blobId: BlobId
  readonly sha256: string
}
const blob = is.object<BlobRef>({ blobId, sha256 })

/** A sealed view, with the value that was accepted there, so that whoever meets it can finish the Paxos. */
export interface SealedView {
  readonly view: View
  readonly accepted: readonly View[] | undefined
  /** What is known to be newer: it need not be its children. */
  readonly next: readonly View[] | undefined
}
const sealedView = is.both(
  is.object<SealedView>({
    view: heldView,
    accepted: is.undefinedOr(children),
    next: is.undefinedOr(views),
  }),
  value => {
    const { view, accepted } = value as SealedView
    return accepted === undefined || (view.acceptors.length > 0 && areChildren(view, accepted))
  },
)
const partitioned: is.Shape = value => {
  const { view, children } = value as { view: View; children: readonly View[] }
  return areChildren(view, children)
}

const arc = is.object<Arc>({ lo: identifier, hi: identifier })
const isPart: is.Shape = value => {
  const { view, part } = value as { view: View; part?: Arc }
  return part === undefined || (part.lo === view.lo && arcContains(view, part.hi))
}

/** One part of a range to compare: by its digest, or by all its versions when they are few. */
export interface Comparison {
  readonly prefix: string
  readonly digest: Digest
  readonly versions: readonly (readonly [path: PathName, version: Version])[] | undefined
}
const prefix = is.matching(new RegExp(`^[0-9a-f]{0,${PREFIX_DIGITS}}$`))
const comparison = is.object<Comparison>({
  prefix,
  digest: is.object<Digest>({ count: is.integer(), hash: is.text(NODE_ID_LENGTH_MAX) }),
  versions: is.undefinedOr(is.list(is.tuple(path, version))),
})

type OperationOf<Kind> = Extract<Operation, { readonly kind: Kind }>
const operation: is.Shape<Operation> = is.either(
  is.object<OperationOf<'put'>>({
    kind: is.oneOf('put'),
    body,
    meta,
    writtenAtMs: is.finite,
    restores: is.absentOr(isTrashName),
  }),
  is.object<{ readonly kind: 'remove' | 'abandon' }>({ kind: is.oneOf('remove', 'abandon') }),
  is.object<OperationOf<'refuse'>>({ kind: is.oneOf('refuse'), noSource: is.absentOr(is.flag) }),
  is.object<OperationOf<'intend'>>({ kind: is.oneOf('intend'), intent }),
  is.object<OperationOf<'forget'>>({
    kind: is.oneOf('forget'),
    names: is.list(isTrashName, TRASH_LENGTH_MAX),
    agedMs: is.absentOr(is.finite),
  }),
)

/** What a write asks for, the same in all its tries. */
export interface WriteRequest {
  readonly path: PathName
  readonly position: Identifier
  readonly requestId: RequestId
  readonly operation: Operation
  readonly condition: Condition
  /** The move whose intent this write may touch. */
  readonly settles?: RequestId
  readonly key?: IdempotencyKey
  /** Of the copy that a move makes: the head decides the move, once, whatever was written meanwhile. */
  readonly move?: { readonly source: PathName; readonly condition: Condition }
}
const request = is.object<WriteRequest>({
  path,
  position: identifier,
  requestId,
  operation,
  condition,
  settles: is.absentOr(requestId),
  key: is.absentOr(key),
  move: is.absentOr(is.fieldsFit({ source: path, condition })),
})

/** The first try is bound to one start of the head and one counter; every other names the version that it expects. */
const binding = is.either(
  is.fieldsFit({ kind: is.oneOf('first'), headBoot: is.text(NAME_LENGTH_MAX), counter: is.integer() }),
  is.fieldsFit({ kind: is.oneOf('expected'), version }),
)
export type WriteBinding = is.ValueOf<typeof binding>

const purpose = is.oneOf('parent', 'upstream', 'pre-copy')
export type TransferPurpose = is.ValueOf<typeof purpose>

const refusalReason = is.oneOf(
  'unknown-view',
  'not-active',
  'sealed',
  'not-head',
  'dirty',
  'unconfirmed',
  'burnt',
  'body-missing',
  'too-few-replicas',
  'overloaded',
)
export type RefusalReason = is.ValueOf<typeof refusalReason>

interface Row<Content> {
  readonly since: ProtocolVersion
  readonly fits: is.Shape<Content>
}

/** `others` ask for what holds of all fields together. */
function since<Some extends object>(
  version: ProtocolVersion,
  fields: Some,
  ...others: readonly is.Shape[]
): Row<is.ObjectOf<Some>> {
  return { since: version, fits: is.both(is.fieldsFit(fields), ...others) }
}

const VIEW_MESSAGES = {
  // RECONFIGURE.
  prepare: since(3, { view, ballot }),
  promise: since(3, { viewId, ballot, accepted: is.undefinedOr(accepted) }),
  accept: since(3, { view, ballot, children }, partitioned),
  accepted: since(3, { viewId, ballot }),
  /** `promised` is undefined when the acceptor does not hold the view. */
  outbid: since(3, { viewId, ballot, promised: is.undefinedOr(ballot) }),
  decided: since(3, { view, children }, partitioned),
  /** Views that are decided: their members take them in, the others keep them as hints. */
  teach: since(3, { views }),

  // INSTALL.
  install: since(3, { view }),
  installed: since(3, { viewId }),
  active: since(3, { viewId }),
  /** `part`: no more than that of the range; an older node copies all of it. */
  'pre-copy': since(3, { view, part: is.absentOr(arc) }, isPart),
  'pre-copied': since(3, { viewId }),
  /** This replica has every body of the view. */
  'back-filled': since(3, { viewId }),
  /** Every replica has: what parents keep for the view may go. */
  complete: since(3, { view }),
  /** Answered with `complete` by the head of each complete view that overlaps this one and is newer. */
  'ask-complete': since(3, { view: heldView }),
  compare: since(3, {
    tag,
    /** Counts the questions of one transfer: a repeated answer must not pass for the answer to a later one. */
    step: is.integer(),
    /** Whose state is wanted. */
    source,
    /** The view that will start from it; its range is what is compared. */
    view,
    /** `parent` seals the source; `upstream` and `pre-copy` don't. */
    purpose,
    comparisons: is.list(comparison),
    /** Whoever asks keeps trashed versions; absent from a node of protocol 4. */
    trash: is.absentOr(is.flag),
  }),
  difference: since(3, {
    tag,
    step: is.integer(),
    floor: version,
    seq: is.integer(),
    active: is.flag,
    /** For how long the range has been served, ms; absent from a node of protocol 2. */
    timeMs: is.absentOr(is.finite),
    /** Prefixes whose parts have to be compared one by one. */
    descend: is.list(prefix),
    /** Prefixes that this answer had no room for. */
    again: is.list(prefix),
    records: is.list(record),
    missing: is.list(path),
    /** What the trash of these records names; absent from a node of protocol 4, and where there is none. */
    trash: is.absentOr(is.list(record)),
  }),
  'no-difference': since(3, { tag, reason: is.oneOf('not-installed', 'elsewhere') }),

  // Is a node there? `suspect` asks the receiver to find out about another node.
  ping: since(3, {}),
  pong: since(3, {}),
  suspect: since(3, { node: nodeId }),
  /** The sender remembers another start of the receiver's disk than the one it shows. */
  impostor: since(3, { remembered: boot }),
}

/** How bytes are kept. */
const CHAIN_MESSAGES = {
  read: since(3, {
    tag,
    viewId,
    path,
    position: identifier,
    /** The entry node is an acceptor of the view and holds it unsealed. */
    vote: is.flag,
    /** The entry node asks the acceptors: the answer need not wait for them, and brings the replica's own vote. */
    unconfirmed: is.absentOr(is.flag),
  }),
  write: since(3, { tag, viewId, request, binding }),
  burn: since(3, { tag, viewId, path, position: identifier, requestId, counter: is.integer() }),
  pass: since(3, {
    viewId,
    record,
    /** Every write of the view up to this number is acknowledged. */
    cleanSeq: is.integer(),
    /** For how long the range has been served, ms; absent from a node of protocol 2. */
    timeMs: is.absentOr(is.finite),
    /**
     * Of a record with trash: those versions that the receiver may not be able to make itself, or none at first. Absent from a
     * node of protocol 4, which has nothing more to give.
     */
    trash: is.absentOr(is.list(record, TRASH_LENGTH_MAX)),
  }),
  acknowledge: since(3, { viewId, path, version }),
  /**
   * Tombstones at or below the floor go, unless they hold outcomes that are kept: the head tells both of its times, and a
   * node of protocol 2 knows only `nowMs`.
   */
  floor: since(3, { viewId, floor: version, nowMs: is.finite, timeMs: is.absentOr(is.finite) }),
  /** The source of a move holds its intent no more: its destination need not keep what was decided. */
  settled: since(3, { viewId, path, position: identifier, moveId: requestId }),
  confirm: since(3, { tag, views }),
  confirmed: since(3, { tag, viewIds: is.list(viewId), sealed: is.list(sealedView) }),
  // Bodies. `blob` reaches the machine when the driver has the bytes, hashed and on stable storage.
  stage: since(3, { tag, viewId, blob }),
  'stage-on': since(3, { tag, entry: nodeId, viewId, blob }),
  'blob-wanted': since(3, { blobs: is.list(blob) }),
  blob: since(3, { blob }),
  'blob-missing': since(3, { blob }),
}

/** What an entry node is answered. */
const REPLIES = {
  /** `vote` is of an answer that is not confirmed: whether the replica is an acceptor of the view, which it has not sealed. */
  value: since(3, { tag, record, vote: is.absentOr(is.flag) }),
  written: since(3, {
    tag,
    version,
    /** The version of the path when this was answered: a write that was decided earlier may be overwritten. */
    current: version,
    /** Whether a file stood there before, where that is remembered. */
    replaced: is.absentOr(is.flag),
    /** Of the intent of a move: what it stands on. */
    record: is.absentOr(record),
  }),
  failed: since(3, { tag, record }),
  /** A key that was used before for something else, or one too many. */
  'key-refused': since(3, { tag, reason: is.oneOf('reused', 'too-many') }),
  /** The expected version is not the current one; also the answer to a burn. The request is not in the history. */
  stale: since(3, { tag, record }),
  /** The record carries the intent of a move, which has to be settled first. */
  unsettled: since(3, { tag, record }),
  staged: since(3, { tag }),
  refused: since(3, {
    /** A refused PASS belongs to no question: there it is empty. */
    tag: is.text<Tag>(NAME_LENGTH_MAX),
    reason: refusalReason,
    /** Decided views that overlap the one asked for and are newer, or the one itself. */
    teaches: views,
    sealed: is.undefinedOr(sealedView),
  }),
}

const MESSAGES = {
  ...VIEW_MESSAGES,
  ...CHAIN_MESSAGES,
  /** Asks who has the range of a position; answered with `teach`. */
  where: since(3, { position: identifier }),
  ...REPLIES,
}

export type MessageKind = keyof typeof MESSAGES

/** The message of a kind, or of any of several. */
export type MessageOf<Kind extends MessageKind> = {
  [Each in Kind]: { readonly kind: Each } & is.ValueOf<(typeof MESSAGES)[Each]['fits']>
}[Kind]
export type Message = MessageOf<MessageKind>
export type ReplyMessage = MessageOf<keyof typeof REPLIES>

/** Every kind of message that there is. */
export const MESSAGE_KINDS = Object.keys(MESSAGES) as MessageKind[]

const ROWS = new Map<string, Row<unknown>>(Object.entries(MESSAGES))

/** True for a message whose every field is what its kind asks for. */
export function isMessage(value: unknown): value is Message {
  const kind = (value as { kind?: unknown } | null)?.kind
  return typeof kind === 'string' && ROWS.get(kind)?.fits(value) === true
}

/** Since which version of the peer protocol there is such a message. */
export function messageSince(kind: MessageKind): ProtocolVersion {
  return MESSAGES[kind].since
}

export function isRecord(value: unknown): value is ChainRecord {
  return record(value)
}
