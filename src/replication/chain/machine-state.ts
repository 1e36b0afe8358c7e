/**
 * Owns the state of one node's machine and the only ways to change what is stable.
 *
 * A step collects a Batch: what has to be on stable storage, and what may happen then. The driver makes `persist`
 * durable as one atomic commit, and lets no effect out before its own batch and all earlier ones are durable (as with
 * the Ready of etcd/raft). Since stable state is changed only through the functions here, which note a Write each, no
 * message can leave before what it depends on. Reads need this too: they show what an earlier batch has written.
 */
import { assert } from '../../invariant.ts'
import { WHOLE_RING } from '../../ring/arc.ts'
import type { Identifier } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { RingPosition } from '../../ring/placement.ts'
import type { BlobId, Version } from '../../storage/record.ts'
import { assertAdvance } from '../../views/lawful.ts'
import { boundOf, RangeTable, type SealMark, SealMarks } from '../../views/range-table.ts'
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
import { type BlobState, BlobTable } from './blob-table.ts'
import type { ChainRecord, RequestId } from './chain-record.ts'
import type { Confirms } from './confirm.ts'
import type { Proposing } from './deciding.ts'
import type { Waiter } from './dirty.ts'
import type { Fact } from './facts.ts'
import type { Forgetting } from './forgetting.ts'
import { LackedBodies } from './lacked-bodies.ts'
import type { BlobRef, Envelope, Message, Tag } from './messages.ts'
import type { RecordTable } from './record-table.ts'
import type { Flow, Task } from './requests.ts'
import type { Installation, Transfer } from './transfers.ts'
import type { CounterWindow } from './writing.ts'

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

/** The unacknowledged writes of a path, by their numbers. */
export interface Unacknowledged {
  readonly first: number
  readonly last: number
}

/** What a replica remembers of a view while it runs. */
export interface Chain {
  /** Head: paths with unacknowledged writes, in the order of the first ones. */
  readonly dirty: Map<PathName, Unacknowledged>
  /** The newest version of a path that is known to be acknowledged, where that is above cleanSeq. */
  readonly acknowledged: Map<PathName, Version>
  cleanSeq: number
  readonly waiting: Map<PathName, Waiter[]>
  /** By node and boot. */
  readonly windows: Map<string, CounterWindow>
  /** Passes that wait for a body. */
  readonly blocked: Map<BlobId, { readonly from: NodeId; readonly message: Message }[]>
  resending: boolean
  /** Head, after a restart: prefixes of positions that have not been looked over yet, and what is open in the others. */
  resuming: { readonly prefixes: string[]; readonly open: [PathName, number][] } | undefined
  /** Head: replicas that have every body. */
  readonly filled: Set<NodeId>
  /** Head: what the machine's activeMs was when the time of the range was as the view's state says. */
  timedAtMs: number
}

/** Everything one node knows. Changed by step() alone. */
export interface Machine {
  readonly settings: ChainSettings
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
  members: ReadonlyMap<NodeId, Member>
  /** Made from the members when it is needed. */
  ring:
    | { readonly members: ReadonlyMap<NodeId, Member>; readonly positions: readonly RingPosition[] }
    | undefined
  readonly suspects: Set<NodeId>
  readonly silences: Map<NodeId, number>
  /** Nodes that are asked last, until so many tasks have begun. */
  readonly slow: Map<NodeId, number>
  /** Nodes that nobody here has heard of, and who has said so when they were asked. */
  readonly unknown: Map<NodeId, ReadonlySet<NodeId>>
  /** Suspects have been asked lately whether they are back. */
  seeking: boolean
  /** How often in a row that was for nothing. */
  seeks: number
  /** Whether a node is there: the questions under way. */
  readonly questions: Map<NodeId, Tag>
  readonly chains: Map<ViewId, Chain>
  readonly confirms: Confirms
  readonly proposals: Map<ViewId, Proposing>
  readonly installations: Map<ViewId, Installation>
  readonly transfers: Map<Tag, Transfer>
  /** When each range is looked at next, ms of this node's clock. */
  readonly repairing: Map<ViewId, number>
  readonly forgetting: Forgetting
  /** Sealed views whose replica this node was, and whether their time is over. */
  readonly spares: Map<ViewId, boolean>
  readonly tasks: Map<Tag, Task>
  readonly flows: Map<string, Flow>
  /** How many records name a body. */
  readonly references: Map<BlobId, number>
  readonly lacked: LackedBodies
  counter: number
  /** Tasks begun so far. */
  turns: number
  halted: boolean
  /** How long this start has been at work, ms of its monotonic clock; late steps count for less (range-time.ts). */
  activeMs: number
  /** Monotonic clock at the last step, ms. */
  steppedAtMs: number | undefined

