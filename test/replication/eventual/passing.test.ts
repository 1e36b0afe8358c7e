import t from 'tap'
import { LinkedNodes } from './linked-nodes.ts'

t.test('what one node has accepted is passed on to the others', async t => {
  const nodes = new LinkedNodes(['a', 'b', 'c'], ['a', 'b', 'c'])
  t.teardown(() => nodes.close())
  await nodes.put('b', 'f')
  await nodes.pass(1_000)
  for (const id of ['a', 'b', 'c']) t.equal(nodes.versions(id, 'f'), 1, id)
  t.match(nodes.node('b').status(), { owed: 0, owedTo: {}, passed: 2 })
})

t.test('who does not answer is owed it until it is back, across a restart of who owes it', async t => {
  const nodes = new LinkedNodes(['a', 'b'], ['a', 'b'])
  t.teardown(() => nodes.close())
  nodes.silent.add('b' as never)
  await nodes.put('a', 'f')
  await nodes.pass(60_000)
  t.match(nodes.node('a').status(), { owed: 1, owedTo: { b: 1 } })
  nodes.start('a')
  await nodes.pass(60_000)
  t.match(nodes.node('a').status(), { owed: 1, owedTo: { b: 1 } }, 'a dead node is owed it all the same')
  nodes.silent.clear()
  await nodes.pass(6_000)
  t.equal(nodes.versions('b', 'f'), 1)
  t.equal(nodes.node('a').status().owed, 0)
})

t.test('a node that was retired is owed nothing', async t => {
  const nodes = new LinkedNodes(['a', 'b'], ['a', 'b'])
  t.teardown(() => nodes.close())
  nodes.silent.add('b' as never)
  await nodes.put('a', 'f')
  nodes.gone.add('b' as never)
  await nodes.pass(10_000)
  t.equal(nodes.node('a').status().owed, 0)
  t.equal(nodes.versions('b', 'f'), undefined)
})

t.test('a hint goes when all replicas have it, and stays while there are too few of them', async t => {
  const nodes = new LinkedNodes(['a', 'b', 'x'], ['a', 'b'])
  t.teardown(() => nodes.close())
  await nodes.put('x', 'f')
  t.equal(nodes.node('x').status().hinted, 1)
  await nodes.pass(2_000)
  for (const id of ['a', 'b']) t.equal(nodes.versions(id, 'f'), 1, id)
  t.equal(nodes.versions('x', 'f'), undefined, 'others keep it')
  nodes.replicas = ['a'] as never
  await nodes.put('x', 'g')
  await nodes.pass(2_000)
  t.equal(nodes.versions('a', 'g'), 1)
  t.equal(nodes.versions('x', 'g'), 1, 'one copy is too few')
})

t.test('a disk that is full takes it later', async t => {
  const nodes = new LinkedNodes(['a', 'b'], ['a', 'b'])
  t.teardown(() => nodes.close())
  nodes.full.add('b' as never)
  await nodes.put('a', 'f')
  await nodes.pass(20_000)
  t.equal(nodes.node('a').status().owed, 1)
  nodes.full.clear()
  await nodes.pass(6_000)
  t.equal(nodes.versions('b', 'f'), 1)
})
