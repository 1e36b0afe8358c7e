/**
 * The endpoints about the network itself: who answers for a path, what this node has learned, the picture of the ring,
 * and how a node joins and departs while it runs.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { NETWORK_BOUNDS } from '../config.ts'
import { StoreError } from '../errors.ts'
import { activeNodes } from '../membership/gossip/report.ts'
import { addressOfTarget, parseTarget } from '../ring/address.ts'
import { type Address, identifierOfPath, identifiersOfAddress, type NodeId } from '../ring/identifier.ts'
import type { RingNode } from '../ring-node/ring-node.ts'
import { headOf } from '../views/view.ts'
import {
  departContract,
  joinContract,
  lookupContract,
  networkContract,
  overlayContract,
  replicasContract,
  retireContract,
} from './cluster-contract.ts'
import type { EndpointContract } from './contract.ts'
import { addEndpoint, type HttpComponents, ringHeaders } from './endpoint.ts'
import { recoveriesOf } from './recover-routes.ts'
import { hasBody, ignoreBody, receivedText } from './request-body.ts'
import { parseFlag, pathOf, queryOf } from './request-target.ts'
import { rangeHeaders } from './ring-range.ts'

/** What became of the wish to join. */
export interface JoinOutcome {
  /** `member`: it was in that network already. */
  readonly status: 'member' | 'joined'
  readonly networkId: string
}

/** What the endpoints can make of the node as a whole. */
export interface NodeControl {
  /**
   * Joins the network of another node; without one, that of the configured boot nodes.
   * @throws StoreError ALREADY_IN_NETWORK, INVALID_REQUEST, UNAVAILABLE, and what the other node refuses with.
   */
  join(boot: Address | undefined): Promise<JoinOutcome>
  /** Hands everything over; with `stay`, the node is alone and empty then. @throws StoreError UNAVAILABLE. */
  depart(options: { readonly stay: boolean }): Promise<void>
  /** Ends the node, once it has departed. */
  leave(): void
}

/** Of the body of a join: a URL with a host name of 253 characters, and some room. */
const JOIN_BODY_BYTES_MAX = 1024

export function clusterRoutes(
  fastify: FastifyInstance,
  components: HttpComponents,
  control: NodeControl,
): void {
  addEndpoint(fastify, components, {
    methods: ['GET', 'HEAD'],
    urls: ['/lookup/*'],
    access: 'read',
    aboutFile: true,
    contract: lookupContract,
    handler: (request, reply) => lookup(components, request, reply),
  })
  const picture = (
    url: string,
    contract: EndpointContract,
    names: readonly string[],
    answer: (query: Partial<Record<string, string>>) => unknown,
  ) =>
    addEndpoint(fastify, components, {
      methods: ['GET', 'HEAD'],
      urls: [url],
      access: 'read',
      aboutFile: false,
      contract,
      handler: async (request, reply) =>
        sendJson(reply, await answer(queryOf(request.raw.url as string, names))),
    })
  const { ring } = components
  picture('/network', networkContract, [], () => networkOf(ring))
  picture('/overlay', overlayContract, ['active'], query =>
    parseFlag('active', query.active)
      ? { networkId: ring.network.networkId, active: activeNodes(ring) }
      : overlayOf(ring),
  )
  operatorEndpoints(fastify, components, control)
}

/** What changes the network. */
function operatorEndpoints(fastify: FastifyInstance, components: HttpComponents, control: NodeControl): void {
  addEndpoint(fastify, components, {
    methods: ['POST'],
    urls: ['/join'],
    access: 'write',
    aboutFile: false,
    contract: joinContract,
    handler: async (request, reply) => {
      queryOf(request.raw.url as string, [])
      const outcome = await control.join(await bootOf(components, request, reply))
      return sendJson(lastOfConnection(reply), outcome)
    },
  })
  addEndpoint(fastify, components, {
    methods: ['POST'],
    urls: ['/replicas'],
    access: 'write',
    aboutFile: false,
    contract: replicasContract,
    handler: (request, reply) => changeReplicas(components, request, reply),
  })
  addEndpoint(fastify, components, {
    methods: ['POST'],
    urls: ['/retire'],
    access: 'write',
    aboutFile: false,
    contract: retireContract,
    handler: (request, reply) => retire(components, request, reply),
  })
  addEndpoint(fastify, components, {
    methods: ['POST'],
    urls: ['/depart'],
    access: 'write',
    aboutFile: false,
    contract: departContract,
    handler: (request, reply) => depart(components, control, request, reply),
  })
}

async function changeReplicas(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const query = queryOf(request.raw.url as string, ['count', 'min'])
  await ignoreBody(request.raw, reply.raw, components.connections)
  const count = replicasOf('count', query.count)
  if (count === undefined)
    throw new StoreError('INVALID_REQUEST', 'count is missing: how many copies there are to be of each file.')
  const { network, silent } = await components.ring.allNodes.copies.change(
    count,
    replicasOf('min', query.min),
  )
  const { replicas, minReplicas, revision } = network
  const missed = silent.map(({ address }) => address)
  return sendJson(reply, { replicas, minReplicas, revision, missed })
}

