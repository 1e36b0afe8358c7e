/**
 * This node's part of a list: the files of the ranges that it is the head of, as a read would find each of them. In place of a head that
 * gives no part the tail gives it: what the tail has is acknowledged.
 *
 * A head that was paused or cut off does not know that its view was succeeded. So a part counts only for those views that a
 * majority of their acceptors has confirmed after the files were looked at, as for a read (confirm.ts); a file whose write is still on its
 * way down the chain is read.
 */
import { setMaxListeners } from 'node:events'
import type { ListAnswer, ListAsk, ListedArc } from '../calls/calls.ts'
import type { Env } from '../env.ts'
import { StoreError } from '../errors.ts'
import type { ChainDriver } from '../replication/chain/driver.ts'
import type { NetworkView } from '../replication/chain/network-view.ts'
import { fileOf } from '../replication/chain/record-notes.ts'
import type { Ending } from '../replication/entry/requests.ts'
import { arcContains } from '../ring/arc.ts'
import { identifierOfPath, type NodeId } from '../ring/identifier.ts'
import { behind, commonPrefix, comparePathNames, type PathName } from '../ring/path-name.ts'
import { etagOf, type FileRecord } from '../storage/record.ts'
import type { ListEntry, Storage } from '../storage/storage.ts'
import { serves } from '../views/install.ts'
import { headOf, tailOf, type View } from '../views/view.ts'

/** Lines that a node looks at for one part, whatever it finds: about 5 ms of the event loop. */
const LINES_LOOKED_AT_MAX = 5_000

/** What a jump over a common prefix costs, in lines looked at. */
const LINES_OF_A_SEEK = 4

/** The longest wait for the votes about one part, ms; a range without them is left out. */
const VOTES_TIMEOUT_MS = 2_500

export interface OwnPartComponents {
  readonly env: Env
  readonly driver: Pick<ChainDriver, 'known' | 'kept' | 'durable' | 'request'>
  readonly storage: Pick<Storage, 'list'>
}

/** What may be told of `ask`: everything in it is durable, acknowledged and confirmed. @throws StoreError UNAVAILABLE, DISK_FULL. */
export async function ownPart(components: OwnPartComponents, ask: ListAsk): Promise<ListAnswer> {
  for (let arcs = arcsHere(components.driver.known, ask.insteadOf); ; ) {
    const part = await partOf(components, ask, arcs)
    // A common prefix was seen by one file, perhaps of a range that has gone, and its other files were jumped over.
    if (ask.delimiter === undefined || part.arcs.length === arcs.length) return part
    arcs = part.arcs
  }
}

/** The ranges that this node takes itself for the head of; `insteadOf` nodes, those of which such a node is the head and this one the tail. */
export function arcsHere(
  { self, held }: Pick<NetworkView, 'self' | 'held'>,
  insteadOf?: readonly NodeId[],
): readonly ListedArc[] {
  const isListed = (view: View) =>
    insteadOf === undefined
      ? headOf(view) === self
      : tailOf(view) === self && insteadOf.includes(headOf(view))
  return held()
    .filter(state => serves(state) && isListed(state.view))
    .map(({ view: { lo, hi, epoch, id } }) => ({ lo, hi, epoch, id }))
}

