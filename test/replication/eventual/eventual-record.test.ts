import fc from 'fast-check'
import t from 'tap'
import { covers } from '../../../src/replication/eventual/dot.ts'
import {
  type EventualRecord,
  etagOfSibling,
  isTombstone,
  merge,
  OUTCOMES_MAX,
  type RequestOutcome,
  SIBLINGS_MAX,
  shownFile,
  stateOf,
} from '../../../src/replication/eventual/eventual-record.ts'
import { etagOf } from '../../../src/storage/record.ts'
import { nothing, Writer } from './records.ts'

t.test('a write takes the place of what its node has seen', async t => {
  const a = new Writer('a/1')
  const b = new Writer('b/1')
  const first = a.put(10)
  b.record = merge(b.record, a.record)
  const second = b.put(20)
  t.same(merge(a.record, b.record).siblings, [second])
  t.equal(covers(b.record.seen, first.dot), true)
})

t.test('concurrent writes stand beside each other, the newest is shown', async t => {
  const a = new Writer('a/1')
  const b = new Writer('b/1')
  const older = a.put(10)
  const newer = b.put(20)
  const merged = merge(a.record, b.record)
  t.same(merged.siblings, [newer, older])
  const shown = shownFile(merged)
  t.equal(shown && etagOf(shown), etagOfSibling(newer))
})

t.test('a clock that is ahead does not hide what has seen it', async t => {
  const ahead = new Writer('a/1')
  const b = new Writer('b/1')
  ahead.put(1_000_000)
  b.record = merge(b.record, ahead.record)
  const later = b.put(20)
  t.same(merge(ahead.record, b.record).siblings, [later])
})

t.test('who names what it has seen settles that, and nothing else', async t => {
  const [a, b, c] = [new Writer('a/1'), new Writer('b/1'), new Writer('c/1')]
  const one = a.put(10)
  const two = b.put(20)
  const three = c.put(30)
  a.record = [b, c].reduce((record, other) => merge(record, other.record), a.record)
  const settled = a.put(40, { replaced: [one, two] })
  t.same(a.record.siblings, [settled, three])
  t.same(merge(b.record, a.record).siblings, [settled, three])
})

t.test('a removal takes away what it has seen; what it has not seen stays', async t => {
  const a = new Writer('a/1')
  const b = new Writer('b/1')
  a.put(10)
  b.record = merge(b.record, a.record)
  a.remove(15)
  t.equal(isTombstone(merge(b.record, a.record)), true)
  const unseen = b.put(12)
  t.same(merge(a.record, b.record).siblings, [unseen])
})

t.test('a node that gave its record away and takes a write hides nothing of what it gave', async t => {
  const [hint, replica] = [new Writer('h/1'), new Writer('r/1')]
  const given = hint.put(10)
  replica.record = merge(replica.record, hint.record)
  hint.drop()
  const later = hint.put(20)
  t.same(merge(replica.record, hint.record).siblings, [later, given])
})

t.test('of one request that two nodes have accepted one version stands', async t => {
  const a = new Writer('a/1')
  const b = new Writer('b/1')
  const first = a.put(10, { request: 'r' })
  b.put(20, { request: 'r' })
  t.same(merge(a.record, b.record).siblings, [first])
  t.same(merge(b.record, a.record).siblings, [first])
})

t.test('of more than eight siblings the oldest goes, and does not come back', async t => {
  const writers = Array.from({ length: SIBLINGS_MAX + 1 }, (_, index) => new Writer(`${index}/1`))
  const written = writers.map((writer, index) => writer.put(1_000 * index))
  const merged = writers.reduce((record, writer) => merge(record, writer.record), nothing())
  t.equal(merged.siblings.length, SIBLINGS_MAX)
  t.notOk(merged.siblings.includes(written[0] as never))
  t.same(merge(merged, (writers[0] as Writer).record).siblings, merged.siblings)
})

