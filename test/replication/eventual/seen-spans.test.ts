import t from 'tap'
import { COLLECT_MS } from '../../../src/replication/eventual/collecting.ts'
import {
  type Actor,
  type Dot,
  type Seen,
  seenOf,
  seenWithout,
  spansIn,
} from '../../../src/replication/eventual/dot.ts'
import { stateOf } from '../../../src/replication/eventual/eventual-record.ts'
import { LinkedNodes } from './linked-nodes.ts'

const KEPT = 3
const REPLICAS = ['a', 'b', 'c']

/** Each write is by another start of its node: so each adds to what was seen. */
async function written(nodes: LinkedNodes, times: number, by = 'a', path = 'f'): Promise<void> {
  for (let time = 0; time < times; time++) {
    await nodes.put(by, path, `put ${by} ${time} ${nodes.clock.monotonicMs()}`)
    await nodes.pass(1_000)
    nodes.start(by)
    nodes.viewsChanged()
    await nodes.pass(1_000)
  }
}

function linked(ids: readonly string[]): LinkedNodes {
  const nodes = new LinkedNodes([], REPLICAS)
  nodes.spansKept = KEPT
  for (const id of ids) nodes.start(id)
  return nodes
}

function spansAt(nodes: LinkedNodes, id: string): number {
  return spansIn(nodes.node(id).replica.fetch('f' as never)?.seen ?? [])
}

t.test(
  'what was seen of a file and does not stand any more goes when all who held the path have seen it',
  async t => {
    const nodes = linked(REPLICAS)
    t.teardown(() => nodes.close())
    await written(nodes, KEPT)
    t.equal(spansAt(nodes, 'b'), KEPT, 'as much as is kept')
    await nodes.pass(3 * COLLECT_MS)
    t.equal(spansAt(nodes, 'b'), KEPT)
    await written(nodes, 40)
    await nodes.pass(3 * COLLECT_MS)
    for (const id of REPLICAS) {
      t.equal(spansAt(nodes, id), 1, id)
      t.equal(nodes.versions(id, 'f'), 1, `the file stands at ${id}`)
    }
    const states = REPLICAS.map(id => stateOf(nodes.node(id).replica.fetch('f' as never) as never))
    t.same(states, [states[0], states[0], states[0]])
  },
)

t.test('it waits for a holder that is away, and what that holds of old does not come back', async t => {
  const nodes = linked([...REPLICAS, 'x'])
  t.teardown(() => nodes.close())
  await nodes.put('x', 'f', 'a hint')
  nodes.silent.add('x' as never)
  await nodes.pass(1_000)
  await written(nodes, KEPT + 2)
  await nodes.pass(4 * COLLECT_MS)
  t.ok(spansAt(nodes, 'b') > KEPT, 'the one that is away may have something that does not stand any more')
  nodes.silent.clear()
  nodes.viewsChanged()
  await nodes.pass(6 * COLLECT_MS)
  for (const id of REPLICAS) {
    t.equal(spansAt(nodes, id), 1, id)
    t.equal(nodes.versions(id, 'f'), 1, id)
  }
  t.equal(nodes.versions('x', 'f'), undefined, 'the other holder keeps nothing')
})

t.test('versions that stand beside each other stay, and so does what a holder keeps meanwhile', async t => {
  const nodes = linked([...REPLICAS, 'x'])
  t.teardown(() => nodes.close())
  await nodes.put('x', 'f', 'a hint')
  await nodes.pass(1_000)
  await written(nodes, KEPT + 1)
  for (const id of ['b', 'c']) nodes.silent.add(id as never)
  await nodes.put('a', 'f', 'of a')
  nodes.silent.clear()
  nodes.silent.add('a' as never)
  await nodes.put('b', 'f', 'of b')
  nodes.silent.clear()
  await nodes.pass(6 * COLLECT_MS)
  for (const id of REPLICAS) {
    t.equal(nodes.versions(id, 'f'), 2, id)
    t.equal(spansAt(nodes, id), 2, id)
  }
})

t.test('dots are taken out of what was seen', t => {
  const [x, y] = ['x', 'y'] as Actor[] as [Actor, Actor]
  const dot = (actor: Actor, n: number): Dot => ({ actor, n })
  const seen: Seen = [
    [x, [[1, 5]]],
    [
      y,
      [
        [2, 2],
        [4, 6],
      ],
    ],
  ]
  const left = seenWithout(seen, [dot(x, 3), dot(y, 2), dot(y, 4), dot(x, 9)])
  t.same(left, [
    [
      x,
      [
        [1, 2],
        [4, 5],
      ],
    ],
    [y, [[5, 6]]],
  ])
  t.same(seenWithout(seen, [dot(y, 2)])[1], [y, [[4, 6]]])
  t.same(seenWithout([[x, [[1, 1]]]], [dot(x, 1)]), [])
  t.same(seenOf([dot(y, 2), dot(x, 1), dot(x, 2)]), [
    [x, [[1, 2]]],
    [y, [[2, 2]]],
  ])
  t.equal(spansIn(left), 3)
  t.end()
})
