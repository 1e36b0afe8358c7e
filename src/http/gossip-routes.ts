/**
 * The endpoints for small pairs that spread by gossip and go with their time. They have a namespace of their own: a file or a pair of /kv is
 * something else.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { PAIR_VALUE_BYTES_MAX, type Pair } from '../calls/gossip-message.ts'
import { StoreError } from '../errors.ts'
import type { Gossip } from '../membership/gossip/gossip.ts'
import type { RingNode } from '../ring-node/ring-node.ts'
import { addEndpoint, type HttpComponents } from './endpoint.ts'
import { gossipGetContract, gossipListContract, gossipSetContract } from './gossip-contract.ts'
import { receivedText } from './request-body.ts'
import { decodedRestOf, queryOf } from './request-target.ts'

export function gossipRoutes(fastify: FastifyInstance, components: HttpComponents): void {
  const { ring } = components
  addEndpoint(fastify, components, {
    methods: ['GET', 'HEAD'],
    urls: ['/gossip'],
    access: 'read',
    aboutFile: false,
    contract: gossipListContract,
    handler: async (request, reply) => {
      queryOf(request.raw.url as string, [])
      const pairs = switchedOn(ring.gossip).pairs()
      return send(reply, { pairs: pairs.map(pair => shown(ring, pair)) })
    },
  })
  addEndpoint(fastify, components, {
    methods: ['GET', 'HEAD'],
    urls: ['/gossip/*'],
    access: 'read',
    aboutFile: false,
    contract: gossipGetContract,
    handler: async (request, reply) => {
      const url = request.raw.url as string
      queryOf(url, [])
      const pair = switchedOn(ring.gossip).get(decodedRestOf(url))
      if (pair === undefined)
        throw new StoreError('FILE_NOT_FOUND', 'No pair with this key was heard, or its time is over.')
      return send(reply, shown(ring, pair))
    },
  })
  addEndpoint(fastify, components, {
    methods: ['PUT', 'POST'],
    urls: ['/gossip/*'],
    access: 'write',
    aboutFile: false,
    contract: gossipSetContract,
    handler: (request, reply) => set(components, request, reply),
  })
}

async function set(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { ring, connections } = components
  const gossip = switchedOn(ring.gossip)
  const url = request.raw.url as string
  const { ttl } = queryOf(url, ['ttl'])
  const ttlMs = ttl === undefined ? undefined : 1000 * numberOf(ttl)
  // One byte more shows that it is too large; what that means is said where the bound is.
  const value = await receivedText(request.raw, reply.raw, connections, PAIR_VALUE_BYTES_MAX + 1)
  return send(reply, shown(ring, gossip.set(decodedRestOf(url), value, ttlMs)))
}

/** @throws StoreError INVALID_REQUEST. */
function numberOf(text: string): number {
  if (/^\d{1,12}(\.\d{1,3})?$/.test(text)) return Number(text)
  throw new StoreError('INVALID_REQUEST', 'A TTL is a number of seconds, such as ?ttl=60.')
}

function shown({ members }: RingNode, { key, value, owner, leftMs }: Pair) {
  return { key, value, ttl: Math.round(leftMs) / 1000, owner: members.addressOf(owner) ?? owner }
}

function send(reply: FastifyReply, value: unknown): FastifyReply {
  return reply
    .type('application/json; charset=utf-8')
    .header('cache-control', 'no-store')
    .send(JSON.stringify(value))
}

/** @throws StoreError INVALID_REQUEST at a node that does not gossip. */
function switchedOn(gossip: Gossip | undefined): Gossip {
  if (gossip !== undefined) return gossip
  throw new StoreError('INVALID_REQUEST', 'This node does not gossip; start it with --gossip.')
}
