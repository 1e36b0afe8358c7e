/**
 * What a node knows of one path in a network with eventual consistency: the versions that stand beside each other because nobody has seen
 * both (siblings), and which writes were seen. Two records of a path are merged, never one put in the place of the other: the merge
 * is associative, commutative and idempotent, so that all who have met hold the same (Shapiro, Preguiça, Baquero & Zawirski, *Conflict-Free Replicated
 * Data Types*, SSS 2011).
 *
 * A record without siblings is a tombstone: what it has seen does not come back. A removal takes away what it has seen, and nothing else.
 */
import { hash } from 'node:crypto'
import { assert } from '../../invariant.ts'
import type { Identifier, NodeId } from '../../ring/identifier.ts'
import type { PathName } from '../../ring/path-name.ts'
import {
  type Body,
  type ETag,
  etagOf,
  type FileMeta,
  type FileRecord,
  type Version,
} from '../../storage/record.ts'
import {
  covers,
  type Dot,
  dotName,
  joinSeen,
  NOTHING_SEEN,
  type Seen,
  sameDot,
  seenOf,
  seenWithout,
} from './dot.ts'
import type { Stamp } from './hybrid-clock.ts'

/** Siblings of one path; of more the oldest goes, by the clocks of those who took them. */
export const SIBLINGS_MAX = 8

/** Spans of what was seen of one path: when there are more, what does not stand any more is collected as tombstones are. */
export const SPANS_KEPT = 64

/** Outcomes of requests that are remembered for one path; of more the oldest goes. */
export const OUTCOMES_MAX = 16

/** A version of a file that nobody who replaced it has seen. */
export interface Sibling {
  readonly dot: Dot
  readonly stamp: Stamp
  /** Names the request that wrote it: what was accepted twice for one request is one version. */
  readonly request: string
  readonly body: Body
  readonly meta: FileMeta
  /** Wall clock of the node that accepted it, ms since 1970; for people. */
  readonly writtenAtMs: number
}

/** What a request has done that its client may ask for again. */
export interface RequestOutcome {
  readonly request: string
  /** Of the node that did it, and nobody bounds it: by it all choose alike which outcomes are forgotten. It decides nothing else. */
  readonly stamp: Stamp
  readonly replaced: boolean
  /** What it wrote; undefined for a removal. */
  readonly file?: { readonly version: Version; readonly size: number; readonly sha256: string } | undefined
}

export interface EventualRecord {
  readonly path: PathName
  readonly position: Identifier
  /** The one that is shown first. */
  readonly siblings: readonly Sibling[]
  readonly seen: Seen
  /** The latest first. */
  readonly outcomes: readonly RequestOutcome[]
  /** Every node that was ever sent a version of the path: a tombstone stays until all of them have it. In the order of their names. */
  readonly holders: readonly NodeId[]
}

export function emptyRecord(path: PathName, position: Identifier): EventualRecord {
  return { path, position, siblings: [], seen: NOTHING_SEEN, outcomes: [], holders: [] }
}

export function isTombstone({ siblings }: EventualRecord): boolean {
  return siblings.length === 0
}

/** What was seen of a path and does not stand any more: as a tombstone, which takes nothing away that stands. */
export function replacedIn(record: EventualRecord): EventualRecord {
  const dots = record.siblings.map(({ dot }) => dot)
  return { ...record, siblings: [], seen: seenWithout(record.seen, dots) }
}

/** The record without what was seen and does not stand any more. Only when nobody can bring that back (collecting.ts). */
export function withoutReplaced(record: EventualRecord): EventualRecord {
  return { ...record, seen: seenOf(record.siblings.map(({ dot }) => dot)) }
}

/** The version of a sibling: the count of its dot, and 48 bits of a hash of its actor and the path. It orders nothing. */
export function versionOf({ actor, n }: Dot): Version {
  return { epoch: n, seq: Number.parseInt(hash('sha256', actor).slice(0, 12), 16) }
}

export function fileOf(path: PathName, sibling: Sibling): FileRecord {
  const { dot, body, meta, writtenAtMs } = sibling
  return { path, version: versionOf(dot), body, meta, writtenAtMs }
}

/** The file that a read gives. */
export function shownFile({ path, siblings }: EventualRecord): FileRecord | undefined {
  return siblings[0] && fileOf(path, siblings[0])
}

export function etagOfSibling({ dot, body }: Sibling): ETag {
  return etagOf({ version: versionOf(dot), body })
}

