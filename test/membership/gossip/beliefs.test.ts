import fc from 'fast-check'
import t from 'tap'
import { type Beat, NEWS_TOLD_MAX, OBSERVERS_MAX } from '../../../src/calls/gossip-message.ts'
import { Beliefs, compareBeats, SEQ_MAX, suspicionMs } from '../../../src/membership/gossip/beliefs.ts'
import type { NodeId } from '../../../src/ring/identifier.ts'

const FAIL_MS = 10_000
const [a, b, c, d, e] = ['a', 'b', 'c', 'd', 'e'] as NodeId[] as [NodeId, NodeId, NodeId, NodeId, NodeId]

/** Beliefs of the node `a`, which watches the others from the time 0 on and has heard each of them then. */
function watching(others: readonly NodeId[], zoneOf: (node: NodeId) => string | undefined = () => undefined) {
  const beliefs = new Beliefs({ self: a, boot: 1, zoneOf })
  beliefs.watch(others, () => true, { nodes: others.length + 1, nowMs: 0 })
  for (const node of others) beliefs.hear({ node, boot: 1, seq: 1 }, 0)
  return beliefs
}

function keepAlive(beliefs: Beliefs, nodes: readonly NodeId[], nowMs: number) {
  for (const node of nodes) beliefs.hear({ node, boot: 1, seq: nowMs }, nowMs)
}

t.test(
  'a heartbeat that does not grow for T_fail makes a suspect, which is tried before it is told',
  async t => {
    const beliefs = watching([b, c])
    keepAlive(beliefs, [c], 9_000)
    t.same(beliefs.look(FAIL_MS - 1, FAIL_MS), [])
    t.equal(beliefs.of(b)?.belief, 'alive')
    t.same(beliefs.look(FAIL_MS, FAIL_MS), [b])
    t.match(beliefs.takeChanges(), [
      { node: b, belief: 'suspect', sinceMs: FAIL_MS, reason: /10\.0 s/, by: [] },
    ])
    t.same(beliefs.tell(true, 3).doubts, [], 'whoever has not tried yet says nothing')
    beliefs.notReached(b)
    t.same(beliefs.tell(true, 3).doubts, [{ node: b, boot: 1, seq: 1, by: [a] }])
    t.same(beliefs.takeChanges(), [], 'a change is told once')
  },
)

t.test(
  'a node whose machine refuses connections is doubted at once, and fails when T_fail is over',
  async t => {
    const beliefs = watching([b, c, d, e])
    const others = [c, d, e]
    keepAlive(beliefs, others, 1_000)
    beliefs.refused(b, 1_000)
    t.match(beliefs.takeChanges(), [{ node: b, belief: 'suspect', reason: 'it refuses connections' }])
    t.same(beliefs.look(1_500, FAIL_MS), [b], 'it is tried, also through others')
    beliefs.notReached(b)
    beliefs.doubted({ node: b, boot: 1, seq: 1, by: others }, 2_000)
    keepAlive(beliefs, others, 9_000)
    t.same(beliefs.look(FAIL_MS - 1, FAIL_MS), [])
    t.equal(beliefs.of(b)?.belief, 'suspect', 'it may be starting again')
    // This node is not well itself, and does not wait longer for what its machine and the others have said.
    beliefs.look(FAIL_MS, 2 * FAIL_MS, FAIL_MS)
    t.equal(beliefs.of(b)?.belief, 'failed')
  },
)

t.test('a node that refused connections and is back is in no doubt', async t => {
  const beliefs = watching([b, c])
  beliefs.refused(b, 1_000)
  beliefs.look(1_500, FAIL_MS)
  beliefs.notReached(b)
  beliefs.hear({ node: b, boot: 2, seq: 1 }, 3_000)
  t.match(beliefs.of(b), { belief: 'alive', by: [] })
  t.same(beliefs.look(3_500, FAIL_MS), [])
  beliefs.refused('unknown' as NodeId, 4_000)
  t.equal(beliefs.all().length, 2)
})

t.test('one observer is not enough where there are more, and two are after a while', async t => {
  const beliefs = watching([b, c, d])
  keepAlive(beliefs, [c, d], 9_000)
  beliefs.look(FAIL_MS, FAIL_MS)
  beliefs.notReached(b)
  keepAlive(beliefs, [c, d], 19_000)
  beliefs.look(2 * FAIL_MS, FAIL_MS)
  t.equal(beliefs.of(b)?.belief, 'suspect')
  beliefs.doubted({ node: b, boot: 1, seq: 1, by: [c] }, 20_000)
  beliefs.look(20_000, FAIL_MS)
  t.match(beliefs.of(b), { belief: 'failed', reason: /2 do not reach it/, by: [a, c] })
  t.ok(beliefs.isFailed(b))
})

