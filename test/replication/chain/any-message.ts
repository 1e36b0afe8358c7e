/**
 * Arbitrary messages of replication for property tests: every kind, about few nodes, views and paths, so that they
 * meet, and the same with one of their fields spoilt.
 */
import fc from 'fast-check'
import type { RequestId } from '../../../src/replication/chain/chain-record.ts'
import type { Message, Tag } from '../../../src/replication/chain/messages.ts'
import { MESSAGE_KINDS } from '../../../src/replication/chain/messages.ts'
import { type Identifier, identifierOfPath } from '../../../src/ring/identifier.ts'
import type { BlobId } from '../../../src/storage/record.ts'
import type { View, ViewId } from '../../../src/views/view.ts'
import { anyRecord as anyKeptRecord, NAMES } from './any-record.ts'
import { node, wholeView } from './bench.ts'

const PLAIN = { noNullPrototype: true } as const
const anyNode = fc.constantFrom('n1', 'n2', 'n3', 'n4').map(node)
const anyNodes = fc.uniqueArray(anyNode, { minLength: 1, maxLength: 4 })
const anyVersion = fc.record({ epoch: fc.nat(9), seq: fc.nat(99) }, PLAIN)
const anyBallot = fc.record({ round: fc.nat(9), node: anyNode, boot: fc.constantFrom('', '1.x') }, PLAIN)
const anyTag = fc.constantFrom('n1/1.x/1', 'n1/1.x/2', 'n1/1.x/3', 'n2/1.x/1').map(text => text as Tag)
const anyPath = fc.constantFrom(...NAMES)
const anyPosition = anyPath.map(identifierOfPath)
const anyBlob = fc
  .constantFrom('a', 'b')
  .map(digit => ({ blobId: digit.repeat(32) as BlobId, sha256: 'cd'.repeat(32) }))

const edges = ['0', '4', '8', 'c'].map(digit => digit.padEnd(40, '0') as Identifier)
const anyView: fc.Arbitrary<View> = fc
  .tuple(
    fc.constantFrom(...edges),
    fc.constantFrom(...edges),
    fc.integer({ min: 1, max: 9 }),
    anyNodes,
    anyNode,
    fc.boolean(),
    fc.nat(2),
  )
  .map(([lo, hi, epoch, replicas, acceptor, hasSource, copy]) => {
    const id = `${epoch}-${lo.slice(0, 1)}${hi.slice(0, 1)}${replicas.join('')}${copy}` as ViewId
    const source = {
      id: 'v1' as ViewId,
      epoch: 1,
      lo: edges[0] as Identifier,
      hi: edges[0] as Identifier,
      replicas,
    }
    return {
      id,
      epoch,
      lo,
      hi,
      replicas,
      acceptors: [acceptor],
      sources: hasSource && epoch > 1 ? [source] : [],
    }
  })
/** Often the one that the nodes hold. */
const heldOrAny = fc.oneof(fc.constant(wholeView(['n1', 'n2', 'n3'])), anyView)
const anyChildren = (parent: View) =>
  anyView.map(child => [{ ...child, lo: parent.lo, hi: parent.hi, epoch: parent.epoch + 1 }])
const viewAndChildren = heldOrAny.chain(view => anyChildren(view).map(children => ({ view, children })))
const anyViewId = heldOrAny.map(({ id }) => id)
const anyAccepted = fc.record({ ballot: anyBallot, children: heldOrAny.chain(anyChildren) }, PLAIN)
const anySealed = fc
  .tuple(viewAndChildren, fc.boolean(), fc.boolean())
  .map(([{ view, children }, accepted, next]) => ({
    view,
    accepted: accepted ? children : undefined,
    next: next ? children : undefined,
  }))
/** A file may be about to move, a tombstone never is. */
const anyRecord = anyKeptRecord.map(record => (record.body ? record : { ...record, intent: undefined }))
const anyRecordBody = anyRecord.filter(({ body }) => body !== undefined)
const anyRequest = fc
  .tuple(
    anyRecordBody,
    fc.constantFrom('none', 'absent', 'exists'),
    fc.constantFrom('put', 'remove', 'abandon'),
  )
  .map(([{ path, position, body, meta }, condition, kind]) => ({
    path,
    position,
    requestId: 'n2/1.x/r1',
    operation: kind === 'put' ? { kind, body, meta, writtenAtMs: 5 } : { kind },
    condition,
  }))
const anyPrefix = fc.constantFrom('', '0', '3f', 'abcd')
const anyComparison = fc.record(
  {
    prefix: anyPrefix,
    digest: fc.record({ count: fc.nat(40), hash: fc.constantFrom('0-0-0-0', 'x') }, PLAIN),
    versions: fc.option(fc.array(fc.tuple(anyPath, anyVersion), { maxLength: 3 }), { nil: undefined }),
  },
  PLAIN,
)

