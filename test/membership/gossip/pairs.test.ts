import fc from 'fast-check'
import t from 'tap'
import {
  PAIR_KEY_BYTES_MAX,
  PAIR_VALUE_BYTES_MAX,
  PAIR_VERSION_MAX,
  PAIRS_TOLD_MAX,
  type Pair,
} from '../../../src/calls/gossip-message.ts'
import { errorCode } from '../../../src/errors.ts'
import { PAIRS_MAX, Pairs } from '../../../src/membership/gossip/pairs.ts'
import type { NodeId } from '../../../src/ring/identifier.ts'

const a = 'a' as NodeId
const b = 'b' as NodeId
const MINUTE = 60_000

t.test('a pair counts until its time is over', async t => {
  const pairs = new Pairs({ self: a })
  pairs.set('color', 'blue', MINUTE, 0)
  t.match(pairs.get('color', MINUTE - 1), { value: 'blue', owner: a, leftMs: 1 })
  t.equal(pairs.get('color', MINUTE), undefined)
  t.same(pairs.all(MINUTE), [])
  t.same(pairs.tell(MINUTE, 5), [], 'and is told no more')
})

t.test('what is too large, too many or too old is refused by name', async t => {
  const pairs = new Pairs({ self: a })
  const refused = (set: () => unknown) => {
    try {
      set()
    } catch (error) {
      return [errorCode(error), (error as Error).message]
    }
    return []
  }
  const key = 'k'.repeat(PAIR_KEY_BYTES_MAX)
  const value = 'v'.repeat(PAIR_VALUE_BYTES_MAX)
  pairs.set(key, value, 86_400_000, 0)
  t.match(
    refused(() => pairs.set(`${key}k`, value, MINUTE, 0)),
    ['INVALID_REQUEST', /64 bytes/],
  )
  t.match(
    refused(() => pairs.set('ä'.repeat(33), value, MINUTE, 0)),
    ['INVALID_REQUEST', /64 bytes/],
  )
  t.match(
    refused(() => pairs.set('', value, MINUTE, 0)),
    ['INVALID_REQUEST', /not empty/],
  )
  t.match(
    refused(() => pairs.set('\ud800', value, MINUTE, 0)),
    ['INVALID_REQUEST', /text/],
  )
  t.match(
    refused(() => pairs.set(key, `${value}v`, MINUTE, 0)),
    ['FILE_TOO_LARGE', /512 bytes/],
  )
  for (const ttlMs of [999, 0, -1, 86_400_001, 1e12, Number.NaN, Number.POSITIVE_INFINITY])
    t.match(
      refused(() => pairs.set(key, value, ttlMs, 0)),
      ['INVALID_REQUEST', /1 to 86400 seconds/],
    )
  for (let i = 1; i < PAIRS_MAX; i++) pairs.set(`key ${i}`, 'x', MINUTE, 0)
  t.match(
    refused(() => pairs.set('one more', 'x', MINUTE, 0)),
    ['OVERLOADED', /256 pairs/],
  )
  pairs.set('key 1', 'y', MINUTE, 0)
  t.equal(pairs.get('key 1', 0)?.value, 'y', 'one that is there takes no further room')
  pairs.hear({ key: 'of others', value: 'x', version: 1, owner: b, leftMs: MINUTE }, 0, 0)
  t.equal(pairs.get('of others', 0), undefined)
  t.equal(pairs.turnedAway, 1)
  pairs.set('one more', 'x', MINUTE, MINUTE)
  t.equal(pairs.get('one more', MINUTE)?.value, 'x', 'when others have gone there is room')
})

t.test('a later version replaces an earlier one, wherever it was set', async t => {
  const here = new Pairs({ self: a })
  const there = new Pairs({ self: b })
  const first = here.set('color', 'blue', MINUTE, 0)
  there.hear(first, 0, 0)
  const second = there.set('color', 'red', 2 * MINUTE, 0)
  here.hear(second, 0, 0)
  there.hear(first, 0, 0)
  t.equal(here.get('color', 0)?.value, 'red')
  t.equal(there.get('color', 0)?.value, 'red')
})