/** What both records know, as one. @param tooMany told how many versions have gone because there were too many. */
export function merge(
  a: EventualRecord,
  b: EventualRecord,
  tooMany?: (gone: number) => void,
): EventualRecord {
  assert(a.path === b.path, 'records of one path are merged')
  const ofOther = stayingOf(b, a).filter(({ dot }) => !a.siblings.some(one => sameDot(one.dot, dot)))
  const siblings = [...stayingOf(a, b), ...ofOther]
  return settled(
    {
      path: a.path,
      position: a.position,
      siblings,
      seen: joinSeen(a.seen, b.seen),
      outcomes: joinOutcomes(a.outcomes, b.outcomes),
      holders: joinHolders(a.holders, b.holders),
    },
    tooMany,
  )
}

/** The siblings of `own` that stand after a merge: the other has them too, or has not seen them. Of a common one the lesser stamp counts. */
function stayingOf(own: EventualRecord, other: EventualRecord): Sibling[] {
  return own.siblings.flatMap(sibling => {
    const common = other.siblings.find(({ dot }) => sameDot(dot, sibling.dot))
    if (common !== undefined) return [common.stamp < sibling.stamp ? common : sibling]
    return covers(other.seen, sibling.dot) ? [] : [sibling]
  })
}

/**
 * In order, each once, and no more than may be. What goes is chosen by what never changes, so that all choose the same: two nodes that each kept what the other had
 * left out would lose both.
 */
function settled(record: EventualRecord, tooMany?: (gone: number) => void): EventualRecord {
  const byRequest = new Map<string, Sibling>()
  for (const sibling of [...record.siblings].sort(byName))
    if (!byRequest.has(sibling.request)) byRequest.set(sibling.request, sibling)
  const all = [...byRequest.values()].sort((a, b) => b.writtenAtMs - a.writtenAtMs || byName(a, b))
  if (all.length > SIBLINGS_MAX) tooMany?.(all.length - SIBLINGS_MAX)
  return { ...record, siblings: all.slice(0, SIBLINGS_MAX).sort(newestFirst) }
}

function byName(a: Sibling, b: Sibling): number {
  return dotName(a.dot) < dotName(b.dot) ? -1 : 1
}

function newestFirst(a: Sibling, b: Sibling): number {
  return b.stamp - a.stamp || (dotName(a.dot) < dotName(b.dot) ? 1 : -1)
}

/** The record after a write or a removal. @param replaced the siblings that it takes the place of. */
export function written(
  record: EventualRecord,
  change: {
    readonly replaced: readonly Sibling[]
    readonly added?: Sibling
    readonly seen: Seen
    readonly outcome: RequestOutcome
  },
): EventualRecord {
  const { replaced, added, seen, outcome } = change
  const left = record.siblings.filter(sibling => !replaced.includes(sibling))
  return settled({
    ...record,
    siblings: added === undefined ? left : [added, ...left],
    seen,
    outcomes: joinOutcomes(record.outcomes, [outcome]),
  })
}

export function joinHolders(a: readonly NodeId[], b: readonly NodeId[]): readonly NodeId[] {
  const all = new Set([...a, ...b])
  return all.size === a.length ? a : [...all].sort()
}

/** Of one request that two nodes have done the later outcome counts: what is left out then is what all leave out. */
function joinOutcomes(a: readonly RequestOutcome[], b: readonly RequestOutcome[]): readonly RequestOutcome[] {
  const byRequest = new Map<string, RequestOutcome>()
  for (const one of [...a, ...b].sort(latestFirst))
    if (!byRequest.has(one.request)) byRequest.set(one.request, one)
  return [...byRequest.values()].slice(0, OUTCOMES_MAX)
}

/** A total order: what every node takes for the later of two. */
function latestFirst(a: RequestOutcome, b: RequestOutcome): number {
  const name = ({ request, file }: RequestOutcome) => `${request} ${file?.version.epoch} ${file?.version.seq}`
  return b.stamp - a.stamp || (name(a) < name(b) ? 1 : -1)
}

/** Stands for what of a record all replicas have alike: 48 bits of a hash, as a number, and 32 more. */
export function stateOf({ siblings, seen, outcomes }: EventualRecord): Version {
  const state = [
    siblings.map(({ dot, stamp }) => [dotName(dot), stamp]),
    seen,
    outcomes.map(({ request, stamp }) => [request, stamp]),
  ]
  const digits = hash('sha256', JSON.stringify(state))
  return { epoch: Number.parseInt(digits.slice(0, 8), 16), seq: Number.parseInt(digits.slice(8, 20), 16) }
}
