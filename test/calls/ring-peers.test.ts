import t from 'tap'
import { byHttp, ringCredentials } from '../../src/calls/ring-peers.ts'
import { realEnv } from '../../src/env.ts'
import { HttpPeers } from '../../src/peer/http-peers.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'

t.test('a node speaks HTTP, and shows itself as it is', async t => {
  const env = realEnv()
  const self = { address: 'a:1' as Address, nodeId: 'n' as NodeId, boot: { counter: 1, nonce: '0' } }
  const credentials = ringCredentials(env, {
    secret: 's,t',
    speaks: 3,
    networkId: () => 'net',
    self: () => self,
  })
  t.match(credentials, { secret: 's', otherSecrets: ['t'], versions: { newest: 3, oldest: 3 } })
  t.equal(credentials.networkId(), 'net')
  t.equal(credentials.self(), self)
  const peers = byHttp(
    { env, credentials },
    {
      scheme: 'http',
      unreachable: () => undefined,
      isMessage: (value): value is never => value === undefined,
      dated: () => ({ kind: 'x', since: 3 }),
      messages: () => undefined,
    },
  )
  t.ok(peers instanceof HttpPeers)
  t.equal(peers.waitsMs('a:1' as Address), 0)
  await peers.close()
})