const SOME: { readonly [Kind in Message['kind']]: Record<string, fc.Arbitrary<unknown>> } = {
  prepare: { view: heldOrAny, ballot: anyBallot },
  promise: {
    viewId: anyViewId,
    ballot: anyBallot,
    accepted: fc.option(anyAccepted, { nil: undefined }),
  },
  accept: {},
  accepted: { viewId: anyViewId, ballot: anyBallot },
  outbid: { viewId: anyViewId, ballot: anyBallot, promised: fc.option(anyBallot, { nil: undefined }) },
  decided: {},
  teach: { views: fc.array(anyView, { maxLength: 2 }) },
  install: { view: heldOrAny },
  installed: { viewId: anyViewId },
  active: { viewId: anyViewId },
  'pre-copy': { view: heldOrAny },
  'pre-copied': { viewId: anyViewId },
  'back-filled': { viewId: anyViewId },
  complete: { view: heldOrAny },
  'ask-complete': { view: heldOrAny },
  compare: {
    tag: anyTag,
    step: fc.nat(3),
    source: heldOrAny,
    view: heldOrAny,
    purpose: fc.constantFrom('parent', 'upstream', 'pre-copy'),
    comparisons: fc.array(anyComparison, { maxLength: 3 }),
  },
  difference: {
    tag: anyTag,
    step: fc.nat(3),
    floor: anyVersion,
    seq: fc.nat(9),
    active: fc.boolean(),
    descend: fc.array(anyPrefix, { maxLength: 2 }),
    again: fc.array(anyPrefix, { maxLength: 2 }),
    records: fc.array(anyRecord, { maxLength: 3 }),
    missing: fc.array(anyPath, { maxLength: 3 }),
  },
  'no-difference': { tag: anyTag, reason: fc.constantFrom('not-installed', 'elsewhere') },
  pass: { viewId: anyViewId, record: anyRecord, cleanSeq: fc.nat(99), timeMs: fc.nat() },
  acknowledge: { viewId: anyViewId, path: anyPath, version: anyVersion },
  floor: { viewId: anyViewId, floor: anyVersion, nowMs: fc.nat(), timeMs: fc.nat() },
  settled: {
    viewId: anyViewId,
    path: anyPath,
    position: anyPosition,
    moveId: fc.constant('n1/1.x/r1' as RequestId),
  },
  confirm: { tag: anyTag, views: fc.array(heldOrAny, { maxLength: 3 }) },
  confirmed: {
    tag: anyTag,
    viewIds: fc.array(anyViewId, { maxLength: 3 }),
    sealed: fc.array(anySealed, { maxLength: 2 }),
  },
  read: { tag: anyTag, viewId: anyViewId, path: anyPath, position: anyPosition, vote: fc.boolean() },
  write: {
    tag: anyTag,
    viewId: anyViewId,
    request: anyRequest,
    binding: fc.oneof(
      fc.record({ kind: fc.constant('first'), headBoot: fc.constant('1.x'), counter: fc.nat(9) }, PLAIN),
      fc.record({ kind: fc.constant('expected'), version: anyVersion }, PLAIN),
    ),
  },
  burn: {
    tag: anyTag,
    viewId: anyViewId,
    path: anyPath,
    position: anyPosition,
    requestId: fc.constant('n2/1.x/r1'),
    counter: fc.nat(9),
  },
  stage: { tag: anyTag, viewId: anyViewId, blob: anyBlob },
  where: { position: anyPosition },
  value: { tag: anyTag, record: anyRecord },
  written: { tag: anyTag, version: anyVersion, current: anyVersion },
  failed: { tag: anyTag, record: anyRecord },
  'key-refused': { tag: anyTag, reason: fc.constantFrom('reused', 'too-many') },
  stale: { tag: anyTag, record: anyRecord },
  unsettled: { tag: anyTag, record: anyRecord },
  staged: { tag: anyTag },
  refused: {
    tag: anyTag,
    reason: fc.constantFrom('sealed', 'not-head', 'dirty', 'burnt', 'body-missing', 'overloaded'),
    teaches: fc.array(anyView, { maxLength: 2 }),
    sealed: fc.option(anySealed, { nil: undefined }),
  },
  'blob-wanted': { blobs: fc.array(anyBlob, { maxLength: 2 }) },
  blob: { blob: anyBlob },
  'blob-missing': { blob: anyBlob },
  'stage-on': { tag: anyTag, entry: anyNode, viewId: anyViewId, blob: anyBlob },
  ping: {},
  pong: {},
  suspect: { node: anyNode },
  impostor: { remembered: fc.record({ counter: fc.constant(0), nonce: fc.constant('x') }, PLAIN) },
}

/** A message of one kind as its sender would make it. */
export function anyMessageOf(kind: Message['kind']): fc.Arbitrary<Message> {
  const fields =
    kind === 'accept'
      ? fc.tuple(viewAndChildren, anyBallot).map(([both, ballot]) => ({ ...both, ballot }))
      : kind === 'decided'
        ? viewAndChildren
        : fc.record(SOME[kind], PLAIN)
  return fields.map(fields => ({ kind, ...fields }) as Message)
}

export const anyMessage = fc.constantFrom(...MESSAGE_KINDS).chain(anyMessageOf)

const anyJunk = fc.constantFrom<unknown>(undefined, null, -1, 1.5, '', 'x', [], {}, [null], true)

/** A message one of whose fields, however deep, is something else. */
export const anySpoilt: fc.Arbitrary<unknown> = fc
  .tuple(anyMessage, fc.infiniteStream(fc.nat(999)), anyJunk)
  .map(([message, choices, junk]) => spoilt(message, choices, junk))

function spoilt(value: unknown, choices: Iterator<number>, junk: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return junk
  const names = Object.keys(value)
  if (names.length === 0) return junk
  const name = names[choices.next().value % names.length] as string
  const inner = (value as Record<string, unknown>)[name]
  const deeper = choices.next().value % 3 > 0 ? spoilt(inner, choices, junk) : junk
  return Array.isArray(value)
    ? value.map((one, index) => (String(index) === name ? deeper : one))
    : { ...value, [name]: deeper }
}
