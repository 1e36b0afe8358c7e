/**
 * What /openapi.json says of the endpoints for key-value pairs.
 */
import {
  type EndpointContract,
  header,
  idempotencyParameter,
  json,
  receiptSchema,
  ringResponseHeaders,
} from './contract.ts'

const keyParameter = (description: string) => ({
  name: 'key',
  in: 'path' as const,
  required: true,
  description,
  schema: { type: 'string' },
})

const wholeRest = 'A key of 1 to 256 bytes of UTF-8, percent-encoded; it may have slashes.'
const anyValue = { description: 'Any JSON value.' }
const etagHeader = { ETag: { description: 'Names this version of the pair.', schema: { type: 'string' } } }

const writeParameters = [header('If-Match', 'ETags: only in one of these versions.'), idempotencyParameter]

const readParameters = [header('If-None-Match', 'ETags, or *'), header('If-Match', 'ETags, or *')]

const writeErrors = [
  'INVALID_PATH',
  'FILE_NOT_FOUND',
  'PRECONDITION_FAILED',
  'FILE_TOO_LARGE',
  'IDEMPOTENCY_KEY_REUSED',
  'OVERLOADED',
  'INDETERMINATE',
  'DISK_FULL',
] as const

const readErrors = ['INVALID_PATH', 'FILE_NOT_FOUND', 'PRECONDITION_FAILED', 'CORRUPT'] as const

function pairResponse(word: 'status' | 'message', done: readonly string[], description: string) {
  const isWrite = done.includes('inserted')
  return {
    description,
    headers: { ...ringResponseHeaders, ...(!done.includes('deleted') && etagHeader) },
    content: json({
      type: 'object',
      required: ['key', 'value', word],
      properties: {
        key: { type: 'string' },
        value: anyValue,
        [word]: { enum: done },
        ...(isWrite && { receipt: receiptSchema }),
      },
    }),
  }
}

const stored = ['inserted', 'updated']

export const kvPostContract: EndpointContract = {
  summary: 'Stores a key-value pair, in place of the one that the key had',
  description:
    'A key that is no string stands for its JSON text. The pair is the file kv/KEY; a value has up to 256 KiB of JSON text.',
  parameters: [...writeParameters, header('If-None-Match', '*: only when the key has no pair.')],
  requestBody: {
    required: true,
    content: json({
      type: 'object',
      required: ['key', 'value'],
      properties: { key: { description: 'Usually a string; 1 to 256 bytes.' }, value: anyValue },
      additionalProperties: false,
    }),
  },
  responses: { 200: pairResponse('status', stored, 'The pair is stored.') },
  errors: [...writeErrors, 'REQUEST_TIMEOUT'],
}

export const kvGetContract: EndpointContract = {
  summary: 'The pair of a key',
  url: '/kv/{key}',
  parameters: [keyParameter(wholeRest), ...readParameters],
  responses: {
    200: pairResponse('status', ['found'], 'The pair.'),
    304: { description: 'The client has this version.' },
  },
  errors: readErrors,
}

export const kvDeleteContract: EndpointContract = {
  summary: 'Removes the pair of a key',
  url: '/kv/{key}',
  parameters: [keyParameter(wholeRest), ...writeParameters],
  responses: { 200: pairResponse('status', ['deleted'], 'The pair is gone; its value is null now.') },
  errors: writeErrors,
}

export const insertContract: EndpointContract = {
  summary: 'Stores a key-value pair whose value is a string',
  description:
    'The key is one segment (a slash in it is written %2F); the rest of the URL is the value, slashes and all.',
  url: '/insert/{key}/{value}',
  parameters: [
    keyParameter('A key of 1 to 256 bytes of UTF-8, percent-encoded.'),
    { ...keyParameter('The value, percent-encoded.'), name: 'value' },
    ...writeParameters,
  ],
  responses: { 200: pairResponse('message', stored, 'The pair is stored.') },
  errors: [...writeErrors, 'HEADERS_TOO_LARGE'],
}

export const queryContract: EndpointContract = {
  summary: 'The pair of a key, or all pairs',
  description: '* stands for all pairs, streamed in the byte order of their paths; the key * is written %2A.',
  url: '/query/{key}',
  parameters: [
    keyParameter(`${wholeRest} * stands for all.`),
    ...readParameters,
    header('Accept', 'application/x-ndjson streams all pairs as one JSON object a line.'),
  ],
  responses: {
    200: pairResponse('message', ['found'], 'The pair; of *, an array of {"key", "value"} as its value.'),
    304: { description: 'The client has this version.' },
  },
  errors: readErrors,
}

export const deleteContract: EndpointContract = {
  summary: 'Removes the pair of a key',
  url: '/delete/{key}',
  parameters: [keyParameter(wholeRest), ...writeParameters],
  responses: { 200: pairResponse('message', ['deleted'], 'The pair is gone; its value is null now.') },
  errors: writeErrors,
}
