/**
 * How a chain's record is kept: the file as every storage keeps it, and what chain replication adds as notes.
 */
import { Packr } from 'msgpackr'
import type { FileRecord, Version } from '../../storage/record.ts'
import type { KeptRecord } from '../../storage/replica-store.ts'
import type { ChainRecord, Remembered, RequestId } from './chain-record.ts'

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
  movesFloor?: readonly [epoch: number, seq: number],
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
  return { path, position, file: fileOf(record), notes: packr.pack(notes) }
}

export function chainRecordOf({ path, position, file, notes }: KeptRecord): ChainRecord {
  const [version, history, floor, writtenBy, writtenAtMs, intent, outcomes, movesFloor] = packr.unpack(
    notes,
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
    ...(movesFloor !== undefined && { movesFloor: versionOf(movesFloor) }),
  }
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
