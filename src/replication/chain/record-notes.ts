/**
 * How a chain's record is kept: the file as every storage keeps it, and what chain replication adds as notes. A tombstone
 * has nothing but notes. They carry a checksum of their own: a bit that has turned on the disk is found, never believed
 * (docs/decisions/0320-notes-have-a-checksum.md).
 */
import { Packr } from 'msgpackr'
import { StoreError } from '../../errors.ts'
import { contentOfChecked, isChecked, isWholeChecked, withChecksum } from '../../storage/checked-notes.ts'
import type { FileRecord, Version } from '../../storage/record.ts'
import type { KeptRecord } from '../../storage/replica-store.ts'
import type { ChainRecord, Remembered, RequestId } from './chain-record.ts'

/** First bytes of notes without a checksum, of formats 1 and 2 of the data directory: lists of seven and of eight. */
const UNCHECKED: ReadonlySet<number | undefined> = new Set([0x97, 0x98])

const packr = new Packr({ useRecords: false, moreTypes: true })

type Notes = [
  version: readonly [epoch: number, seq: number],
  history: (readonly [epoch: number, seq: number, requestId: string, replaced?: boolean])[],
  floor: readonly [epoch: number, seq: number],
  writtenBy: string | null,
  writtenAtMs: number,
  intent: ChainRecord['intent'] | null,
  outcomes: ChainRecord['outcomes'],
  /** Not in what a program of peer protocol 2 has written. */
  movesFloor?: readonly [epoch: number, seq: number] | null,
  /** Not in what a program of format 2 of the data directory has written, nor where there is none. */
  trash?: ChainRecord['trash'],
]

export function keptRecordOf(record: ChainRecord): KeptRecord {
  const {
    path,
    position,
    version,
    written,
    writtenAtMs,
    history,
    historyFloor,
    intent,
    outcomes,
    movesFloor,
    trash,
  } = record
  const notes: Notes = [
    [version.epoch, version.seq],
    history.map(noteOf),
    [historyFloor.epoch, historyFloor.seq],
    written?.requestId ?? null,
    writtenAtMs,
    intent ?? null,
    outcomes,
  ]
  if (movesFloor !== undefined) notes.push([movesFloor.epoch, movesFloor.seq])
  else if (trash !== undefined) notes.push(null)
  if (trash !== undefined) notes.push(trash)
  const file = fileOf(record)
  const kept = { path, position, file, notes: withChecksum(packr.pack(notes)) }
  return file === undefined && trash !== undefined ? { ...kept, hasTrash: true } : kept
}

/** @throws StoreError CORRUPT when the notes fail their checksum. */
export function chainRecordOf({ path, position, file, notes }: KeptRecord): ChainRecord {
  if (!areNotesWhole(notes))
    throw new StoreError('CORRUPT', 'What is noted of the stored record fails its checksum.', { path })
  const [version, history, floor, writtenBy, writtenAtMs, intent, outcomes, movesFloor, trash] = packr.unpack(
    isChecked(notes) ? contentOfChecked(notes) : notes,
  ) as Notes
  return {
    path,
    position,
    version: versionOf(version),
    body: file?.body,
    meta: file?.meta,
    written: file && { version: file.version, requestId: writtenBy as RequestId },
    writtenAtMs,
    history: history.map(rememberedOf),
    historyFloor: versionOf(floor),
    intent: intent ?? undefined,
    outcomes,
    ...(movesFloor && { movesFloor: versionOf(movesFloor) }),
    ...(trash !== undefined && { trash }),
  }
}

/** Whether notes are as they were written, as far as that can be seen: those of before format 3 had no checksum. */
export function areNotesWhole(notes: Uint8Array): boolean {
  return isChecked(notes) ? isWholeChecked(notes) : UNCHECKED.has(notes[0])
}

/** The file of a record as users see it: its version is that of the last write, not of a move's intent. */
export function fileOf(record: ChainRecord): FileRecord | undefined {
  const { path, body, meta, written, writtenAtMs } = record
  if (body === undefined || meta === undefined || written === undefined) return undefined
  return { path, version: written.version, body, meta, writtenAtMs }
}

function noteOf({ version: { epoch, seq }, requestId, replaced }: Remembered): Notes[1][number] {
  return replaced === undefined ? [epoch, seq, requestId] : [epoch, seq, requestId, replaced]
}

function rememberedOf([epoch, seq, requestId, replaced]: Notes[1][number]): Remembered {
  const decided = { version: { epoch, seq }, requestId: requestId as RequestId }
  return replaced === undefined ? decided : { ...decided, replaced }
}

function versionOf([epoch, seq]: readonly [number, number]): Version {
  return { epoch, seq }
}
