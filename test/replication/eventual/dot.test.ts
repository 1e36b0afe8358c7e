import t from 'tap'
import {
  type Actor,
  actorOf,
  covers,
  hasSeenAll,
  joinSeen,
  Minting,
  NOTHING_SEEN,
} from '../../../src/replication/eventual/dot.ts'
import type { NodeId } from '../../../src/ring/identifier.ts'

const A = 'a/1' as Actor
const B = 'b/1' as Actor

t.test('spans of an actor are joined where they touch', async t => {
  t.same(joinSeen([[A, [[1, 2]]]], [[A, [[3, 5]]]]), [[A, [[1, 5]]]])
  t.same(
    joinSeen(
      [
        [
          A,
          [
            [1, 2],
            [7, 9],
          ],
        ],
      ],
      [[A, [[4, 8]]]],
    ),
    [
      [
        A,
        [
          [1, 2],
          [4, 9],
        ],
      ],
    ],
  )
  t.same(joinSeen([[B, [[1, 1]]]], [[A, [[1, 1]]]]), [
    [A, [[1, 1]]],
    [B, [[1, 1]]],
  ])
})

t.test('what was seen is what lies within a span', async t => {
  const seen = joinSeen([[A, [[2, 4]]]], [[A, [[8, 8]]]])
  t.equal(covers(seen, { actor: A, n: 4 }), true)
  t.equal(covers(seen, { actor: A, n: 5 }), false)
  t.equal(covers(seen, { actor: B, n: 4 }), false)
  t.equal(hasSeenAll(seen, [[A, [[3, 4]]]]), true)
  t.equal(hasSeenAll(seen, [[A, [[4, 5]]]]), false)
})

t.test('a record that is kept without a break has one span of its node', async t => {
  const minting = new Minting({ actor: A })
  const first = minting.mint(NOTHING_SEEN, 0)
  minting.mint(NOTHING_SEEN, 1)
  const third = minting.mint(first.seen, 0)
  t.same(third.seen, [[A, [[1, 3]]]])
})

t.test('what a node gave away and forgot is not taken for seen', async t => {
  const minting = new Minting({ actor: A })
  const given = minting.mint(NOTHING_SEEN, 0)
  const forgotten = minting.mint(NOTHING_SEEN, minting.last)
  // The record comes back from one who has not met the second write.
  const back = minting.mint(given.seen, minting.last)
  t.equal(covers(back.seen, given.dot), true)
  t.equal(covers(back.seen, forgotten.dot), false)
})

t.test('another start of a node names its writes otherwise', async t => {
  const before = new Minting({ actor: A }).mint(NOTHING_SEEN, 0)
  const after = new Minting({ actor: 'a/2' as Actor }).mint(NOTHING_SEEN, 0)
  t.equal(covers(before.seen, after.dot), false)
})

t.test('two starts of a disk never name two writes alike, also where it was put back in between', t => {
  const [one, other] = ['a', 'b'].map(nonce =>
    actorOf('node' as NodeId, { counter: 1_000_000, nonce: nonce.repeat(16) }),
  )
  t.not(one, other)
  t.end()
})
