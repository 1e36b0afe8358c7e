/**
 * How the machine's stable state other than its records lies in the store: one value for each view, body, peer; and one for what
 * of a view moves with every write.
 *
 * A view's state is most of a kilobyte, and a write changes three numbers of it. So these are a value of their own, which counts
 * over what the view's value says, and goes when that is written again.
 */
import { Packr } from 'msgpackr'
import { StoreError } from '../../errors.ts'
import type { BlobId } from '../../storage/record.ts'
import type { ReplicaBatch, ReplicaStore } from '../../storage/replica-store.ts'
import type { SealMark } from '../../views/range-table.ts'
import type { Boot, NodeId, ViewId, ViewState } from '../../views/view.ts'
import type { BlobState } from './blob-table.ts'
import type { StableState } from './machine-parts.ts'
import type { Write } from './machine-state.ts'
import type { StoredRecords } from './stored-records.ts'

const packr = new Packr({ useRecords: false, moreTypes: true })

const VIEW = 'view/'
const PROGRESS = 'progress/'
const BLOB = 'blob/'
const PEER = 'peer/'
const MARKS = 'marks'
const FOUNDING = 'founding'

type Values = ReplicaBatch['values']

/** What of a view moves with every write. */
type Moving = 'seq' | 'clean' | 'timeMs'

/** What does not: all the other fields, which a new one of ViewState has to join. */
const STEADY = Object.keys({
  view: true,
  promised: true,
  accepted: true,
  sealed: true,
  next: true,
  installed: true,
  active: true,
  complete: true,
  floor: true,
} satisfies Record<Exclude<keyof ViewState, Moving>, true>) as Exclude<keyof ViewState, Moving>[]

/** The numbers of a view as they lie in the store: `[seq, clean, timeMs]`, nil where there is none. */
type Progress = readonly [seq: number, clean: number | null, timeMs: number | null]

/** What the store has of the views, once all that was handed out is durable. After a failure nobody knows: make a new one. */
export class StoredViews {
  readonly #states: Map<ViewId, ViewState>

  constructor(views: ReadonlyMap<ViewId, ViewState> = new Map()) {
    this.#states = new Map(views)
  }

  /** The values that bring the store from what it has to a state. */
  change(id: ViewId, state: ViewState | undefined): [string, unknown][] {
    const before = this.#states.get(id)
    if (state === undefined) this.#states.delete(id)
    else this.#states.set(id, state)
    const isSteady = state !== undefined && before !== undefined && STEADY.every(f => state[f] === before[f])
    if (isSteady) return [[PROGRESS + id, progressOf(state)]]
    return [
      [VIEW + id, state],
      [PROGRESS + id, undefined],
    ]
  }
}

function progressOf({ seq, clean, timeMs }: ViewState): Progress {
  return [seq, clean ?? null, timeMs ?? null]
}

/** What the state itself says of these numbers is older, also where there is none any more. */
function withProgress(state: ViewState, [seq, clean, timeMs]: Progress): ViewState {
  const { clean: _clean, timeMs: _timeMs, ...steady } = state
  return { ...steady, seq, ...(clean !== null && { clean }), ...(timeMs !== null && { timeMs }) }
}

/** What the writes of a step change in the store, beside the records. */
export function batchOf(
  writes: readonly Write[],
  stored: StoredViews = new StoredViews(),
): Pick<ReplicaBatch, 'values' | 'keepBlobs' | 'dropBlobs'> {
  // Packed at the end: of a view that several steps have written only the last state is.
  const values = new Map<string, unknown>()
  const views = new Map<ViewId, ViewState | undefined>()
  const blobs = new Map<BlobId, BlobState | undefined>()
  for (const write of writes) {
    switch (write.kind) {
      case 'view':
        views.set(write.id, write.state)
        break
      case 'blob':
        values.set(BLOB + write.id, write.blob)
        blobs.set(write.id, write.blob)
        break
      case 'peer':
        values.set(PEER + write.node, write.boot)
        break
      case 'marks':
        values.set(MARKS, write.marks)
        break
      case 'founded':
        values.set(FOUNDING, undefined)
        break
      default:
        // Records are the business of StoredRecords; the boot is stable before the machine starts.
        break
    }
  }
  for (const [id, state] of views) {
    for (const [key, value] of stored.change(id, state)) values.set(key, value)
  }
  const ids = [...blobs.keys()]
  return {
    values: Array.from(values, ([key, value]) => [key, value === undefined ? undefined : packr.pack(value)]),
    keepBlobs: ids.filter(id => blobs.get(id) !== undefined),
    dropBlobs: ids.filter(id => blobs.get(id) === undefined),
  }
}

/**
 * The note that a network has been founded here and has no view yet. It goes in the commit that brings the first ones: a founder that
 * crashed in between would else have a network in which nothing can ever be kept (docs/decisions/0451).
 */
export const FOUNDING_NOTE: Values[number] = [FOUNDING, packr.pack(true)]

/** Whether the first views of the network are still to be made here. */
export function isFounding(store: Pick<ReplicaStore, 'values'>): boolean {
  return [...store.values(FOUNDING)].some(([key]) => key === FOUNDING)
}

/** Written to see whether the disk takes writes again; nobody reads it. */
export function trialOf(bytes: Uint8Array): ReplicaBatch {
  return { ...batchOf([]), records: [], values: [['trial', Buffer.from(bytes)]] }
}

export function loadStableState(store: ReplicaStore, records: StoredRecords, boot: Boot): StableState {
  const marks = [...store.values(MARKS)].map(([, value]) => unpack<SealMark[]>(value))[0] ?? []
  return {
    boot,
    views: loadViews(store),
    records,
    references: records.references(),
    blobs: load<BlobId, BlobState>(store.values(BLOB), BLOB),
    marks,
    peers: load<NodeId, Boot>(store.values(PEER), PEER),
  }
}

/** Programs of before format 4 of the data directory have written no progress: all is in the view's value. */
function loadViews(store: ReplicaStore): Map<ViewId, ViewState> {
  const views = load<ViewId, ViewState>(store.values(VIEW), VIEW)
  for (const [id, progress] of load<ViewId, Progress>(store.values(PROGRESS), PROGRESS)) {
    const state = views.get(id)
    if (state === undefined)
      throw new StoreError('CORRUPT', `The view ${id} is lost, though what it has written is here.`)
    views.set(id, withProgress(state, progress))
  }
  return views
}

function load<Key extends string, Value>(values: Iterable<Values[number]>, prefix: string): Map<Key, Value> {
  const loaded = new Map<Key, Value>()
  for (const [key, value] of values) {
    if (value !== undefined) loaded.set(key.slice(prefix.length) as Key, unpack<Value>(value))
  }
  return loaded
}

function unpack<Value>(bytes: Uint8Array): Value {
  return packr.unpack(bytes) as Value
}