async function retire(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { node } = queryOf(request.raw.url as string, ['node'])
  await ignoreBody(request.raw, reply.raw, components.connections)
  const { members, network, allNodes, driver } = components.ring
  if (network.consistency !== 'eventual')
    throw new StoreError(
      'INVALID_REQUEST',
      'Only a network with eventual consistency waits for nodes; see `recover`.',
    )
  const record = [...members.map.records()].find(({ address, nodeId }) => address === node || nodeId === node)
  if (record === undefined)
    throw new StoreError('INVALID_REQUEST', 'No node of this network has this address.')
  if (record.nodeId === driver.known.self || driver.known.isAlive(record.nodeId))
    throw new StoreError('INVALID_REQUEST', 'The node is there; let it depart.')
  const missed = (await allNodes.copies.retire(record.nodeId)).map(({ address }) => address)
  return sendJson(reply, { retired: record.address, missed })
}

function replicasOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const { min, max } = NETWORK_BOUNDS.replicas
  const number = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN
  if (number >= min && number <= max) return number
  throw new StoreError(
    'INVALID_REQUEST',
    `${name} is a whole number from ${min} to ${max}, not "${text.slice(0, 20)}".`,
  )
}

async function depart(
  components: HttpComponents,
  control: NodeControl,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const query = queryOf(request.raw.url as string, ['stay'])
  await ignoreBody(request.raw, reply.raw, components.connections)
  const stay = parseFlag('stay', query.stay) ?? false
  await control.depart({ stay })
  // Answer first: whoever asked has to hear that it is done.
  if (!stay) reply.raw.once('close', () => control.leave())
  return sendJson(lastOfConnection(reply), { status: 'departed', stays: stay })
}

async function lookup(
  { ring, env }: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const url = request.raw.url as string
  const path = pathOf(url)
  queryOf(url, [])
  const key = identifierOfPath(path)
  const beganMs = env.clock.monotonicMs()
  const { view, chain, hops, failed, hopMs } = await ring.lookup(key)
  const ms = rounded(env.clock.monotonicMs() - beganMs)
  const visited = chain.map(({ address }) => address)
  ringHeaders(reply, visited)
  rangeHeaders(ring, reply, path)
  return sendJson(reply, {
    path,
    key,
    owner: nameOf(ring, headOf(view)),
    replicas: view.replicas.map(node => nameOf(ring, node)),
    range: { lo: view.lo, hi: view.hi, epoch: view.epoch },
    chain: visited,
    hops,
    failed,
    hopMs: hopMs.map(rounded),
    ms,
  })
}

/** To the microsecond. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000
}

function networkOf({ network, members, driver }: RingNode) {
  const self = members.self.nodeId
  const nodes = [...members.map.records()].map(record => {
    const { nodeId, address, ringAddress, incarnation, status, zone } = record
    const [identifier] = identifiersOfAddress(ringAddress, 1)
    const suspect = driver.known.isSuspect(nodeId)
    return {
      address,
      status,
      ...(nodeId === self && { self: true }),
      ...(suspect && { suspect }),
      nodeId,
      identifier,
      ...(ringAddress !== address && { ringAddress }),
      incarnation,
      ...(zone !== undefined && { zone }),
    }
  })
  nodes.sort((a, b) => (a.address < b.address ? -1 : 1))
  const { name } = members.routing
  const how = name === 'kelips' ? { learn: 'path', routing: name } : { learn: name, routing: 'path' }
  return { ...network, ...how, nodes, ranges: driver.known.newest().length }
}

async function overlayOf(ring: RingNode) {
  const overlay = await ring.allNodes.overlay()
  const ranges = overlay.ranges.map(range => {
    const { lo, hi, share, epoch, replicas, acceptors, state } = range
    const [head] = replicas
    const witnesses = acceptors.filter(node => !replicas.includes(node))
    return {
      lo,
      hi,
      share,
      head: head === undefined ? null : nameOf(ring, head),
      replicas: replicas.map(node => nameOf(ring, node)),
      witnesses: witnesses.map(node => nameOf(ring, node)),
      epoch,
      state,
    }
  })
  const nodes = [...overlay.vitals].map(([node, vitals]) => ({ address: nameOf(ring, node), ...vitals }))
  return { networkId: ring.network.networkId, ranges, nodes, recoveries: recoveriesOf(ring) }
}

/** Its address; of a node that was never heard of, the name of its disk. */
function nameOf({ members }: RingNode, node: NodeId): string {
  return members.addressOf(node) ?? node
}

/** The node that the body names; undefined when there is no body. */
async function bootOf(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Address | undefined> {
  if (!hasBody(request.raw)) return undefined
  const text = await receivedText(request.raw, reply.raw, components.connections, JOIN_BODY_BYTES_MAX)
  const boot = bootOfJson(text)
  const target = boot === undefined ? undefined : parseTarget(boot)
  if (target === undefined) {
    throw new StoreError(
      'INVALID_REQUEST',
      'The body is {"boot": NODE}, where NODE is a port, HOST:PORT or a URL.',
    )
  }
  return addressOfTarget(target)
}

function bootOfJson(text: string): string | undefined {
  try {
    const { boot, ...others } = JSON.parse(text) as Record<string, unknown>
    return Object.keys(others).length === 0 && ['string', 'number'].includes(typeof boot)
      ? String(boot)
      : undefined
  } catch {
    return undefined
  }
}

/** The server behind this connection has been replaced, or is about to end. */
function lastOfConnection(reply: FastifyReply): FastifyReply {
  return reply.header('connection', 'close')
}

function sendJson(reply: FastifyReply, value: unknown): FastifyReply {
  return reply
    .type('application/json; charset=utf-8')
    .header('cache-control', 'no-store')
    .send(JSON.stringify(value))
}
