import { createServer, type RequestListener } from 'node:http'
import t, { type Test } from 'tap'
import { Pool } from 'undici'
import { exchange } from '../../src/peer/exchange.ts'
import { MESSAGE_BYTES_MAX } from '../../src/peer/wire.ts'

async function poolOf(t: Test, listener: RequestListener): Promise<Pool> {
  const server = createServer(listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const pool = new Pool(`http://127.0.0.1:${(server.address() as { port: number }).port}`)
  t.teardown(async () => {
    await pool.destroy()
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  return pool
}

const question = { method: 'POST', path: '/x', headers: { 'ring-node': 'n' }, timeoutMs: 60_000 } as const
const body = Buffer.from('what is asked')

t.test('the whole answer, in however many pieces it comes', async t => {
  const pool = await poolOf(t, async (request, response) => {
    const asked: Buffer[] = []
    for await (const chunk of request) asked.push(chunk)
    response.writeHead(201, { 'ring-protocol': '1' })
    response.write(`${request.method} ${request.url} ${request.headers['ring-node']} `)
    setImmediate(() => response.end(Buffer.concat(asked)))
  })
  for (let again = 0; again < 2; again++) {
    const answer = await exchange(pool, { ...question, body })
    t.match(answer, { status: 201, headers: { 'ring-protocol': '1' } })
    t.equal(answer.body.toString(), 'POST /x n what is asked')
  }
})

t.test('an answer without a body is empty', async t => {
  const pool = await poolOf(t, (_request, response) => response.writeHead(204).end())
  t.same(await exchange(pool, { ...question, body }), {
    status: 204,
    headers: (await exchange(pool, { ...question, body })).headers,
    body: Buffer.alloc(0),
  })
})

t.test('an answer that is too large, or that breaks off, is an error', async t => {
  const large = await poolOf(t, (_request, response) => response.end(Buffer.alloc(MESSAGE_BYTES_MAX + 1)))
  await t.rejects(exchange(large, { ...question, body }), { code: 'INVALID_REQUEST' })
  const broken = await poolOf(t, (_request, response) => {
    response.writeHead(200, { 'content-length': 100 }).write('half')
    setImmediate(() => response.destroy())
  })
  await t.rejects(exchange(broken, { ...question, body }), { code: 'UND_ERR_SOCKET' })
  const nobody = new Pool('http://127.0.0.1:1')
  await t.rejects(exchange(nobody, { ...question, body }), { code: 'ECONNREFUSED' })
  await nobody.destroy()
})
