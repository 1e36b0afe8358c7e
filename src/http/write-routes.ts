/**
 * The endpoints that write one file: put and remove.
 */

import { Buffer } from 'node:buffer'
import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { errorCode, StoreError } from '../errors.ts'
import type { PutOptions, WriteOptions } from '../files/file-service.ts'
import type { Written } from '../files/receipt.ts'
import type { PathName } from '../ring/path-name.ts'
import { INLINE_BYTES_MAX, type UserMeta } from '../storage/record.ts'
import { writeCondition } from './conditions.ts'
import {
  header,
  idempotencyParameter,
  overwriteParameter,
  pathParameter,
  receiptResponse,
  ringParameters,
  ringResponseHeaders,
} from './contract.ts'
import { addEndpoint, type HttpComponents, idempotencyOf, ringHeaders, sendWritten } from './endpoint.ts'
import { refuseExtension } from './file-name.ts'
import { metaParameter, storedMediaType, userMetaOfRequest } from './meta-fields.ts'
import { announcedBytes, expectsContinue, ignoreBody, receivedBody, receivedWhole } from './request-body.ts'
import { parseFlag, pathOf, queryOf } from './request-target.ts'
import { rangeHeaders } from './ring-range.ts'

// A shorter body is on its way already when the header is read; refusing it early would cost more than it saves.
const EARLY_BYTES_MIN = INLINE_BYTES_MAX

export function writeRoutes(fastify: FastifyInstance, components: HttpComponents): void {
  addEndpoint(fastify, components, {
    methods: ['PUT', 'POST'],
    urls: ['/put/*'],
    access: 'write',
    aboutFile: true,
    contract: putContract,
    handler: (request, reply) => put(components, request, reply),
  })
  addEndpoint(fastify, components, {
    methods: ['DELETE', 'POST'],
    urls: ['/remove/*'],
    access: 'write',
    aboutFile: true,
    contract: removeContract,
    handler: (request, reply) => remove(components, request, reply),
  })
}

async function put(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { raw } = request
  const { headers } = raw
  const url = raw.url as string
  const path = pathOf(url)
  const overwrite = parseFlag('overwrite', queryOf(url, ['overwrite']).overwrite)
  const condition = writeCondition(headers, overwrite, 'absent')
  const user = userMetaOfRequest(headers)
  try {
    const written = await storeBody(components, request, reply, path, {
      condition,
      user,
      ...idempotencyOf(request),
    })
    rangeHeaders(components.ring, reply, path)
    return sendWritten(reply, components.files, written)
  } catch (error) {
    // RFC 9110, section 13.1.2: a false If-None-Match is a 412, not the conflict of a plain create.
    if (headers['if-none-match'] === undefined || errorCode(error) !== 'FILE_EXISTS') throw error
    throw new StoreError('PRECONDITION_FAILED', 'A file has this path already.', { path, cause: error })
  }
}

/** Stores the body of a request as the file at a path. @throws StoreError as FileService.put, TYPE_NOT_ALLOWED, OVERLOADED. */
export async function storeBody(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
  path: PathName,
  { user, ...write }: WriteOptions & Pick<PutOptions, 'decide'> & { readonly user: UserMeta | undefined },
): Promise<Written> {
  const { raw } = request
  const { headers } = raw
  refuseExtension(path, components.allowedExtensions)
  refuseAlteredBody(headers, path)
  const announced = announcedBytes(raw)
  refuseLength(announced, components, path)
  const options = {
    ...write,
    meta: { mediaType: storedMediaType(request.declaredType), ...(user && { user }) },
    sha256: announcedHash(headers),
    refuseEarly: announced === undefined || announced > EARLY_BYTES_MIN || expectsContinue(raw),
  }
  const { files, connections, slots } = components
  const leave = slots.enter()
  try {
    const body = options.refuseEarly
      ? receivedBody(raw, reply.raw, connections)
      : await receivedWhole(raw, connections, announced as number)
    return await files.put(path, body, options)
  } finally {
    leave()
  }
}

async function remove(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { raw } = request
  const url = raw.url as string
  const path = pathOf(url)
  queryOf(url, [])
  if (raw.headers['if-none-match'] !== undefined) {
    throw new StoreError('INVALID_REQUEST', 'If-None-Match makes no sense for a remove.', { path })
  }
  const condition = writeCondition(raw.headers, undefined, 'exists')
  await ignoreBody(raw, reply.raw, components.connections)
  const written = await components.files.remove(path, { condition, ...idempotencyOf(request) })
  ringHeaders(reply, written.chain)
  rangeHeaders(components.ring, reply, path)
  return reply.code(204).send()
}

