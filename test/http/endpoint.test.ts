import type { FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import type { FileService } from '../../src/files/file-service.ts'
import { idempotencyOf, ringHeaders, sendWritten } from '../../src/http/endpoint.ts'
import type { Address } from '../../src/ring/identifier.ts'
import type { PathName } from '../../src/ring/path-name.ts'

function replyOf() {
  const headers: Record<string, string> = {}
  const said: { status?: number; text?: string } = {}
  const reply = {
    header: (name: string, value: string) => {
      headers[name] = value
      return reply
    },
    code: (status: number) => {
      said.status = status
      return reply
    },
    type: () => reply,
    send: (text: string) => {
      said.text = text
      return reply
    },
  }
  return { reply: reply as unknown as FastifyReply, headers, said }
}

t.test('the chain of a reply has as many hops as it has steps', async t => {
  for (const [chain, text, hops] of [
    [['a:1'], 'a:1', '0'],
    [['a:1', 'b:2', 'c:3'], 'a:1, b:2, c:3', '2'],
  ] as const) {
    const { reply, headers } = replyOf()
    ringHeaders(reply, chain as unknown as Address[])
    t.same(headers, { 'ring-chain': text, 'ring-hops': hops })
  }
})

t.test('201 is for what came into being, 200 for what was replaced', async t => {
  const chain = ['a:1' as Address]
  const files = { keeping: { consistency: 'chain', durable: true } } as FileService
  const record = {
    path: 'p' as PathName,
    version: { epoch: 3, seq: 7 },
    body: { size: 2, sha256: 'ab'.repeat(32) },
  }
  for (const [replaced, status] of [
    [false, 201],
    [true, 200],
  ] as const) {
    const { reply, headers, said } = replyOf()
    sendWritten(reply, files, { record, replaced, chain, replicas: chain })
    t.equal(said.status, status)
    t.equal(headers.etag, '"3.7-abababab"')
  }
})

t.test('an Idempotency-Key is checked, and missing when there is none', async t => {
  const request = (headers: object) => ({ headers }) as FastifyRequest
  t.same(idempotencyOf(request({})), {})
  t.same(idempotencyOf(request({ 'idempotency-key': 'k' })), { idempotencyKey: 'k' })
  t.throws(() => idempotencyOf(request({ 'idempotency-key': '' })), { code: 'INVALID_REQUEST' })
})
