/**
 * The processes of bare-hop.ts: `bare-hop-main.ts PORT` answers GET with 1 KiB; `bare-hop-main.ts PORT BACK` asks the
 * server on the port BACK for what it answers with.
 */
import Fastify from 'fastify'
import { Pool } from 'undici'

const [port, back] = process.argv.slice(2)
const fastify = Fastify({ logger: false })
if (back === undefined) {
  const body = Buffer.alloc(1024, 'altered-chord ')
  fastify.get('/*', async (_request, reply) => reply.type('application/octet-stream').send(body))
} else {
  const pool = new Pool(`http://127.0.0.1:${back}`, { connections: 32, pipelining: 1 })
  fastify.get('/*', async (request, reply) => {
    const { headers, body } = await pool.request({ method: 'GET', path: request.raw.url as string })
    const bytes = Buffer.from(await body.arrayBuffer())
    return reply.type(String(headers['content-type'])).send(bytes)
  })
}
await fastify.listen({ port: Number(port), host: '127.0.0.1' })
