/**
 * Requests at the endpoints between nodes that come from nobody who belongs there: refused, logged once, nothing changed.
 */
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { realEnv } from '../../src/env.ts'
import { PeerVersions } from '../../src/peer/protocol.ts'
import { greeting, parseGreeted } from '../../src/peer/signed-answer.ts'
import { Turns } from '../../src/peer/turns.ts'
import { encode, peerHeaders } from '../../src/peer/wire.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'
import { openClient } from './client.ts'
import { startNode } from './harness.ts'

// Processes that start, settle and come back take their time on a machine that is shared.
t.setTimeout(600_000)

const SECRET = 'a-secret-of-sixteen-or-more-characters'

const strangers: {
  readonly name: string
  readonly status: number
  readonly code: string
  readonly secret?: string
  readonly network?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
}[] = [
  { name: 'without a secret', status: 401, code: 'UNAUTHORIZED' },
  { name: 'with another secret', status: 401, code: 'UNAUTHORIZED', secret: 'another-secret' },
  {
    name: 'of another network',
    status: 409,
    code: 'WRONG_NETWORK',
    secret: SECRET,
    network: 'ff'.repeat(16),
  },
  {
    name: 'of a later protocol',
    status: 400,
    code: 'PROTOCOL_UNSUPPORTED',
    secret: SECRET,
    headers: { 'ring-protocol': '999' },
  },
  {
    name: 'that sends garbage',
    status: 400,
    code: 'INVALID_REQUEST',
    secret: SECRET,
    body: randomBytes(5000),
  },
  {
    name: 'that sends something else',
    status: 400,
    code: 'INVALID_REQUEST',
    secret: SECRET,
    body: encode({ kind: 'no such call', depart: true }),
  },
]

t.test('strangers at the endpoints between nodes change nothing', async t => {
  const node = await startNode({ flags: ['--secret', SECRET], readyTimeoutMs: 120_000 })
  const client = openClient(node.url)
  t.teardown(async () => {
    await client.close()
    await node.stop()
  })
  await client.put('kept', 'bytes')
  const before = await client.list()
  // Whoever knows the secret may greet; what is told of a request is told of one that is for this start of the node.
  const greeted = await client.send('POST', '/peer/call', greetingRequest())
  const to = parseGreeted(greeted.body)
  for (const stranger of strangers) {
    for (const url of ['/peer/call', '/peer/messages']) {
      for (let time = 0; time < 3; time++) {
        const reply = await client.send('POST', url, requestOf(url, stranger, to))
        t.equal(reply.status, stranger.status, `${stranger.name} at ${url}: ${reply.body}`)
        t.match(reply.json(), { error: { code: stranger.code } })
      }
    }
  }
  for (const url of ['/peer/bodies/abc?first=0', `/peer/staging/${'ab'.repeat(16)}?sha256=00`]) {
    const method = url.startsWith('/peer/bodies') ? 'GET' : 'PUT'
    const reply = await client.send(method, url, { body: method === 'PUT' ? 'stranger' : null })
    t.equal(reply.status, 400, `without a name at ${url}`)
  }
  t.same(await client.list(), before)
  t.match(await client.digest('kept'), { status: 200, size: 5 })
  const lines = node
    .output()
    .split('\n')
    .filter(line => line.includes('"peer.refused"'))
  const codes = lines.map(line => (JSON.parse(line) as { code: string }).code).sort()
  t.same(codes, [...new Set(strangers.map(({ code }) => code))].sort(), 'each kind of fault was logged once')
  t.notOk(node.output().includes(SECRET), 'the secret is not in the log')
})

function greetingRequest() {
  const body = greeting('ab'.repeat(16))
  const credentials = credentialsOf({ secret: SECRET })
  return { body, headers: peerHeaders(credentials, 'POST', '/peer/call', body, SPOKEN) }
}

/** The older version that the program speaks. */
const SPOKEN = new PeerVersions().oldest

let turns = 0

function requestOf(url: string, stranger: (typeof strangers)[number], to: string) {
  const body = stranger.body ?? encode({ kind: 'learn', records: [] })
  const turn = { to, turn: `${'cd'.repeat(16)}.${++turns}` }
  const headers = peerHeaders(credentialsOf(stranger), 'POST', url, body, SPOKEN, turn)
  return { body, headers: { ...headers, ...stranger.headers } }
}

function credentialsOf({ secret, network }: Pick<(typeof strangers)[number], 'secret' | 'network'>) {
  return {
    secret,
    networkId: () => network,
    self: () => ({
      address: '127.0.0.1:9' as Address,
      nodeId: 'ab'.repeat(16) as NodeId,
      boot: { counter: 1, nonce: '0' },
    }),
    versions: new PeerVersions({ speaks: SPOKEN }),
    turns: new Turns(realEnv()),
  }
}
