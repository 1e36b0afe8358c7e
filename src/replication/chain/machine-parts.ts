/**
 * The machine of one node: the state of all modules of the core together, and what it begins with. Only machine.ts and
 * handlers.ts see it whole; a module sees its own state, and that of the modules that it calls.
 */
import { WHOLE_RING } from '../../ring/arc.ts'
import type { BlobId } from '../../storage/record.ts'
import { RangeTable, type SealMark, SealMarks } from '../../views/range-table.ts'
import type { Boot, NodeId, ViewId, ViewState } from '../../views/view.ts'
import { type Entry, newEntry } from '../entry/entry.ts'
import { type BlobState, BlobTable } from './blob-table.ts'
import { entryHost } from './entry-host.ts'
import type { Fact } from './facts.ts'
import { LackedBodies } from './lacked-bodies.ts'
import { type ChainSettings, refer } from './machine-state.ts'
import type { Passing } from './passing.ts'
import type { RecordTable } from './record-table.ts'
import { noSeries } from './series.ts'
import type { Unsettled } from './unsettled.ts'

/** Everything one node knows. Changed by step() alone. */
export interface Machine extends Passing, Unsettled {
  readonly entry: Entry
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

export function machineState(
  stable: StableState,
  init: MachineInit,
  hear: (m: Machine, fact: Fact) => void,
): Machine {
  const parts: Omit<Machine, 'entry'> = {
    ...init,
    hear: fact => hear(machine, fact),
    views: new Map(stable.views),
    records: stable.records,
    blobs: BlobTable.of(stable.blobs),
    marks: new SealMarks(),
    markList: [...stable.marks],
    peers: new Map(stable.peers),
    table: new RangeTable(),
    members: new Map(),
    ring: undefined,
    zones: undefined,
    suspects: new Set(),
    silences: new Map(),
    slow: new Map(),
    unknown: new Map(),
    seeking: false,
    seeks: 0,
    beliefs: 0,
    look: { latest: 0, isDue: false },
    changes: new Map(),
    questions: new Map(),
    chains: new Map(),
    confirms: { waiting: new Map(), rounds: new Map(), inFlight: new Map() },
    proposals: new Map(),
    unfinished: new Map(),
    installations: new Map(),
    transfers: new Map(),
    copied: { records: 0, bytes: 0 },
    series: noSeries(),
    forgetting: { arcs: [], wanted: [] },
    spares: new Map(),
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
  const machine: Machine = Object.assign(parts, { entry: newEntry(entryHost(parts)) })
  learnStable(machine, stable)
  return machine
}

/** What follows from what is stable. */
function learnStable(machine: Machine, stable: StableState): void {
  for (const mark of stable.marks) machine.marks.seal(mark)
  for (const state of machine.views.values()) {
    // A source that was only named has no acceptors here, and is no view to tell others of.
    if (state.view.acceptors.length > 0) machine.table.learn(state.view)
    for (const child of state.next ?? []) machine.table.learn(child)
  }
  if (stable.references === undefined) {
    for (const record of stable.records.within(WHOLE_RING)) refer(machine, record, 1)
  }
}
