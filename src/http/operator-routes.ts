/**
 * The endpoints for whoever runs a node: health, ready, status, metrics, openapi.json.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { StoreError } from '../errors.ts'
import { gossipReport } from '../membership/gossip/report.ts'
import { countViews } from '../operations/overlay.ts'
import type { Address, NodeId } from '../ring/identifier.ts'
import type { EventualParts } from '../ring-node/eventual-wiring.ts'
import { json } from './contract.ts'
import { addEndpoint, type HttpComponents } from './endpoint.ts'
import { recoveriesOf } from './recover-routes.ts'
import { queryOf } from './request-target.ts'

/** What the node says of itself beside its files. */
export interface NodeFacts {
  readonly address: Address
  /** Of this program, as in package.json. */
  readonly version: string
  /** Called with each request that was answered, those of other nodes left out. */
  readonly answered?: () => void
  /** Undefined when the node can serve, else one sentence why not. */
  notReadyBecause(): string | undefined
}

export function operatorRoutes(
  fastify: FastifyInstance,
  components: HttpComponents,
  { facts, contract }: { facts: NodeFacts; contract: () => object },
): void {
  const { metrics } = components
  const startedAtMs = components.env.clock.nowMs()
  const sendJson = (reply: FastifyReply, value: unknown) =>
    reply
      .type('application/json; charset=utf-8')
      .header('cache-control', 'no-store')
      .send(JSON.stringify(value))

  const endpoint = (
    url: string,
    access: 'open' | 'read',
    summary: string,
    answer: (reply: FastifyReply) => unknown,
    content: Record<string, unknown> = json({ type: 'object' }),
  ) =>
    addEndpoint(fastify, components, {
      methods: ['GET', 'HEAD'],
      urls: [url],
      access,
      aboutFile: false,
      contract: { summary, url, responses: { 200: { description: summary, content } }, errors: [] },
      handler: async (request: FastifyRequest, reply: FastifyReply) => {
        queryOf(request.raw.url as string, [])
        return answer(reply)
      },
    })

  endpoint('/health', 'open', 'Alive', reply => sendJson(reply, { status: 'ok' }))
  endpoint(
    '/ready',
    'read',
    'Able to serve, proved by a lookup through another node when there is one',
    async reply => {
      const because = facts.notReadyBecause()
      if (because !== undefined) throw new StoreError('UNAVAILABLE', because)
      await components.ring.allNodes.proveReady()
      return sendJson(reply, { status: 'ready' })
    },
  )
  endpoint('/status', 'read', 'What this node is and does', reply =>
    sendJson(reply, statusOf(components, facts, startedAtMs)),
  )
  endpoint(
    '/metrics',
    'read',
    'Metrics for Prometheus',
    async reply =>
      reply
        .type(metrics.registry.contentType)
        .header('cache-control', 'no-store')
        .send(await metrics.registry.metrics()),
    { 'text/plain': { schema: { type: 'string' } } },
  )
  endpoint('/openapi.json', 'read', 'This contract', reply => sendJson(reply, contract()))
}

function statusOf(
  { files, ring, slots, limits, env }: HttpComponents,
  facts: NodeFacts,
  startedAtMs: number,
) {
  const { durable, ...kept } = files.statistics()
  const { rss, heapUsed, external } = process.memoryUsage()
  const because = facts.notReadyBecause()
  return {
    address: facts.address,
    version: facts.version,
    ready: because === undefined,
    ...(because !== undefined && { notReadyBecause: because }),
    startedAt: new Date(startedAtMs).toISOString(),
    uptimeSeconds: Math.max(0, Math.round((env.clock.nowMs() - startedAtMs) / 1000)),
    consistency: files.keeping.consistency,
    durable,
    ...kept,
    network: networkOf(ring),
    routing: routingOf(ring),
    views: countViews(ring.driver.known),
    recoveries: recoveriesOf(ring),
    ...(ring.eventual !== undefined && { eventual: eventualOf(ring, ring.eventual) }),
    ...(ring.gossip !== undefined && { gossip: gossipReport(ring, env.clock.monotonicMs()) }),
    replication: ring.driver.fault?.message ?? 'running',
    uploads: { receiving: slots.taken, waiting: slots.waiting },
    memory: { rssBytes: rss, heapBytes: heapUsed, externalBytes: external },
    limits,
    runtime: `Node.js ${process.version}`,
  }
}

/** What this node knows for routing; the more of it a way of routing needs, the larger a network costs. */
export function routingOf({ members, driver }: HttpComponents['ring']) {
  const { map, routing } = members
  const known = { nodes: map.aliveCount, views: driver.known.newest().length }
  return { name: routing.name, ...known, ...routing.sizes() }
}

/** The network as this node knows it. */
function networkOf({ network, members, driver }: HttpComponents['ring']) {
  const nodes = { alive: 0, left: 0, dead: 0 }
  for (const { status } of members.map.records()) nodes[status] += 1
  // Of a disk that is gone for good the address may be another one's by now.
  const suspects = driver.known
    .suspects()
    .filter(node => members.isThere(node))
    .map(node => members.addressOf(node) ?? node)
  const { networkId, replicas, minReplicas, virtualNodes } = network
  return { networkId, replicas, minReplicas, virtualNodes, nodes, suspects }
}

/** What is still to be done until all replicas have the same. */
function eventualOf({ members, network }: HttpComponents['ring'], eventual: EventualParts) {
  const { owedTo, tombstonesWaitFor, ...counts } = eventual.node.status()
  const nameOf = (node: NodeId) => members.addressOf(node) ?? node
  const owed = Object.entries(owedTo).map(([node, count]) => [nameOf(node as NodeId), count])
  return {
    conflictsRule: network.conflicts ?? 'keep',
    ...counts,
    owedTo: Object.fromEntries(owed),
    tombstonesWaitFor: tombstonesWaitFor.map(nameOf),
    retired: network.retired?.length ?? 0,
    trash: 'off',
  }
}

/** How many nodes this one knows, by state. */
export function nodesOf(ring: HttpComponents['ring']): Record<'alive' | 'left' | 'dead' | 'suspect', number> {
  const { nodes, suspects } = networkOf(ring)
  return { ...nodes, suspect: suspects.length }
}
