/**
 * The endpoints of share links: one makes them, one gives what they are for.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { StoreError } from '../errors.ts'
import { LIST_LIMIT_DEFAULT, type Listed, placeOf } from '../files/listing.ts'
import { formatQuantity, parseQuantity } from '../quantity.ts'
import { type PathName, parsePathPrefix } from '../ring/path-name.ts'
import { sendArchive } from './archive-routes.ts'
import { json } from './contract.ts'
import { addEndpoint, type HttpComponents } from './endpoint.ts'
import { folderPage } from './folder-page.ts'
import { listPage, sendList } from './list-routes.ts'
import { getContract, sendFile } from './read-routes.ts'
import { ignoreBody } from './request-body.ts'
import { decodedRestOf, parseFlag, queryOf, restOf } from './request-target.ts'
import { SHARE_MS, SHORT_LINK_MS } from './share-links.ts'

export function shareRoutes(fastify: FastifyInstance, components: HttpComponents): void {
  addEndpoint(fastify, components, {
    methods: ['POST'],
    urls: ['/share/*'],
    access: 'read',
    aboutFile: false,
    contract: shareContract,
    handler: (request, reply) => share(components, request, reply),
  })
  addEndpoint(fastify, components, {
    methods: ['GET', 'HEAD'],
    urls: ['/shared/*'],
    access: 'signed',
    aboutFile: true,
    contract: sharedContract,
    handler: (request, reply) => shared(components, request, reply),
  })
}

async function share(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { raw } = request
  const url = raw.url as string
  const forMs = durationOf(queryOf(url, ['for']).for)
  await ignoreBody(raw, reply.raw, components.connections)
  if (forMs > SHORT_LINK_MS && components.gate.accessOf(raw.headers) !== 'write') {
    throw new StoreError(
      'FORBIDDEN',
      `This token may read only; its links last up to ${formatQuantity(SHORT_LINK_MS, 'ms')}.`,
    )
  }
  const place = parsePathPrefix(decodedRestOf(url))
  await refuseNothing(components, place)
  const untilMs = components.env.clock.nowMs() + forMs
  const link = components.shareLinks.make(place, untilMs)
  const until = new Date(Math.ceil(untilMs / 1000) * 1000).toISOString()
  return reply
    .code(201)
    .type('application/json; charset=utf-8')
    .header('cache-control', 'no-store')
    .send(JSON.stringify({ path: place, link, until }))
}

/** @throws StoreError INVALID_PATH for the whole store, FILE_NOT_FOUND: a link to nothing is a slip. */
async function refuseNothing({ files }: HttpComponents, place: string): Promise<void> {
  if (place === '')
    throw new StoreError('INVALID_PATH', 'This path is refused: it is empty. Share a file, or a FOLDER/.')
  if (!place.endsWith('/')) {
    const { record } = await files.find(place as PathName)
    if (record === undefined)
      throw new StoreError('FILE_NOT_FOUND', 'No file has this path; a folder ends with a slash.', {
        path: place,
      })
    return
  }
  for await (const batch of files.list({ prefix: place, limit: 1 })) if (batch.length > 0) return
  throw new StoreError('FILE_NOT_FOUND', 'No file lies in this folder.', { path: place })
}

function durationOf(text: string | undefined): number {
  if (text === undefined) return SHARE_MS.default
  const ms = parseQuantity(text, 'ms')
  if (ms !== undefined && ms >= SHARE_MS.min && ms <= SHARE_MS.max) return ms
  const [min, max] = [formatQuantity(SHARE_MS.min, 'ms'), formatQuantity(SHARE_MS.max, 'ms')]
  throw new StoreError('INVALID_REQUEST', `for is a time from ${min} to ${max}, such as 7d or 12h.`)
}

async function shared(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const url = request.raw.url as string
  const { place, isFolder } = components.shareLinks.open(restOf(url))
  if (!isFolder) {
    const { download } = queryOf(url, ['download'])
    return sendFile(components, request, reply, place as PathName, parseFlag('download', download) ?? false)
  }
  const { after, format } = queryOf(url, ['after', 'format'])
  if (format !== undefined) return sendArchive(components, request, reply, place, format)
  const query = {
    prefix: place,
    delimiter: '/' as const,
    after: after === undefined ? undefined : parsePathPrefix(after),
    limit: LIST_LIMIT_DEFAULT,
  }
  reply.header('vary', 'accept')
  if (!/\btext\/html\b/i.test(request.headers.accept ?? ''))
    return sendList(components, request, reply, query)
  const { listed, next } = await listPage(components, query)
  return sendPage(reply, place, listed, next && placeOf(next))
}

function sendPage(
  reply: FastifyReply,
  folder: string,
  listed: readonly Listed[],
  next: string | undefined,
): FastifyReply {
  return reply
    .type('text/html; charset=utf-8')
    .header('cache-control', 'no-cache')
    .header('referrer-policy', 'no-referrer')
    .header('x-content-type-options', 'nosniff')
    .header(
      'content-security-policy',
      "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
    .send(folderPage({ folder, listed, next }))
}

const shareContract = {
  summary: 'Makes a link that gives a file, or a folder, without a token',
  description:
    'A folder ends with a slash. A token that may read only makes links of up to 5 minutes. Changing --share-key revokes all links.',
  url: '/share/{path}',
  parameters: [
    {
      name: 'path',
      in: 'path' as const,
      required: true,
      description: 'A path, or a folder with a slash at its end, percent-encoded.',
      schema: { type: 'string' },
    },
    {
      name: 'for',
      in: 'query' as const,
      description: 'How long the link counts, from 1s to 366d.',
      schema: { type: 'string', default: '7d' },
    },
  ],
  responses: {
    201: {
      description: 'The link.',
      content: json({
        type: 'object',
        required: ['path', 'link', 'until'],
        properties: {
          path: { type: 'string' },
          link: { type: 'string', description: 'The path of a URL at any node.' },
          until: { type: 'string', format: 'date-time' },
        },
      }),
    },
  },
  errors: ['INVALID_PATH', 'FILE_NOT_FOUND'] as const,
}

const fileContract = getContract('/shared/{link}', 'What a share link gives')

const sharedContract = {
  ...fileContract,
  description:
    'A file as /get gives it, with download=true to be saved; a folder as a page, as a list for programs, or with format as an archive.',
  parameters: [
    {
      name: 'link',
      in: 'path' as const,
      required: true,
      description: 'TOKEN/PATH, as /share made it.',
      schema: { type: 'string' },
    },
    {
      name: 'download',
      in: 'query' as const,
      description: 'true has a browser save the file.',
      schema: { type: 'boolean', default: false },
    },
    {
      name: 'format',
      in: 'query' as const,
      description: 'Of a folder: everything below it, as a tar or zip archive.',
      schema: { enum: ['tar', 'zip'] },
    },
    {
      name: 'after',
      in: 'query' as const,
      description: 'Of a folder, only what comes after this.',
      schema: { type: 'string' },
    },
    ...fileContract.parameters.slice(1),
  ],
}
