/**
 * What the methods of WebDAV have in common: where a request points, what must hold of it, and how answers are written.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { errorCode, StoreError } from '../errors.ts'
import type { WriteCondition } from '../files/file-service.ts'
import type { HttpComponents } from '../http/endpoint.ts'
import { receivedText } from '../http/request-body.ts'
import { restOf } from '../http/request-target.ts'
import { parsePathNameFromUrl } from '../ring/path-name.ts'
import { etagOf } from '../storage/record.ts'
import { type ConditionList, holds, parseIf, tokensOf } from './if-header.ts'
import type { Locks } from './locks.ts'
import { type Place, parentOf, type Resource, type Resources, upwards } from './resources.ts'
import { type Element, parseXml, XML_BYTES_MAX } from './xml.ts'

export interface Dav {
  readonly components: HttpComponents
  readonly resources: Resources
  readonly locks: Locks
}

/** One request. */
export interface Call extends Dav {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly place: Place
}

export const DAV_URL = '/dav'

/** The place that the rest of a URL behind `/dav/` names. @throws StoreError INVALID_PATH. */
export function placeOfUrl(url: string): Place {
  const rest = restOf(url)
  return rest === '' ? '' : parsePathNameFromUrl(rest.endsWith('/') ? rest.slice(0, -1) : rest)
}

export function hrefOf(place: Place, isCollection: boolean): string {
  const encoded = place.split('/').map(encodeURIComponent).join('/')
  return `${DAV_URL}/${encoded}${isCollection && place !== '' ? '/' : ''}`
}

/** Where COPY and MOVE go. @throws StoreError INVALID_REQUEST, INVALID_PATH; undefined for another server. */
export function destinationOf(request: FastifyRequest): Place | undefined {
  const { destination, host } = request.raw.headers
  if (typeof destination !== 'string')
    throw new StoreError('INVALID_REQUEST', 'The Destination header is missing.')
  const [, authority, path = ''] = /^(?:https?:\/\/([^/]*))?(\/.*)$/i.exec(destination) ?? []
  if (authority !== undefined && authority.toLowerCase() !== host?.toLowerCase()) return undefined
  return path === DAV_URL || path.startsWith(`${DAV_URL}/`) ? placeOfUrl(path) : undefined
}

/** @throws StoreError INVALID_REQUEST for what is none of `allowed`. */
export function depthOf<Depth extends string>(
  request: FastifyRequest,
  allowed: readonly Depth[],
  missing: Depth,
): Depth {
  const { depth } = request.raw.headers
  if (depth === undefined) return missing
  const found = allowed.find(one => one === String(depth).toLowerCase())
  if (found === undefined)
    throw new StoreError('INVALID_REQUEST', `Depth is one of ${allowed.join(', ')} here.`)
  return found
}

/** The body as XML; undefined when there is none. @throws StoreError INVALID_REQUEST, FILE_TOO_LARGE. */
export async function xmlOf({ request, reply, components }: Call): Promise<Element | undefined> {
  const text = await receivedText(request.raw, reply.raw, components.connections, XML_BYTES_MAX)
  return text.trim() === '' ? undefined : parseXml(text)
}

/** What a request changes: a place, whether as a member of its collection, and whether everything below it, too. */
export interface Changed {
  readonly place: Place
  /** It comes into being or goes away. */
  readonly asMember: boolean
  readonly withBelow: boolean
}

/**
 * Lets a request that changes something pass: its If header holds, and for every lock on the way it shows a token.
 * @returns the conditions of the If header.
 * @throws StoreError PRECONDITION_FAILED, LOCKED, INVALID_REQUEST.
 */
