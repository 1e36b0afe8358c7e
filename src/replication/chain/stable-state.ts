/**
 * How the machine's stable state other than its records lies in the store: one value for each view, body, peer.
 */
import { Packr } from 'msgpackr'
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
const BLOB = 'blob/'
const PEER = 'peer/'
const MARKS = 'marks'
const FOUNDING = 'founding'

type Values = ReplicaBatch['values']

/** What the writes of a step change in the store, beside the records. */
export function batchOf(writes: readonly Write[]): Pick<ReplicaBatch, 'values' | 'keepBlobs' | 'dropBlobs'> {
  // Packed at the end: of a view that several steps have written only the last state is.
  const values = new Map<string, unknown>()
  const blobs = new Map<BlobId, BlobState | undefined>()
  for (const write of writes) {
    switch (write.kind) {
      case 'view':
        values.set(VIEW + write.id, write.state)
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

export function loadStableState(store: ReplicaStore, records: StoredRecords, boot: Boot): StableState {
  const marks = [...store.values(MARKS)].map(([, value]) => unpack<SealMark[]>(value))[0] ?? []
  return {
    boot,
    views: load<ViewId, ViewState>(store.values(VIEW), VIEW),
    records,
    references: records.references(),
    blobs: load<BlobId, BlobState>(store.values(BLOB), BLOB),
    marks,
    peers: load<NodeId, Boot>(store.values(PEER), PEER),
  }
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
