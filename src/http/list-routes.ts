/**
 * The endpoint that lists: pages of JSON, or NDJSON of any size, written as fast as the client reads and no faster.
 */
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Env } from '../env.ts'
import { StoreError } from '../errors.ts'
import { LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX, type Listed, type ListQuery, placeOf } from '../files/listing.ts'
import { parsePathPrefix } from '../ring/path-name.ts'
import { header, json } from './contract.ts'
import { addEndpoint, type HttpComponents } from './endpoint.ts'
import { shownMeta } from './meta-fields.ts'
import { resetConnection } from './read-routes.ts'
import { decodedRestOf, queryOf } from './request-target.ts'

/** How long a list may keep the event loop before others get a turn, ms: far below what anybody notices. */
const TURN_MS = 10

export function listRoutes(fastify: FastifyInstance, components: HttpComponents): void {
  addEndpoint(fastify, components, {
    methods: ['GET'],
    urls: ['/list', '/list/*'],
    access: 'read',
    aboutFile: false,
    contract: listContract,
    handler: (request, reply) => list(components, request, reply),
  })
}

async function list(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  return sendList(components, request, reply, listQueryOf(request.raw.url as string, wantsLines(request)))
}

/** Whether whoever asks takes NDJSON. */
export function wantsLines({ headers }: FastifyRequest): boolean {
  return /application\/(?:x-ndjson|ndjson|jsonl)/i.test(headers.accept ?? '')
}

/** Answers with what `query` lists, as lines to who asks for them, else as a page. */
export async function sendList(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
  query: ListQuery,
): Promise<FastifyReply> {
  const { files, env } = components
  reply.header('vary', 'accept')
  reply.header('cache-control', 'no-cache')
  if (wantsLines(request)) {
    const lines = Readable.from(linesOf(files.list(query), env), {
      objectMode: false,
      highWaterMark: 256 * 1024,
    })
    lines.on('error', () => {
      if (reply.raw.headersSent) resetConnection(reply)
    })
    return reply.type('application/x-ndjson; charset=utf-8').send(lines)
  }
  const { listed, next } = await listPage(components, query)
  return reply.type('application/json; charset=utf-8').send(
    JSON.stringify({
      prefix: query.prefix,
      files: listed.filter(entry => typeof entry !== 'string').map(shown),
      prefixes: listed.filter(entry => typeof entry === 'string'),
      next: next === undefined ? null : placeOf(next),
    }),
  )
}

/** One page of up to `limit` lines; `next` is its last line when more follow. */
export async function listPage(
  { files, env }: Pick<HttpComponents, 'files' | 'env'>,
  query: ListQuery,
): Promise<{ listed: Listed[]; next: Listed | undefined }> {
  const listed: Listed[] = []
  // One more than asked for tells whether there is a next page.
  for await (const batch of inTurns(files.list({ ...query, limit: query.limit + 1 }), env))
    listed.push(...batch)
  const page = listed.slice(0, query.limit)
  return { listed: page, next: listed.length > query.limit ? page.at(-1) : undefined }
}

function listQueryOf(url: string, asLines: boolean): ListQuery {
  const { delimiter, limit, after } = queryOf(url, ['delimiter', 'limit', 'after'])
  if (delimiter !== undefined && delimiter !== '/') throw invalid('The only delimiter is /.')
  const prefix = parsePathPrefix(decodedRestOf(url))
  return {
    prefix,
    delimiter,
    after: after === undefined ? undefined : parsePathPrefix(after),
    limit: limitOf(limit, asLines),
  }
}

function limitOf(text: string | undefined, asLines: boolean): number {
  if (text === undefined) return asLines ? Number.POSITIVE_INFINITY : LIST_LIMIT_DEFAULT
  const limit = /^\d{1,15}$/.test(text) ? Number(text) : 0
  if (limit >= 1 && (asLines || limit <= LIST_LIMIT_MAX)) return limit
  throw invalid(`limit is a number from 1 to ${LIST_LIMIT_MAX}; Accept: application/x-ndjson has no bound.`)
}

async function* linesOf(batches: AsyncIterable<readonly Listed[]>, env: Env): AsyncGenerator<string> {
  for await (const batch of inTurns(batches, env)) {
    let text = ''
    for (const entry of batch) {
      text += `${JSON.stringify(typeof entry === 'string' ? { prefix: entry } : shown(entry))}\n`
    }
    yield text
  }
}

/** Lets others have a turn of the event loop when what is iterated has kept it for a while. */
export async function* inTurns<T>(batches: AsyncIterable<T>, { clock, timers }: Env): AsyncGenerator<T> {
  let since = clock.monotonicMs()
  for await (const batch of batches) {
    yield batch
    if (clock.monotonicMs() - since < TURN_MS) continue
    await timers.sleep(0)
    since = clock.monotonicMs()
  }
}

/** A file as a line of a list. */
function shown(entry: Exclude<Listed, string>) {
  const { path, size, etag, mediaType, writtenAtMs, sha256, user } = entry
  const writtenAt = new Date(writtenAtMs).toISOString()
  const meta = shownMeta(user)
  return {
    path,
    size,
    etag,
    mediaType,
    writtenAt,
    sha256,
    ...(meta.length > 0 && { meta: Object.fromEntries(meta) }),
  }
}

function invalid(message: string): StoreError {
  return new StoreError('INVALID_REQUEST', message)
}

const fileSchema = {
  type: 'object',
  required: ['path', 'size', 'etag', 'mediaType', 'writtenAt'],
  properties: {
    path: { type: 'string' },
    size: { type: 'integer' },
    etag: { type: 'string' },
    mediaType: { type: 'string' },
    writtenAt: { type: 'string', format: 'date-time' },
    sha256: {
      type: 'string',
      pattern: '^[0-9a-f]{64}$',
      description: 'Absent where a program of before format 2 of the data directory has written the file.',
    },
    meta: {
      type: 'object',
      description: 'User metadata, when there is some.',
      additionalProperties: { type: 'string' },
    },
  },
}

const listContract = {
  summary: 'The files under a prefix, in the byte order of their paths',
  url: '/list/{prefix}',
  parameters: [
    {
      name: 'prefix',
      in: 'path' as const,
      required: true,
      description: 'The beginning of paths, percent-encoded; /list without it lists everything.',
      schema: { type: 'string' },
    },
    {
      name: 'delimiter',
      in: 'query' as const,
      description: 'With /, one level: what lies deeper is summed up as prefixes.',
      schema: { enum: ['/'] },
    },
    {
      name: 'limit',
      in: 'query' as const,
      description: 'Lines of a page; NDJSON is unbounded without it.',
      schema: { type: 'integer', minimum: 1, maximum: LIST_LIMIT_MAX, default: LIST_LIMIT_DEFAULT },
    },
    {
      name: 'after',
      in: 'query' as const,
      description: 'Only what comes after this; the `next` of the page before.',
      schema: { type: 'string' },
    },
    header('Accept', 'application/x-ndjson streams one JSON object a line.'),
  ],
  responses: {
    200: {
      description: 'A page, or NDJSON: a file a line, or {"prefix": ...}.',
      content: {
        ...json({
          type: 'object',
          required: ['prefix', 'files', 'prefixes', 'next'],
          properties: {
            prefix: { type: 'string' },
            files: { type: 'array', items: fileSchema },
            prefixes: { type: 'array', items: { type: 'string' } },
            next: {
              type: ['string', 'null'],
              description: 'The `after` of the next page; null on the last.',
            },
          },
        }),
        'application/x-ndjson': { schema: fileSchema },
      },
    },
  },
  errors: ['INVALID_PATH'] as const,
}
