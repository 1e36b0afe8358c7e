/**
 * The words of the contract that /openapi.json is made of: parameters, headers and statuses that several endpoints
 * share. Each endpoint says the rest beside its handler.
 */
import { ERROR_CODES, type ErrorCode } from '../errors.ts'
import { ERROR_STATUS } from './error-reply.ts'

type Schema = Record<string, unknown>

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required?: boolean
  readonly description: string
  readonly schema: Schema
}

/** What an endpoint takes and answers, in OpenAPI 3.1's own shapes. */
export interface EndpointContract {
  readonly summary: string
  readonly description?: string
  /** The URL as the contract shows it, as in `/get/{path}`. */
  readonly url?: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: Schema
  /** Status to answer, without the errors. */
  readonly responses: Readonly<Record<number, Schema>>
  readonly errors: readonly ErrorCode[]
}

const text: Schema = { type: 'string' }
export const json = (schema: Schema): Schema => ({ 'application/json': { schema } })

export const pathParameter = (name = 'path'): Parameter => ({
  name,
  in: 'path',
  required: true,
  description: 'A path, percent-encoded; 1 to 1,024 bytes of UTF-8, segments separated by a slash.',
  // What JSON Schema can say of it: no control characters, no empty segment, none that is . or ..
  schema: {
    ...text,
    minLength: 1,
    pattern:
      '^(?!\\.{1,2}(/|$))[^\\u0000-\\u001f\\u007f-\\u009f/]+(/(?!\\.{1,2}(/|$))[^\\u0000-\\u001f\\u007f-\\u009f/]+)*$',
  },
})

export const overwriteParameter: Parameter = {
  name: 'overwrite',
  in: 'query',
  description: 'true replaces a file that is there; false, the default, refuses with 409.',
  schema: { type: 'boolean', default: false },
}

export const header = (name: string, description: string, schema: Schema = {}): Parameter => ({
  name,
  in: 'header',
  description,
  schema: { ...text, ...schema },
})

export const idempotencyParameter = header(
  'Idempotency-Key',
  '1 to 255 printable ASCII characters. The same request again under the same key, within 24 hours, does nothing and answers the same.',
  { pattern: '^[\\x20-\\x7e]{1,255}$' },
)

export const ringResponseHeaders: Schema = {
  'Ring-Chain': { description: 'The nodes that the request visited, in order.', schema: text },
  'Ring-Hops': { description: 'The steps between them.', schema: { type: 'integer' } },
  'Ring-Range': {
    description:
      'LO HI EPOCH ADDRESS...: the range that the path lies in and its replicas, when Ring-Epoch asks for it.',
    schema: text,
  },
  'Ring-Network': { description: 'The network that Ring-Range belongs to.', schema: text },
}

/** What a client that goes straight to replicas says. */
export const ringParameters: readonly Parameter[] = [
  header(
    'Ring-Epoch',
    'The epoch of the range that the client knows for this path, 0 for none; see Ring-Range.',
  ),
  header('Ring-Network', 'The network that is meant; a node of another one refuses with WRONG_NETWORK.'),
]

export const fileResponseHeaders: Schema = {
  ...ringResponseHeaders,
  ETag: { description: 'Names this version of the file.', schema: text },
  'Last-Modified': { description: 'When it was written.', schema: text },
  'Accept-Ranges': { description: 'bytes', schema: text },
  'Repr-Digest': { description: 'sha-256 of the whole file (RFC 9530).', schema: text },
  Conflicts: {
    description:
      'How many versions stand beside this one; only with eventual consistency, and where there are some.',
    schema: { type: 'integer' },
  },
  'Meta-*': { description: 'User metadata, as it was given.', schema: text },
}

const address: Schema = { type: 'string', description: 'host:port' }

export const receiptSchema: Schema = {
  type: 'object',
  required: ['path', 'size', 'etag', 'version', 'sha256', 'consistency', 'durable', 'replicas', 'chain'],
  properties: {
    path: text,
    size: { type: 'integer', description: 'Bytes.' },
    etag: text,
    version: { type: 'object', properties: { epoch: { type: 'integer' }, seq: { type: 'integer' } } },
    sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' },
    consistency: { enum: ['chain', 'eventual'] },
    conditional: {
      enum: ['local'],
      description: 'The condition was judged by what one node has; only with eventual consistency.',
    },
    durable: { type: 'boolean', description: 'On stable storage at every replica.' },
    replicas: { type: 'array', items: address },
    chain: { type: 'array', items: address },
  },
}

export const receiptResponse = (description: string): Schema => ({
  description,
  headers: { ...ringResponseHeaders, ETag: { description: 'Names the new version.', schema: text } },
  content: json(receiptSchema),
})

export const errorSchema: Schema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message', 'retryable'],
      properties: {
        code: { enum: Object.keys(ERROR_CODES) },
        message: { type: 'string', description: 'One sentence for a person.' },
        path: { type: 'string', description: 'The file concerned.' },
        retryable: { type: 'boolean', description: 'Whether the same request can succeed later.' },
        missing: {
          type: 'array',
          items: address,
          description: 'The nodes without which it cannot be done, where that is the reason.',
        },
      },
    },
  },
}

/** Errors that every endpoint can answer with. */
const always: readonly ErrorCode[] = [
  'INVALID_REQUEST',
  'UNAUTHORIZED',
  'FORBIDDEN',
  'INTERNAL',
  'UNAVAILABLE',
  'WRONG_NETWORK',
]

/** Status to answer for the errors of an endpoint, those of every endpoint included. */
export function errorResponses(codes: readonly ErrorCode[]): Record<number, Schema> {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of [...always, ...codes]) {
    byStatus.set(ERROR_STATUS[code], [...(byStatus.get(ERROR_STATUS[code]) ?? []), code])
  }
  const entries = [...byStatus].map(([status, these]) => [
    status,
    {
      description: these.map(code => `${code}: ${ERROR_CODES[code].meaning}`).join('; '),
      content: json({ $ref: '#/components/schemas/Error' }),
    },
  ])
  return Object.fromEntries(entries)
}