  /** Hands a fact to those who hear it. */
  readonly hear: (m: Machine, fact: Fact) => void

  // Of the step under way.
  nowMs: number
  persist: Write[]
  effects: Effect[]
  local: Envelope[]
}

/** What stable storage holds of a node when it starts. */
export interface StableState {
  readonly boot: Boot
  readonly views: ReadonlyMap<ViewId, ViewState>
  readonly records: RecordTable
  readonly blobs: ReadonlyMap<BlobId, BlobState>
  readonly marks: readonly SealMark[]
  readonly peers: ReadonlyMap<NodeId, Boot>
  /** How many records name each body; counted when it is not given. */
  readonly references?: ReadonlyMap<BlobId, number>
}

export interface MachineInit {
  readonly self: NodeId
  /** This start: a counter above the one on the disk, and a new nonce. The caller has made it stable. */
  readonly boot: Boot
  readonly settings: ChainSettings
}

export function machineState(stable: StableState, init: MachineInit, hear: Machine['hear']): Machine {
  const machine: Machine = {
    ...init,
    hear,
    views: new Map(stable.views),
    records: stable.records,
    blobs: BlobTable.of(stable.blobs),
    marks: new SealMarks(),
    markList: [...stable.marks],
    peers: new Map(stable.peers),
    table: new RangeTable(),
    members: new Map(),
    ring: undefined,
    suspects: new Set(),
    silences: new Map(),
    slow: new Map(),
    unknown: new Map(),
    seeking: false,
    seeks: 0,
    questions: new Map(),
    chains: new Map(),
    confirms: { waiting: new Map(), rounds: new Map(), inFlight: new Map() },
    proposals: new Map(),
    installations: new Map(),
    transfers: new Map(),
    repairing: new Map(),
    forgetting: { arcs: [], wanted: [] },
    spares: new Map(),
    tasks: new Map(),
    flows: new Map(),
    references: new Map(stable.references),
    lacked: new LackedBodies(),
    counter: 0,
    turns: 0,
    halted: false,
    activeMs: 0,
    steppedAtMs: undefined,
    nowMs: 0,
    persist: [],
    effects: [],
    local: [],
  }
  for (const mark of stable.marks) machine.marks.seal(mark)
  for (const state of machine.views.values()) {
    // A source that was only named has no acceptors here, and is no view to tell others of.
    if (state.view.acceptors.length > 0) machine.table.learn(state.view)
    for (const child of state.next ?? []) machine.table.learn(child)
  }
  if (stable.references === undefined) {
    for (const record of stable.records.within(WHOLE_RING)) refer(machine, record, 1)
  }
  return machine
}

export function putView(m: Machine, state: ViewState): void {
  assertAdvance(m.views.get(state.view.id), state)
  m.views.set(state.view.id, state)
  m.persist.push({ kind: 'view', id: state.view.id, state })
}

