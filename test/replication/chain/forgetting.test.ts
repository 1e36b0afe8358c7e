import fc from 'fast-check'
import t from 'tap'
import { absentRecord } from '../../../src/replication/chain/chain-record.ts'
import { forget, gapsBetween } from '../../../src/replication/chain/forgetting.ts'
import type { Write } from '../../../src/replication/chain/machine-state.ts'
import { arcContains, WHOLE_RING } from '../../../src/ring/arc.ts'
import { type Identifier, identifierOfPath } from '../../../src/ring/identifier.ts'
import { asSource, type View } from '../../../src/views/view.ts'
import { anyIdentifier } from '../../ring/any.ts'
import { Bench, path, wholeView } from './bench.ts'

const FILES = 1_500

/** More records in one turn would hold up everything else; a part that is looked over as one may go over the limit. */
const DROPPED_MAX = 512

const V1 = wholeView(['n1'])
const CHILD: View = { ...wholeView(['n2'], ['n1'], 'v2', 2), sources: [asSource(V1)] }
const HALF = { lo: '0'.repeat(40) as Identifier, hi: '8'.padEnd(40, '0') as Identifier }

/** n1 holds the ring and is told that n2 has taken it over; turns are let go off by `turn`. */
function giveUp(view = V1, child = CHILD) {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'], view, settings: { replicas: 1 } })
  for (let name = 0; name < FILES; name++) {
    const at = path(`p${name}`)
    const record = absentRecord(at, identifierOfPath(at), { epoch: 1, seq: 1 })
    bench.machine('n1').records.put(record)
    bench.disks.get('n1')?.records.set(at, { kind: 'record', path: at, record })
  }
  const kept = () => [...bench.machine('n1').records.within(WHOLE_RING)]
  const left = () => kept().length
  const turn = () => {
    const before = left()
    bench.fire('forget', 'n1')
    return before - left()
  }
  const tell = () => {
    const before = left()
    // Its time as a spare is over.
    bench.deliver('n2', 'n1', { kind: 'teach', views: [child] })
    bench.fire('spare', 'n1')
    bench.deliver('n2', 'n1', { kind: 'complete', view: child })
    return before - left()
  }
  return { bench, kept, left, turn, tell }
}

t.test('a range that others have taken over is dropped some records at a time', async t => {
  const { left, turn, tell } = giveUp()
  const dropped = [tell()]
  while (left() > 0 && dropped.length < FILES) dropped.push(turn())
  t.equal(left(), 0)
  t.ok(Math.max(...dropped) <= DROPPED_MAX, `${dropped} records in each turn`)
  t.equal(turn(), 0, 'and nothing is left to do')
})

t.test('a start goes on where the last one ended', async t => {
  const { bench, left, turn, tell } = giveUp()
  tell()
  t.ok(left() > 0)
  bench.restart('n1')
  for (let turns = 0; left() > 0 && turns < FILES; turns++) turn()
  t.equal(left(), 0)
  t.same(
    [...(bench.disks.get('n1')?.records.values() ?? [])].filter(
      (write: Write & { kind: 'record' }) => write.record,
    ),
    [],
    'on the disk, too',
  )
})

t.test('a start drops nothing of a view that is held', async t => {
  const { bench, left, turn } = giveUp()
  bench.restart('n1')
  turn()
  t.equal(left(), FILES)
})

t.test('of an arc that is let go of, what lies in a view of this node is kept', async t => {
  // Its ends lie within what is looked over as one.
  const own: View = {
    ...wholeView(['n1']),
    lo: '48'.padEnd(40, '0') as Identifier,
    hi: '9'.padEnd(40, '1') as Identifier,
  }
  const { bench, kept, left, turn } = giveUp(own)
  const wanted = kept().filter(({ position }) => arcContains(own, position)).length
  bench.restart('n1')
  for (let turns = 0; left() > wanted && turns < FILES; turns++) if (turn() === 0) break
  t.ok(wanted > 0)
  t.equal(left(), wanted)
  forget(bench.machine('n1'), WHOLE_RING)
  for (let turns = 0; turns < FILES; turns++) if (turn() === 0) break
  t.equal(left(), wanted)
  t.ok(kept().every(({ position }) => arcContains(own, position)))
})

t.test('what a view of this node has is kept', async t => {
  const half: View = { ...CHILD, ...HALF }
  const other: View = { ...CHILD, id: 'v3' as never, lo: HALF.hi, hi: HALF.lo, replicas: V1.replicas }
  const { bench, kept, left, turn, tell } = giveUp(V1, half)
  bench.deliver('n2', 'n1', { kind: 'teach', views: [other] })
  bench.deliver('n2', 'n1', { kind: 'complete', view: other })
  tell()
  for (let turns = 0; turns < FILES; turns++) if (turn() === 0) break
  t.ok(left() > 0 && left() < FILES, `${left()} are left`)
  t.ok(kept().every(({ position }) => arcContains(other, position)))
})

t.test('what is copied again meanwhile is kept', async t => {
  const { bench, kept, left, turn, tell } = giveUp()
  tell()
  const before = left()
  const wanted: View = { ...CHILD, ...HALF, id: 'v4' as never, epoch: 3 }
  bench.lose = ({ message }) => message.kind === 'compare'
  bench.deliver('n2', 'n1', { kind: 'pre-copy', view: wanted })
  for (let turns = 0; turns < FILES; turns++) if (turn() === 0) break
  t.ok(left() > 0 && left() < before)
  t.ok(kept().every(({ position }) => arcContains(wanted, position)))
})

t.test('law: what arcs leave of the ring is in a gap, and nothing else is', async () => {
  const anyArc = fc.record({ lo: anyIdentifier, hi: anyIdentifier })
  fc.assert(
    fc.property(fc.array(anyArc, { maxLength: 6 }), anyIdentifier, (arcs, position) => {
      const covered = arcs.filter(arc => arcContains(arc, position)).length
      const gaps = gapsBetween(arcs).filter(arc => arcContains(arc, position)).length
      return gaps === (covered === 0 ? 1 : 0)
    }),
    { numRuns: 2_000 },
  )
})
