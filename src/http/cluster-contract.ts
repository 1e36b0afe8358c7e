/**
 * What /openapi.json says of the endpoints about the network.
 */
import { NETWORK_BOUNDS } from '../config.ts'
import { type EndpointContract, json, pathParameter, ringResponseHeaders } from './contract.ts'

const text = { type: 'string' }
const COPIES = NETWORK_BOUNDS.replicas
const address = { type: 'string', description: 'host:port' }
const identifier = { type: 'string', pattern: '^[0-9a-f]{40}$', description: 'A position of the ring.' }
const addresses = { type: 'array', items: address }

export const lookupContract: EndpointContract = {
  summary: 'Finds who answers for a path, whether or not it has a file',
  url: '/lookup/{path}',
  parameters: [pathParameter()],
  responses: {
    200: {
      description: 'Owner, replicas, and the nodes that the lookup visited.',
      headers: ringResponseHeaders,
      content: json({
        type: 'object',
        required: ['path', 'key', 'owner', 'replicas', 'range', 'chain', 'hops', 'failed', 'ms'],
        properties: {
          path: text,
          key: identifier,
          owner: address,
          replicas: { ...addresses, description: 'Head first.' },
          range: {
            type: 'object',
            description: 'The range (lo, hi] that the key lies in.',
            properties: { lo: identifier, hi: identifier, epoch: { type: 'integer' } },
          },
          chain: { ...addresses, description: 'Visited nodes in order, this one first.' },
          hops: { type: 'integer', description: 'Messages from node to node, failed ones included.' },
          failed: { type: 'integer', description: 'Those to nodes that could not be reached.' },
          hopMs: {
            type: 'array',
            items: { type: 'number' },
            description:
              'For each step along the chain, from asking the next node to its answer, milliseconds.',
          },
          ms: { type: 'number', description: 'How long it took this node, milliseconds.' },
        },
      }),
    },
  },
  errors: ['INVALID_PATH'],
}

export const networkContract: EndpointContract = {
  summary: 'What this node has learned of the network',
  responses: {
    200: {
      description: 'The settings of the network, and every node that this one has heard of.',
      content: json({
        type: 'object',
        required: [
          'networkId',
          'replicas',
          'minReplicas',
          'virtualNodes',
          'learn',
          'routing',
          'nodes',
          'ranges',
        ],
        properties: {
          networkId: text,
          replicas: { type: 'integer' },
          minReplicas: { type: 'integer' },
          virtualNodes: { type: 'integer' },
          revision: { type: 'integer', description: 'How often the number of copies was changed.' },
          learn: { enum: ['chain', 'path'] },
          routing: { enum: ['path', 'kelips'] },
          ranges: { type: 'integer', description: 'Ranges whose replicas this node knows.' },
          nodes: {
            type: 'array',
            items: {
              type: 'object',
              required: ['address', 'status', 'nodeId', 'identifier', 'incarnation'],
              properties: {
                address,
                status: { enum: ['alive', 'left', 'dead'] },
                self: { type: 'boolean' },
                suspect: { type: 'boolean', description: 'It did not answer this node lately.' },
                nodeId: { type: 'string', description: 'Names its disk.' },
                identifier,
                ringAddress: {
                  ...address,
                  description: 'Where it first joined, when that is another address.',
                },
                incarnation: { type: 'integer' },
                zone: text,
              },
            },
          },
        },
      }),
    },
  },
  errors: [],
}

export const overlayContract: EndpointContract = {
  summary: 'The ring in the order of its positions',
  description:
    'All nodes are asked; a range that none of those who answered has a part in is "unknown". With active=true no node is asked, and ' +
    'the answer is {networkId, active}: the addresses of the nodes that are there, as far as this one knows.',
  parameters: [
    {
      name: 'active',
      in: 'query' as const,
      required: false,
      description: 'true: only the list of active nodes.',
      schema: { type: 'boolean' },
    },
  ],
  responses: {
    200: {
      description: 'Every range (lo, hi]; or with active=true the active nodes.',
      content: json({
        type: 'object',
        required: ['networkId'],
        properties: {
          networkId: text,
          active: {
            ...addresses,
            description: 'Sorted; only with active=true, and then there are no ranges.',
          },
          nodes: {
            type: 'array',
            description: 'What each node that answered says of itself.',
            items: {
              type: 'object',
              required: ['address', 'version', 'uptimeSeconds', 'files', 'bytes', 'memoryBytes', 'requests'],
              properties: {
                address: text,
                version: text,
                uptimeSeconds: { type: 'number' },
                files: { type: 'integer', description: 'Files that it keeps.' },
                bytes: { type: 'integer', description: 'Bytes of these files.' },
                memoryBytes: { type: 'integer', description: 'Of its process, resident.' },
                requests: { type: 'integer', description: 'Requests of clients, answered since its start.' },
                disk: {
                  type: 'object',
                  required: ['freeBytes', 'totalBytes'],
                  properties: { freeBytes: { type: 'integer' }, totalBytes: { type: 'integer' } },
                },
              },
            },
          },
          ranges: {
            type: 'array',
            items: {
              type: 'object',
              required: ['lo', 'hi', 'share', 'head', 'replicas', 'witnesses', 'epoch', 'state'],
              properties: {
                lo: identifier,
                hi: identifier,
                share: { type: 'number', description: 'Part of the ring, 0 to 1.' },
                head: { type: ['string', 'null'] },
                replicas: { ...addresses, description: 'Head first.' },
                witnesses: { ...addresses, description: 'Nodes that decide with them and keep no files.' },
                epoch: { type: 'integer', description: 'Grows with each change of who answers.' },
                state: { enum: ['serving', 'back-filling', 'changing', 'unknown'] },
              },
            },
          },
        },
      }),
    },
  },
  errors: [],
}

