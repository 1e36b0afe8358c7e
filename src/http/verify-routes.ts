/**
 * The endpoint that checks what is kept, by all nodes or by this one, and tells while it goes on.
 */
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { addEndpoint, type HttpComponents } from './endpoint.ts'
import { resetConnection } from './read-routes.ts'
import { parseFlag, queryOf } from './request-target.ts'

export function verifyRoutes(fastify: FastifyInstance, components: HttpComponents): void {
  addEndpoint(fastify, components, {
    methods: ['POST'],
    urls: ['/verify'],
    // It reads every byte there is, and heals, which is more than a reader may ask for.
    access: 'write',
    aboutFile: false,
    contract: verifyContract,
    handler: async (request, reply) => {
      const query = queryOf(request.raw.url as string, ['local'])
      const isLocal = parseFlag('local', query.local) ?? false
      const { files, ring, env } = components
      return tell(components, reply, isLocal ? files.verify(env.clock) : ring.allNodes.verify())
    },
  })
}

function tell({ env }: HttpComponents, reply: FastifyReply, words: AsyncIterable<object>): FastifyReply {
  const lines = Readable.from(linesOf(words), { objectMode: false })
  lines.on('error', error => {
    env.log.error({ op: 'verify', err: error }, 'the check broke off')
    if (reply.raw.headersSent) resetConnection(reply)
  })
  return reply.type('application/x-ndjson; charset=utf-8').header('cache-control', 'no-store').send(lines)
}

async function* linesOf(values: AsyncIterable<object>): AsyncGenerator<string> {
  for await (const value of values) yield `${JSON.stringify(value)}\n`
}

const count = { type: 'integer' }
const text = { type: 'string' }
const flag = { type: 'boolean' }

const verifyContract = {
  summary:
    'Checks every copy of every file at all nodes, and heals; with ?local=true only reads those of this node',
  url: '/verify',
  parameters: [
    {
      name: 'local',
      in: 'query' as const,
      description:
        'true reads every copy that this node keeps, and heals nothing; false, the default, asks all nodes.',
      schema: { type: 'boolean', default: false },
    },
  ],
  responses: {
    200: {
      description:
        'NDJSON. {"node", "code", "message"} for a node that did not answer; {"path", "node", "code", "message", "healed"} for a damaged copy; {"range", "message", "healed"} for a range that was not as it should be; and counts while it goes on, with done = true at the end. Without that last line the check is not complete.',
      content: {
        'application/x-ndjson': {
          schema: {
            type: 'object',
            properties: {
              node: text,
              path: text,
              code: text,
              message: text,
              healed: { oneOf: [flag, count] },
              range: { type: 'object', properties: { lo: text, hi: text } },
              ranges: count,
              rangesAll: count,
              files: count,
              bytes: count,
              damaged: count,
              underReplicated: count,
              unhealed: count,
              done: flag,
            },
          },
        },
      },
    },
  },
  errors: ['OVERLOADED'] as const,
}
