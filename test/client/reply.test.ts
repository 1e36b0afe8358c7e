import { Readable } from 'node:stream'
import t from 'tap'
import { errorOfReply, headerOf, jsonOf, type Reply } from '../../src/client/reply.ts'

function reply(statusCode: number, body: string, headers: Record<string, string | string[]> = {}): Reply {
  return { statusCode, headers, body: Readable.from([Buffer.from(body)]) } as unknown as Reply
}

t.test('JSON within a limit', async t => {
  t.same(await jsonOf(reply(200, '{"a":1}')), { a: 1 })
  await t.rejects(jsonOf(reply(200, `"${'a'.repeat(1024 * 1024)}"`)), { code: 'UNAVAILABLE' })
})

t.test('a refusal keeps the code, the sentence and the path of the node', async t => {
  const text = JSON.stringify({ error: { code: 'OVERLOADED', message: 'Later.', path: 'b' } })
  t.match(await errorOfReply(reply(429, text, { 'retry-after': '7' }), 'a'), {
    code: 'OVERLOADED',
    message: 'Later.',
    path: 'b',
    retryAfterSeconds: 7,
  })
  t.match(await errorOfReply(reply(503, 'down', { 'retry-after': 'soon' }), 'a'), {
    code: 'UNAVAILABLE',
    path: 'a',
    retryAfterSeconds: undefined,
  })
  t.match(await errorOfReply(reply(409, '{"error":{"code":"toString"}}'), undefined), {
    code: 'INVALID_REQUEST',
  })
})

t.test('a header of several lines', async t => {
  t.equal(headerOf(reply(200, '', { a: ['1', '2'] }), 'a'), '1, 2')
  t.equal(headerOf(reply(200, ''), 'a'), undefined)
})
