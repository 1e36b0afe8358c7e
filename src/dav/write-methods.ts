/**
 * The methods that change files and collections: PUT, DELETE, MKCOL, COPY and MOVE. A file's move is one step of the
 * store; what is done to a collection is done file by file, and the answer says which of them failed.
 */
import type { FastifyReply } from 'fastify'
import { errorCode, StoreError } from '../errors.ts'
import type { WriteCondition } from '../files/file-service.ts'
import { fileLeftBy } from '../files/receipt.ts'
import { writeCondition } from '../http/conditions.ts'
import { asStoreError, ERROR_STATUS } from '../http/error-reply.ts'
import { refuseExtension } from '../http/file-name.ts'
import { hasBody, ignoreBody } from '../http/request-body.ts'
import { storeBody } from '../http/write-routes.ts'
import type { PathName } from '../ring/path-name.ts'
import { type ETag, etagOf } from '../storage/record.ts'
import {
  admit,
  type Call,
  changedMeanwhile,
  committed,
  depthOf,
  destinationOf,
  hasParent,
  hrefOf,
  plain,
  sendXml,
  unchanged,
  untilUnchanged,
  XML_HEAD,
} from './context.ts'
import type { ConditionList } from './if-header.ts'
import { deadOf, withDead } from './properties.ts'
import { type Place, parentOf, type Resource } from './resources.ts'
import { escaped } from './xml.ts'

/** Files of a collection that could not be changed, and why. */
type Failures = Map<PathName, StoreError>

export async function put(call: Call): Promise<FastifyReply> {
  const { components, request, reply, place, resources } = call
  const { headers, url } = request.raw
  if (place === '' || url?.endsWith('/')) return plain(reply, 405, 'A collection takes no body.')
  const resource = await resources.find(place)
  if (resource?.kind === 'collection') return plain(reply, 405, 'A collection has this path.')
  if (resource === undefined && !(await hasParent(call, place)))
    return plain(reply, 409, 'The collection around it is not there.')
  const lists = await admit(call, [{ place, asMember: resource === undefined, withBelow: false }])
  const dead = resource === undefined ? [] : deadOf(resource.found.record.meta.user)
  const condition = etagCondition(lists) ?? writeCondition(headers, undefined, 'none')
  const user = withDead(undefined, dead)
  const isAsked = typeof condition !== 'string' || condition === 'absent'
  const decide = async () => {
    // A long body is on its way for long: who may write here is looked at once more when it has come.
    const now = await resources.find(place)
    await admit(call, [{ place, asMember: now === undefined, withBelow: false }])
    if (isAsked || now?.kind === 'collection') return condition
    if (condition === 'exists' && now === undefined) return condition
    return unchanged(now)
  }
  const storing = storeBody(components, request, reply, place, { condition, user, decide })
  const written = await storing.catch((error: unknown) => {
    // The body is read and can't be had again.
    if (!isAsked && (errorCode(error) === 'PRECONDITION_FAILED' || errorCode(error) === 'FILE_EXISTS'))
      throw changedMeanwhile(place, error)
    throw error
  })
  reply.header('etag', etagOf(fileLeftBy(written)))
  return plain(reply, written.replaced ? 204 : 201)
}

/** An ETag of the If header is checked in the commit, not only before. */
function etagCondition(lists: readonly ConditionList[]): WriteCondition | undefined {
  const own = lists.filter(({ resource }) => resource === undefined).flatMap(({ conditions }) => conditions)
  const isPlain = lists.length === 1 && own.length > 0 && own.every(({ not }) => !not)
  const etags = own.filter(({ kind }) => kind === 'etag').map(({ value }) => value as ETag)
  return isPlain && etags.length > 0 ? { etags } : undefined
}

export async function remove(call: Call): Promise<FastifyReply> {
  const { components, request, reply, place } = call
  await ignoreBody(request.raw, reply.raw, components.connections)
  return untilUnchanged(place, () => removeSeen(call))
}

async function removeSeen(call: Call): Promise<FastifyReply> {
  const { reply, place, resources } = call
  const resource = await foundOr404(call)
  if (place === '') return plain(reply, 403, 'The root stays.')
  const lists = await admit(call, [{ place, asMember: true, withBelow: resource.kind === 'collection' }])
  await keepCollection(call, parentOf(place))
  const failures = await removeResource(call, resource, etagCondition(lists))
  if (resource.kind === 'collection' || failures.size === 0) await call.locks.forget(place)
  if (failures.size > 0) return sendFailures(reply, failures)
  // Nothing is left but what somebody has put there meanwhile.
  if (resource.kind === 'collection' && (await resources.marker(place))) await resources.removeMarker(place)
  return plain(reply, 204)
}

async function removeResource(
  { components, resources }: Call,
  resource: Resource,
  asked?: WriteCondition,
): Promise<Failures> {
  const failures: Failures = new Map()
  if (resource.kind === 'file') {
    const { place } = resource
    if (asked !== undefined) await components.files.remove(place, { condition: asked })
    else await committed(components.files.remove(place, { condition: unchanged(resource) }))
    return failures
  }
  for await (const { path, isMarker } of resources.everything(resource.place as PathName))
    await attempt(failures, path, async () => {
      if (isMarker) await resources.removeMarker(path)
      else await components.files.remove(path, { condition: 'exists' })
    })
  return failures
}

/** What is gone already is no failure. */
async function attempt(failures: Failures, path: PathName, act: () => Promise<unknown>): Promise<void> {
  try {
    await act()
  } catch (error) {
    const failure = asStoreError(error)
    if (failure.code !== 'FILE_NOT_FOUND') failures.set(path, failure)
  }
}

