import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { Connections } from '../../src/http/connections.ts'
import { S3Error } from '../../src/s3/errors.ts'
import { sendEmpty, sendError, sendSlowly, sendXml } from '../../src/s3/reply.ts'
import { element } from '../../src/s3/xml.ts'

const env = realEnv()

/** What a client gets of one answer. */
async function answered(
  t: { teardown(end: () => unknown): unknown },
  answer: (reply: ServerResponse) => unknown,
  method = 'GET',
) {
  const server = createServer((_, reply) => void answer(reply))
  t.teardown(() => server.close())
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const reply = await fetch(`http://127.0.0.1:${port}/bucket/key?x`, { method, keepalive: false })
  return { status: reply.status, text: await reply.text(), headers: reply.headers }
}

t.test('documents and empty answers', async t => {
  const document = await answered(t, reply => sendXml({ reply }, 200, element('A', 'é')))
  t.match(document.text, /<A xmlns="[^"]*">é<\/A>$/)
  t.equal(document.headers.get('content-type'), 'application/xml')
  t.match(await answered(t, reply => sendEmpty({ reply }, 204)), { status: 204, text: '' })
  t.equal((await answered(t, reply => sendEmpty({ reply }, 200, { etag: 'x' }))).headers.get('etag'), 'x')
})

t.test('refusals, with what was set before taken back', async t => {
  const refuse = (reply: ServerResponse) => {
    reply.setHeader('etag', 'x')
    const error = new S3Error('SlowDown', 'later', { headers: { 'retry-after': '3' } })
    return sendError(
      { raw: reply.req, reply, requestId: 'ID' },
      error,
      new Connections({ env }, { bodyIdleTimeoutMs: 1000 }),
    )
  }
  const { status, text, headers } = await answered(t, refuse)
  t.equal(status, 503)
  t.match(
    text,
    /<Code>SlowDown<\/Code><Message>later<\/Message><Resource>\/bucket\/key<\/Resource><RequestId>ID</,
  )
  t.equal(headers.get('retry-after'), '3')
  t.equal(headers.get('etag'), null)
  t.match(await answered(t, refuse, 'HEAD'), { status: 503, text: '' })
})

t.test('an answer that takes long keeps its client waiting', async t => {
  const work = async (fails: boolean) => {
    await delay(60)
    if (fails) throw new S3Error('InvalidPart', 'no part')
    return element('Result', 'x')
  }
  const slowly = (fails: boolean, silenceMs: number) => (reply: ServerResponse) =>
    sendSlowly({ env }, { reply }, work(fails), { silenceMs }).catch(() => reply.writeHead(400).end())
  const late = await answered(t, slowly(false, 10))
  t.match(late.text, /^<\?xml version="1.0" encoding="UTF-8"\?>\n +<Result xmlns="[^"]*">x<\/Result>$/)
  t.match(await answered(t, slowly(true, 10)), { status: 200, text: /<Error><Code>InvalidPart<\/Code>/ })
  t.match(await answered(t, slowly(false, 10_000)), { status: 200, text: /\?>\n<Result/ })
  t.equal((await answered(t, slowly(true, 10_000))).status, 400)
})