t.test('the more observers, the sooner a suspect fails', async t => {
  t.equal(suspicionMs(1, FAIL_MS), 7_500)
  t.equal(suspicionMs(2, FAIL_MS), 5_000)
  t.equal(suspicionMs(4, FAIL_MS), 2_500)
  t.equal(suspicionMs(8, FAIL_MS), 2_500, 'and not at once')
})

t.test('of two nodes the one that is left is observer enough', async t => {
  const beliefs = watching([b])
  beliefs.look(FAIL_MS, FAIL_MS)
  beliefs.notReached(b)
  beliefs.look(17_499, FAIL_MS)
  t.equal(beliefs.of(b)?.belief, 'suspect')
  beliefs.look(17_500, FAIL_MS)
  t.equal(beliefs.of(b)?.belief, 'failed', 'before 2 x T_fail')
})

t.test('those of one zone are one observer where there are two zones', async t => {
  const zones = new Map<NodeId, string>([
    [a, 'x'],
    [b, 'x'],
    [c, 'y'],
    [d, 'y'],
    [e, 'x'],
  ])
  const beliefs = watching([b, c, d, e], node => zones.get(node))
  keepAlive(beliefs, [b, d, e], 9_000)
  beliefs.look(FAIL_MS, FAIL_MS)
  beliefs.notReached(c)
  beliefs.doubted({ node: c, boot: 1, seq: 1, by: [b, e] }, FAIL_MS)
  keepAlive(beliefs, [b, d, e], 19_000)
  beliefs.look(2 * FAIL_MS, FAIL_MS)
  t.equal(beliefs.of(c)?.belief, 'suspect', 'three behind one switch')
  beliefs.doubted({ node: c, boot: 1, seq: 1, by: [d] }, 20_000)
  beliefs.look(2 * FAIL_MS, FAIL_MS)
  t.equal(beliefs.of(c)?.belief, 'failed')
})

t.test('a higher heartbeat refutes doubt and failure, a later start too, and that is news', async t => {
  const later: [Beat, RegExp][] = [
    [{ node: b, boot: 1, seq: 2 }, /grew/],
    [{ node: b, boot: 2, seq: 0 }, /started again/],
  ]
  for (const [beat, reason] of later) {
    const beliefs = watching([b])
    beliefs.look(FAIL_MS, FAIL_MS)
    beliefs.notReached(b)
    beliefs.look(2 * FAIL_MS, FAIL_MS)
    t.equal(beliefs.of(b)?.belief, 'failed')
    beliefs.takeChanges()
    t.ok(beliefs.hear(beat, 21_000))
    t.match(beliefs.takeChanges(), [{ node: b, belief: 'alive', sinceMs: 21_000, reason, by: [] }])
    t.same(beliefs.tell(false, 3), { beats: [beliefs.ownBeat, beat], doubts: [] })
  }
})

t.test('counters that go back say nothing, and neither do doubts of what is over', async t => {
  const beliefs = watching([b, c])
  beliefs.hear({ node: b, boot: 2, seq: 7 }, 1_000)
  for (const old of [
    { boot: 2, seq: 7 },
    { boot: 2, seq: 6 },
    { boot: 1, seq: 1_000_000 },
  ]) {
    t.notOk(beliefs.hear({ node: b, ...old }, 5_000))
    if (old.seq === 7) continue
    beliefs.doubted({ node: b, ...old, by: [c] }, 5_000)
    t.equal(beliefs.of(b)?.belief, 'alive')
  }
  t.same(
    beliefs.tell(false, 9).beats,
    [beliefs.ownBeat, { node: b, boot: 2, seq: 7 }],
    'who doubts is told better',
  )
  beliefs.look(11_000, FAIL_MS)
  t.equal(beliefs.of(b)?.sinceMs, 11_000, 'its silence counts from the last that was higher')
})

