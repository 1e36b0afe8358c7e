/**
 * The list of the whole network: every range is listed by the head of its view, and the parts are merged. A list
 * is complete or an error: the ranges of the parts have to cover the ring.
 */

import type { ListAnswer, ListAsk, ListedArc } from '../calls/calls.ts'
import type { Env } from '../env.ts'
import { errorCode, StoreError } from '../errors.ts'
import { type Arc, arcContains } from '../ring/arc.ts'
import { type Address, identifierOfPath } from '../ring/identifier.ts'
import { behind, commonPrefix, comparePathNames } from '../ring/path-name.ts'
import { type ListEntry, type Listed, type ListQuery, placeOf } from '../storage/storage.ts'
import { compareViews, rankOf } from '../views/view.ts'
import type { AskedNode } from './asking.ts'

/**
 * How long a list is tried whose parts did not fit together, ms: because a view was changing, or because a node fell silent,
 * which is found in three seconds and made good in less than one.
 */
const PATIENCE_MS = 8_000

/** The same when a node hangs that would have to answer, ms: nobody takes its place, and it may answer the next question. */
const PATIENCE_IN_VAIN_MS = 500

/** Before the second try, ms; it doubles up to the second. */
const RETRY_MS = 100
const RETRY_MS_MAX = 800

export interface ListedParts {
  readonly parts: readonly ListAnswer[]
  readonly silent: readonly AskedNode[]
  /** Whether a range is missing whose head is there and does not answer. */
  readonly isInVain: boolean
}

export interface NetworkListComponents {
  readonly env: Env
  /** Aborts when the node stops. */
  readonly signal: AbortSignal
  readonly own: (ask: ListAsk) => Promise<ListAnswer>
  /** The parts of all other live nodes; one that does not answer has none. */
  readonly askOthers: (ask: ListAsk) => Promise<ListedParts>
  /** Resolves to the nodes without which some range can't be served; at once to none when all can be. */
  readonly whenLost: () => Promise<readonly Address[]>
}

export class NetworkList {
  readonly #components: NetworkListComponents

  constructor(components: NetworkListComponents) {
    this.#components = components
  }

  /** As Replication.list. */
  async list(query: ListQuery): Promise<readonly Listed[]> {
    const listed: Listed[] = []
    let { after } = query
    while (listed.length < query.limit) {
      const part = await this.#part({ ...query, after, limit: query.limit - listed.length })
      listed.push(...part.listed)
      if (part.upTo === undefined) break
      after = part.upTo
    }
    return listed
  }

  async #part(ask: ListAsk): Promise<MergedPart> {
    const { env, signal, own, askOthers, whenLost } = this.#components
    const sinceMs = env.clock.monotonicMs()
    for (let tries = 1; ; tries++) {
      // Nobody need be asked for a list that can't be whole: the votes about the other ranges would take their time.
      const lost = await whenLost()
      if (lost.length > 0) throw naming(incomplete(), lost)
      const { parts, silent, isInVain } = await askOthers(ask)
      try {
        // Whether a part is missed shows when the ranges do not cover the ring.
        return mergeParts([await own(ask), ...parts], ask)
      } catch (error) {
        if (env.clock.monotonicMs() - sinceMs >= (isInVain ? PATIENCE_IN_VAIN_MS : PATIENCE_MS))
          throw naming(
            error,
            silent.map(({ address }) => address),
          )
        await env.timers.sleep(Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** (tries - 1)), signal)
      }
    }
  }
}

function incomplete(): StoreError {
  return new StoreError('UNAVAILABLE', 'A part of the ring cannot be listed at the moment.')
}

/** The same error with the nodes that are missing. */
function naming(error: unknown, missing: readonly Address[]): unknown {
  if (errorCode(error) !== 'UNAVAILABLE' || missing.length === 0) return error
  const message = `${(error as Error).message} Missing: ${missing.join(', ')}.`
  return new StoreError('UNAVAILABLE', message, { missing })
}

interface MergedPart {
  readonly listed: readonly Listed[]
  /** Where the next part continues from; undefined: there is none. */
  readonly upTo: string | undefined
}

/**
 * The parts of all heads as one: up to the least path that every part has reached. A head that has not heard yet that its
 * view was succeeded lists too; of what overlaps, the newest view counts. A common prefix counts whoever names it: its head was confirmed
 * while the list was asked for, so that a file stood there then.
 * @throws StoreError UNAVAILABLE when a range is missing, because its head changes or can't be reached.
 */
export function mergeParts(parts: readonly ListAnswer[], ask: ListAsk): MergedPart {
  const arcs = parts.flatMap(part => part.arcs)
  const fits = isPartition(arcs)
  if (!fits && !coverRing(arcs)) throw incomplete()
  const ends = parts.map(part => part.upTo).filter(path => path !== undefined)
  const end = ends.sort(comparePathNames)[0]
  const newest = parts.flatMap(part =>
    fits ? part.lines : part.lines.filter(line => isNewest(line, part.arcs, arcs)),
  )
  const byPlace = new Map<string, Listed>()
  for (const level of parts.flatMap(part => part.levels ?? [])) byPlace.set(level, level)
  for (const line of newest) {
    const listed = (ask.delimiter && commonPrefix(line.path, ask.prefix, ask.delimiter)) ?? line
    // Whatever two nodes believe of a range, a path is one file.
    if (!byPlace.has(placeOf(listed))) byPlace.set(placeOf(listed), listed)
  }
  const all = [...byPlace.values()].sort((a, b) => comparePathNames(placeOf(a), placeOf(b)))
  const reached = end === undefined ? all : all.filter(one => comparePathNames(placeOf(one), end) <= 0)
  const listed = reached.slice(0, ask.limit)
  const last = listed.at(-1)
  const upTo = listed.length < reached.length && last !== undefined ? placeOf(last) : end
  // What lies below a common prefix that is listed is of no more interest.
  return { listed, upTo: typeof last === 'string' && upTo?.startsWith(last) ? behind(last) : upTo }
}

function isNewest({ path }: ListEntry, own: readonly ListedArc[], all: readonly ListedArc[]): boolean {
  const position = identifierOfPath(path)
  const newest = all.filter(arc => arcContains(arc, position)).reduce((a, b) => (isBefore(a, b) ? b : a))
  return own.some(arc => arcContains(arc, position) && !isBefore(arc, newest))
}

function isBefore(a: ListedArc, b: ListedArc): boolean {
  return compareViews(rankOf(a), rankOf(b)) < 0
}

/** True when each position lies in exactly one arc. */
function isPartition(arcs: readonly Arc[]): boolean {
  const sorted = [...arcs].sort((a, b) => (a.hi < b.hi ? -1 : 1))
  // Two whole rings follow on each other as well.
  const isOnce = new Set(arcs.map(({ hi }) => hi)).size === arcs.length
  return arcs.length > 0 && isOnce && sorted.every(({ lo }, index) => lo === sorted.at(index - 1)?.hi)
}

/** True when the arcs leave no position out: a gap would begin where one of them ends. */
export function coverRing(arcs: readonly Arc[]): boolean {
  if (arcs.some(({ lo, hi }) => lo === hi)) return true
  const goesOn = ({ hi }: Arc) =>
    arcs.some(next => next.lo === hi || (next.hi !== hi && arcContains(next, hi)))
  return arcs.length > 0 && arcs.every(goesOn)
}
