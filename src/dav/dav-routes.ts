/**
 * The endpoints of WebDAV (RFC 4918, classes 1 and 2): `/dav/` shows the files of the store as a tree, to be mounted.
 */
import type { FastifyInstance, FastifyReply } from 'fastify'
import { StoreError } from '../errors.ts'
import { LIST_LIMIT_DEFAULT, placeOf } from '../files/listing.ts'
import type { Access } from '../http/auth.ts'
import { type EndpointContract, pathParameter } from '../http/contract.ts'
import { addEndpoint, type DavMethod, type HttpComponents, type Method } from '../http/endpoint.ts'
import { folderPage } from '../http/folder-page.ts'
import { listPage } from '../http/list-routes.ts'
import { sendFile } from '../http/read-routes.ts'
import { queryOf } from '../http/request-target.ts'
import { type Call, DAV_URL, type Dav, placeOfUrl, plain } from './context.ts'
import { lock, unlock } from './lock-methods.ts'
import { Locks } from './locks.ts'
import { propfind } from './propfind.ts'
import { proppatch } from './proppatch.ts'
import { Resources } from './resources.ts'
import { makeCollection, put, remove, transfer } from './write-methods.ts'

const DAV_METHODS: readonly DavMethod[] = ['PROPFIND', 'PROPPATCH', 'MKCOL', 'COPY', 'MOVE', 'LOCK', 'UNLOCK']

type Answer = (call: Call) => Promise<FastifyReply>

export function davRoutes(fastify: FastifyInstance, components: HttpComponents): void {
  for (const method of DAV_METHODS) fastify.addHttpMethod(method, { hasBody: true })
  const own = components.files.withReserved()
  const dav: Dav = {
    components,
    resources: new Resources({ files: components.files, own }),
    locks: new Locks({ own, env: components.env }),
  }
  const endpoint = (
    methods: readonly Method[],
    access: Access,
    summary: string,
    answer: Answer,
    statuses: readonly number[] = [200],
  ) =>
    addEndpoint(fastify, components, {
      methods,
      urls: [DAV_URL, `${DAV_URL}/*`],
      access,
      aboutFile: false,
      basic: true,
      contract: contractOf(summary, statuses),
      handler: (request, reply) => {
        const place = placeOfUrl(request.raw.url as string)
        return answer({ ...dav, request, reply: reply.header('cache-control', 'no-cache'), place })
      },
    })
  endpoint(['OPTIONS'], 'open', 'What WebDAV can do here', options)
  endpoint(['GET', 'HEAD'], 'read', 'A file over WebDAV; a page for a collection', get, [200, 206, 304])
  endpoint(['PUT'], 'write', 'Stores or replaces a file over WebDAV', put, [201, 204])
  endpoint(['DELETE'], 'write', 'Removes a file or a whole collection over WebDAV', remove, [204, 207])
  endpoint(['PROPFIND'], 'read', 'Properties', propfind)
  endpoint(['PROPPATCH'], 'write', 'Sets properties', proppatch)
  endpoint(['MKCOL'], 'write', 'Makes a collection', makeCollection)
  endpoint(['COPY'], 'write', 'Copies', call => transfer(call, 'copy'))
  endpoint(['MOVE'], 'write', 'Moves', call => transfer(call, 'move'))
  endpoint(['LOCK'], 'write', 'Takes or renews a lock', lock)
  endpoint(['UNLOCK'], 'write', 'Gives a lock back', unlock)
}

async function options({ reply }: Call): Promise<FastifyReply> {
  reply
    .header('dav', '1, 2')
    // Without it, Windows takes the server for one of FrontPage.
    .header('ms-author-via', 'DAV')
    .header('allow', `OPTIONS, GET, HEAD, PUT, DELETE, ${DAV_METHODS.join(', ')}`)
  return plain(reply, 200)
}

async function get(call: Call): Promise<FastifyReply> {
  const { components, request, reply, place, resources } = call
  const resource = await resources.find(place)
  if (resource === undefined) throw new StoreError('FILE_NOT_FOUND', 'Nothing is there.', { path: place })
  if (resource.kind === 'file') return sendFile(components, request, reply, resource.place, false)
  const { after } = queryOf(request.raw.url as string, ['after'])
  const prefix = place === '' ? '' : `${place}/`
  const query = { prefix, delimiter: '/' as const, after, limit: LIST_LIMIT_DEFAULT }
  const { listed, next } = await listPage(components, query)
  return reply
    .type('text/html; charset=utf-8')
    .header('x-content-type-options', 'nosniff')
    .header('content-security-policy', "default-src 'none'; style-src 'self'")
    .send(folderPage({ folder: prefix || 'dav/', listed, next: next && placeOf(next), start: prefix.length }))
}

function contractOf(summary: string, statuses: readonly number[]): EndpointContract {
  return {
    summary,
    description: 'docs/webdav.md says which methods there are and what they do.',
    url: `${DAV_URL}/{path}`,
    parameters: [pathParameter()],
    responses: Object.fromEntries(statuses.map(status => [status, { description: summary }])),
    errors: ['INVALID_PATH', 'FILE_NOT_FOUND', 'PRECONDITION_FAILED', 'LOCKED'],
  }
}
