/**
 * The endpoints with two paths: copy and move.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { StoreError } from '../errors.ts'
import { type PathName, parsePathName } from '../ring/path-name.ts'
import { refuseConditions, writeCondition } from './conditions.ts'
import {
  type EndpointContract,
  header,
  idempotencyParameter,
  json,
  overwriteParameter,
  pathParameter,
  receiptResponse,
  ringParameters,
} from './contract.ts'
import { addEndpoint, type HttpComponents, idempotencyOf, sendWritten } from './endpoint.ts'
import { refuseExtension } from './file-name.ts'
import { metaParameter, userMetaOfRequest } from './meta-fields.ts'
import { hasBody, ignoreBody, receivedText } from './request-body.ts'
import { parseFlag, parseForm, queryOf, twoPathsOf } from './request-target.ts'
import { rangeHeaders } from './ring-range.ts'

/** Of a JSON or form body that names two paths: 6 KiB when every byte is percent-encoded, and some room. */
const COPY_BODY_BYTES_MAX = 16 * 1024

interface TwoPaths {
  readonly source: PathName
  readonly destination: PathName
  readonly overwrite: boolean | undefined
  /** The metadata of the request takes the place of the source's. */
  readonly replaceMeta: boolean
}

export function copyRoutes(fastify: FastifyInstance, components: HttpComponents): void {
  addEndpoint(fastify, components, {
    methods: ['GET', 'POST'],
    urls: ['/copy/*'],
    access: 'write',
    aboutFile: true,
    contract: twoPathsContract('/copy/{source}/{destination}', 'Copies a file; its bytes stay in the store', {
      parameters: copyParameters,
      errors: copyErrors,
    }),
    handler: async (request, reply) => {
      const paths = pathsOfUrl('copy', request)
      await ignoreBody(request.raw, reply.raw, components.connections)
      return write('copy', components, request, reply, paths)
    },
  })
  addEndpoint(fastify, components, {
    methods: ['POST'],
    urls: ['/copy'],
    access: 'write',
    aboutFile: true,
    contract: copyByNameContract,
    handler: async (request, reply) =>
      write('copy', components, request, reply, await pathsOfForm(components, request, reply)),
  })
  addEndpoint(fastify, components, {
    methods: ['POST'],
    urls: ['/move/*'],
    access: 'write',
    aboutFile: true,
    contract: twoPathsContract('/move/{source}/{destination}', 'Gives a file another path, in one step'),
    handler: async (request, reply) => {
      const paths = pathsOfUrl('move', request)
      await ignoreBody(request.raw, reply.raw, components.connections)
      return write('move', components, request, reply, paths)
    },
  })
}

async function write(
  kind: 'copy' | 'move',
  { files, ring, allowedExtensions }: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
  { source, destination, overwrite, replaceMeta }: TwoPaths,
): Promise<FastifyReply> {
  // A move is about two paths, and a condition does not say which of them it means.
  if (kind === 'move') refuseConditions(request.headers)
  refuseExtension(destination, allowedExtensions)
  const options = {
    condition: writeCondition(request.headers, overwrite, 'absent'),
    ...idempotencyOf(request),
  }
  const user = userMetaOfRequest(request.headers)
  if (user !== undefined && !replaceMeta)
    throw invalid('Meta-* fields replace the metadata of the source only with replace_meta=true, in a copy.')
  const written =
    kind === 'copy'
      ? await files.copy(source, destination, { ...options, ...(replaceMeta && { meta: { user } }) })
      : await files.move(source, destination, options)
  rangeHeaders(ring, reply, destination)
  return sendWritten(reply, files, written)
}

function pathsOfUrl(kind: 'copy' | 'move', request: FastifyRequest): TwoPaths {
  const url = request.raw.url as string
  const { overwrite, replace_meta } = queryOf(
    url,
    kind === 'copy' ? ['overwrite', 'replace_meta'] : ['overwrite'],
  )
  return {
    ...twoPathsOf(url),
    overwrite: parseFlag('overwrite', overwrite),
    replaceMeta: parseFlag('replace_meta', replace_meta) ?? false,
  }
}

const names = ['source_path', 'destination_path', 'overwrite', 'replace_meta'] as const