t.test('a node in doubt raises its heartbeat above that, and leaves alone what is over', async t => {
  const beliefs = new Beliefs({ self: a, boot: 3, zoneOf: () => undefined })
  beliefs.beat()
  t.equal(beliefs.doubted({ node: a, boot: 3, seq: 1, by: [b] }, 0), 'refute')
  t.same(beliefs.ownBeat, { node: a, boot: 3, seq: 2 })
  t.equal(beliefs.doubted({ node: a, boot: 3, seq: 1, by: [b] }, 0), undefined)
  t.equal(beliefs.doubted({ node: a, boot: 2, seq: 9, by: [b] }, 0), undefined)
  t.equal(
    beliefs.doubted({ node: a, boot: 4, seq: 9, by: [b] }, 0),
    undefined,
    'nobody else starts this disk',
  )
  t.equal(beliefs.doubted({ node: a, boot: 3, seq: SEQ_MAX, by: [b] }, 0), 'refute')
  t.same(beliefs.ownBeat, { node: a, boot: 3, seq: SEQ_MAX + 1 })
})

t.test('who has not run has heard nobody, and suspects nobody for that', async t => {
  const beliefs = watching([b, c])
  beliefs.stoodStill(30_000)
  t.same(beliefs.look(30_000 + FAIL_MS - 1, FAIL_MS), [])
  t.same(beliefs.look(30_000 + FAIL_MS, FAIL_MS), [b, c])
})

t.test(
  'a node that is not watched: others say that it is in doubt, and it is tried before it fails',
  async t => {
    const beliefs = watching([b, c])
    beliefs.doubted({ node: d, boot: 1, seq: 5, by: [b] }, 1_000)
    t.match(beliefs.of(d), { belief: 'suspect', by: [b] })
    t.same(beliefs.look(8_499, FAIL_MS), [])
    keepAlive(beliefs, [b, c], 8_500)
    t.same(beliefs.look(8_500, FAIL_MS), [d], 'nobody has confirmed or refuted it')
    beliefs.notReached(d)
    beliefs.look(8_501, FAIL_MS)
    t.equal(beliefs.of(d)?.belief, 'failed')
    beliefs.watch([b, c], node => node !== d, { nodes: 3, nowMs: 9_000 })
    t.equal(beliefs.of(d), undefined, 'it is no member any more')
  },
)

t.test('one that comes to be watched is not silent for the time before', async t => {
  const beliefs = watching([b])
  beliefs.doubted({ node: c, boot: 1, seq: 1, by: [b] }, 0)
  beliefs.hear({ node: c, boot: 1, seq: 2 }, 1_000)
  beliefs.watch([b, c], () => true, { nodes: 3, nowMs: 50_000 })
  beliefs.hear({ node: b, boot: 1, seq: 2 }, 50_000)
  t.same(beliefs.look(59_999, FAIL_MS), [])
  t.same(beliefs.look(60_000, FAIL_MS), [b, c])
})

t.test('a doubt names so many observers at the most', async t => {
  const beliefs = watching([b])
  const many = Array.from({ length: 50 }, (_, i) => `observer ${i}` as NodeId)
  beliefs.doubted({ node: c, boot: 1, seq: 1, by: many }, 0)
  t.equal(beliefs.of(c)?.by.length, OBSERVERS_MAX)
})

t.test('law: heartbeats of a node are in one order, whatever the order in which they come', async () => {
  const beat = fc.record({ node: fc.constant(b), boot: fc.nat(3), seq: fc.nat(5) })
  fc.assert(
    fc.property(fc.array(beat, { minLength: 1 }), fc.infiniteStream(fc.nat()), (beats, order) => {
      const shuffled = [...beats].sort(() => (order.next().value % 2) - 0.5)
      const latestOf = (heard: readonly Beat[]) => {
        const beliefs = new Beliefs({ self: a, boot: 1, zoneOf: () => undefined })
        beliefs.watch([b], () => true, { nodes: 2, nowMs: 0 })
        for (const one of heard) beliefs.hear(one, 0)
        return beliefs.tell(true, 1).beats.find(({ node }) => node === b) as Beat
      }
      const latest = [...beats].sort(compareBeats).at(-1) as Beat
      return [beats, shuffled].every(heard => compareBeats(latestOf(heard), latest) === 0)
    }),
  )
})

t.test('law: a message has a length of its own, however many nodes there are and are in doubt', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3_000 }), doubted => {
      const beliefs = watching(Array.from({ length: 32 }, (_, i) => `w${i}` as NodeId))
      for (let i = 0; i < doubted; i++)
        beliefs.doubted({ node: `x${i}` as NodeId, boot: 1, seq: 1, by: [b] }, 0)
      const { beats, doubts } = beliefs.tell(true, 9)
      return beats.length <= 33 + NEWS_TOLD_MAX && doubts.length <= NEWS_TOLD_MAX + 4
    }),
    { numRuns: 20 },
  )
})
