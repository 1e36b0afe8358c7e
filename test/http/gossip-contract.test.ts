import t from 'tap'
import { PAIR_KEY_BYTES_MAX, PAIR_VALUE_BYTES_MAX } from '../../src/calls/gossip-message.ts'
import { gossipGetContract, gossipListContract, gossipSetContract } from '../../src/http/gossip-contract.ts'
import { GOSSIP_FIELDS } from '../../src/membership/gossip/settings.ts'

t.test('the contract names the bounds that the rules have', async t => {
  const [key, ttl] = gossipSetContract.parameters ?? []
  t.match(key?.description, String(PAIR_KEY_BYTES_MAX))
  t.match(gossipSetContract.description, String(PAIR_VALUE_BYTES_MAX))
  const { min, max } = GOSSIP_FIELDS.ttl
  t.match(ttl?.schema, { minimum: min / 1_000, maximum: max / 1_000 })
  t.same(gossipGetContract.url, gossipSetContract.url)
  t.same(gossipListContract.parameters, [])
})