/** The stored bytes are the file. A body that says it is something else (compressed, a piece) would come back wrong. */
export function refuseAlteredBody(headers: IncomingHttpHeaders, path?: PathName): void {
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new StoreError(
      'TYPE_NOT_ALLOWED',
      'Bytes are stored as they are sent and come back without a Content-Encoding: send them without it.',
      path === undefined ? {} : { path },
    )
  }
  if (headers['content-range'] !== undefined) {
    const message = 'A put stores whole files and takes no Content-Range.'
    throw new StoreError('INVALID_REQUEST', message, path === undefined ? {} : { path })
  }
}

function refuseLength(announced: number | undefined, { limits }: HttpComponents, path: PathName): void {
  if (announced === undefined || announced <= limits.fileBytesMax) return
  throw new StoreError('FILE_TOO_LARGE', `A file may have ${limits.fileBytesMax} bytes here.`, { path })
}

// A dictionary (RFC 9651) of byte sequences, as RFC 9530 has it. One that can't be read is no proof of anything.
const digestMember = /^[ \t]*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]+={0,2}):(?:;[ -+.-~]*)?[ \t]*$/
const sha256Base64 = /^[A-Za-z0-9+/]{43}=$/

/**
 * The SHA-256 that the client says the body has (RFC 9530; without Content-Encoding both fields mean the same). Hashes of
 * another kind are passed over.
 * @throws StoreError INVALID_REQUEST for a field that can't be read, and for two hashes that differ.
 */
function announcedHash(headers: IncomingHttpHeaders): string | undefined {
  let hash: string | undefined
  for (const field of ['repr-digest', 'content-digest'] as const) {
    const text = headers[field]
    if (text === undefined) continue
    for (const member of String(text).split(',')) {
      const [, kind, base64 = ''] = digestMember.exec(member) ?? []
      if (kind === undefined) throw badDigest(field)
      if (kind !== 'sha-256') continue
      if (!sha256Base64.test(base64)) throw badDigest(field)
      if (hash !== undefined && hash !== base64)
        throw new StoreError('INVALID_REQUEST', 'Two digests of the request contradict each other.')
      hash = base64
    }
  }
  return hash === undefined ? undefined : Buffer.from(hash, 'base64').toString('hex')
}

function badDigest(field: string): StoreError {
  return new StoreError(
    'INVALID_REQUEST',
    `${field} can't be read; it looks like ${field}: sha-256=:BASE64: (RFC 9530).`,
  )
}

const putContract = {
  summary: 'Stores the body as a file',
  description: 'Byte for byte, whatever its type. Creates only, unless overwrite or If-Match say otherwise.',
  url: '/put/{path}',
  parameters: [
    pathParameter(),
    overwriteParameter,
    header('If-Match', 'ETags: replaces exactly one of these versions; * replaces any.'),
    header('If-None-Match', '*: creates only, and answers 412 when a file is there.'),
    header('Content-Type', 'Kept with the file.'),
    metaParameter,
    header('Repr-Digest', 'sha-256=:BASE64: refuses a body that arrives with another hash (RFC 9530).'),
    header('Expect', '100-continue: the body is asked for only when it would be taken.'),
    idempotencyParameter,
    ...ringParameters,
  ],
  requestBody: {
    required: true,
    content: { '*/*': { schema: { type: 'string', format: 'binary' } } },
  },
  responses: {
    200: receiptResponse('A file was replaced.'),
    201: receiptResponse('A file was created.'),
  },
  errors: [
    'INVALID_PATH',
    'REQUEST_TIMEOUT',
    'FILE_NOT_FOUND',
    'FILE_EXISTS',
    'PRECONDITION_FAILED',
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

const removeContract = {
  summary: 'Removes a file',
  url: '/remove/{path}',
  parameters: [
    pathParameter(),
    header('If-Match', 'ETags: removes only one of these versions.'),
    idempotencyParameter,
    ...ringParameters,
  ],
  responses: { 204: { description: 'The file is gone.', headers: ringResponseHeaders } },
  errors: [
    'INVALID_PATH',
    'FILE_NOT_FOUND',
    'PRECONDITION_FAILED',
    'IDEMPOTENCY_KEY_REUSED',
    'OVERLOADED',
    'INDETERMINATE',
    'DISK_FULL',
  ] as const,
}
