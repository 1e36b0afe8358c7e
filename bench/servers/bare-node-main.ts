/**
 * The process of bare-node.ts: `bare-node-main.ts PORT DIRECTORY`.
 */
import { createReadStream, createWriteStream, mkdirSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

const IN_MEMORY_BYTES_MAX = 64 * 1024

const [port, directory] = process.argv.slice(2)
if (port === undefined || directory === undefined) throw new TypeError('usage: PORT DIRECTORY')
mkdirSync(directory, { recursive: true })

/** The bytes of a small file, or the size of a large one, by target. */
const files = new Map<string, Buffer | { readonly size: number; readonly file: string }>()
let counter = 0

createServer(async (request, response) => {
  const target = request.url ?? '/'
  if (request.method === 'GET') return get(target, response)
  if (request.method === 'PUT') return put(target, request, response)
  if (request.method === 'DELETE') {
    const found = files.get(target)
    files.delete(target)
    if (found !== undefined && !Buffer.isBuffer(found)) await rm(found.file)
    response.writeHead(204).end()
  }
}).listen(Number(port), '127.0.0.1')

async function get(target: string, response: ServerResponse): Promise<void> {
  const found = files.get(target)
  if (found === undefined) {
    response.writeHead(404, { 'content-length': 0 }).end()
  } else if (Buffer.isBuffer(found)) {
    response.writeHead(200, { 'content-length': found.length }).end(found)
  } else {
    response.writeHead(200, { 'content-length': found.size })
    await pipeline(createReadStream(found.file, { highWaterMark: 256 * 1024 }), response)
  }
}

async function put(target: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const size = Number(request.headers['content-length'])
  if (size <= IN_MEMORY_BYTES_MAX) {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    files.set(target, Buffer.concat(chunks))
  } else {
    const file = join(directory as string, String(++counter))
    await pipeline(request, createWriteStream(`${file}.part`))
    await rename(`${file}.part`, file)
    files.set(target, { size, file })
  }
  response.writeHead(201, { 'content-length': 0 }).end()
}