t.test('time under way counts, and no pair comes back once it has gone', async t => {
  const pairs = new Pairs({ self: a })
  const pair: Pair = { key: 'color', value: 'blue', version: 1, owner: b, leftMs: 1_000 }
  pairs.hear(pair, 0, 300)
  t.equal(pairs.get('color', 0)?.leftMs, 700)
  pairs.hear({ ...pair, leftMs: 50_000 }, 0, 0)
  t.equal(pairs.get('color', 0)?.leftMs, 700, 'nobody makes it longer')
  pairs.hear({ ...pair, leftMs: 600 }, 0, 0)
  t.equal(pairs.get('color', 0)?.leftMs, 600)
  pairs.expire(600)
  pairs.hear(pair, 600, 0)
  t.equal(pairs.get('color', 600), undefined)
  pairs.hear({ ...pair, key: 'late' }, 600, 1_000)
  t.equal(pairs.get('late', 600), undefined)
})

t.test('a pair of another node counts no longer than any may', async t => {
  const pairs = new Pairs({ self: a })
  pairs.hear({ key: 'k', value: 'v', version: 1, owner: b, leftMs: 1e12 }, 0, 0)
  t.equal(pairs.get('k', 0)?.leftMs, 86_400_000)
})

t.test('the latest is told first, so many in one message, and all in turn', async t => {
  const pairs = new Pairs({ self: a })
  for (let i = 0; i < 50; i++) pairs.set(`key ${i}`, 'x', MINUTE, 0)
  t.equal(pairs.tell(0, 1)[0]?.key, 'key 49')
  const told = new Set<string>()
  for (let round = 0; round < 50; round++) {
    const some = pairs.tell(0, 1)
    t.ok(some.length <= PAIRS_TOLD_MAX)
    for (const { key } of some) told.add(key)
  }
  t.equal(told.size, 50)
})

t.test('what has gone for long is forgotten, and does not fill the memory before', async t => {
  const pairs = new Pairs({ self: a })
  for (let round = 0; round < 10; round++)
    for (let i = 0; i < PAIRS_MAX; i++) pairs.set(`${round} ${i}`, 'x', 1_000, round * 1_000)
  t.equal(pairs.size(9_000), PAIRS_MAX)
  pairs.expire(10_000 + MINUTE)
  t.same(pairs.tell(0, 1), [], 'nothing is left of them')
})

t.test(
  'a version that nobody counts up to is not taken: what is set afterwards reaches the others',
  async t => {
    const pairs = new Pairs({ self: a })
    pairs.hear({ key: 'x', value: 'for ever', version: PAIR_VERSION_MAX, owner: b, leftMs: MINUTE }, 0, 0)
    t.equal(pairs.get('x', 0), undefined)
    t.equal(pairs.turnedAway, 1)
    t.equal(pairs.set('x', 'mine', MINUTE, 0).version, 1)
  },
)

t.test('law: whatever the order, all who hear the same pairs keep the same', async () => {
  const pair = fc.record({
    key: fc.constantFrom('x', 'y'),
    value: fc.string({ maxLength: 3 }),
    version: fc.nat(3),
    owner: fc.constantFrom(a, b),
    leftMs: fc.constant(1_000),
  })
  fc.assert(
    fc.property(fc.uniqueArray(pair, { selector: p => `${p.key} ${p.version} ${p.owner}` }), heard => {
      const kept = (some: readonly Pair[]) => {
        const pairs = new Pairs({ self: a })
        for (const one of some) pairs.hear(one, 0, 0)
        return JSON.stringify(pairs.all(0))
      }
      return kept(heard) === kept([...heard].reverse())
    }),
  )
})