export function dropView(m: Machine, id: ViewId): void {
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
export function putRecord(m: Machine, record: ChainRecord): void {
  const hasFile = record.body !== undefined
  assert(
    hasFile === (record.written !== undefined),
    'a file was written by somebody, a tombstone has no file',
  )
  assert(hasFile === (record.meta !== undefined), 'a file has its meta data, a tombstone has none')
  assert(hasFile || record.intent === undefined, 'nothing that is not there is moved')
  const old = m.records.get(record.path)
  refer(m, record, 1)
  if (old !== undefined) refer(m, old, -1)
  m.records.put(record)
  m.persist.push({ kind: 'record', path: record.path, record })
  const named = blobOf(record)
  const kept = named === undefined ? undefined : m.blobs.get(named.blobId)
  if (kept !== undefined && (kept.stagedUntilMs !== undefined || kept.replacedBy !== undefined)) {
    putBlob(m, { blob: kept.blob, stagedUntilMs: undefined, replacedBy: undefined })
  }
  const gone = old === undefined ? undefined : blobOf(old)
  const left = gone === undefined ? undefined : m.blobs.get(gone.blobId)
  if (left !== undefined && !m.references.has(left.blob.blobId)) {
    putBlob(m, { ...left, replacedBy: { path: record.path, version: record.version } })
  }
}

/** Drops a record; its body goes with it unless another record names it. */
export function dropRecord(m: Machine, record: ChainRecord): void {
  m.records.delete(record.path)
  m.persist.push({ kind: 'record', path: record.path, record: undefined })
  refer(m, record, -1)
  const blob = blobOf(record)
  if (blob !== undefined && !m.references.has(blob.blobId)) dropBlob(m, blob.blobId)
}

export function putBlob(m: Machine, blob: BlobState): void {
  const isWanted = m.references.has(blob.blob.blobId)
  assert(!isWanted || blob.stagedUntilMs === undefined, 'a body that a record names does not expire')
  m.blobs.set(blob.blob.blobId, blob)
  m.persist.push({ kind: 'blob', id: blob.blob.blobId, blob })
}

export function dropBlob(m: Machine, id: BlobId): void {
  if (!m.blobs.delete(id)) return
  m.persist.push({ kind: 'blob', id, blob: undefined })
}

/** A late word about an older view of the same arc must not take back what a newer one has sealed. */
export function sealMark(m: Machine, mark: SealMark): void {
  m.marks.seal(mark)
  const isSame = (other: SealMark) => other.lo === mark.lo && other.hi === mark.hi
  const isKnown = (other: SealMark) => isSame(other) && compareViews(boundOf(other), boundOf(mark)) >= 0
  if (m.markList.some(isKnown)) return
  m.markList = [...m.markList.filter(other => !isSame(other)), mark]
  m.persist.push({ kind: 'marks', marks: m.markList })
}

export function rememberPeer(m: Machine, node: NodeId, boot: Boot): void {
  assert((m.peers.get(node)?.counter ?? -1) < boot.counter, 'the starts of a node grow', node)
  m.peers.set(node, boot)
  m.persist.push({ kind: 'peer', node, boot })
}

/** Sends; what a node says to itself is handled within the same step. */
export function send(m: Machine, to: NodeId, message: Message): void {
  if (to === m.self) m.local.push({ from: m.self, boot: m.boot, to, message })
  else m.effects.push({ kind: 'send', to, message })
}

/** Something has happened: whoever has to act on it does, now. */
export function tell(m: Machine, fact: Fact): void {
  m.hear(m, fact)
}

export function setTimer(m: Machine, afterMs: number, timer: TimerEvent): void {
  assert(Number.isFinite(afterMs) && afterMs >= 0, 'a wait has a length', timer.kind)
  m.effects.push({ kind: 'timer', afterMs, timer })
}

/** A name that no other question of any node has, in any of its starts. */
export function newTag(m: Machine): Tag {
  m.counter++
  return `${m.self}/${bootName(m.boot)}/${m.counter}` as Tag
}

export function newRequestId(m: Machine): RequestId {
  return `${m.self}/${bootName(m.boot)}/r${++m.counter}` as RequestId
}

export function chainOf(m: Machine, state: ViewState): Chain {
  const known = m.chains.get(state.view.id)
  if (known !== undefined) return known
  assert(m.views.has(state.view.id), 'a chain is one of a view that is held', state.view.id)
  const chain: Chain = {
    dirty: new Map(),
    acknowledged: new Map(),
    cleanSeq: firstCleanSeq(state),
    waiting: new Map(),
    windows: new Map(),
    blocked: new Map(),
    resending: false,
    resuming: undefined,
    filled: new Set(),
    timedAtMs: m.activeMs,
  }
  m.chains.set(state.view.id, chain)
  return chain
}

/** After a restart only the marks in the view's state tell what is acknowledged. */
function firstCleanSeq(state: ViewState): number {
  const floorSeq = state.floor.epoch === state.view.epoch ? state.floor.seq : 0
  return Math.max(floorSeq, state.clean ?? 0)
}

export function blobOf(record: ChainRecord): BlobRef | undefined {
  if (record.body === undefined || !('blobId' in record.body.content)) return undefined
  return { blobId: record.body.content.blobId, sha256: record.body.sha256 }
}

/** Doubling waits, so that two who get in each other's way part; at most sixteen times the first. */
export function backOffMs(m: Machine, tries: number): number {
  return m.settings.retryMs * 2 ** Math.min(tries, 4)
}

function refer(m: Machine, record: ChainRecord, by: 1 | -1): void {
  const blob = blobOf(record)
  if (blob === undefined) return
  const count = (m.references.get(blob.blobId) ?? 0) + by
  assert(count >= 0, 'a body is named by no fewer than no records')
  if (count === 0) m.references.delete(blob.blobId)
  else m.references.set(blob.blobId, count)
}