/** The paths in the query, or in a JSON or form body; in the two of them together each may be once. */
async function pathsOfForm(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<TwoPaths> {
  const query = queryOf(request.raw.url as string, names)
  const body = hasBody(request.raw)
    ? parseBody(
        request.declaredType,
        await receivedText(request.raw, reply.raw, components.connections, COPY_BODY_BYTES_MAX),
      )
    : {}
  for (const name of names) {
    if (query[name] !== undefined && body[name] !== undefined) throw invalid(`${name} is given twice.`)
  }
  const {
    source_path: source,
    destination_path: destination,
    overwrite,
    replace_meta,
  } = { ...query, ...body }
  if (source === undefined || destination === undefined) {
    throw invalid('A copy needs source_path and destination_path, in the query or in a JSON or form body.')
  }
  return {
    source: parsePathName(source),
    destination: parsePathName(destination),
    overwrite: parseFlag('overwrite', overwrite),
    replaceMeta: parseFlag('replace_meta', replace_meta) ?? false,
  }
}

function parseBody(declaredType: string | undefined, text: string): Partial<Record<string, string>> {
  const type = (declaredType ?? '').split(';')[0]?.trim().toLowerCase()
  if (type === 'application/x-www-form-urlencoded') return parseForm(text, names)
  if (type === 'application/json') return parseJson(text)
  throw new StoreError(
    'TYPE_NOT_ALLOWED',
    'This endpoint takes application/json or application/x-www-form-urlencoded.',
  )
}

function parseJson(text: string): Partial<Record<string, string>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new StoreError('INVALID_REQUEST', 'The body is not JSON.', { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('The body is not a JSON object.')
  }
  const values: Partial<Record<string, string>> = {}
  for (const [name, given] of Object.entries(value)) {
    if (!names.some(known => known === name))
      throw invalid(`The body has an unknown name. Known: ${names.join(', ')}.`)
    if (typeof given !== 'string' && !(flags.includes(name) && typeof given === 'boolean')) {
      throw invalid(`${name} is not a string.`)
    }
    values[name] = String(given)
  }
  return values
}

const flags: readonly string[] = ['overwrite', 'replace_meta']

const copyParameters = [
  header('If-Match', 'ETags of the destination: replaces exactly one of these versions; * replaces any.'),
  {
    name: 'replace_meta',
    in: 'query' as const,
    description:
      'true gives the copy the Meta-* fields of the request in place of those of the source; it may then be the same path.',
    schema: { type: 'boolean', default: false },
  },
  metaParameter,
]

function invalid(message: string): StoreError {
  return new StoreError('INVALID_REQUEST', message)
}

const errors = [
  'INVALID_PATH',
  'FILE_NOT_FOUND',
  'FILE_EXISTS',
  'TYPE_NOT_ALLOWED',
  'IDEMPOTENCY_KEY_REUSED',
  'OVERLOADED',
  'CORRUPT',
  'INDETERMINATE',
  'DISK_FULL',
  'PROTOCOL_UNSUPPORTED',
] as const

const copyErrors = [...errors, 'METADATA_TOO_LARGE', 'PRECONDITION_FAILED'] as const

const responses = {
  200: receiptResponse('A file at the destination was replaced.'),
  201: receiptResponse('The destination was created.'),
}

function twoPathsContract(
  url: string,
  summary: string,
  more: Pick<EndpointContract, 'parameters' | 'errors'> = { errors },
) {
  return {
    summary,
    description: 'A slash inside a path is written %2F.',
    url,
    parameters: [
      pathParameter('source'),
      pathParameter('destination'),
      overwriteParameter,
      ...(more.parameters ?? []),
      idempotencyParameter,
      ...ringParameters,
    ],
    responses,
    errors: more.errors,
  }
}

const twoNames = {
  type: 'object',
  required: ['source_path', 'destination_path'],
  properties: {
    source_path: { type: 'string' },
    destination_path: { type: 'string' },
    overwrite: { type: 'boolean' },
    replace_meta: { type: 'boolean' },
  },
  additionalProperties: false,
}

const copyByNameContract = {
  summary: 'Copies a file; its bytes stay in the store',
  description: 'The two paths come in the query, or in a JSON or form body.',
  url: '/copy',
  parameters: [
    ...(['source_path', 'destination_path'] as const).map(name => ({
      name,
      in: 'query' as const,
      description: 'A path.',
      schema: { type: 'string' },
    })),
    overwriteParameter,
    ...copyParameters,
    idempotencyParameter,
    ...ringParameters,
  ],
  requestBody: {
    required: false,
    content: { ...json(twoNames), 'application/x-www-form-urlencoded': { schema: twoNames } },
  },
  responses,
  errors: [...copyErrors, 'FILE_TOO_LARGE'] as const,
}
