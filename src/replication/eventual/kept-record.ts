/**
 * How a record of the eventual model is kept: the version that is shown as every storage keeps a file, and everything else as notes with a
 * checksum. Beside what all replicas have alike stands what is this node's own: since when it has the record, and who still has to get it.
 */
import { Packr } from 'msgpackr'
import { StoreError } from '../../errors.ts'
import { assert } from '../../invariant.ts'
import type { NodeId } from '../../ring/identifier.ts'
import { contentOfChecked, isWholeChecked, withChecksum } from '../../storage/checked-notes.ts'
import type { Body, FileMeta } from '../../storage/record.ts'
import type { KeptRecord } from '../../storage/replica-store.ts'
import type { Actor, Seen } from './dot.ts'
import { type EventualRecord, fileOf, type RequestOutcome, type Sibling } from './eventual-record.ts'

/** What a node notes of a record for itself. */
export interface Custody {
  /** In which start it came to have the record, and how many writes it had named by then (Minting.last). */
  readonly actor: Actor
  readonly since: number
  /** Nodes that have not said yet that they have it as it is. */
  readonly owed: readonly NodeId[]
}

/** A record with this node's own notes. */
export interface HeldRecord {
  readonly record: EventualRecord
  readonly custody: Custody
}

const packr = new Packr({ useRecords: false, moreTypes: true })

/** Grows with each change of what follows. */
const FORMAT = 1

type Notes = [
  format: number,
  siblings: [
    actor: string,
    n: number,
    stamp: number,
    request: string,
    writtenAtMs: number,
    content: [Body, FileMeta] | null,
  ][],
  seen: Seen,
  outcomes: [
    request: string,
    stamp: number,
    replaced: boolean,
    file: [epoch: number, seq: number, size: number, sha256: string] | null,
  ][],
  holders: readonly string[],
  custody: [actor: string, since: number, owed: readonly string[]],
]

export function keptOf({ record, custody }: HeldRecord): KeptRecord {
  const { path, position, siblings, seen, outcomes, holders } = record
  const notes: Notes = [
    FORMAT,
    // The first one is the file beside which the notes are kept.
    siblings.map(({ dot, stamp, request, writtenAtMs, body, meta }, index) => [
      dot.actor,
      dot.n,
      stamp,
      request,
      writtenAtMs,
      index === 0 ? null : [body, meta],
    ]),
    seen,
    outcomes.map(({ request, stamp, replaced, file }) => [
      request,
      stamp,
      replaced,
      file ? [file.version.epoch, file.version.seq, file.size, file.sha256] : null,
    ]),
    holders,
    [custody.actor, custody.since, custody.owed],
  ]
  const file = siblings[0] && fileOf(path, siblings[0])
  return { path, position, file, notes: withChecksum(packr.pack(notes)) }
}

/** @throws StoreError CORRUPT when the notes fail their checksum. */
export function heldOf({ path, position, file, notes }: KeptRecord): HeldRecord {
  if (!isWholeChecked(notes))
    throw new StoreError('CORRUPT', 'What is noted of the stored record fails its checksum.', { path })
  const unpacked = packr.unpack(contentOfChecked(notes)) as Notes
  const [format, siblings, seen, outcomes, holders, [actor, since, owed]] = unpacked
  assert(format === FORMAT, 'a record has a format that this program knows')
  return {
    record: {
      path,
      position,
      siblings: siblings.map(([actor, n, stamp, request, writtenAtMs, content]): Sibling => {
        const [body, meta] = content ?? [file?.body, file?.meta]
        assert(body !== undefined && meta !== undefined, 'the version that is shown is kept as a file')
        return { dot: { actor: actor as Actor, n }, stamp, request, body, meta, writtenAtMs }
      }),
      seen,
      outcomes: outcomes.map(([request, stamp, replaced, file]): RequestOutcome => {
        const outcome = { request, stamp, replaced }
        if (file === null) return outcome
        const [epoch, seq, size, sha256] = file
        return { ...outcome, file: { version: { epoch, seq }, size, sha256 } }
      }),
      holders: holders as readonly NodeId[],
    },
    custody: { actor: actor as Actor, since, owed: owed as readonly NodeId[] },
  }
}
