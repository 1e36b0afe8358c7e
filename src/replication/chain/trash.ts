/**
 * The trash of a path: what was replaced or removed there (docs/decisions/0340).
 *
 * The head that applies a write adds the name of what it replaces to the path's own record; every replica keeps the version
 * of that name beside the record. A record never stands without what its trash names, as it never stands without its body: so
 * whatever carries a record carries its trash, and nothing of it is acknowledged, shown or lost apart from the record.
 */
import { assert } from '../../invariant.ts'
import { TRASH_PREFIX, trashPathOf } from '../../ring/trash-path.ts'
import { type TrashName, trashFactsOf, trashNameOf } from '../../storage/trash-name.ts'
import { type ChainRecord, compareVersions } from './chain-record.ts'
import { type Ledger, putRecord } from './machine-state.ts'
import type { WriteRequest } from './messages.ts'

/** Versions of one path that are kept; of more the oldest goes. About 70 bytes each in the record, which every read carries. */
export const TRASH_PER_PATH_MAX = 16

/** Nothing below this is trashed: parts of uploads, locks, and the trash itself. */
const RESERVED = TRASH_PREFIX.slice(0, TRASH_PREFIX.indexOf('/') + 1)

/** When a write is applied by a head, and how long it keeps what the write replaces. */
export interface TrashMoment {
  /** Wall clock, ms since 1970. */
  readonly atMs: number
  /** The time of the range, ms. */
  readonly rangeMs: number
  /** 0: nothing goes into the trash. */
  readonly trashMs: number
}

/** The record that a write has made of another, with the trash that it has from then on. */
export function withTrash(
  before: ChainRecord,
  after: ChainRecord,
  request: Pick<WriteRequest, 'operation' | 'settles'>,
  moment: TrashMoment,
): ChainRecord {
  const { operation, settles } = request
  const old = before.trash ?? []
  const gone = leaving(operation, old, moment.rangeMs)
  const left = gone.length === 0 ? old : old.filter(name => !gone.includes(name))
  // What a move takes away from its source stands at its destination.
  const isMoved = operation.kind === 'remove' && settles !== undefined
  if (isMoved || moment.trashMs === 0 || !isLost(before, after)) return named(after, left)
  const { version } = before.written ?? before
  const { atMs, rangeMs } = moment
  const wasRemoved = after.body === undefined
  const added = trashNameOf({ version, by: after.version, atMs, rangeMs, wasRemoved })
  return named(after, [...left, added].slice(-TRASH_PER_PATH_MAX))
}

/** Which names leave the trash by what a write asks for. */
export function leaving(
  operation: WriteRequest['operation'],
  trash: readonly TrashName[],
  rangeMs: number,
): readonly TrashName[] {
  if (operation.kind === 'put') return trash.filter(name => name === operation.restores)
  if (operation.kind !== 'forget') return []
  const { names, agedMs = Number.NEGATIVE_INFINITY } = operation
  return trash.filter(name => names.includes(name) && rangeMs - trashFactsOf(name).rangeMs >= agedMs)
}

/** Whether a write has taken away what nobody could give back: other bytes, or other metadata. */
function isLost(before: ChainRecord, after: ChainRecord): boolean {
  if (before.body === undefined || before.written === undefined || before.path.startsWith(RESERVED))
    return false
  if (after.body === undefined) return true
  const isSame = after.written && compareVersions(before.written.version, after.written.version) === 0
  if (isSame) return false
  const sameBytes = before.body.sha256 === after.body.sha256
  return !sameBytes || JSON.stringify(before.meta) !== JSON.stringify(after.meta)
}

function named(record: ChainRecord, trash: readonly TrashName[]): ChainRecord {
  if (trash.length === 0 && record.trash === undefined) return record
  const { trash: _, ...rest } = record
  return trash.length === 0 ? rest : { ...rest, trash }
}

/** The version of this name, as what a path has is kept when it is replaced; undefined when the path has another one. */
function trashed(record: ChainRecord | undefined, name: TrashName): ChainRecord | undefined {
  if (record?.body === undefined || record.written === undefined) return undefined
  const { path, position, body, meta, written, writtenAtMs } = record
  const { version } = written
  if (compareVersions(version, trashFactsOf(name).version) !== 0) return undefined
  const nothing = { history: [], historyFloor: version, intent: undefined, outcomes: [] }
  return { path: trashPathOf(path, name), position, version, body, meta, written, writtenAtMs, ...nothing }
}

/**
 * Before a record takes its place: puts what its trash names beside it, made of the record that it replaces or `carried` by
 * whoever sends it. Undefined when something named is not to be had: then nothing has changed, and the record is not to be
 * taken. From a node of an older program, which carries nothing, the record comes back with what can be had of its trash.
 */
export function takeTrash(
  m: Ledger,
  record: ChainRecord,
  carried: readonly ChainRecord[] | undefined,
): ChainRecord | undefined {
  const { path, position, trash } = record
  if (trash === undefined) return record
  const own = m.records.get(path, position)
  // These lie beside the record that is replaced: to look each of them up would make an overwrite the dearer, the more the path has.
  const had = new Set(own?.trash)
  const names: TrashName[] = []
  const added: ChainRecord[] = []
  for (const name of trash) {
    if (had.has(name)) {
      names.push(name)
      continue
    }
    const at = trashPathOf(path, name)
    const made = trashed(own, name)
    const isHere = made === undefined && m.records.get(at, position) !== undefined
    const version = isHere ? undefined : (made ?? carried?.find(one => one.path === at))
    if (version !== undefined) added.push({ ...version, position })
    if (isHere || version !== undefined) names.push(name)
    else if (carried !== undefined) return undefined
  }
  for (const version of added) putRecord(m, version)
  return names.length === trash.length ? record : named(record, names)
}

/** Everything that the trash of a record names. */
export function trashOf(m: Ledger, { path, position, trash = [] }: ChainRecord): readonly ChainRecord[] {
  return trash.map(name => {
    const version = m.records.get(trashPathOf(path, name), position)
    assert(version !== undefined, 'a record stands beside what its trash names')
    return version
  })
}
