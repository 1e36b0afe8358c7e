/**
 * The endpoint of the last resort: what could be recovered by force, and, for whoever names exactly that plan, doing it.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Recovery } from '../calls/calls.ts'
import { StoreError } from '../errors.ts'
import type { RingNode } from '../ring-node/ring-node.ts'
import { json } from './contract.ts'
import { addEndpoint, type HttpComponents } from './endpoint.ts'
import { hasBody, receivedText } from './request-body.ts'
import { queryOf } from './request-target.ts'

/** Of the confirmation. */
const BODY_BYTES_MAX = 256

export function recoverRoutes(fastify: FastifyInstance, components: HttpComponents): void {
  addEndpoint(fastify, components, {
    methods: ['POST'],
    urls: ['/recover'],
    access: 'write',
    aboutFile: false,
    contract: recoverContract,
    handler: async (request, reply) => {
      queryOf(request.raw.url as string, [])
      const force = await confirmationOf(components, request, reply)
      const { ring } = components
      const answer = force === undefined ? await planOf(ring) : await forced(ring, force)
      return reply
        .type('application/json; charset=utf-8')
        .header('cache-control', 'no-store')
        .send(JSON.stringify(answer))
    },
  })
}

async function planOf(ring: RingNode) {
  const { allNodes, members } = ring
  const { id, lost, silent } = await allNodes.planRecovery()
  const nameOf = (node: Parameters<typeof members.addressOf>[0]) => members.addressOf(node) ?? node
  const ranges = lost.map(({ lo, hi, epoch, silent, survivor }) => ({
    lo,
    hi,
    epoch,
    silent: silent.map(nameOf),
    survivor: survivor === undefined ? null : nameOf(survivor.node),
    ...(survivor && { files: survivor.records, isNewest: survivor.isNewest }),
  }))
  return { plan: id, silent: silent.map(nameOf), ranges }
}

async function forced(ring: RingNode, plan: string) {
  const views = await ring.allNodes.recover(plan)
  return { recovered: views.map(({ lo, hi, epoch }) => ({ lo, hi, epoch })) }
}

/** How it is shown that force was used. */
export function recoveriesOf({ allNodes, members }: RingNode) {
  const nameOf = (node: Recovery['lost'][number]) => members.addressOf(node) ?? node
  return allNodes.recoveries().map(({ view, lost, atMs }) => ({
    at: new Date(atMs).toISOString(),
    lo: view.lo,
    hi: view.hi,
    epoch: view.epoch,
    survivor: nameOf(view.replicas[0] as (typeof view.replicas)[0]),
    lost: lost.map(nameOf),
  }))
}

/** The plan that the body confirms; undefined when there is no body. @throws StoreError INVALID_REQUEST. */
async function confirmationOf(
  components: HttpComponents,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<string | undefined> {
  if (!hasBody(request.raw)) return undefined
  const text = await receivedText(request.raw, reply.raw, components.connections, BODY_BYTES_MAX)
  try {
    const { force, ...others } = JSON.parse(text) as Record<string, unknown>
    if (Object.keys(others).length === 0 && typeof force === 'string') return force
  } catch {
    // Told below, as everything else that is no confirmation.
  }
  throw new StoreError(
    'INVALID_REQUEST',
    'The body is {"force": PLAN}, where PLAN is what this endpoint said before.',
  )
}

const text = { type: 'string' }

const recoverContract = {
  summary:
    'Says which ranges are lost and what could be recovered by force; does it for whoever names that plan',
  description:
    'Without a body nothing is changed. A range counts as lost when no majority of its acceptors answers, or no replica. Forced, one survivor of each goes on alone; what only the silent nodes had is gone.',
  url: '/recover',
  requestBody: {
    description: 'The plan that was shown.',
    required: false,
    content: json({
      type: 'object',
      required: ['force'],
      properties: { force: text },
      additionalProperties: false,
    }),
  },
  responses: {
    200: {
      description: 'The plan, or what was recovered',
      content: json({
        type: 'object',
        properties: {
          plan: text,
          silent: { type: 'array', items: text },
          ranges: { type: 'array', items: { type: 'object' } },
          recovered: { type: 'array', items: { type: 'object' } },
        },
      }),
    },
  },
  errors: ['INVALID_REQUEST', 'PRECONDITION_FAILED', 'PROTOCOL_UNSUPPORTED', 'UNAVAILABLE'] as const,
}
