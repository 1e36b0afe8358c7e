/**
 * The paths under which the clients of system E (docs/seeds.md) know what other endpoints do: upload, download, and
 * the list of active nodes of a bootstrap server, which every node is here.
 */
import type { FastifyInstance } from 'fastify'
import { StoreError } from '../errors.ts'
import { activeNodes } from '../membership/gossip/report.ts'
import { addressOfTarget, parseTarget } from '../ring/address.ts'
import type { Address } from '../ring/identifier.ts'
import { parsePathName } from '../ring/path-name.ts'
import { json } from './contract.ts'
import { addEndpoint, type HttpComponents } from './endpoint.ts'
import { getContract, sendFile } from './read-routes.ts'
import { ignoreBody } from './request-body.ts'
import { decodedRestOf, queryOf } from './request-target.ts'
import { upload, uploadContract } from './upload-routes.ts'

/** Behind /bootstrapServer/, the word for the list alone. */
const LIST = 'getActiveList'

/** For registerForms. */
export function webappUploadRoute(fastify: FastifyInstance, components: HttpComponents): void {
  const { url: _, parameters, ...contract } = uploadContract
  addEndpoint(fastify, components, {
    methods: ['POST'],
    urls: ['/admin/webapp/upload/', '/admin/webapp/upload'],
    access: 'write',
    aboutFile: true,
    contract: { ...contract, parameters: parameters.filter(({ name }) => name !== 'folder') },
    handler: (request, reply) => upload(components, request, reply, undefined),
  })
}

export function webappRoutes(fastify: FastifyInstance, components: HttpComponents): void {
  addEndpoint(fastify, components, {
    methods: ['GET', 'HEAD'],
    urls: ['/admin/webapp/download'],
    access: 'read',
    aboutFile: true,
    contract: downloadContract(),
    handler: async (request, reply) => {
      const { fileName } = queryOf(request.raw.url as string, ['fileName'])
      if (fileName === undefined) throw new StoreError('INVALID_REQUEST', 'Say which file: ?fileName=PATH.')
      return sendFile(components, request, reply, parsePathName(fileName), true)
    },
  })
  addEndpoint(fastify, components, {
    methods: ['GET'],
    urls: ['/bootstrapServer/*'],
    access: 'read',
    aboutFile: false,
    contract: activeListContract,
    handler: async (request, reply) => {
      const url = request.raw.url as string
      queryOf(url, [])
      refuseNoNode(decodedRestOf(url))
      return reply
        .type('application/json; charset=utf-8')
        .header('cache-control', 'no-store')
        .send(JSON.stringify(activeNodes(components.ring)))
    },
  })
  addEndpoint(fastify, components, {
    methods: ['POST'],
    urls: ['/bootstrapServer/*'],
    access: 'write',
    aboutFile: false,
    contract: addNodeContract,
    handler: async (request, reply) => {
      const url = request.raw.url as string
      queryOf(url, [])
      await ignoreBody(request.raw, reply.raw, components.connections)
      const node = decodedRestOf(url)
      refuseNoNode(node)
      if (node === LIST) throw new StoreError('INVALID_REQUEST', 'Say which node is to be added: HOST:PORT.')
      await components.ring.introduce(node as Address)
      return reply
        .type('application/json; charset=utf-8')
        .header('cache-control', 'no-store')
        .send(JSON.stringify(activeNodes(components.ring)))
    },
  })
}

/** @throws StoreError INVALID_REQUEST when it is neither the word for the list nor a node. */
function refuseNoNode(text: string): void {
  const target = text === LIST ? undefined : parseTarget(text)
  if (text === LIST || (target !== undefined && addressOfTarget(target) === text)) return
  throw new StoreError(
    'INVALID_REQUEST',
    `Behind /bootstrapServer/ comes ${LIST}, or the HOST:PORT of a node.`,
  )
}

function downloadContract() {
  const { url: _, ...contract } = getContract('', 'The bytes of a file, to be saved by a browser')
  const fileName = {
    name: 'fileName',
    in: 'query' as const,
    required: true,
    description: 'A path, percent-encoded.',
    schema: { type: 'string' },
  }
  return { ...contract, parameters: [fileName, ...contract.parameters.slice(1)] }
}

const activeListContract = {
  summary: 'The addresses of the active nodes',
  description:
    'For getActiveList and for the HOST:PORT of a node alike. Nobody is added by reading it: POST does that.',
  url: '/bootstrapServer/{node}',
  parameters: [
    {
      name: 'node',
      in: 'path' as const,
      required: true,
      description: 'getActiveList, or HOST:PORT.',
      schema: { type: 'string' },
    },
  ],
  responses: {
    200: {
      description: 'Those that this node knows and that have not left, died or failed, sorted.',
      content: json({ type: 'array', items: { type: 'string', description: 'host:port' } }),
    },
  },
  errors: ['INVALID_PATH'] as const,
}

const addNodeContract = {
  ...activeListContract,
  summary: 'Adds a node to the list, by telling any node of it',
  description:
    'The node is asked who it is, and when it belongs to this network all learn of it. One of another network, or of none, joins by POST /join there, or by -b.',
  errors: ['INVALID_PATH', 'NO_NETWORK', 'WRONG_NETWORK', 'PROTOCOL_UNSUPPORTED'] as const,
}
