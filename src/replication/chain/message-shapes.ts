/**
 * What each message of replication has to look like before it reaches the machine, whose steps may then trust
 * every field. One entry a kind; the compiler asks for every field of every kind.
 */

import * as is from '../../peer/shape.ts'
import { viewFault } from '../../views/lawful.ts'
import {
  type Accepted,
  type Ballot,
  type Boot,
  type Contact,
  isPartition,
  type Source,
  type View,
  type ViewMember,
} from '../../views/view.ts'
import type { ChainRecord } from './chain-record.ts'
import type { Deciding } from './deciding.ts'
import { PREFIX_DIGITS } from './digest-tree.ts'
import type { BlobRef, Comparison, Message, SealedView, WriteRequest } from './messages.ts'
import {
  blobId,
  body,
  condition,
  EPOCH_MAX,
  identifier,
  intent,
  isPath,
  key,
  meta,
  NAME_LENGTH_MAX,
  NODE_ID_LENGTH_MAX,
  name,
  nodeId,
  record,
  sha256,
  version,
} from './record-shapes.ts'

/** A host name with its port; what the map of the network takes (routing/map-record.ts). */
const ADDRESS_LENGTH_MAX = 259
const INCARNATION_MAX = 2 ** 30 - 1

/** Replicas and acceptors of one view: at most 15 and 29. */
const MEMBERS_MAX = 64

const nodes = is.list(nodeId)

const ballot = is.object<Ballot>({ round: is.integer(), node: nodeId, boot: is.text(NODE_ID_LENGTH_MAX) })

const distinct: is.Shape = value => {
  const some = value as readonly unknown[]
  return some.length > 0 && new Set(some).size === some.length
}
const odd: is.Shape = value => (value as unknown[]).length % 2 === 1

const sourceFields = {
  id: name,
  epoch: is.integer(1, EPOCH_MAX),
  lo: identifier,
  hi: identifier,
  replicas: is.both(nodes, distinct),
}
const source = is.object<Source>(sourceFields)
const boot = is.object<Boot>({ counter: is.integer(), nonce: is.text(NODE_ID_LENGTH_MAX) })
const address = is.text(ADDRESS_LENGTH_MAX, 1)
const contact = is.object<Contact>({
  address,
  ringAddress: address,
  incarnation: is.integer(0, INCARNATION_MAX),
})
const viewMember = is.object<ViewMember>({
  node: nodeId,
  contact: is.absentOr(contact),
  zone: is.absentOr(is.text(NODE_ID_LENGTH_MAX)),
  boot: is.absentOr(boot),
})
const moreFields = {
  members: is.absentOr(is.list(viewMember, MEMBERS_MAX)),
  sources: is.list(source),
  root: is.absentOr(name),
  firstSeq: is.absentOr(is.integer()),
}
const lawful: is.Shape = value => viewFault(value as View) === undefined
const view = is.both(
  is.object<View>({ ...sourceFields, ...moreFields, acceptors: is.both(nodes, odd) }),
  lawful,
)
const views = is.list(view)
/** A superseded view of which only the replicas are known: its acceptors are asked no more. */
const heldView = is.either(
  view,
  is.both(is.object<View>({ ...sourceFields, ...moreFields, acceptors: is.list(nodeId, 0) }), lawful),
)

/** Children are one or two views, side by side. Whether they partition their parent is asked where that is known. */
const children: is.Shape = is.both(views, value => {
  const some = value as readonly View[]
  const [first, last] = [some[0], some.at(-1)]
  return first !== undefined && last !== undefined && isPartition({ lo: first.lo, hi: last.hi }, some)
})

/** Children have the range of their parent, and are newer. */
function areChildren(parent: View, some: readonly View[]): boolean {
  return isPartition(parent, some) && some.every(({ epoch }) => epoch > parent.epoch)
}
const accepted = is.object<Accepted>({ ballot, children })

const partitioned: is.Shape = value => {
  const { view, children } = value as { view: View; children: readonly View[] }
  return areChildren(view, children)
}

/** What is known to be newer than a view need not be its children: `next` is any views. */
const sealedView = is.both(
  is.object<SealedView>({ view: heldView, accepted: is.absentOr(children), next: is.absentOr(views) }),
  value => {
    const { view, accepted } = value as SealedView
    return accepted === undefined || (view.acceptors.length > 0 && areChildren(view, accepted))
  },
)

const operation = is.either(
  is.object({ kind: is.oneOf('put'), body, meta, writtenAtMs: is.finite }),
  is.object({ kind: is.oneOf('remove', 'abandon') }),
  is.object({ kind: is.oneOf('refuse'), noSource: is.absentOr(is.flag) }),
  is.object({ kind: is.oneOf('intend'), intent }),
)
const writeRequest = is.object<WriteRequest>({
  path: isPath,
  position: identifier,
  requestId: name,
  operation,
  condition,
  settles: is.absentOr(name),
  key: is.absentOr(key),
  move: is.absentOr(is.object({ source: isPath, condition })),
})
const binding = is.either(
  is.object({ kind: is.oneOf('first'), headBoot: is.text(NAME_LENGTH_MAX), counter: is.integer() }),
  is.object({ kind: is.oneOf('expected'), version }),
)