export async function makeCollection(call: Call): Promise<FastifyReply> {
  const { request, reply, place, resources, components } = call
  if (hasBody(request.raw)) {
    await ignoreBody(request.raw, reply.raw, components.connections)
    return plain(reply, 415, 'MKCOL takes no body.')
  }
  if (await resources.find(place)) {
    reply.header('allow', 'OPTIONS, GET, HEAD, PUT, DELETE, PROPFIND, PROPPATCH, COPY, MOVE, LOCK, UNLOCK')
    return plain(reply, 405, 'Something is there already.')
  }
  if (!(await hasParent(call, place))) return plain(reply, 409, 'The collection around it is not there.')
  await admit(call, [{ place, asMember: true, withBelow: false }])
  try {
    await resources.makeCollection(place as PathName)
  } catch (error) {
    if (errorCode(error) !== 'FILE_EXISTS') throw error
    return plain(reply, 405, 'Something is there already.')
  }
  return plain(reply, 201)
}

export async function transfer(call: Call, verb: 'copy' | 'move'): Promise<FastifyReply> {
  const { components, request, reply, place } = call
  await ignoreBody(request.raw, reply.raw, components.connections)
  return untilUnchanged(place, () => transferSeen(call, verb))
}

async function transferSeen(call: Call, verb: 'copy' | 'move'): Promise<FastifyReply> {
  const { components, request, reply, place, resources } = call
  const to = destinationOf(request)
  if (to === undefined) return plain(reply, 502, 'The destination is at another server.')
  const depth =
    verb === 'copy'
      ? depthOf(request, ['0', 'infinity'], 'infinity')
      : depthOf(request, ['infinity'], 'infinity')
  const resource = await foundOr404(call)
  if (to === place || to === '' || place === '' || to.startsWith(`${place}/`) || place.startsWith(`${to}/`))
    return plain(reply, 403, 'The destination is the source, or one lies in the other.')
  if (!(await hasParent(call, to)))
    return plain(reply, 409, 'The collection around the destination is not there.')
  refuseExtension(resource.kind === 'file' ? to : ('' as PathName), components.allowedExtensions)
  const overwrites = String(request.raw.headers.overwrite ?? 'T').toUpperCase() !== 'F'
  const there = await resources.find(to)
  if (there !== undefined && !overwrites)
    throw new StoreError('PRECONDITION_FAILED', 'Something is at the destination.', { path: to })
  await admit(call, [
    ...(verb === 'move' ? [{ place, asMember: true, withBelow: resource.kind === 'collection' }] : []),
    { place: to, asMember: there === undefined, withBelow: there !== undefined },
  ])
  const failures = await replaceBy(call, resource, { to, there, verb, onlyItself: depth === '0' })
  if (failures.size > 0) return sendFailures(reply, failures)
  return plain(reply, there === undefined ? 201 : 204)
}

interface Transfer {
  readonly to: PathName
  readonly there: Resource | undefined
  readonly verb: 'copy' | 'move'
  /** A collection without what is in it. */
  readonly onlyItself: boolean
}

async function replaceBy(call: Call, resource: Resource, transfer: Transfer): Promise<Failures> {
  const { components, locks, resources } = call
  const { to, there, verb } = transfer
  // One file in place of another is one step; anything else is made room for first (RFC 4918, section 9.8.4).
  const isOneStep = resource.kind === 'file' && there?.kind === 'file'
  if (there !== undefined && !isOneStep) {
    const failures = await removeResource(call, there)
    if (failures.size > 0) return failures
  }
  if (verb === 'move') await keepCollection(call, parentOf(resource.place as PathName))
  const failures: Failures = new Map()
  if (resource.kind === 'file') {
    const condition = unchanged(isOneStep ? there : undefined)
    await committed(components.files[verb](resource.place, to, { condition }))
  } else {
    const from = resource.place as PathName
    await resources.makeCollection(to, resource.marker?.meta, true)
    if (!transfer.onlyItself) await transferMembers(call, from, transfer, failures)
  }
  if (verb === 'move' && failures.size === 0) await locks.forget(resource.place as PathName)
  return failures
}

async function transferMembers(
  { components, resources }: Call,
  from: PathName,
  { to, verb }: Transfer,
  failures: Failures,
): Promise<void> {
  for await (const { path, isMarker } of resources.everything(from))
    await attempt(failures, path, async () => {
      const target = (to + path.slice(from.length)) as PathName
      if (!isMarker) {
        await components.files[verb](path, target, { condition: 'none' })
        return
      }
      const marker = await resources.marker(path)
      await resources.makeCollection(target, marker?.meta, true)
      if (verb === 'move') await resources.removeMarker(path)
    })
}

/** A collection stays when its last member goes: one that came by another endpoint is marked first. */
async function keepCollection({ resources }: Call, place: Place): Promise<void> {
  if (place === '' || (await resources.marker(place))) return
  await resources.makeCollection(place).catch((error: unknown) => {
    if (errorCode(error) !== 'FILE_EXISTS') throw error
  })
}

async function foundOr404({ resources, place }: Call): Promise<Resource> {
  const resource = await resources.find(place)
  if (resource === undefined) throw new StoreError('FILE_NOT_FOUND', 'Nothing is there.', { path: place })
  return resource
}

function sendFailures(reply: FastifyReply, failures: Failures): FastifyReply {
  const responses = [...failures].map(
    ([path, { code, message }]) =>
      `<D:response><D:href>${escaped(hrefOf(path, false))}</D:href>` +
      `<D:status>HTTP/1.1 ${ERROR_STATUS[code]} ${code}</D:status>` +
      `<D:responsedescription>${escaped(message)}</D:responsedescription></D:response>`,
  )
  return sendXml(
    reply,
    207,
    `${XML_HEAD}<D:multistatus xmlns:D="DAV:">${responses.join('')}</D:multistatus>\n`,
  )
}
