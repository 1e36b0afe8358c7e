import t from 'tap'
import { COLLECT_MS, GONE_MS } from '../../../src/replication/eventual/collecting.ts'
import { LinkedNodes } from './linked-nodes.ts'

async function removed(ids: readonly string[]): Promise<LinkedNodes> {
  const nodes = new LinkedNodes(ids, ['a', 'b', 'c'])
  await nodes.put('a', 'f')
  await nodes.pass(1_000)
  return nodes
}

t.test('a tombstone goes when all who held the path have it', async t => {
  const nodes = await removed(['a', 'b', 'c'])
  t.teardown(() => nodes.close())
  await nodes.remove('b', 'f')
  await nodes.pass(1_000)
  for (const id of ['a', 'b', 'c']) t.equal(nodes.versions(id, 'f'), 0, `${id} remembers the removal`)
  await nodes.pass(3 * COLLECT_MS)
  for (const id of ['a', 'b', 'c']) t.equal(nodes.versions(id, 'f'), undefined, id)
})

t.test(
  'it waits for a holder that is away, which is said from the beginning, and goes when that is back',
  async t => {
    const nodes = await removed(['a', 'b', 'c'])
    t.teardown(() => nodes.close())
    nodes.silent.add('c' as never)
    await nodes.remove('a', 'f')
    await nodes.pass(1_000)
    t.same(nodes.node('a').status().tombstonesWaitFor, ['c'], 'before the first round')
    t.same(nodes.node('b').status().tombstonesWaitFor, ['c'])
    await nodes.pass(10 * COLLECT_MS)
    t.same(nodes.node('a').status().tombstonesWaitFor, ['c'])
    t.equal(nodes.versions('a', 'f'), 0)
    nodes.silent.clear()
    nodes.viewsChanged()
    await nodes.pass(4 * COLLECT_MS)
    for (const id of ['a', 'b', 'c']) t.equal(nodes.versions(id, 'f'), undefined, id)
    t.same(nodes.node('a').status().tombstonesWaitFor, [])
  },
)

t.test('a retired holder is not waited for', async t => {
  const nodes = await removed(['a', 'b', 'c'])
  t.teardown(() => nodes.close())
  nodes.silent.add('c' as never)
  await nodes.remove('a', 'f')
  nodes.gone.add('c' as never)
  nodes.replicas = ['a', 'b'] as never
  nodes.viewsChanged()
  await nodes.pass(4 * COLLECT_MS)
  for (const id of ['a', 'b']) t.equal(nodes.versions(id, 'f'), undefined, id)
})

t.test('a former replica that kept the file is asked too', async t => {
  const nodes = await removed(['a', 'b', 'c', 'd'])
  t.teardown(() => nodes.close())
  nodes.silent.add('c' as never)
  nodes.replicas = ['a', 'b', 'd'] as never
  nodes.viewsChanged()
  await nodes.remove('a', 'f')
  await nodes.pass(4 * COLLECT_MS)
  t.equal(nodes.versions('a', 'f'), 0, 'c still has the file')
  nodes.silent.clear()
  nodes.viewsChanged()
  await nodes.pass(6 * COLLECT_MS)
  for (const id of ['a', 'b', 'c', 'd']) t.equal(nodes.versions(id, 'f'), undefined, id)
})

t.test('a disk that is full makes a round wait, and the node goes on', async t => {
  const nodes = await removed(['a', 'b', 'c'])
  t.teardown(() => nodes.close())
  await nodes.remove('a', 'f')
  await nodes.pass(1_000)
  nodes.full.add('a' as never)
  await nodes.pass(4 * COLLECT_MS)
  t.equal(nodes.versions('a', 'f'), 0)
  nodes.full.clear()
  await nodes.pass(4 * COLLECT_MS)
  for (const id of ['a', 'b', 'c']) t.equal(nodes.versions(id, 'f'), undefined, id)
})

t.test('a holder that is gone is waited for as long as what it has sent may still come in', async t => {
  const nodes = await removed(['a', 'b', 'c'])
  t.teardown(() => nodes.close())
  nodes.silent.add('c' as never)
  await nodes.remove('a', 'f')
  nodes.gone.add('c' as never)
  nodes.replicas = ['a', 'b'] as never
  nodes.viewsChanged()
  // Nothing is owed to it any more after that.
  await nodes.pass(6_000)
  await nodes.done(nodes.node('a').collecting.collect())
  await nodes.pass(GONE_MS - 1_000)
  await nodes.done(nodes.node('a').collecting.collect())
  t.equal(nodes.versions('a', 'f'), 0)
  await nodes.pass(2_000)
  await nodes.done(nodes.node('a').collecting.collect())
  for (const id of ['a', 'b']) t.equal(nodes.versions(id, 'f'), undefined, id)
})

t.test('a tombstone that its head has forgotten goes where a late question has brought it back', async t => {
  const nodes = await removed(['a', 'b', 'c'])
  t.teardown(() => nodes.close())
  await nodes.remove('a', 'f')
  await nodes.pass(1_000)
  const record = nodes.node('a').replica.fetch('f' as never)
  await nodes.pass(3 * COLLECT_MS)
  t.equal(nodes.versions('b', 'f'), undefined)
  await nodes.done(nodes.node('b').answer('confirm', { records: [record as never] }))
  t.equal(nodes.versions('b', 'f'), 0)
  await nodes.pass(8 * COLLECT_MS)
  for (const id of ['a', 'b', 'c']) t.equal(nodes.versions(id, 'f'), undefined, id)
})

t.test('who has asked a replica for a file, to keep it, is waited for', async t => {
  const nodes = new LinkedNodes(['a', 'b', 'c'], ['a', 'b', 'c'])
  t.teardown(() => nodes.close())
  // They have not heard yet that c is a replica, too.
  for (const id of ['a', 'b']) nodes.beliefs.set(id as never, ['a', 'b'] as never)
  await nodes.put('a', 'f')
  nodes.viewsChanged()
  await nodes.pass(1_000)
  t.equal(nodes.versions('c', 'f'), 1, 'it has compared its range with a replica')
  nodes.silent.add('c' as never)
  await nodes.remove('a', 'f')
  await nodes.pass(4 * COLLECT_MS)
  t.equal(nodes.versions('a', 'f'), 0, 'c still has the file')
  nodes.silent.clear()
  nodes.beliefs.clear()
  nodes.viewsChanged()
  await nodes.pass(6 * COLLECT_MS)
  for (const id of ['a', 'b', 'c']) t.equal(nodes.versions(id, 'f'), undefined, id)
})