const blob = is.object<BlobRef>({ blobId, sha256 })
const prefix = is.matching(new RegExp(`^[0-9a-f]{0,${PREFIX_DIGITS}}$`))
const comparison = is.object<Comparison>({
  prefix,
  digest: is.object({ count: is.integer(), hash: is.text(NODE_ID_LENGTH_MAX) }),
  versions: is.absentOr(is.list(is.tuple(isPath, version))),
})

type Table = {
  readonly [Kind in Message['kind']]: is.Fields<Omit<Extract<Message, { kind: Kind }>, 'kind'>>
}

const TABLE: Table = {
  prepare: { view, ballot },
  promise: { viewId: name, ballot, accepted: is.absentOr(accepted) },
  accept: { view, ballot, children },
  accepted: { viewId: name, ballot },
  outbid: { viewId: name, ballot, promised: is.absentOr(ballot) },
  decided: { view, children },
  teach: { views },
  install: { view },
  installed: { viewId: name },
  active: { viewId: name },
  'pre-copy': { view },
  'pre-copied': { viewId: name },
  'back-filled': { viewId: name },
  complete: { view },
  'ask-complete': { view: heldView },
  compare: {
    tag: name,
    step: is.integer(),
    source,
    view,
    purpose: is.oneOf('parent', 'upstream', 'pre-copy'),
    comparisons: is.list(comparison),
  },
  difference: {
    tag: name,
    step: is.integer(),
    floor: version,
    seq: is.integer(),
    active: is.flag,
    timeMs: is.absentOr(is.finite),
    descend: is.list(prefix),
    again: is.list(prefix),
    records: is.list(record),
    missing: is.list(isPath),
  },
  'no-difference': { tag: name, reason: is.oneOf('not-installed', 'elsewhere') },
  pass: { viewId: name, record, cleanSeq: is.integer(), timeMs: is.absentOr(is.finite) },
  acknowledge: { viewId: name, path: isPath, version },
  floor: { viewId: name, floor: version, nowMs: is.finite, timeMs: is.absentOr(is.finite) },
  settled: { viewId: name, path: isPath, position: identifier, moveId: name },
  confirm: { tag: name, views },
  confirmed: { tag: name, viewIds: is.list(name), sealed: is.list(sealedView) },
  read: {
    tag: name,
    viewId: name,
    path: isPath,
    position: identifier,
    vote: is.flag,
    unconfirmed: is.absentOr(is.flag),
  },
  write: { tag: name, viewId: name, request: writeRequest, binding },
  burn: {
    tag: name,
    viewId: name,
    path: isPath,
    position: identifier,
    requestId: name,
    counter: is.integer(),
  },
  stage: { tag: name, viewId: name, blob },
  where: { position: identifier },
  value: { tag: name, record, vote: is.absentOr(is.flag) },
  written: {
    tag: name,
    version,
    current: version,
    replaced: is.absentOr(is.flag),
    record: is.absentOr(record),
  },
  failed: { tag: name, record },
  'key-refused': { tag: name, reason: is.oneOf('reused', 'too-many') },
  stale: { tag: name, record },
  unsettled: { tag: name, record },
  staged: { tag: name },
  refused: {
    // A refused PASS belongs to no question, so that it has no tag.
    tag: is.text(NAME_LENGTH_MAX),
    reason: is.oneOf(
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
    ),
    teaches: views,
    sealed: is.absentOr(sealedView),
  },
  'blob-wanted': { blobs: is.list(blob) },
  blob: { blob },
  'blob-missing': { blob },
  'stage-on': { tag: name, entry: nodeId, viewId: name, blob },
  ping: {},
  pong: {},
  suspect: { node: nodeId },
  impostor: { remembered: boot },
}

const SHAPES = new Map<string, is.Shape>(
  Object.entries(TABLE).map(([kind, fields]) => {
    const shape = is.object(fields as is.Fields<Message>)
    return [kind, kind === 'accept' || kind === 'decided' ? is.both(shape, partitioned) : shape]
  }),
)

export const isView: is.Shape = view

export function isRecord(value: unknown): value is ChainRecord {
  return record(value)
}

/** Every kind of message that there is. */
export const MESSAGE_KINDS = Object.keys(TABLE) as Message['kind'][]

/** True for a message whose every field is what its kind asks for. */
export function isMessage(value: unknown): value is Message {
  const kind = (value as { kind?: unknown } | null)?.kind
  return typeof kind === 'string' && SHAPES.get(kind)?.(value) === true
}

/**
 * True when a message says what can't be beside what this node holds: children that do not partition the view that they
 * are said to follow, or others than were decided. Its sender is broken, and must not break this node, too.
 */
export function contradicts(m: Readonly<Deciding>, message: Message): boolean {
  if (message.kind === 'promise') {
    const view = m.proposals.get(message.viewId)?.proposal.view
    return (
      view !== undefined && message.accepted !== undefined && !areChildren(view, message.accepted.children)
    )
  }
  if (message.kind === 'accept' || message.kind === 'decided') {
    const held = m.views.get(message.view.id)
    if (held === undefined) return false
    if (!areChildren(held.view, message.children)) return true
    return (
      message.kind === 'decided' && held.next !== undefined && held.next[0]?.id !== message.children[0]?.id
    )
  }
  return false
}
