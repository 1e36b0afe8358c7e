/**
 * PROPFIND: the properties of a resource, and of what lies directly in a collection, written as fast as they are read.
 */
import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { StoreError } from '../errors.ts'
import { resetConnection } from '../http/read-routes.ts'
import { etagOf, type UserMeta } from '../storage/record.ts'
import { type Call, depthOf, hrefOf, sendXml, XML_HEAD, xmlOf } from './context.ts'
import { type Described, deadOf, isLive, type PropertyName, responseOf, type Wanted } from './properties.ts'
import type { Member, Place, Resource } from './resources.ts'
import { DAV_NAMESPACE, davChild, type Element, elementsOf } from './xml.ts'

/** Namespaces of properties that clients ask every server for and that nobody sets: looking for them would cost each file a lookup. */
const NEVER_SET: ReadonlySet<string> = new Set([
  DAV_NAMESPACE,
  'http://owncloud.org/ns',
  'http://nextcloud.org/ns',
  'http://apache.org/dav/props/',
])

export async function propfind(call: Call): Promise<FastifyReply> {
  const { request, reply, place, resources } = call
  const depth = depthOf(request, ['0', '1', 'infinity'], 'infinity')
  const wanted = wantedOf(await xmlOf(call))
  const resource = await resources.find(place)
  if (resource === undefined) throw new StoreError('FILE_NOT_FOUND', 'Nothing is there.', { path: place })
  if (depth === 'infinity' && resource.kind === 'collection')
    return sendXml(reply, 403, `${XML_HEAD}<D:error xmlns:D="DAV:"><D:propfind-finite-depth/></D:error>\n`)
  const text = Readable.from(multistatus(call, resource, wanted, depth === '1'), {
    objectMode: false,
    highWaterMark: 64 * 1024,
  })
  text.on('error', () => {
    if (reply.raw.headersSent) resetConnection(reply)
  })
  return sendXml(reply, 207, text)
}

/** What the body asks for; without one, everything. @throws StoreError INVALID_REQUEST. */
export function wantedOf(body: Element | undefined): Wanted {
  if (body === undefined) return 'all'
  if (body.namespace !== DAV_NAMESPACE || body.name !== 'propfind')
    throw new StoreError('INVALID_REQUEST', 'The body is no propfind.')
  if (davChild(body, 'propname')) return 'names'
  const prop = davChild(body, 'prop')
  if (prop) return elementsOf(prop).map(({ namespace, name }) => ({ namespace, name }))
  if (davChild(body, 'allprop')) return 'all'
  throw new StoreError('INVALID_REQUEST', 'A propfind asks for prop, propname or allprop.')
}

async function* multistatus(
  call: Call,
  resource: Resource,
  wanted: Wanted,
  withMembers: boolean,
): AsyncGenerator<string> {
  const { components, locks, resources } = call
  const nowMs = components.env.clock.nowMs()
  const show = (described: Described) => responseOf(described, wanted, nowMs)
  yield `${XML_HEAD}<D:multistatus xmlns:D="DAV:">\n`
  yield show(await describe(call, resource))
  if (withMembers && resource.kind === 'collection') {
    const locked = await locks.lockedIn(resource.place)
    const needsRecord = typeof wanted !== 'string' && wanted.some(mayBeDead)
    for await (const batch of resources.members(resource.place)) {
      let text = ''
      for (const member of batch) {
        const full = needsRecord || locked.has(member.place) ? await resources.find(member.place) : undefined
        // What is gone meanwhile is left out.
        if (needsRecord && full === undefined) continue
        text += show(full ? await describe(call, full) : describeMember(member))
      }
      yield text
    }
  }
  yield '</D:multistatus>\n'
}

function mayBeDead(name: PropertyName): boolean {
  return !isLive(name) && !NEVER_SET.has(name.namespace)
}

async function describe({ locks }: Call, resource: Resource): Promise<Described> {
  const { place } = resource
  const isFile = resource.kind === 'file'
  const user: UserMeta | undefined = isFile ? resource.found.record.meta.user : resource.marker?.meta.user
  const covering = await locks.covering(place)
  const file = isFile
    ? {
        size: resource.found.record.body.size,
        etag: etagOf(resource.found.record),
        mediaType: resource.found.record.meta.mediaType,
        writtenAtMs: resource.found.record.writtenAtMs,
      }
    : undefined
  return {
    href: hrefOf(place, !isFile),
    name: lastSegment(place),
    file,
    dead: deadOf(user),
    locks: covering.map(({ lock }) => lock),
  }
}

function describeMember(member: Member): Described {
  const { place } = member
  return {
    href: hrefOf(place, member.kind === 'collection'),
    name: lastSegment(place),
    file: member.kind === 'file' ? member.entry : undefined,
    dead: [],
    locks: [],
  }
}

function lastSegment(place: Place): string {
  return place.slice(place.lastIndexOf('/') + 1)
}
