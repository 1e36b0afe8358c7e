/**
 * What /openapi.json says of the endpoints for pairs that spread by gossip.
 */
import { type EndpointContract, json } from './contract.ts'

const keyParameter = {
  name: 'key',
  in: 'path' as const,
  required: true,
  description: 'A key of 1 to 64 bytes of UTF-8, percent-encoded.',
  schema: { type: 'string' },
}

const pair = {
  type: 'object',
  required: ['key', 'value', 'ttl', 'owner'],
  properties: {
    key: { type: 'string' },
    value: { type: 'string' },
    ttl: { type: 'number', description: 'Seconds that it still counts here.' },
    owner: { type: 'string', description: 'host:port of the node that was told it.' },
  },
}

export const gossipSetContract: EndpointContract = {
  summary: 'Spreads a pair by gossip, until its time is over',
  description:
    'The body is the value: text of up to 512 bytes. A hint and no file: no disk keeps it, and other nodes have it after some ' +
    'rounds. To take a pair back, set it again with a short ttl. Refused with INVALID_REQUEST where gossip is switched off.',
  url: '/gossip/{key}',
  parameters: [
    keyParameter,
    {
      name: 'ttl',
      in: 'query' as const,
      required: false,
      description: 'Seconds, 1 to 86,400; without it that of the settings.',
      schema: { type: 'number', minimum: 1, maximum: 86_400 },
    },
  ],
  requestBody: { required: true, content: { 'text/plain': { schema: { type: 'string' } } } },
  responses: { 200: { description: 'The pair, which this node tells from now on.', content: json(pair) } },
  errors: ['INVALID_PATH', 'FILE_TOO_LARGE', 'REQUEST_TIMEOUT', 'OVERLOADED'],
}

export const gossipGetContract: EndpointContract = {
  summary: 'A pair that was heard by gossip',
  url: '/gossip/{key}',
  parameters: [keyParameter],
  responses: { 200: { description: 'The pair, as this node has heard it.', content: json(pair) } },
  errors: ['INVALID_PATH', 'FILE_NOT_FOUND'],
}

export const gossipListContract: EndpointContract = {
  summary: 'All pairs that were heard by gossip',
  url: '/gossip',
  parameters: [],
  responses: {
    200: {
      description: 'In the order of their keys.',
      content: json({
        type: 'object',
        required: ['pairs'],
        properties: { pairs: { type: 'array', items: pair } },
      }),
    },
  },
  errors: [],
}
