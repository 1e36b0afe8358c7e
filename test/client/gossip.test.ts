import t from 'tap'
import { StoreClient } from '../../src/client/client.ts'
import { SpreadPairs } from '../../src/client/gossip.ts'
import { runningNode } from '../running-node.ts'

t.test('pairs that spread', async t => {
  const { url } = await runningNode(t, { gossip: true })
  const client = new StoreClient({ node: url })
  t.teardown(() => client.close())
  const { gossip } = client
  t.ok(gossip instanceof SpreadPairs)
  const host = new URL(url).host
  t.match(await gossip.set('a/b ?', 'é', { ttl: 30 }), { key: 'a/b ?', value: 'é', owner: host })
  t.match(await gossip.set('other', '1'), { key: 'other' })
  t.match(await gossip.get('a/b ?'), { value: 'é' })
  t.same(
    (await gossip.list()).map(({ key }) => key),
    ['a/b ?', 'other'],
  )
  await t.rejects(gossip.get('none'), { code: 'FILE_NOT_FOUND' })
  await t.rejects(gossip.set('a', 'x', { ttl: 1e9 }), { code: 'INVALID_REQUEST' })
  await t.rejects(gossip.get('\ud800'), { code: 'INVALID_REQUEST' })
  t.match(await client.activeNodes(), { active: [host] })
})
