/**
 * The endpoints for whole folders: a tar archive in, a tar or zip archive out.
 */
import { Readable } from 'node:stream'
import { create as contentDisposition } from 'content-disposition'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { StoreError } from '../errors.ts'
import type { ListedFile } from '../files/listing.ts'
import { parsePathPrefix } from '../ring/path-name.ts'
import { takeInTar } from './archive-intake.ts'
import { archived, tarOf, ZIP_FILES_MAX, zipOf } from './archive-stream.ts'
import { refuseConditions } from './conditions.ts'
import { header, idempotencyParameter, json, overwriteParameter } from './contract.ts'
import { addEndpoint, type HttpComponents, idempotencyOf } from './endpoint.ts'
import { inTurns } from './list-routes.ts'
import { resetConnection } from './read-routes.ts'
import { receivedBody } from './request-body.ts'
import { decodedRestOf, parseFlag, queryOf } from './request-target.ts'
import { refuseAlteredBody } from './write-routes.ts'

/** Archives that are given out at once; each may hold 1 MiB while its client does not read. */
const ARCHIVES_MAX = 32

type Format = 'tar' | 'zip'

export function archiveRoutes(fastify: FastifyInstance, components: HttpComponents): void {
  addEndpoint(fastify, components, {
    methods: ['GET', 'HEAD'],
    urls: ['/archive', '/archive/*'],
    access: 'read',
    aboutFile: false,
    contract: getContract,
    handler: (request, reply) => giveArchive(components, request, reply),
  })
  addEndpoint(fastify, components, {
    methods: ['PUT', 'POST'],
    urls: ['/archive', '/archive/*'],
    access: 'write',
    aboutFile: false,
    contract: putContract,
    handler: (request, reply) => takeArchive(components, request, reply),
  })
}

