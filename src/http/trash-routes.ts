/**
 * The endpoints of the trash: what was removed or replaced is listed, restored, and emptied before its time.
 */
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { StoreError } from '../errors.ts'
import { LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX } from '../files/listing.ts'
import { placeInTrash, type TrashedVersion } from '../files/trash.ts'
import { parseQuantity } from '../quantity.ts'
import { type PathName, parsePathName, parsePathPrefix } from '../ring/path-name.ts'
import type { Version } from '../storage/record.ts'
import { writeCondition } from './conditions.ts'
import { header, idempotencyParameter, json, receiptResponse } from './contract.ts'
import { addEndpoint, type HttpComponents, idempotencyOf, sendWritten } from './endpoint.ts'
import { refuseExtension } from './file-name.ts'
import { inTurns, wantsLines } from './list-routes.ts'
import { shownMeta } from './meta-fields.ts'
import { resetConnection } from './read-routes.ts'
import { ignoreBody, receivedText } from './request-body.ts'
import { queryOf } from './request-target.ts'

/** Of the body of a restoration: two paths of 1,024 bytes, each escaped, and a version. */
const RESTORE_BODY_BYTES_MAX = 16 * 1024

export function trashRoutes(fastify: FastifyInstance, components: HttpComponents): void {
  addEndpoint(fastify, components, {
    methods: ['GET'],
    urls: ['/trash'],
    access: 'read',
    aboutFile: false,
    contract: listContract,
    handler: (request, reply) => list(components, request, reply),
  })
  addEndpoint(fastify, components, {
    methods: ['POST'],
    urls: ['/trash/restore'],
    access: 'write',
    aboutFile: true,
    contract: restoreContract,
    handler: (request, reply) => restore(components, request, reply),
  })
  addEndpoint(fastify, components, {
    methods: ['DELETE'],
    urls: ['/trash'],
    access: 'write',
    aboutFile: false,
    contract: emptyContract,
    handler: (request, reply) => empty(components, request, reply),
  })
}

async function list(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { files, env, trashMs } = components
  const asLines = wantsLines(request)
  const { prefix, limit: text, after } = queryOf(request.raw.url as string, ['prefix', 'limit', 'after'])
  const query = { prefix: parsePathPrefix(prefix ?? ''), after }
  const limit = text === undefined ? (asLines ? Number.POSITIVE_INFINITY : LIST_LIMIT_DEFAULT) : limitOf(text)
  const shown = (one: TrashedVersion) => shownVersion(one, trashMs)
  reply.header('vary', 'accept').header('cache-control', 'no-cache')
  if (asLines) {
    const text = async function* () {
      for await (const batch of inTurns(files.trash.list({ ...query, limit }), env))
        yield batch.map(one => `${JSON.stringify(shown(one))}\n`).join('')
    }
    const lines = Readable.from(text(), { objectMode: false, highWaterMark: 256 * 1024 })
    lines.on('error', () => {
      if (reply.raw.headersSent) resetConnection(reply)
    })
    return reply.type('application/x-ndjson; charset=utf-8').send(lines)
  }
  const versions: TrashedVersion[] = []
  // One more than asked for tells whether there is a next page.
  for await (const batch of inTurns(files.trash.list({ ...query, limit: limit + 1 }), env))
    versions.push(...batch)
  const page = versions.slice(0, limit)
  const last = versions.length > limit ? page.at(-1) : undefined
  return reply.type('application/json; charset=utf-8').send(
    JSON.stringify({
      prefix: query.prefix,
      keptMs: trashMs,
      versions: page.map(shown),
      next: last === undefined ? null : placeInTrash(last),
    }),
  )
}

function shownVersion(one: TrashedVersion, trashMs: number) {
  const { path, version, size, etag, mediaType, writtenAtMs, trashedAtMs, wasRemoved, sha256, user } = one
  const meta = shownMeta(user)
  return {
    path,
    version: `${version.epoch}.${version.seq}`,
    size,
    etag,
    mediaType,
    writtenAt: new Date(writtenAtMs).toISOString(),
    sha256,
    reason: wasRemoved ? 'removed' : 'replaced',
    trashedAt: new Date(trashedAtMs).toISOString(),
    until: new Date(trashedAtMs + trashMs).toISOString(),
    ...(meta.length > 0 && { meta: Object.fromEntries(meta) }),
    place: placeInTrash(one),
  }
}

