/**
 * Owns the door that checks everything a node keeps, and tells while it goes on.
 */
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { addDoor, type Doors } from './doors.ts'
import { resetConnection } from './read-routes.ts'
import { queryOf } from './request-target.ts'

export function verifyRoutes(fastify: FastifyInstance, doors: Doors): void {
  addDoor(fastify, doors, {
    methods: ['POST'],
    urls: ['/verify'],
    // It reads every byte there is, which is more than a reader may ask for.
    access: 'write',
    aboutFile: false,
    contract: verifyContract,
    handler: async (request, reply) => {
      queryOf(request.raw.url as string, [])
      return verify(doors, reply)
    },
  })
}

function verify({ files, env }: Doors, reply: FastifyReply): FastifyReply {
  const lines = Readable.from(linesOf(files.verify(env.clock)), { objectMode: false })
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

const verifyContract = {
  summary: 'Reads every file and checks every byte against its checksums',
  url: '/verify',
  responses: {
    200: {
      description:
        'NDJSON: {"path", "code", "message"} for each damaged file, {"files", "bytes", "damaged", "done"} every second and, with done = true, at the end. Without that last line the check is not complete.',
      content: {
        'application/x-ndjson': {
          schema: {
            type: 'object',
            properties: {
              path: { type: 'string' },
              code: { type: 'string' },
              message: { type: 'string' },
              files: count,
              bytes: count,
              damaged: count,
              done: { type: 'boolean' },
            },
          },
        },
      },
    },
  },
  errors: [] as const,
}
