/**
 * What a get of a small file and a durable put cost at least on this runtime: `one-node-floor-main.ts http|fastify PORT
 * DIRECTORY`. A framework or none, SHA-256, three LMDB records in a group commit, and nothing else: no condition, no
 * version, no copy, no check of what is read.
 */
import { Buffer } from 'node:buffer'
import { hash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import fastify from 'fastify'
import { open } from 'lmdb'

const [kind, port, directory] = process.argv.slice(2)
if (kind === undefined || port === undefined || directory === undefined)
  throw new TypeError('usage: http|fastify PORT DIRECTORY')
mkdirSync(directory, { recursive: true })
// As in src/storage/lmdb-index.ts: a commit is told when it is flushed.
const index = open<Buffer, Buffer>({
  ...{ path: join(directory, 'index.mdb'), noSubdir: true, overlappingSync: false },
  ...{ encoding: 'binary', keyEncoding: 'binary' },
})
let seq = 0

/** As many header fields as ours has, so that both send the same number of bytes. */
const fields = [
  ...['ring-chain', `127.0.0.1:${port}`, 'ring-hops', '0', 'etag', '"4.1-55987ea7"'],
  ...['last-modified', new Date().toUTCString(), 'accept-ranges', 'bytes', 'cache-control', 'no-cache'],
  ...['repr-digest', `sha-256=:${'A'.repeat(43)}=:`, 'x-content-type-options', 'nosniff'],
  ...['content-security-policy', 'sandbox', 'content-type', 'application/octet-stream'],
]

function get(target: string, response: ServerResponse): void {
  const body = index.get(Buffer.from(target))
  if (body === undefined) response.writeHead(404, { 'content-length': 0 }).end()
  else response.writeHead(200, [...fields, 'content-length', String(body.length)]).end(body)
}

/** Stores a body, says where it is, and is durable. */
async function put(target: string, body: Buffer): Promise<string> {
  const sha256 = hash('sha256', body, 'hex')
  const number = ++seq
  await index.batch(() => {
    index.put(Buffer.from(target), body)
    index.put(Buffer.from('sequence'), Buffer.from(String(number)))
    index.put(Buffer.from(`prefix/${sha256.slice(0, 3)}`), Buffer.from(sha256))
  })
  const replicas = [`127.0.0.1:${port}`]
  const receipt = { path: target, size: body.length, etag: '"4.1-55987ea7"', sha256, durable: true, replicas }
  return JSON.stringify({ ...receipt, chain: replicas })
}

if (kind === 'http') {
  createServer((request, response) => {
    const target = request.url ?? '/'
    if (request.method === 'GET') return get(target, response)
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', async () => {
      const receipt = await put(target, Buffer.concat(chunks))
      response.writeHead(201, { 'content-type': 'application/json' }).end(receipt)
    })
  }).listen(Number(port), '127.0.0.1')
} else {
  const app = fastify()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.get('/*', async (request, reply) => {
    reply.hijack()
    get(request.url, reply.raw)
  })
  app.put('/*', async (request, reply) => {
    const receipt = await put(request.url, request.body as Buffer)
    return reply.code(201).header('content-type', 'application/json').header('etag', '"4.1"').send(receipt)
  })
  await app.listen({ port: Number(port), host: '127.0.0.1' })
}
