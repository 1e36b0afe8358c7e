/**
 * The endpoints that read one file: exists, get and download.
 */
import { Buffer } from 'node:buffer'
import type { IncomingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { errorCode, StoreError } from '../errors.ts'
import type { FileRange, FoundFile } from '../files/file-service.ts'
import type { PathName } from '../ring/path-name.ts'
import { etagOf } from '../storage/record.ts'
import { streamOver } from '../stream-over.ts'
import { contentRange, type MultipartPlan, parseRanges, planMultipart } from './byte-ranges.ts'
import { isWanted, rangeApplies } from './conditions.ts'
import {
  fileResponseHeaders,
  header,
  json,
  pathParameter,
  ringParameters,
  ringResponseHeaders,
} from './contract.ts'
import { addEndpoint, type HttpComponents, ringHeaders } from './endpoint.ts'
import { bodyFields, headerFields } from './file-fields.ts'
import { pathOf, queryOf } from './request-target.ts'
import { rangeHeaders } from './ring-range.ts'
import { givingBack } from './send-body.ts'

// A version can be replaced between finding and reading it; this often only if somebody replaces it in a tight loop.
const REPLACED_TRIES_MAX = 5

export function readRoutes(fastify: FastifyInstance, components: HttpComponents): void {
  addEndpoint(fastify, components, {
    methods: ['GET', 'HEAD'],
    urls: ['/exists/*'],
    access: 'read',
    aboutFile: true,
    contract: existsContract,
    handler: (request, reply) => exists(components, request, reply),
  })
  addEndpoint(fastify, components, {
    methods: ['GET', 'HEAD'],
    urls: ['/get/*'],
    access: 'read',
    aboutFile: true,
    contract: getContract('/get/{path}', 'The bytes of a file'),
    handler: (request, reply) => get(components, request, reply, false),
  })
  addEndpoint(fastify, components, {
    methods: ['GET', 'HEAD'],
    urls: ['/download/*'],
    access: 'read',
    aboutFile: true,
    contract: getContract('/download/{path}', 'The bytes of a file, to be saved by a browser'),
    handler: (request, reply) => get(components, request, reply, true),
  })
}

async function exists(
  { files, ring }: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const url = request.raw.url as string
  queryOf(url, [])
  const path = pathOf(url)
  const found = await files.find(path)
  ringHeaders(reply, found.chain)
  rangeHeaders(ring, reply, path)
  if (request.method === 'HEAD' && !found.record) reply.code(404)
  return reply
    .type('application/json; charset=utf-8')
    .header('cache-control', 'no-cache')
    .send(found.record ? 'true' : 'false')
}

function get(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
  attachment: boolean,
): Promise<FastifyReply> | undefined {
  const url = request.raw.url as string
  const { versions, version } = url.includes('?') ? queryOf(url, ['versions', 'version']) : {}
  const path = pathOf(url)
  if (versions !== undefined) return sendVersions(components, reply, path)
  if (version === undefined && sendAtOnce(components, request, reply, path, attachment)) return undefined
  return sendFile(components, request, reply, path, attachment, version)
}

/**
 * Answers with a small file that this node may give by itself, without a promise on the way; nothing is asked more often. False, and
 * nothing has happened, when there is more to do than that.
 */
function sendAtOnce(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
  path: PathName,
  attachment: boolean,
): boolean {
  const { headers, method } = request.raw
  if (method !== 'GET' || headers.range !== undefined) return false
  refuseAsScript(headers, path)
  const found = components.files.findAtOnce(path)
  const record = found?.record
  const bytes = record && components.files.readAtOnce(record)
  if (record === undefined || bytes === undefined) return false
  const nowMs = components.env.clock.nowMs()
  const wanted = isWanted(headers, record, nowMs)
  const fields = headerFields(components.ring, headers, found as FoundFile, nowMs)
  if (wanted) {
    fields.push('content-type', record.meta.mediaType, 'content-length', String(record.body.size))
    bodyFields(fields, record, attachment)
  }
  send(reply, wanted ? 200 : 304, fields, wanted ? bytes : undefined)
  return true
}

/** The versions of a path that stand beside each other, the one that a plain get gives first. */
async function sendVersions(
  { files }: HttpComponents,
  reply: FastifyReply,
  path: PathName,
): Promise<FastifyReply> {
  const all = await files.versions(path)
  if (all.length === 0) throw new StoreError('FILE_NOT_FOUND', 'No file has this path.', { path })
  const versions = all.map(record => ({
    etag: etagOf(record),
    size: record.body.size,
    sha256: record.body.sha256,
    mediaType: record.meta.mediaType,
    writtenAt: new Date(record.writtenAtMs).toISOString(),
  }))
  return reply
    .type('application/json; charset=utf-8')
    .header('cache-control', 'no-cache')
    .send(JSON.stringify({ path, versions }))
}

/** One version of a path by its ETag, with or without the quotes. */
async function versionOf(
  { files }: HttpComponents,
  path: PathName,
  version: string,
): Promise<FoundFile | undefined> {
  const found = await files.find(path)
  const etag = version.startsWith('"') ? version : `"${version}"`
  const record = (await files.versions(path)).find(one => etagOf(one) === etag)
  return record && { ...found, record }
}

/** Answers with the file at a path, as the conditions and ranges of the request want it. @throws StoreError. */
export async function sendFile(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
  path: PathName,
  attachment: boolean,
  version?: string,
): Promise<FastifyReply> {
  refuseAsScript(request.raw.headers, path)
  for (let tries = 1; ; tries++) {
    const one = version === undefined ? undefined : await versionOf(components, path, version)
    if (version !== undefined && one === undefined)
      throw new StoreError('FILE_NOT_FOUND', 'The path has no such version.', { path })
    const { record, ...placement } = one ?? (await components.files.find(path))
    ringHeaders(reply, placement.chain)
    if (record === undefined) throw new StoreError('FILE_NOT_FOUND', 'No file has this path.', { path })
    try {
      return await answer(components, request, reply, { record, ...placement }, attachment)
    } catch (error) {
      // The version that was found may have been replaced before its bytes were read, here or at another node.
      const code = errorCode(error)
      if (code !== 'FILE_NOT_FOUND' && code !== 'UNAVAILABLE') throw error
      if (tries < REPLACED_TRIES_MAX) continue
      throw new StoreError('UNAVAILABLE', 'The bytes of the file cannot be had now.', { path, cause: error })
    }
  }
}

/** What a browser makes part of a page of this origin, where the only page is the console; stored bytes never are that. */
const PARTS_OF_PAGES: ReadonlySet<unknown> = new Set([
  ...['script', 'style', 'worker', 'sharedworker', 'serviceworker', 'audioworklet', 'paintworklet'],
  ...['manifest', 'object', 'embed', 'xslt'],
])

/** @throws StoreError FORBIDDEN. */
function refuseAsScript(headers: IncomingHttpHeaders, path: PathName): void {
  if (headers['sec-fetch-site'] === 'same-origin' && PARTS_OF_PAGES.has(headers['sec-fetch-dest']))
    throw new StoreError('FORBIDDEN', 'A stored file is no script of the console.', { path })
}

async function answer(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
  found: FoundFile,
  attachment: boolean,
): Promise<FastifyReply> {
  const { record } = found
  const { headers, method } = request.raw
  const { size } = record.body
  const nowMs = components.env.clock.nowMs()
  const wanted = isWanted(headers, record, nowMs)
  const rangeHeader = method === 'GET' && wanted ? headers.range : undefined
  const ranges =
    rangeHeader !== undefined && rangeApplies(headers, etagOf(record))
      ? rangesOrRefusal(reply, rangeHeader, size, record.path)
      : undefined
  const only = ranges?.length === 1 ? ranges[0] : undefined
  const several = ranges && !only ? multipart(components, found, ranges) : undefined
  const body =
    !wanted || method === 'HEAD'
      ? undefined
      : several && ranges
        ? await partsOf(components, found, ranges, several)
        : await components.files.read(found, only)

  const fields = headerFields(components.ring, headers, found, nowMs)
  if (!wanted) return send(reply, 304, fields, undefined)
  fields.push('content-type', several?.contentType ?? record.meta.mediaType)
  bodyFields(fields, record, attachment)
  if (only) fields.push('content-range', contentRange(only, size))
  const length = several?.contentLength ?? (only ? only.last - only.first + 1 : size)
  fields.push('content-length', String(length))
  return send(reply, ranges ? 206 : 200, fields, body)
}

/** What is at hand goes out at once, past the framework: on small files that saves a tenth of a request's time. */
function send(
  reply: FastifyReply,
  status: number,
  fields: readonly string[],
  body: Uint8Array | Readable | undefined,
): FastifyReply {
  if (body === undefined || body instanceof Uint8Array) {
    reply.hijack()
    reply.raw.writeHead(status, fields as string[]).end(body)
    return reply
  }
  if (reply.raw.destroyed) {
    // The client has gone meanwhile, and the framework would wait for that.
    body.destroy()
    return reply.hijack()
  }
  for (let i = 0; i < fields.length; i += 2) reply.header(fields[i] as string, fields[i + 1])
  body.on('error', () => {
    if (reply.raw.headersSent) resetConnection(reply)
  })
  return reply.code(status).send(givingBack(body))
}

/** Bytes were promised that can't be sent: the client must see a broken connection and never a complete answer. */
export function resetConnection(reply: FastifyReply): void {
  const { socket } = reply.raw
  try {
    socket?.resetAndDestroy()
  } catch {
    // A TLS connection can't be reset; without its closing record and its last bytes it is as visibly broken.
    socket?.destroy()
  }
}

function rangesOrRefusal(
  reply: FastifyReply,
  rangeHeader: string,
  size: number,
  path: PathName,
): FileRange[] | undefined {
  try {
    return parseRanges(rangeHeader, size, path)
  } catch (error) {
    reply.header('content-range', `bytes */${size}`)
    throw error
  }
}

function multipart(
  { env }: HttpComponents,
  { record }: FoundFile,
  ranges: readonly FileRange[],
): MultipartPlan {
  const boundary = Buffer.from(env.randomness.bytes(16)).toString('hex')
  return planMultipart(ranges, record.body.size, record.meta.mediaType, boundary)
}

/** The body of a multipart/byteranges answer. The first range is read at once, so that its refusal is still a 502. */
async function partsOf(
  { files }: HttpComponents,
  found: FoundFile,
  ranges: readonly FileRange[],
  plan: MultipartPlan,
): Promise<Readable> {
  const first = await files.read(found, ranges[0])
  let next: Uint8Array | Readable | undefined = first
  async function* parts(): AsyncGenerator<Uint8Array> {
    for (const [i, range] of ranges.entries()) {
      yield plan.heads[i] as Buffer
      const bytes: Uint8Array | Readable = next ?? (await files.read(found, range))
      next = undefined
      if (bytes instanceof Uint8Array) yield bytes
      else yield* bytes
    }
    yield plan.tail
  }
  return first instanceof Uint8Array
    ? Readable.from(parts(), { objectMode: false })
    : streamOver(first, parts())
}

const existsContract = {
  summary: 'Whether a file has this path',
  url: '/exists/{path}',
  parameters: [pathParameter(), ...ringParameters],
  responses: {
    200: {
      description: 'true or false; HEAD says it by 200 or 404.',
      headers: ringResponseHeaders,
      content: json({ type: 'boolean' }),
    },
    404: { description: 'To HEAD: no file has this path.', headers: ringResponseHeaders },
  },
  errors: ['INVALID_PATH'] as const,
}

const versionParameters = [
  {
    name: 'versions',
    in: 'query' as const,
    description:
      'Instead of the bytes a list of the versions that stand beside each other, as JSON; more than one only with eventual consistency.',
    schema: { type: 'string' },
  },
  {
    name: 'version',
    in: 'query' as const,
    description: 'An ETag: the bytes of that version.',
    schema: { type: 'string' },
  },
]

export function getContract(url: string, summary: string) {
  const bytes = { '*/*': { schema: { type: 'string', format: 'binary' } } }
  return {
    summary,
    url,
    parameters: [
      pathParameter(),
      ...versionParameters,
      header('Range', `bytes=FIRST-LAST, several with commas; up to 32.`),
      header('If-Range', 'An ETag: the range only of this version, else the whole file.'),
      header('If-Match', 'ETags, or *'),
      header('If-None-Match', 'ETags, or *'),
      header('If-Modified-Since', 'A date'),
      header('If-Unmodified-Since', 'A date'),
      ...ringParameters,
    ],
    responses: {
      200: { description: 'The bytes as stored.', headers: fileResponseHeaders, content: bytes },
      206: { description: 'The requested ranges.', headers: fileResponseHeaders, content: bytes },
      304: { description: 'The client has this version.', headers: fileResponseHeaders },
    },
    errors: [
      'INVALID_PATH',
      'FILE_NOT_FOUND',
      'PRECONDITION_FAILED',
      'RANGE_NOT_SATISFIABLE',
      'CORRUPT',
    ] as const,
  }
}
