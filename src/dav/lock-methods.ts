/**
 * LOCK and UNLOCK.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { StoreError } from '../errors.ts'
import { ignoreBody } from '../http/request-body.ts'
import type { PathName } from '../ring/path-name.ts'
import {
  type Call,
  committed,
  depthOf,
  hasParent,
  hrefOf,
  plain,
  sendXml,
  untilUnchanged,
  XML_HEAD,
  xmlOf,
} from './context.ts'
import { parseIf, tokensOf } from './if-header.ts'
import { LOCK_MS, type Lock } from './locks.ts'
import { activeLock } from './properties.ts'
import { DAV_NAMESPACE, davChild, type Element, written } from './xml.ts'

export async function lock(call: Call): Promise<FastifyReply> {
  const { request, reply, place, resources, locks } = call
  const forMs = timeoutOf(request)
  const depth = depthOf(request, ['0', 'infinity'], 'infinity')
  const body = await xmlOf(call)
  if (body === undefined) return renew(call, forMs)
  const resource = await resources.find(place)
  if (resource === undefined && !(await hasParent(call, place)))
    return plain(reply, 409, 'The collection around it is not there.')
  const href = hrefOf(place, resource?.kind === 'collection')
  const taken = await locks.take(place, { ...wishOf(body), depth, href, forMs })
  const isNew = place !== '' && (await fence(call, place))
  reply.header('lock-token', `<${taken.token}>`)
  return sendLock(call, taken, isNew ? 201 : 200)
}

/**
 * Makes sure that no write which has looked at the locks before this one was taken is carried out after it: the file gets a new
 * version, or becomes an empty one where none was (RFC 4918, section 7.3). A collection has no version, so its lock does not fence.
 * @returns whether the file was made.
 */
async function fence({ resources, components }: Call, place: PathName): Promise<boolean> {
  return untilUnchanged(place, async () => {
    const resource = await resources.find(place)
    if (resource?.kind === 'file') await committed(resources.touch(resource))
    if (resource !== undefined) return false
    const meta = { mediaType: 'application/octet-stream' }
    await committed(components.files.put(place, nothing(), { condition: 'absent', meta }))
    return true
  })
}

async function renew(call: Call, forMs: number): Promise<FastifyReply> {
  const { request, place, locks } = call
  const header = request.raw.headers.if
  const shown = tokensOf(typeof header === 'string' ? parseIf(header) : [])
  const found = (await locks.covering(place)).find(one => shown.has(one.lock.token))
  const renewed = found && (await locks.renew(found, forMs))
  if (renewed === undefined)
    throw new StoreError('PRECONDITION_FAILED', 'The If header names no lock that is here.', { path: place })
  return sendLock(call, renewed, 200)
}

export async function unlock(call: Call): Promise<FastifyReply> {
  const { request, reply, place, locks, components } = call
  await ignoreBody(request.raw, reply.raw, components.connections)
  const header = request.raw.headers['lock-token']
  const token = typeof header === 'string' ? /^\s*<([^<>]+)>\s*$/.exec(header)?.[1] : undefined
  if (token === undefined) throw new StoreError('INVALID_REQUEST', 'The Lock-Token header is missing.')
  const found = (await locks.covering(place)).find(one => one.lock.token === token)
  if (found === undefined) return plain(reply, 409, 'There is no such lock here.')
  await locks.release(found)
  return plain(reply, 204)
}

function sendLock({ reply, components }: Call, taken: Lock, status: number): FastifyReply {
  const shown = activeLock(taken, components.env.clock.nowMs())
  const body = `<D:prop xmlns:D="DAV:"><D:lockdiscovery>${shown}</D:lockdiscovery></D:prop>\n`
  return sendXml(reply, status, XML_HEAD + body)
}

/** @throws StoreError INVALID_REQUEST. */
export function wishOf(body: Element): Pick<Lock, 'scope' | 'owner'> {
  const scope = davChild(body, 'lockscope')
  const isShared = scope && davChild(scope, 'shared')
  const isExclusive = scope && davChild(scope, 'exclusive')
  const type = davChild(body, 'locktype')
  const isLock = body.namespace === DAV_NAMESPACE && body.name === 'lockinfo'
  if (!isLock || !(isShared || isExclusive) || !(type && davChild(type, 'write')))
    throw new StoreError('INVALID_REQUEST', 'A lock is exclusive or shared, and one of writes.')
  const owner = davChild(body, 'owner')
  return { scope: isShared ? 'shared' : 'exclusive', owner: owner ? written(owner) : '' }
}

/** How long a lock is wanted, ms: the first time of the header that can be had. */
export function timeoutOf(request: FastifyRequest): number {
  const { timeout } = request.raw.headers
  for (const one of String(timeout ?? '').split(',')) {
    const seconds = /^\s*Second-(\d{1,10})\s*$/i.exec(one)?.[1]
    if (seconds !== undefined) return Math.min(LOCK_MS.max, Math.max(1000, Number(seconds) * 1000))
    if (/^\s*Infinite\s*$/i.test(one)) return LOCK_MS.max
  }
  return LOCK_MS.default
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // An empty file.
}
