import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { HttpPeers } from '../../src/peer/http-peers.ts'
import { PeerVersions } from '../../src/peer/protocol.ts'
import { Turns } from '../../src/peer/turns.ts'
import { WaitingServer } from '../../src/peer/waiting-server.ts'
import type { Credentials } from '../../src/peer/wire.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'

const credentials = (secret: string | undefined): Credentials => ({
  secret,
  networkId: () => undefined,
  self: () => ({
    address: 'a:1' as Address,
    nodeId: 'a'.repeat(32) as NodeId,
    boot: { counter: 1, nonce: '0' },
  }),
  versions: new PeerVersions(),
  turns: new Turns(realEnv()),
})

async function openServer(t: { teardown(then: () => unknown): unknown }, secret?: string) {
  const waiting = await WaitingServer.create({ credentials: credentials(secret), tls: undefined })
  await waiting.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => {
    waiting.server.closeAllConnections()
    return waiting.close()
  })
  const address = `127.0.0.1:${(waiting.server.address() as AddressInfo).port}` as Address
  const unreachable: string[] = []
  const peersWith = (theirs: string | undefined) => {
    const peers = new HttpPeers<string, string, unknown>(
      { env: realEnv(), credentials: credentials(theirs) },
      {
        scheme: 'http',
        unreachable: (_peer, how) => unreachable.push(how),
        isMessage: (value): value is string => typeof value === 'string',
        dated: kind => ({ kind, since: 3 }),
        messages: () => undefined,
      },
    )
    t.teardown(() => peers.close())
    return peers
  }
  return { waiting, address, peersWith, unreachable }
}

const options = { timeoutMs: 10_000 }

t.test('another node is told that there is no network here', async t => {
  const { address, peersWith } = await openServer(t, 's')
  await t.rejects(peersWith('s').call(address, 'join', options), { code: 'NO_NETWORK' })
  await t.rejects(peersWith('other').call(address, 'join', options), { code: 'UNAUTHORIZED' })
})

t.test('once a network was found nobody is told that there is none', async t => {
  const { waiting, address, peersWith } = await openServer(t, 's')
  waiting.joined()
  await t.rejects(peersWith('s').call(address, 'join', options), { code: 'UNAVAILABLE' })
})

t.test('to the senders of messages, nobody is there yet', async t => {
  const { address, peersWith, unreachable } = await openServer(t)
  peersWith(undefined).send(address, 'm')
  while (unreachable.length === 0) await new Promise(resolve => setImmediate(resolve))
  t.same(unreachable, ['refused'])
})

t.test('clients hear that it is alive, and to come back', async t => {
  const { address } = await openServer(t)
  const health = await fetch(`http://${address}/health`)
  t.same([health.status, await health.json()], [200, { status: 'ok' }])
  for (const path of ['/ready', '/get/a', '/peer/call']) {
    const reply = await fetch(`http://${address}${path}`)
    t.equal(reply.status, 503, path)
    t.equal(reply.headers.get('retry-after'), '1')
    t.match(await reply.json(), { error: { code: 'UNAVAILABLE', retryable: true } })
  }
})

t.test('what is no message of a node is refused', async t => {
  const { address } = await openServer(t)
  const reply = await fetch(`http://${address}/peer/call`, { method: 'POST', body: 'x' })
  t.match(await reply.json(), { error: { code: 'PROTOCOL_UNSUPPORTED' } })
  const large = await fetch(`http://${address}/peer/call`, {
    method: 'POST',
    body: 'x'.repeat(2 * 1024 * 1024),
  }).catch(() => undefined)
  t.ok(large === undefined || large.status === 400)
})

t.test('whoever has connected is let in by the server that takes the port over', async t => {
  const waiting = await WaitingServer.create({ credentials: credentials(undefined), tls: undefined })
  const host = '127.0.0.1'
  await waiting.listen({ host, port: 0 })
  const { port } = waiting.server.address() as AddressInfo
  const next = createServer((_request, response) => response.end('next'))
  t.teardown(() => next.close())
  const early = connect(port, host)
  early.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  // By then the system has the connection, and no server has it.
  await new Promise(resolve => process.nextTick(resolve))
  next.listen(waiting.shared({ host, port }))
  waiting.handedOver()
  await waiting.close()
  t.match(await text(early), /next$/)
  t.equal(await (await fetch(`http://${host}:${port}/`)).text(), 'next', 'the port stays open')
})