/** Empty, or ending with a slash: an archive is of a folder, with or without the slash. */
function folderOf(url: string): string {
  const prefix = parsePathPrefix(decodedRestOf(url))
  return prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`
}

async function takeArchive(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { raw } = request
  const url = raw.url as string
  const prefix = folderOf(url)
  const { overwrite, folders } = queryOf(url, ['overwrite', 'folders'])
  const condition = parseFlag('overwrite', overwrite) ? 'none' : 'absent'
  const keepFolders = parseFlag('folders', folders) ?? false
  refuseConditions(raw.headers)
  refuseAlteredBody(raw.headers)
  const init = {
    prefix,
    condition,
    keepFolders,
    ...idempotencyOf(request),
    fileBytesMax: components.limits.fileBytesMax,
    allowedExtensions: components.allowedExtensions,
  } as const
  const report = await components.slots.stream(() =>
    takeInTar(components.files, signal => receivedBody(raw, reply.raw, components.connections, signal), init),
  )
  return reply.type('application/json; charset=utf-8').send(JSON.stringify({ prefix, ...report }))
}

async function giveArchive(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const url = request.raw.url as string
  return sendArchive(components, request, reply, folderOf(url), queryOf(url, ['format']).format)
}

/** Answers with a folder as an archive. @throws StoreError FILE_NOT_FOUND, INVALID_REQUEST (the format), OVERLOADED. */
export async function sendArchive(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
  prefix: string,
  asked: string | undefined,
): Promise<FastifyReply> {
  const format = formatOf(asked, request.headers.accept)
  const { files, env, archives } = components
  await refuseEmpty(components, prefix)
  const name = prefix.split('/').at(-2) ?? 'files'
  reply
    .type(format === 'zip' ? 'application/zip' : 'application/x-tar')
    .header('content-disposition', contentDisposition(`${name}.${format}`))
    .header('vary', 'accept')
    .header('cache-control', 'no-cache')
    // Nobody knows which byte of it will be where.
    .header('accept-ranges', 'none')
    .header('x-content-type-options', 'nosniff')
    .header('content-security-policy', 'sandbox')
  if (request.method === 'HEAD') return reply.send()
  if (archives.size >= ARCHIVES_MAX)
    throw new StoreError('OVERLOADED', 'Too many archives are being given out already.', {
      retryAfterSeconds: 5,
    })
  const listed = files.list({ prefix, limit: Number.POSITIVE_INFINITY }) as AsyncIterable<
    readonly ListedFile[]
  >
  const entries = archived(files, inTurns(listed, env), prefix)
  const archive = Readable.from(format === 'zip' ? zipOf(entries) : tarOf(entries), { objectMode: false })
  archives.add(archive)
  archive.once('close', () => archives.delete(archive))
  archive.on('error', error => {
    env.log.warn({ op: 'archive', path: prefix, err: error }, 'an archive broke off')
    if (reply.raw.headersSent) resetConnection(reply)
  })
  return reply.send(archive)
}

async function refuseEmpty({ files }: HttpComponents, prefix: string): Promise<void> {
  for await (const batch of files.list({ prefix, limit: 1 })) if (batch.length > 0) return
  throw new StoreError('FILE_NOT_FOUND', 'No file lies in this folder.', { path: prefix })
}

function formatOf(asked: string | undefined, accept = ''): Format {
  if (asked === undefined) return /\bapplication\/zip\b/i.test(accept) ? 'zip' : 'tar'
  if (asked === 'tar' || asked === 'zip') return asked
  throw new StoreError('INVALID_REQUEST', 'format is either tar or zip.')
}

const prefixParameter = {
  name: 'prefix',
  in: 'path' as const,
  required: true,
  description: 'A folder, percent-encoded; /archive without it is the whole store.',
  schema: { type: 'string' },
}

const binary = { schema: { type: 'string', format: 'binary' } }

const getContract = {
  summary: 'A folder as one archive',
  description:
    'Names are relative to the folder. Modes, modification times and symbolic links are those of the metadata. It is made while it ' +
    'is sent: it has no length and takes no ranges, and one that cannot be completed ends with a broken connection.',
  url: '/archive/{prefix}',
  parameters: [
    prefixParameter,
    {
      name: 'format',
      in: 'query' as const,
      description: `tar, or zip (not compressed, up to ${ZIP_FILES_MAX} files).`,
      schema: { enum: ['tar', 'zip'], default: 'tar' },
    },
    header('Accept', 'application/zip is the same as format=zip.'),
  ],
  responses: {
    200: {
      description: 'The archive.',
      content: { 'application/x-tar': binary, 'application/zip': binary },
    },
  },
  errors: ['INVALID_PATH', 'FILE_NOT_FOUND', 'OVERLOADED'] as const,
}

const putContract = {
  summary: 'Stores what a tar archive has',
  description:
    'Files, symbolic links (as empty files that say where they lead) and hard links (as copies), with mode and modification time as ' +
    'metadata. What is there with the same bytes stays. The first entry that cannot be stored ends it; those before it are stored.',
  url: '/archive/{prefix}',
  parameters: [
    prefixParameter,
    overwriteParameter,
    {
      name: 'folders',
      in: 'query' as const,
      description: 'true keeps folders, too, as empty files of the type inode/directory.',
      schema: { type: 'boolean', default: false },
    },
    idempotencyParameter,
  ],
  requestBody: { required: true, content: { 'application/x-tar': binary } },
  responses: {
    200: {
      description: 'What became of it.',
      content: json({
        type: 'object',
        required: ['prefix', 'stored', 'bytes', 'unchanged', 'folders', 'skipped', 'skippedMore'],
        properties: {
          prefix: { type: 'string' },
          stored: { type: 'integer' },
          bytes: { type: 'integer' },
          unchanged: { type: 'integer', description: 'Files that were there with the same bytes.' },
          folders: { type: 'integer', description: 'Entries that are folders.' },
          skipped: {
            type: 'array',
            description: 'Devices and FIFOs.',
            items: {
              type: 'object',
              properties: { name: { type: 'string' }, reason: { type: 'string' } },
            },
          },
          skippedMore: { type: 'integer', description: 'Further ones, which are not named.' },
        },
      }),
    },
  },
  errors: [
    'INVALID_PATH',
    'REQUEST_TIMEOUT',
    'FILE_EXISTS',
    'FILE_TOO_LARGE',
    'METADATA_TOO_LARGE',
    'TYPE_NOT_ALLOWED',
    'IDEMPOTENCY_KEY_REUSED',
    'PROTOCOL_UNSUPPORTED',
    'OVERLOADED',
    'INDETERMINATE',
    'DISK_FULL',
  ] as const,
}
