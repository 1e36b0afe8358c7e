/**
 * The state that all modules of the core share, and the only ways to change what is stable.
 *
 * A step collects a Batch: what has to be on stable storage, and what may happen then. The driver makes `persist`
 * durable as one atomic commit, and lets no effect out before its own batch and all earlier ones are durable (as with
 * the Ready of etcd/raft). Since stable state is changed only through the functions here, which note a Write each, no
 * message can leave before what it depends on. Reads need this too: they show what an earlier batch has written.
 */
import { assert } from '../../invariant.ts'
import type { Identifier } from '../../ring/identifier.ts'
import { trashPathOf } from '../../ring/trash-path.ts'
import type { BlobId } from '../../storage/record.ts'
import { assertAdvance } from '../../views/lawful.ts'
import { boundOf, type RangeTable, type SealMark, type SealMarks } from '../../views/range-table.ts'
import {
  type Boot,
  bootName,
  type Contact,
  compareViews,
  type NodeId,
  type ViewId,
  type ViewState,
} from '../../views/view.ts'
import type { Effect, TimerEvent, Write } from './batch.ts'
import type { BlobState, BlobTable } from './blob-table.ts'
import type { ChainRecord, RequestId } from './chain-record.ts'
import type { Fact } from './facts.ts'
import type { BlobRef, Envelope, Message, Tag } from './messages.ts'
import type { RecordTable } from './record-table.ts'

export type { Batch, Effect, Outcome, TimerEvent, Write } from './batch.ts'

/** Settings of the protocol: of the network (replicas, minReplicas) and of this process (waits). */
export interface ChainSettings {
  /** Copies of each file; k in the papers. */
  readonly replicas: number
  /** A write is refused in a view with fewer, unless the network has fewer nodes. */
  readonly minReplicas: number
  /** How long an answer is waited for, ms. */
  readonly answerTimeoutMs: number
  /** How long a client waits in all, ms. */
  readonly requestTimeoutMs: number
  /** After how long a head passes on again what was not acknowledged, ms. */
  readonly resendMs: number
  /** How long a failed attempt is left alone before the next, ms; it doubles up to sixteen times this. */
  readonly retryMs: number
  /** Unanswered questions in a row after which a node counts as dead. */
  readonly silencesMax: number
  /** Records of a part of a range that two nodes compare one by one rather than by digest. */
  readonly listedMax: number
  /** Bytes of records in one message, after which the rest waits for the next; one part more may go over it. */
  readonly differenceBytesMax: number
  /** How long a staged body waits for the write that names it, ms. */
  readonly stagedMs: number
  /** How long a former replica keeps its copy at least, ms, though others have it. */
  readonly spareMs: number
  /** How long the outcome of an Idempotency-Key is kept, ms of the time of its range. */
  readonly outcomesKeptMs: number
  /** How long what was replaced or removed is kept, ms of the time of its range; 0: not at all (trash.ts). */
  readonly trashMs: number
}

/** A node as others know it. A hint, kept by routing. */
export interface Member {
  readonly node: NodeId
  readonly identifiers: readonly Identifier[]
  /** What fails together with it (a rack, a site); undefined where nobody said so. */
  readonly zone?: string | undefined
  /** Where it is reached, for those who have never heard of it; only routing acts on it. */
  readonly contact?: Contact | undefined
  /** `leaving` still serves, and is given nothing new; `gone` never comes back under this name. */
  readonly status: 'member' | 'leaving' | 'gone'
}

/** What has changed of the members. */
export interface MembersChange {
  /** New ones, and those of which something is otherwise; each once. */
  readonly members: readonly Member[]
  /** Those of which nothing is known any more. */
  readonly forgotten: readonly NodeId[]
}

/** What all modules of the core share. Beside it each has state of its own, which it declares and nobody else changes. */
export interface Ledger {
  /** Changed by the event `configure` alone. */
  settings: ChainSettings
  readonly self: NodeId
  readonly boot: Boot

  // Stable; changed only by the functions below.
  readonly views: Map<ViewId, ViewState>
  readonly records: RecordTable
  readonly blobs: BlobTable
  readonly marks: SealMarks
  markList: SealMark[]
  readonly peers: Map<NodeId, Boot>

  // Volatile.
  readonly table: RangeTable
  /** How many records name a body. */
  readonly references: Map<BlobId, number>
  counter: number
  halted: boolean

  /** Hands a fact to those who hear it. */
  readonly hear: (fact: Fact) => void

  // Of the step under way.
  nowMs: number
  persist: Write[]
  effects: Effect[]
  local: Envelope[]
}

export function putView(m: Ledger, state: ViewState): void {
  assertAdvance(m.views.get(state.view.id), state)
  m.views.set(state.view.id, state)
  m.persist.push({ kind: 'view', id: state.view.id, state })
}

export function dropView(m: Ledger, id: ViewId): void {
  const state = m.views.get(id)
  assert(
    state !== undefined && m.marks.coversAll(state.view),
    'a dropped view is remembered as superseded',
    id,
  )
  m.views.delete(id)
  m.persist.push({ kind: 'view', id, state: undefined })
  tell(m, { kind: 'dropped', viewId: id })
}