export async function admit(call: Call, changed: readonly Changed[]): Promise<readonly ConditionList[]> {
  const lists = await heldIf(call)
  const shown = tokensOf(lists)
  for (const { place, asMember, withBelow } of changed) {
    const { locks } = call
    const found = [...(await locks.covering(place)), ...(withBelow ? await locks.below(place) : [])]
    if (asMember && place !== '') {
      const parent = parentOf(place)
      found.push(...(await locks.of(parent)).map(lock => ({ at: parent, lock })))
    }
    for (const { at } of found) {
      // Of a shared lock, any one of its tokens will do.
      const isShown = found.some(one => one.at === at && shown.has(one.lock.token))
      if (!isShown)
        throw new StoreError('LOCKED', 'There is a lock whose token the request does not show.', { path: at })
    }
  }
  return lists
}

/**
 * What a write commits on: exactly what was there when it looked, before it looked at the locks. Whoever takes a lock on a file
 * gives it a new version, so a write that has looked at the locks before is refused in its commit
 * (docs/decisions/0332-a-lock-on-a-file-fences.md).
 */
export function unchanged(seen: Resource | undefined): WriteCondition {
  return seen?.kind === 'file' ? { etags: [etagOf(seen.found.record)] } : 'absent'
}

/** Tries of a request while others write the same file. */
const TRIES_MAX = 5

/**
 * Carries out a request that looks, and commits on what it has seen; again when that was another's by then.
 * @throws StoreError UNAVAILABLE when others are always faster; what `act` throws.
 */
export async function untilUnchanged<T>(place: Place, act: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await act()
    } catch (error) {
      if (!(error instanceof ChangedMeanwhile)) throw error
      if (tries === TRIES_MAX) throw changedMeanwhile(place, error)
    }
  }
}

/** The commit has met another version than the one that was looked at. */
class ChangedMeanwhile extends Error {}

const RACES: readonly (string | undefined)[] = ['PRECONDITION_FAILED', 'FILE_EXISTS', 'FILE_NOT_FOUND']

/** Makes a ChangedMeanwhile of what a commit on `unchanged` is refused with. */
export async function committed<T>(commit: Promise<T>): Promise<T> {
  return commit.catch((error: unknown) => {
    throw RACES.includes(errorCode(error)) ? new ChangedMeanwhile('', { cause: error }) : error
  })
}

export function changedMeanwhile(place: Place, cause: unknown): StoreError {
  const message = 'Somebody else has written here at the same moment; send it again.'
  return new StoreError('UNAVAILABLE', message, { path: place, cause, retryAfterSeconds: 1 })
}

/** @throws StoreError PRECONDITION_FAILED. */
async function heldIf(call: Call): Promise<readonly ConditionList[]> {
  const { request, place, resources, locks } = call
  const header = request.raw.headers.if
  if (typeof header !== 'string') return []
  const lists = parseIf(header)
  const isHeld = await holds(lists, async resource => {
    const at = resource === undefined ? place : placeOfResource(resource)
    if (at === undefined) return { etag: undefined, tokens: new Set() }
    const found = await resources.find(at)
    return {
      etag: found?.kind === 'file' ? etagOf(found.found.record) : undefined,
      tokens: new Set((await locks.covering(at)).map(({ lock }) => lock.token)),
    }
  })
  if (!isHeld) throw new StoreError('PRECONDITION_FAILED', 'The If header does not hold.', { path: place })
  return lists
}

function placeOfResource(resource: string): Place | undefined {
  const path = resource.replace(/^https?:\/\/[^/]*/i, '')
  return path === DAV_URL || path.startsWith(`${DAV_URL}/`) ? placeOfUrl(path) : undefined
}

/** True when the collection that a place lies in, and all around it, are there. */
export async function hasParent({ resources }: Dav, place: Place): Promise<boolean> {
  const [, parent] = upwards(place)
  return parent === undefined || (await resources.find(parent))?.kind === 'collection'
}

/** An answer without XML. */
export function plain(reply: FastifyReply, status: number, text = ''): FastifyReply {
  if (text === '') return reply.code(status).header('content-length', '0').send()
  return reply.code(status).type('text/plain; charset=utf-8').send(`${text}\n`)
}

export const XML_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'

export function sendXml(reply: FastifyReply, status: number, body: unknown): FastifyReply {
  return reply.code(status).type('application/xml; charset=utf-8').send(body)
}
