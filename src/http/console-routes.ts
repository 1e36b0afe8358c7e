/**
 * How a browser gets the console: the files of src/console, which hold no data and so need no token, and what a token
 * may do. Everything else the console asks at the endpoints that programs use.
 */
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fastifyCompress from '@fastify/compress'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { StoreError } from '../errors.ts'
import { CONSOLE_FOLDER } from '../program-files.ts'
import { json } from './contract.ts'
import { addEndpoint, type HttpComponents } from './endpoint.ts'
import { decodedRestOf, pathPart, queryOf } from './request-target.ts'

/** Where a browser that comes without a path is sent. */
export const CONSOLE_URL = '/console/'

const folder = fileURLToPath(CONSOLE_FOLDER)

/** The one library of the console, as it was published. */
const PREACT = createRequire(import.meta.url).resolve('preact')

/**
 * Nothing but the console's own files runs, and no text becomes markup (Trusted Types). Stored files are shown as images
 * and in frames, which their own headers put into a sandbox.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "frame-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

export async function consoleRoutes(fastify: FastifyInstance, components: HttpComponents): Promise<void> {
  const names = new Set(readdirSync(folder).filter(name => /\.(?:html|js|css|svg)$/.test(name)))
  // In a scope of their own: what these plugins hang on every route shall not touch the endpoints of files.
  await fastify.register(async scope => {
    await scope.register(fastifyStatic, { root: folder, serve: false })
    await scope.register(fastifyCompress, { global: false })
    addEndpoint(scope, components, {
      methods: ['GET', 'HEAD'],
      urls: ['/console', '/console/*'],
      access: 'open',
      aboutFile: false,
      contract: consoleContract,
      compress: { threshold: 512 },
      handler: (request, reply) => sendConsole(request, reply, names),
    })
  })
  addEndpoint(fastify, components, {
    methods: ['GET', 'HEAD'],
    urls: ['/access'],
    access: 'read',
    aboutFile: false,
    contract: accessContract,
    handler: async (request, reply) => {
      queryOf(request.raw.url as string, [])
      const access = components.gate.accessOf(request.raw.headers)
      return reply
        .type('application/json; charset=utf-8')
        .header('cache-control', 'no-store')
        .send(JSON.stringify({ access, tokens: components.gate.hasTokens, trash: components.trashMs > 0 }))
    },
  })
}

/** True for a browser that comes to the node itself; a program sees what it sees without a console. */
export function wantsConsole({ method, url, headers }: FastifyRequest['raw']): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false
  return pathPart(url ?? '') === '/' && /\btext\/html\b/i.test(headers.accept ?? '')
}

async function sendConsole(
  request: FastifyRequest,
  reply: FastifyReply,
  names: ReadonlySet<string>,
): Promise<FastifyReply> {
  const url = request.raw.url as string
  queryOf(url, [])
  if (pathPart(url) === '/console') return reply.redirect(CONSOLE_URL)
  const name = decodedRestOf(url) || 'index.html'
  reply
    .header('content-security-policy', POLICY)
    .header('cross-origin-opener-policy', 'same-origin')
    .header('referrer-policy', 'no-referrer')
    .header('x-content-type-options', 'nosniff')
  // Asked again each time: after an upgrade of the node, its files and its endpoints belong together.
  const options = { cacheControl: false }
  reply.header('cache-control', 'no-cache')
  if (name === 'preact.js') {
    reply.type('text/javascript; charset=utf-8')
    return reply.sendFile('preact.mjs', dirname(PREACT), options)
  }
  if (!names.has(name)) throw new StoreError('ROUTE_NOT_FOUND', 'The console has no such file.')
  return reply.sendFile(name, join(folder), options)
}

const consoleContract = {
  summary: 'The console, for a browser; / sends a browser there',
  url: '/console/{file}',
  parameters: [
    {
      name: 'file',
      in: 'path' as const,
      required: true,
      description: 'One of its files; without it, its page.',
      schema: { type: 'string' },
    },
  ],
  responses: { 200: { description: 'A page, a script or a style.' } },
  errors: ['ROUTE_NOT_FOUND'] as const,
}

const accessContract = {
  summary: 'What the token of the request may do',
  url: '/access',
  responses: {
    200: {
      description:
        'read or write, whether this node wants tokens at all, and whether it keeps what is removed.',
      content: json({
        type: 'object',
        required: ['access', 'tokens', 'trash'],
        properties: {
          access: { enum: ['read', 'write'] },
          tokens: { type: 'boolean' },
          trash: { type: 'boolean' },
        },
      }),
    },
  },
  errors: [] as const,
}