/** Puts a record in the place of another; the body that it replaces is kept until the write is acknowledged. */
export function putRecord(m: Ledger, record: ChainRecord): void {
  const hasFile = record.body !== undefined
  assert(
    hasFile === (record.written !== undefined),
    'a file was written by somebody, a tombstone has no file',
  )
  assert(hasFile === (record.meta !== undefined), 'a file has its meta data, a tombstone has none')
  assert(hasFile || record.intent === undefined, 'nothing that is not there is moved')
  const old = m.records.get(record.path, record.position)
  refer(m, record, 1)
  if (old !== undefined) refer(m, old, -1)
  m.records.put(record)
  m.persist.push({ kind: 'record', path: record.path, record })
  const named = blobOf(record)
  const kept = named === undefined ? undefined : m.blobs.get(named.blobId)
  if (kept !== undefined && (kept.stagedUntilMs !== undefined || kept.replacedBy !== undefined)) {
    putBlob(m, { blob: kept.blob, stagedUntilMs: undefined, replacedBy: undefined })
  }
  if (old === undefined) return
  for (const replaced of [old, ...takeOut(m, old, record.trash)]) {
    const gone = blobOf(replaced)
    const left = gone === undefined ? undefined : m.blobs.get(gone.blobId)
    if (left !== undefined && !m.references.has(left.blob.blobId)) {
      putBlob(m, { ...left, replacedBy: { path: record.path, version: record.version } })
    }
  }
}

/** What the trash of a record names and that of its successor does not goes; gives these versions. */
function takeOut(m: Ledger, old: ChainRecord, left: ChainRecord['trash'] = []): ChainRecord[] {
  const { path, position, trash = [] } = old
  const names = trash.filter(name => !left.includes(name))
  const gone = names.map(name => m.records.get(trashPathOf(path, name), position))
  const versions = gone.filter(version => version !== undefined)
  for (const version of versions) {
    m.records.delete(version.path, version)
    m.persist.push({ kind: 'record', path: version.path, record: undefined })
    refer(m, version, -1)
  }
  return versions
}

/** Drops a record with its trash; its body goes with it unless another record names it. */
export function dropRecord(m: Ledger, record: ChainRecord): void {
  const versions = takeOut(m, record)
  m.records.delete(record.path)
  m.persist.push({ kind: 'record', path: record.path, record: undefined })
  refer(m, record, -1)
  for (const dropped of [record, ...versions]) {
    const blob = blobOf(dropped)
    if (blob !== undefined && !m.references.has(blob.blobId)) dropBlob(m, blob.blobId)
  }
}

export function putBlob(m: Ledger, blob: BlobState): void {
  const isWanted = m.references.has(blob.blob.blobId)
  assert(!isWanted || blob.stagedUntilMs === undefined, 'a body that a record names does not expire')
  m.blobs.set(blob.blob.blobId, blob)
  m.persist.push({ kind: 'blob', id: blob.blob.blobId, blob })
}

export function dropBlob(m: Ledger, id: BlobId): void {
  if (!m.blobs.delete(id)) return
  m.persist.push({ kind: 'blob', id, blob: undefined })
}

/** A late word about an older view of the same arc must not take back what a newer one has sealed. */
export function sealMark(m: Ledger, mark: SealMark): void {
  m.marks.seal(mark)
  const isSame = (other: SealMark) => other.lo === mark.lo && other.hi === mark.hi
  const isKnown = (other: SealMark) => isSame(other) && compareViews(boundOf(other), boundOf(mark)) >= 0
  if (m.markList.some(isKnown)) return
  m.markList = [...m.markList.filter(other => !isSame(other)), mark]
  m.persist.push({ kind: 'marks', marks: m.markList })
}

export function rememberPeer(m: Ledger, node: NodeId, boot: Boot): void {
  assert((m.peers.get(node)?.counter ?? -1) < boot.counter, 'the starts of a node grow', node)
  m.peers.set(node, boot)
  m.persist.push({ kind: 'peer', node, boot })
}

/** Sends; what a node says to itself is handled within the same step. */
export function send(m: Ledger, to: NodeId, message: Message): void {
  // Whether a body is still on this disk is seen on the way out, as with the bodies that go to others (docs/decisions/0479).
  if (to === m.self && message.kind !== 'stage') m.local.push({ from: m.self, boot: m.boot, to, message })
  else m.effects.push({ kind: 'send', to, message })
}

/** Something has happened: whoever has to act on it does, now. */
export function tell(m: Ledger, fact: Fact): void {
  m.hear(fact)
}

export function setTimer(m: Ledger, afterMs: number, timer: TimerEvent): void {
  assert(Number.isFinite(afterMs) && afterMs >= 0, 'a wait has a length', timer.kind)
  m.effects.push({ kind: 'timer', afterMs, timer })
}

/** A name that no other question of any node has, in any of its starts. */
export function newTag(m: Ledger): Tag {
  m.counter++
  return `${m.self}/${bootName(m.boot)}/${m.counter}` as Tag
}

export function newRequestId(m: Ledger): RequestId {
  return `${m.self}/${bootName(m.boot)}/r${++m.counter}` as RequestId
}

export function blobOf(record: ChainRecord): BlobRef | undefined {
  if (record.body === undefined || !('blobId' in record.body.content)) return undefined
  return { blobId: record.body.content.blobId, sha256: record.body.sha256 }
}

/** Doubling waits, so that two who get in each other's way part; at most sixteen times the first. */
export function backOffMs(m: Pick<Ledger, 'settings'>, tries: number): number {
  return m.settings.retryMs * 2 ** Math.min(tries, 4)
}

export function refer(m: Ledger, record: ChainRecord, by: 1 | -1): void {
  const blob = blobOf(record)
  if (blob === undefined) return
  const count = (m.references.get(blob.blobId) ?? 0) + by
  assert(count >= 0, 'a body is named by no fewer than no records')
  if (count === 0) m.references.delete(blob.blobId)
  else m.references.set(blob.blobId, count)
}
