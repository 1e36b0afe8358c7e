import t from 'tap'
import type { PathName } from '../../../src/ring/path-name.ts'
import { LinkedNodes } from './linked-nodes.ts'

const F = 'f' as PathName

/** `a` and `b` have the file; `c` is no replica. */
async function written(): Promise<LinkedNodes> {
  const nodes = new LinkedNodes(['a', 'b', 'c'], ['a', 'b'])
  nodes.viewsChanged()
  await nodes.put('a', F)
  await nodes.pass(1_000)
  return nodes
}

t.test('who is no replica judges by what the replicas have', async t => {
  const nodes = await written()
  t.teardown(() => nodes.close())
  t.match(await nodes.change('c', { path: F, condition: 'absent' }), {
    kind: 'refused',
    because: 'condition',
  })
  t.match(await nodes.change('c', { path: F, condition: 'exists' }), { kind: 'done', replaced: true })
  await nodes.pass(1_000)
  for (const id of ['a', 'b']) t.equal(nodes.versions(id, F), 0, `it is removed at ${id}`)
})

t.test('who is no replica asks those who seem dead, too, before a file is said to be missing', async t => {
  const nodes = await written()
  t.teardown(() => nodes.close())
  nodes.silent.add('a' as never)
  nodes.silent.add('b' as never)
  const unknown = await nodes.change('c', { path: F, condition: 'exists' })
  t.same(unknown, { kind: 'unknown' }, 'nobody can say')
  nodes.seemDead.add('a' as never)
  nodes.silent.clear()
  t.match(await nodes.change('c', { path: F, condition: 'exists' }), { kind: 'done', replaced: true })
})

t.test('a write at a new replica takes the place of what the others have', async t => {
  const nodes = await written()
  t.teardown(() => nodes.close())
  nodes.replicas = ['c', 'a', 'b'] as never
  nodes.viewsChanged()
  // Before it has compared anything.
  await nodes.put('c', F, 'later')
  await nodes.pass(2_000)
  for (const id of ['a', 'b', 'c']) t.equal(nodes.versions(id, F), 1, id)
})

t.test(
  'a former replica says that others keep the path, and takes it when it is asked to keep it for them',
  async t => {
    const nodes = await written()
    t.teardown(() => nodes.close())
    t.same(await nodes.change('c', { path: F, asReplica: true }), { kind: 'elsewhere' })
    t.match(await nodes.node('c').answer('fetch', { path: F, asReplica: true }), { elsewhere: true })
    t.match(await nodes.change('c', { path: F }), { kind: 'done' })
  },
)