t.test('what two nodes leave out is the same, whatever became of the stamps', async t => {
  const [a, b] = [new Writer('a/1'), new Writer('b/1')]
  const first = a.put(10, { request: 'r' })
  const second = b.put(20, { request: 'r' })
  const bounded = (record: EventualRecord, stamp: number) => ({
    ...record,
    siblings: record.siblings.map(one => ({ ...one, stamp })),
  })
  const here = merge(bounded(a.record, 90), b.record)
  const there = merge(a.record, bounded(b.record, 5))
  t.same(merge(here, there).siblings.length, 1, `${first.dot.actor} or ${second.dot.actor}`)
})

t.test('of one version the lesser stamp counts, whoever is asked', async t => {
  const a = new Writer('a/1')
  a.put(1_000)
  const bounded = { ...a.record, siblings: a.record.siblings.map(one => ({ ...one, stamp: 500 })) }
  t.equal(merge(a.record, bounded).siblings[0]?.stamp, 500)
  t.equal(merge(bounded, a.record).siblings[0]?.stamp, 500)
})

t.test('outcomes of requests are bounded', async t => {
  const a = new Writer('a/1')
  for (let stamp = 0; stamp < OUTCOMES_MAX + 3; stamp++) a.put(stamp)
  t.equal(a.record.outcomes.length, OUTCOMES_MAX)
  t.equal(a.record.outcomes[0]?.stamp, OUTCOMES_MAX + 2, 'the latest first')
})

/** Numbers in no visible order, the same each time. */
function* drawn(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    yield state
  }
}

t.test('merging is commutative, associative and idempotent', async t => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = drawn(seed)
    const next = (below: number) => random.next().value % below
    const writers = [new Writer('a/1'), new Writer('b/1'), new Writer('c/1')]
    const any = () => writers[next(3)] as Writer
    const pending: EventualRecord[] = []
    for (let move = 0; move < 25; move++) {
      const writer = any()
      const what = next(10)
      if (what < 4) writer.put(next(100))
      else if (what < 5) writer.remove(next(100))
      else if (what < 6) {
        pending.push(writer.record)
        writer.drop()
      } else {
        const heard = what < 8 ? any().record : pending[next(Math.max(1, pending.length))]
        if (heard === undefined) continue
        if (writer.record.seen.length === 0) writer.since = writer.minting.last
        writer.record = merge(writer.record, heard)
      }
    }
    const [a, b, c] = writers.map(({ record }) => record) as [EventualRecord, EventualRecord, EventualRecord]
    const same = (x: EventualRecord, y: EventualRecord) => t.same(stateOf(x), stateOf(y), `seed ${seed}`)
    same(merge(a, b), merge(b, a))
    same(merge(merge(a, b), c), merge(a, merge(b, c)))
    same(merge(a, a), a)
    same(merge(merge(a, b), b), merge(a, b))
  }
})

t.test(
  'law: of more outcomes than may be remembered all leave out the same, whatever came first',
  async t => {
    const outcome = fc.record({
      request: fc.nat(25).map(String),
      stamp: fc.nat(40),
      replaced: fc.constant(true),
    })
    const records = fc.array(fc.array(outcome, { maxLength: 20 }), { minLength: 2, maxLength: 4 })
    fc.assert(
      fc.property(records, (lists: readonly (readonly RequestOutcome[])[]) => {
        const all = lists.map(outcomes => merge(nothing(), { ...nothing(), outcomes }))
        const joined = (some: readonly EventualRecord[]) => some.reduce((a, b) => merge(a, b)).outcomes
        t.same(joined(all), joined([...all].reverse()))
        t.same(joined([joinedRecord(all), all[0] as EventualRecord]), joined(all))
      }),
      { numRuns: 200 },
    )
  },
)

function joinedRecord(some: readonly EventualRecord[]): EventualRecord {
  return some.reduce((a, b) => merge(a, b))
}