async function partOf(
  { env, driver, storage }: OwnPartComponents,
  ask: ListAsk,
  here: readonly ListedArc[],
): Promise<ListAnswer> {
  const open = new Set(
    here.flatMap(({ id }) => (id === undefined ? [] : [...driver.kept.unacknowledged(id)])),
  )
  const part = partHere(storage, ask, here, open)
  await driver.durable()
  const deadline = new AbortController()
  // Each range asks for votes of its own, and each open file is read: many listen, and all of them end with this part.
  setMaxListeners(0, deadline.signal)
  const timer = env.timers.after(VOTES_TIMEOUT_MS, () => deadline.abort())
  try {
    const asked = [...open].filter(path => isAsked(path, ask, part.upTo))
    const [arcs, read] = await Promise.all([
      Promise.all(here.map(arc => confirmed(driver, arc, deadline.signal))),
      Promise.all(asked.map(path => lineNow(driver, path, deadline.signal))),
    ])
    const standing = arcs.filter(arc => arc !== undefined)
    const lines = [...part.lines, ...read.filter(line => line !== undefined)]
    const isStanding = ({ path }: ListEntry) => isIn(standing, path)
    const isWhole = standing.length === here.length
    return {
      lines: (isWhole ? lines : lines.filter(isStanding)).sort((a, b) => comparePathNames(a.path, b.path)),
      ...(ask.delimiter !== undefined && { levels: part.levels }),
      upTo: part.upTo,
      arcs: standing,
    }
  } finally {
    timer.cancel()
  }
}

/** What this disk holds of these ranges: files, and common prefixes of files; `open` ones stand for nothing yet. */
export function partHere(
  storage: Pick<Storage, 'list'>,
  { prefix, delimiter, after, limit }: ListAsk,
  arcs: readonly ListedArc[],
  open: ReadonlySet<PathName>,
): Pick<ListAnswer, 'lines' | 'upTo'> & { readonly levels: readonly string[] } {
  const lines: ListEntry[] = []
  const levels: string[] = []
  if (arcs.length === 0) return { lines, levels, upTo: undefined }
  let lookedAt = 0
  for (let from = after; ; ) {
    let level: string | undefined
    for (const line of storage.list(prefix, from)) {
      lookedAt++
      if (isIn(arcs, line.path) && !open.has(line.path)) {
        level = delimiter && commonPrefix(line.path, prefix, delimiter)
        if (level === undefined) lines.push(line)
        else levels.push(level)
      }
      const upTo = level === undefined ? line.path : behind(level)
      if (lines.length + levels.length >= limit || lookedAt >= LINES_LOOKED_AT_MAX)
        return { lines, levels, upTo }
      if (level !== undefined) break
    }
    if (level === undefined) return { lines, levels, upTo: undefined }
    // A level of a few folders is as quick with a million files in each.
    from = behind(level)
    lookedAt += LINES_OF_A_SEEK
  }
}

function isIn(arcs: readonly ListedArc[], path: PathName): boolean {
  const position = identifierOfPath(path)
  return arcs.some(arc => arcContains(arc, position))
}

/** The arc, when its view was not superseded after the files were looked at. */
async function confirmed(
  driver: OwnPartComponents['driver'],
  arc: ListedArc,
  signal: AbortSignal,
): Promise<ListedArc | undefined> {
  const { kind } = await driver.request({ kind: 'get', path: PROBE, position: arc.hi }, endingWith(signal))
  // A read that went on to a newer view has taken that in.
  return kind === 'value' && driver.known.covering(arc.hi)?.id === arc.id ? arc : undefined
}

/** Gives a read up when the time of the list is over. */
function endingWith(signal: AbortSignal): Ending {
  return giveUp => {
    signal.addEventListener('abort', giveUp)
    return () => signal.removeEventListener('abort', giveUp)
  }
}

/** Named in a read of which only the votes count. */
const PROBE = 'votes' as PathName

/** The line of a file whose write was under way, as a read finds it. @throws StoreError UNAVAILABLE. */
async function lineNow(
  driver: OwnPartComponents['driver'],
  path: PathName,
  signal: AbortSignal,
): Promise<ListEntry | undefined> {
  const outcome = await driver.request({ kind: 'get', path }, endingWith(signal))
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

function isAsked(path: PathName, { prefix, after }: ListAsk, upTo: string | undefined): boolean {
  if (!path.startsWith(prefix)) return false
  if (after !== undefined && comparePathNames(path, after) <= 0) return false
  return upTo === undefined || comparePathNames(path, upTo) <= 0
}
