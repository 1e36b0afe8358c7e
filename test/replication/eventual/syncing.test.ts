import t from 'tap'
import { LinkedNodes } from './linked-nodes.ts'

t.test('two that come to keep the same range merge what each of them has', async t => {
  const nodes = new LinkedNodes(['a', 'b'], ['a'])
  t.teardown(() => nodes.close())
  for (let index = 0; index < 100; index++) await nodes.put('a', `of-a/${index}`)
  nodes.replicas = ['b'] as never
  for (let index = 0; index < 40; index++) await nodes.put('b', `of-b/${index}`)
  await nodes.put('b', 'of-a/0', 'the same path')
  nodes.replicas = ['a', 'b'] as never
  nodes.viewsChanged()
  await nodes.pass(5_000)
  for (const id of ['a', 'b']) {
    t.equal(nodes.node(id).status().records, 140, id)
    t.equal(nodes.versions(id, 'of-a/0'), 2, 'both writes stand')
    t.equal(nodes.node(id).status().comparing, 0)
  }
})

t.test('a former replica hands over what it has, and forgets it then', async t => {
  const nodes = new LinkedNodes(['a', 'b', 'c'], ['a'])
  t.teardown(() => nodes.close())
  await nodes.put('a', 'f')
  nodes.viewsChanged()
  await nodes.pass(1_000)
  nodes.replicas = ['b', 'c'] as never
  nodes.silent.add('c' as never)
  nodes.viewsChanged()
  await nodes.pass(10_000)
  t.equal(nodes.versions('b', 'f'), 1)
  t.equal(nodes.versions('a', 'f'), 1, 'not all who are responsible have it')
  nodes.silent.clear()
  await nodes.pass(10_000)
  t.equal(nodes.versions('c', 'f'), 1)
  t.equal(nodes.versions('a', 'f'), undefined)
})

t.test('a full disk puts handing over off, and the node goes on', async t => {
  const nodes = new LinkedNodes(['a', 'b', 'c'], ['a'])
  t.teardown(() => nodes.close())
  await nodes.put('a', 'f')
  nodes.viewsChanged()
  await nodes.pass(1_000)
  nodes.full.add('a' as never)
  nodes.replicas = ['b', 'c'] as never
  nodes.viewsChanged()
  await nodes.pass(10_000)
  nodes.full.clear()
  await nodes.pass(60_000)
  for (const id of ['b', 'c']) t.equal(nodes.versions(id, 'f'), 1, id)
  t.equal(nodes.versions('a', 'f'), undefined)
})

t.test('a node that was alone compares again when the others are back', async t => {
  const nodes = new LinkedNodes(['a', 'b'], ['a', 'b'])
  t.teardown(() => nodes.close())
  nodes.silent.add('b' as never)
  await nodes.put('a', 'f')
  nodes.viewsChanged()
  await nodes.pass(1_000)
  nodes.silent.clear()
  await nodes.done(nodes.node('b').heal())
  t.equal(nodes.versions('b', 'f'), 1)
})

t.test('what is new goes on to those of whom its sender does not know that they keep the path', async t => {
  const nodes = new LinkedNodes(['a', 'b', 'c'], ['b', 'c'])
  t.teardown(() => nodes.close())
  nodes.viewsChanged()
  await nodes.pass(1_000)
  nodes.beliefs.set('a' as never, ['a', 'b'] as never)
  await nodes.put('a', 'f')
  await nodes.pass(2_000)
  for (const id of ['a', 'b', 'c']) t.equal(nodes.versions(id, 'f'), 1, id)
})

t.test('a node that was silent when ranges were compared is compared with when it is back', async t => {
  const nodes = new LinkedNodes(['a', 'b'], ['a'])
  t.teardown(() => nodes.close())
  await nodes.put('a', 'f')
  await nodes.pass(1_000)
  nodes.silent.add('b' as never)
  nodes.replicas = ['a', 'b'] as never
  nodes.viewsChanged()
  await nodes.pass(5_000)
  nodes.silent.clear()
  await nodes.pass(60_000)
  t.equal(nodes.versions('b', 'f'), 1)
})

t.test(
  'who has only heard that others keep its range finds that out, and hands over what it has',
  async t => {
    const nodes = new LinkedNodes(['a', 'b', 'x'], ['a', 'b', 'x'])
    t.teardown(() => nodes.close())
    nodes.viewsChanged()
    await nodes.pass(1_000)
    await nodes.put('x', 'f')
    await nodes.pass(1_000)
    nodes.replicas = ['a', 'b'] as never
    await nodes.pass(40_000)
    t.equal(nodes.versions('x', 'f'), undefined)
  },
)

t.test('a tombstone of a range of which nothing is known here goes as well', async t => {
  const nodes = new LinkedNodes(['a', 'b', 'x'], ['a', 'b', 'x'])
  t.teardown(() => nodes.close())
  await nodes.put('a', 'f')
  await nodes.pass(1_000)
  await nodes.remove('a', 'f')
  await nodes.pass(1_000)
  nodes.replicas = ['a', 'b'] as never
  nodes.silent.add('x' as never)
  await nodes.put('a', 'f', 'again')
  await nodes.pass(1_000)
  t.equal(nodes.versions('x', 'f'), 0)
  nodes.silent.clear()
  nodes.beliefs.set('x' as never, [])
  nodes.start('x')
  await nodes.done(nodes.node('x').heal())
  await nodes.pass(1_000)
  t.equal(nodes.versions('x', 'f'), undefined)
  t.equal(nodes.versions('a', 'f'), 1)
})