export const joinContract: EndpointContract = {
  summary: 'Joins the network of another node',
  description: 'For a node that is alone and empty. Without a body, the configured boot nodes are asked.',
  requestBody: {
    required: false,
    content: json({
      type: 'object',
      required: ['boot'],
      properties: { boot: { type: 'string', description: 'A port, HOST:PORT or a URL.' } },
      additionalProperties: false,
    }),
  },
  responses: {
    200: {
      description: 'It is in that network.',
      content: json({
        type: 'object',
        required: ['status', 'networkId'],
        properties: { status: { enum: ['member', 'joined'] }, networkId: text },
      }),
    },
  },
  errors: ['ALREADY_IN_NETWORK', 'FILE_TOO_LARGE', 'PROTOCOL_UNSUPPORTED'],
}

export const replicasContract: EndpointContract = {
  summary: 'Changes how many copies the network keeps of each file',
  description:
    'The answer comes when the nodes know it. The ranges follow step by step, while everything goes on; /overlay shows how far they are.',
  parameters: [
    {
      name: 'count',
      in: 'query',
      required: true,
      description: 'Copies of each file.',
      schema: { type: 'integer', minimum: COPIES.min, maximum: COPIES.max },
    },
    {
      name: 'min',
      in: 'query',
      description:
        'Copies without which a write is refused, unless there are fewer nodes. Without it the present number, or as many as there are copies.',
      schema: { type: 'integer', minimum: COPIES.min, maximum: COPIES.max },
    },
  ],
  responses: {
    200: {
      description: 'What holds from now on.',
      content: json({
        type: 'object',
        required: ['replicas', 'minReplicas', 'revision', 'missed'],
        properties: {
          replicas: { type: 'integer' },
          minReplicas: { type: 'integer' },
          revision: { type: 'integer', description: 'How often the number was changed.' },
          missed: {
            ...addresses,
            description: 'Nodes that did not answer; they are told when they are back.',
          },
        },
      }),
    },
  },
  errors: ['FILE_TOO_LARGE', 'PRECONDITION_FAILED', 'PROTOCOL_UNSUPPORTED'],
}

export const retireContract: EndpointContract = {
  summary: 'Says that a node never comes back',
  description:
    'Only with eventual consistency, where removed paths are remembered until every node that held them has said so. What the disk of a retired node holds is refused for good.',
  parameters: [
    {
      name: 'node',
      in: 'query',
      required: true,
      description: 'Its address, as /network shows it.',
      schema: { type: 'string' },
    },
  ],
  responses: {
    200: {
      description: 'Nobody waits for it any more.',
      content: json({
        type: 'object',
        required: ['retired', 'missed'],
        properties: {
          retired: { type: 'string' },
          missed: {
            ...addresses,
            description: 'Nodes that did not answer; they are told when they are back.',
          },
        },
      }),
    },
  },
  errors: [],
}

export const departContract: EndpointContract = {
  summary: 'Hands everything over to the other nodes and ends this one',
  description:
    'The answer comes when no other node needs this one any more. Its disk is emptied. When the files cannot be handed over it stays as it was.',
  parameters: [
    {
      name: 'stay',
      in: 'query',
      description: 'true keeps the node up, alone and empty; false, the default, ends it.',
      schema: { type: 'boolean', default: false },
    },
  ],
  responses: {
    200: {
      description: 'It is in the network no longer.',
      content: json({
        type: 'object',
        required: ['status', 'stays'],
        properties: { status: { enum: ['departed'] }, stays: { type: 'boolean' } },
      }),
    },
  },
  errors: ['FILE_TOO_LARGE'],
}
