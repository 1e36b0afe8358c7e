/**
 * Owns this node's part of a list: the files of the ranges that it is the head of, as a read would find each of them.
 *
 * A head that was paused or cut off does not know that its view was succeeded. So a part counts only for those views that a
 * majority of their acceptors has confirmed after the files were looked at, as for a read (confirm.ts); a file whose write is still on its
 * way down the chain is read.
 */
import type { Env } from '../env.ts'
import { StoreError } from '../errors.ts'
import type { ChainDriver } from '../replication/chain/driver.ts'
import type { NetworkView } from '../replication/chain/network-view.ts'
import { fileOf } from '../replication/chain/record-notes.ts'
import { arcContains } from '../ring/arc.ts'
import { identifierOfPath } from '../ring/identifier.ts'
import { comparePathNames, type PathName } from '../ring/path-name.ts'
import { etagOf, type FileRecord } from '../storage/record.ts'
import type { ListEntry, Storage } from '../storage/storage.ts'
import { serves } from '../views/install.ts'
import { headOf } from '../views/view.ts'
import type { ListAnswer, ListAsk, ListedArc } from './calls.ts'

/** Lines that a node looks at for one part, whatever it finds: about 5 ms of the event loop. */
const LINES_LOOKED_AT_MAX = 5_000

/** The longest wait for the votes about one part, ms; a range without them is left out. */
const VOTES_TIMEOUT_MS = 2_500

export interface OwnPartComponents {
  readonly env: Env
  readonly driver: Pick<ChainDriver, 'known' | 'kept' | 'durable' | 'request'>
  readonly storage: Pick<Storage, 'list'>
}

/** What may be told of `ask`: everything in it is durable, acknowledged and confirmed. @throws StoreError UNAVAILABLE, DISK_FULL. */
export async function ownPart(
  { env, driver, storage }: OwnPartComponents,
  ask: ListAsk,
): Promise<ListAnswer> {
  const part = partHere(driver.known, storage, ask)
  const open = new Set(
    part.arcs.flatMap(({ id }) => (id === undefined ? [] : [...driver.kept.unacknowledged(id)])),
  )
  await driver.durable()
  const deadline = new AbortController()
  const timer = env.timers.after(VOTES_TIMEOUT_MS, () => deadline.abort())
  try {
    const asked = [...open].filter(path => isAsked(path, ask, part.upTo))
    const [arcs, read] = await Promise.all([
      Promise.all(part.arcs.map(arc => confirmed(driver, arc, deadline.signal))),
      Promise.all(asked.map(path => lineNow(driver, path, deadline.signal))),
    ])
    const standing = arcs.filter(arc => arc !== undefined)
    const lines = [
      ...part.lines.filter(({ path }) => !open.has(path)),
      ...read.filter(line => line !== undefined),
    ]
    const isStanding = ({ path }: ListEntry) => {
      const position = identifierOfPath(path)
      return standing.some(arc => arcContains(arc, position))
    }
    const isWhole = standing.length === part.arcs.length
    return {
      lines: (isWhole ? lines : lines.filter(isStanding)).sort((a, b) => comparePathNames(a.path, b.path)),
      upTo: part.upTo,
      arcs: standing,
    }
  } finally {
    timer.cancel()
  }
}

/** The files on this disk of the ranges that this node takes itself for the head of. */
export function partHere(
  known: Pick<NetworkView, 'self' | 'held'>,
  storage: Pick<Storage, 'list'>,
  ask: ListAsk,
): ListAnswer {
  const arcs = known
    .held()
    .filter(state => serves(state) && headOf(state.view) === known.self)
    .map(({ view: { lo, hi, epoch, id } }) => ({ lo, hi, epoch, id }))
  const lines: ListEntry[] = []
  let lookedAt = 0
  for (const line of storage.list(ask.prefix, ask.after)) {
    lookedAt++
    const position = identifierOfPath(line.path)
    if (arcs.some(arc => arcContains(arc, position))) lines.push(line)
    if (lines.length >= ask.limit || lookedAt >= LINES_LOOKED_AT_MAX) return { lines, upTo: line.path, arcs }
  }
  return { lines, upTo: undefined, arcs }
}

/** The arc, when its view was not superseded after the files were looked at. */
async function confirmed(
  driver: OwnPartComponents['driver'],
  arc: ListedArc,
  signal: AbortSignal,
): Promise<ListedArc | undefined> {
  const { kind } = await driver.request({ kind: 'get', path: PROBE, position: arc.hi }, signal)
  // A read that went on to a newer view has taken that in.
  return kind === 'value' && driver.known.covering(arc.hi)?.id === arc.id ? arc : undefined
}

/** Named in a read of which only the votes count. */
const PROBE = 'votes' as PathName

/** The line of a file whose write was under way, as a read finds it. @throws StoreError UNAVAILABLE. */
async function lineNow(
  driver: OwnPartComponents['driver'],
  path: PathName,
  signal: AbortSignal,
): Promise<ListEntry | undefined> {
  const outcome = await driver.request({ kind: 'get', path }, signal)
  if (outcome.kind !== 'value')
    throw new StoreError('UNAVAILABLE', 'A write of a file that is to be listed has no answer yet.', { path })
  const file = fileOf(outcome.record)
  return file && lineOf(file)
}

function lineOf(file: FileRecord): ListEntry {
  const { path, body, meta, writtenAtMs } = file
  return {
    path,
    size: body.size,
    etag: etagOf(file),
    mediaType: meta.mediaType,
    writtenAtMs,
    sha256: body.sha256,
    ...(meta.user !== undefined && { user: meta.user }),
  }
}

function isAsked(path: PathName, { prefix, after }: ListAsk, upTo: PathName | undefined): boolean {
  if (!path.startsWith(prefix)) return false
  if (after !== undefined && comparePathNames(path, after) <= 0) return false
  return upTo === undefined || comparePathNames(path, upTo) <= 0
}
