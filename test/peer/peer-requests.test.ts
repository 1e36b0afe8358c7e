import { once } from 'node:events'
import { createServer } from 'node:http'
import t from 'tap'
import { Pool } from 'undici'
import { realEnv } from '../../src/env.ts'
import { PeerRequests } from '../../src/peer/peer-requests.ts'
import { PeerVersions } from '../../src/peer/protocol.ts'
import { answerGreeting, answerHeaders, questionOf } from '../../src/peer/signed-answer.ts'
import { Turns } from '../../src/peer/turns.ts'
import { authenticate, type Credentials, encode } from '../../src/peer/wire.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'

const credentials = (): Credentials => ({
  secret: 'secret',
  networkId: () => 'net',
  self: () => ({
    address: 'me:1' as Address,
    nodeId: 'a'.repeat(32) as NodeId,
    boot: { counter: 1, nonce: 'b' },
  }),
  versions: new PeerVersions(),
  turns: new Turns(realEnv()),
})

/** A peer whose answers go through `change`; what is captured on the way to it is given. */
async function peerOf(
  t: { teardown(then: () => unknown): unknown },
  change: (body: Buffer, headers: Record<string, string>) => [Buffer, Record<string, string>],
) {
  const theirs = credentials()
  const captured: { head: Parameters<typeof authenticate>[1]; body: Buffer }[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const head = { method: 'POST', url: request.url ?? '', headers: request.headers }
    const greeted = answerGreeting(theirs, head, body)
    const question = questionOf(request.headers)
    if (question === undefined) throw new Error('not in version 3')
    if (greeted !== undefined) {
      response.writeHead(200, answerHeaders(theirs, question, 200, greeted)).end(greeted)
      return
    }
    authenticate(theirs, head, body)
    captured.push({ head, body })
    const answer = encode({ is: 'right' })
    const [changed, headers] = change(answer, answerHeaders(theirs, question, 200, answer))
    response.writeHead(200, headers).end(changed)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const peer = `127.0.0.1:${(server.address() as { port: number }).port}` as Address
  const pool = new Pool(`http://${peer}`)
  t.teardown(async () => {
    await pool.destroy()
    server.close()
  })
  const requests = new PeerRequests(
    { env: realEnv(), credentials: credentials() },
    { unreachable: () => undefined, pool: () => pool },
  )
  const ask = async () => {
    const body = encode({ kind: 'list' })
    const options = { timeoutMs: 20_000 }
    const asked = await requests.agree(
      { to: peer, method: 'POST', url: '/peer/call', body, options },
      { kind: 'list', since: 3 },
    )
    return requests.readAnswer(peer, asked)
  }
  return { ask, captured, theirs }
}

t.test('what was captured on the way to a node is refused there, and everywhere else', async t => {
  const { ask, captured, theirs } = await peerOf(t, (body, headers) => [body, headers])
  t.same(await ask(), { is: 'right' })
  t.same(await ask(), { is: 'right' })
  t.equal(captured.length, 2)
  for (const { head, body } of captured) {
    t.throws(() => authenticate(theirs, head, body), { code: 'UNAUTHORIZED', message: /come before/ })
    t.throws(() => authenticate(credentials(), head, body), { code: 'UNAUTHORIZED', message: /another node/ })
  }
})

t.test('an answer that was changed, or is that to another question, is none', async t => {
  let earlier: [Buffer, Record<string, string>] | undefined
  const again = (body: Buffer, headers: Record<string, string>): [Buffer, Record<string, string>] => {
    earlier ??= [body, headers]
    return earlier
  }
  const repeats = await peerOf(t, again)
  t.same(await repeats.ask(), { is: 'right' })
  await t.rejects(repeats.ask(), { code: 'UNAVAILABLE', message: /not signed for this request/ })
  for (const change of [
    (_: Buffer, headers: Record<string, string>) => [encode({ is: 'wrong' }), headers],
    (body: Buffer) => [body, {}],
  ] as Parameters<typeof peerOf>[1][]) {
    const { ask } = await peerOf(t, change)
    await t.rejects(ask(), { code: 'UNAVAILABLE', message: /not signed for this request/ })
  }
})
