/**
 * PROPPATCH: dead properties are set and removed, all that a request names or none.
 */
import type { FastifyReply } from 'fastify'
import { errorCode, StoreError } from '../errors.ts'
import { admit, type Call, hrefOf, sendXml, XML_HEAD, xmlOf } from './context.ts'
import { deadOf, isLive, propstat, withDead } from './properties.ts'
import type { Resource } from './resources.ts'
import { DAV_NAMESPACE, davChild, type Element, elementsOf, escaped, tagOf } from './xml.ts'

/** Tries while somebody else writes the same file. */
const TRIES_MAX = 5

export interface PropertyChange {
  readonly kind: 'set' | 'remove'
  readonly property: Element
}

export async function proppatch(call: Call): Promise<FastifyReply> {
  const { place, reply, resources } = call
  const changes = changesOf(await xmlOf(call))
  for (let tries = 1; ; tries++) {
    const resource = await resources.find(place)
    if (resource === undefined) throw new StoreError('FILE_NOT_FOUND', 'Nothing is there.', { path: place })
    // Of what was looked at before the locks, the commit knows whether a lock was taken since.
    await admit(call, [{ place, asMember: false, withBelow: false }])
    const href = hrefOf(place, resource.kind === 'collection')
    if (changes.some(({ property }) => isLive(property))) return send(reply, href, forbidden(changes))
    try {
      await set(call, resource, changes)
      return send(reply, href, propstat(namesOf(changes), 'HTTP/1.1 200 OK'))
    } catch (error) {
      const code = errorCode(error)
      if (code === 'METADATA_TOO_LARGE')
        return send(reply, href, propstat(namesOf(changes), 'HTTP/1.1 507 Insufficient Storage'))
      const isRace = code === 'PRECONDITION_FAILED' || code === 'FILE_NOT_FOUND'
      if (!isRace || tries === TRIES_MAX) throw error
    }
  }
}

async function set(call: Call, resource: Resource, changes: readonly PropertyChange[]): Promise<void> {
  const user = resource.kind === 'file' ? resource.found.record.meta.user : resource.marker?.meta.user
  await call.resources.setMeta(resource, withDead(user, changed(deadOf(user), changes)))
}

/** The properties after the changes, which are carried out in order (RFC 4918, section 9.2). */
export function changed(dead: readonly Element[], changes: readonly PropertyChange[]): Element[] {
  let now = [...dead]
  for (const { kind, property } of changes) {
    now = now.filter(({ namespace, name }) => namespace !== property.namespace || name !== property.name)
    if (kind === 'set') now.push(property)
  }
  return now
}

/** @throws StoreError INVALID_REQUEST. */
export function changesOf(body: Element | undefined): PropertyChange[] {
  if (body?.namespace !== DAV_NAMESPACE || body.name !== 'propertyupdate')
    throw new StoreError('INVALID_REQUEST', 'The body is no propertyupdate.')
  return elementsOf(body).flatMap(update => {
    const kind = update.name === 'set' || update.name === 'remove' ? update.name : undefined
    const prop = davChild(update, 'prop')
    if (kind === undefined || prop === undefined) return []
    return elementsOf(prop).map(property => ({ kind, property }))
  })
}

function forbidden(changes: readonly PropertyChange[]): string {
  const live = changes.filter(({ property }) => isLive(property))
  const others = changes.filter(({ property }) => !isLive(property))
  return (
    propstat(namesOf(live), 'HTTP/1.1 403 Forbidden') +
    (others.length > 0 ? propstat(namesOf(others), 'HTTP/1.1 424 Failed Dependency') : '')
  )
}

function namesOf(changes: readonly PropertyChange[]): string {
  return changes.map(({ property }) => `<${tagOf(property.namespace, property.name)[0]}/>`).join('')
}

function send(reply: FastifyReply, href: string, stats: string): FastifyReply {
  const response = `<D:response><D:href>${escaped(href)}</D:href>${stats}</D:response>`
  return sendXml(reply, 207, `${XML_HEAD}<D:multistatus xmlns:D="DAV:">${response}</D:multistatus>\n`)
}