async function restore(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { files, connections, allowedExtensions } = components
  const text = await receivedText(request.raw, reply.raw, connections, RESTORE_BODY_BYTES_MAX)
  const { path, to, version, overwrite } = restorationOf(text)
  refuseExtension(to ?? path, allowedExtensions)
  const condition = writeCondition(request.headers, overwrite, 'absent')
  const written = await files.trash.restore(path, { to, version, condition, ...idempotencyOf(request) })
  return sendWritten(reply, files, written)
}

interface Restoration {
  readonly path: PathName
  readonly to: PathName | undefined
  readonly version: Version | undefined
  readonly overwrite: boolean | undefined
}

function restorationOf(text: string): Restoration {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new StoreError('INVALID_REQUEST', 'The body is not JSON.', { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid('The body is not a JSON object.')
  const { path, to, version, overwrite, ...rest } = value as Record<string, unknown>
  const unknown = Object.keys(rest)[0]
  if (unknown !== undefined)
    throw invalid('The body has an unknown name. Known: path, to, version, overwrite.')
  if (typeof path !== 'string') throw invalid('path is not a string.')
  if (to !== undefined && typeof to !== 'string') throw invalid('to is not a string.')
  if (overwrite !== undefined && typeof overwrite !== 'boolean')
    throw invalid('overwrite is not true or false.')
  return {
    path: parsePathName(path),
    to: to === undefined ? undefined : parsePathName(to),
    version: version === undefined ? undefined : versionOf(version),
    overwrite,
  }
}

async function empty(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { files, env, connections } = components
  const { prefix, path, version, older_than } = queryOf(request.raw.url as string, [
    ...['prefix', 'path', 'version', 'older_than'],
  ])
  await ignoreBody(request.raw, reply.raw, connections)
  // What says nothing must not empty everything.
  if ((prefix === undefined) === (path === undefined))
    throw invalid('Say which: prefix=, or path= of one file.')
  if (path !== undefined) {
    if (older_than !== undefined) throw invalid('older_than goes with prefix=.')
    await files.trash.forget(parsePathName(path), version === undefined ? undefined : versionOf(version))
    return reply.code(204).send()
  }
  if (version !== undefined) throw invalid('version goes with path=.')
  const beforeMs = older_than === undefined ? undefined : env.clock.nowMs() - ageOf(older_than)
  let emptied = { versions: 0, bytes: 0 }
  for await (const so of files.trash.empty(parsePathPrefix(prefix as string), beforeMs)) emptied = so
  return reply.type('application/json; charset=utf-8').send(JSON.stringify(emptied))
}

function ageOf(text: string): number {
  const ms = parseQuantity(text, 'ms')
  if (ms === undefined) throw invalid('older_than is a time, such as 1d or 12h.')
  return ms
}

function versionOf(text: unknown): Version {
  const match = typeof text === 'string' ? /^(\d{1,10})\.(\d{1,16})$/.exec(text) : null
  if (match === null) throw invalid('version is EPOCH.SEQ, as in "4.1".')
  return { epoch: Number(match[1]), seq: Number(match[2]) }
}

function limitOf(text: string): number {
  const limit = /^\d{1,15}$/.test(text) ? Number(text) : 0
  if (limit >= 1 && limit <= LIST_LIMIT_MAX) return limit
  throw invalid(`limit is a number from 1 to ${LIST_LIMIT_MAX}.`)
}

function invalid(message: string): StoreError {
  return new StoreError('INVALID_REQUEST', message)
}

const text = { type: 'string' }
const time = { type: 'string', format: 'date-time' }

const versionSchema = {
  type: 'object',
  required: [
    ...['path', 'version', 'size', 'etag', 'mediaType', 'writtenAt'],
    ...['reason', 'trashedAt', 'until', 'place'],
  ],
  properties: {
    path: text,
    version: { ...text, description: 'EPOCH.SEQ, as in the ETag.' },
    size: { type: 'integer' },
    etag: text,
    mediaType: text,
    writtenAt: time,
    sha256: { ...text, pattern: '^[0-9a-f]{64}$' },
    reason: { enum: ['removed', 'replaced'] },
    trashedAt: time,
    until: { ...time, description: 'Until then at least, within the bounds of the trash.' },
    meta: { type: 'object', additionalProperties: text },
    place: { ...text, description: 'What `after` continues from.' },
  },
}

const listContract = {
  summary: 'What was removed or replaced and can be restored',
  description: 'In the byte order of the paths, of each path the oldest version first.',
  parameters: [
    {
      name: 'prefix',
      in: 'query' as const,
      description: 'The beginning of paths; without it everything.',
      schema: text,
    },
    {
      name: 'limit',
      in: 'query' as const,
      description: 'Versions of a page; NDJSON is unbounded without it.',
      schema: { type: 'integer', minimum: 1, maximum: LIST_LIMIT_MAX, default: LIST_LIMIT_DEFAULT },
    },
    {
      name: 'after',
      in: 'query' as const,
      description: 'Only what comes after this: the `next` of the page before, or the `place` of a version.',
      schema: text,
    },
    header('Accept', 'application/x-ndjson streams one JSON object a line.'),
  ],
  responses: {
    200: {
      description: 'A page, or NDJSON: a version a line.',
      content: {
        ...json({
          type: 'object',
          required: ['prefix', 'keptMs', 'versions', 'next'],
          properties: {
            prefix: text,
            keptMs: {
              type: 'integer',
              description: 'How long this node keeps what it takes a write for; 0: not at all.',
            },
            versions: { type: 'array', items: versionSchema },
            next: {
              type: ['string', 'null'],
              description: 'The `after` of the next page; null on the last.',
            },
          },
        }),
        'application/x-ndjson': { schema: versionSchema },
      },
    },
  },
  errors: ['INVALID_PATH'] as const,
}

const restoreContract = {
  summary: 'Puts a version of the trash back',
  description:
    'No bytes move. What stands at the path is replaced only with overwrite or If-Match, and goes into the trash in the same step.',
  parameters: [
    header('If-Match', 'Replaces the file only in one of these versions; * in any.'),
    header('If-None-Match', '* creates only, which is the default.'),
    idempotencyParameter,
  ],
  requestBody: {
    required: true,
    content: json({
      type: 'object',
      required: ['path'],
      properties: {
        path: text,
        version: { ...text, description: 'EPOCH.SEQ; without it the version that went into the trash last.' },
        to: { ...text, description: 'Where it is put; without it where it was.' },
        overwrite: { type: 'boolean' },
      },
      additionalProperties: false,
    }),
  },
  responses: {
    200: receiptResponse('A file was replaced.'),
    201: receiptResponse('The file is there again.'),
  },
  errors: [
    ...([
      'INVALID_PATH',
      'FILE_NOT_FOUND',
      'FILE_EXISTS',
      'PRECONDITION_FAILED',
      'TYPE_NOT_ALLOWED',
    ] as const),
    ...(['IDEMPOTENCY_KEY_REUSED', 'OVERLOADED', 'CORRUPT', 'INDETERMINATE', 'DISK_FULL'] as const),
    ...(['FILE_TOO_LARGE', 'PROTOCOL_UNSUPPORTED', 'REQUEST_TIMEOUT'] as const),
  ],
}

const emptyContract = {
  summary: 'Takes versions out of the trash for good',
  parameters: [
    {
      name: 'prefix',
      in: 'query' as const,
      description: 'All versions of the paths that begin so; empty for everything. This or path is needed.',
      schema: text,
    },
    {
      name: 'older_than',
      in: 'query' as const,
      description: 'With prefix: only what has been in the trash for this long, such as 1d.',
      schema: text,
    },
    { name: 'path', in: 'query' as const, description: 'The versions of one path.', schema: text },
    {
      name: 'version',
      in: 'query' as const,
      description: 'With path: only this one, EPOCH.SEQ.',
      schema: text,
    },
  ],
  responses: {
    200: {
      description: 'What is gone, of a prefix.',
      content: json({
        type: 'object',
        required: ['versions', 'bytes'],
        properties: { versions: { type: 'integer' }, bytes: { type: 'integer' } },
      }),
    },
    204: { description: 'The versions of the path are gone.' },
  },
  errors: ['INVALID_PATH', 'FILE_NOT_FOUND', 'INDETERMINATE', 'DISK_FULL', 'FILE_TOO_LARGE'] as const,
}
