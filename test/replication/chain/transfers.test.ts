import fc from 'fast-check'
import t from 'tap'
import { absentRecord } from '../../../src/replication/chain/chain-record.ts'
import type { Envelope } from '../../../src/replication/chain/messages.ts'
import { arcContains, overlaps } from '../../../src/ring/arc.ts'
import { type Identifier, identifierOfPath } from '../../../src/ring/identifier.ts'
import { asSource, freshState, type NodeId, type View } from '../../../src/views/view.ts'
import { Bench, path, wholeView } from './bench.ts'

const V1 = wholeView(['n1'])
const CHILD: View = { ...wholeView(['n2'], ['n1'], 'v2', 2), sources: [asSource(V1)] }

function recordOf(name: number, seq: number) {
  const at = path(`p${name}`)
  return absentRecord(at, identifierOfPath(at), { epoch: 1, seq })
}

/** n1 holds the view; n2 has old bytes, and becomes the child. */
function move(source: [number, number][], old: [number, number][]): Bench {
  const bench = new Bench({ nodes: ['n1', 'n2'], view: V1 })
  for (const [name, seq] of source) bench.machine('n1').records.put(recordOf(name, seq))
  for (const [name, seq] of old) bench.machine('n2').records.put(recordOf(name, seq))
  bench.lose = ({ message }) => message.kind === 'complete'
  bench.deliver('n1', 'n2', { kind: 'teach', views: [CHILD] })
  return bench
}

const listed = (bench: Bench, name: string) =>
  [...bench.machine(name).records.within(V1)].map(({ path, version }) => `${path}@${version.seq}`).sort()

const records = fc.uniqueArray(fc.tuple(fc.nat(60), fc.nat(5)), { selector: ([name]) => name, maxLength: 60 })

t.test('to install is to replace: what is newer here is put back, what the source lacks goes', async () => {
  fc.assert(
    fc.property(records, records, (source, old) => {
      const bench = move(source, old)
      return listed(bench, 'n1').join() === listed(bench, 'n2').join() && bench.state('n2', 'v2').active
    }),
    { numRuns: 60 },
  )
})

t.test('only what differs is moved', async t => {
  const all = Array.from({ length: 3_000 }, (_, name): [number, number] => [name, 1])
  let moved = 0
  const bench = new Bench({ nodes: ['n1', 'n2'], view: V1 })
  for (const [name, seq] of all) {
    bench.machine('n1').records.put(recordOf(name, name === 77 ? 2 : seq))
    if (name !== 5) bench.machine('n2').records.put(recordOf(name, seq))
  }
  bench.machine('n2').records.put(recordOf(9_999, 1))
  bench.lose = ({ message }) => {
    if (message.kind === 'difference') moved += message.records.length
    return message.kind === 'complete'
  }
  bench.deliver('n1', 'n2', { kind: 'teach', views: [CHILD] })
  t.same(listed(bench, 'n2'), listed(bench, 'n1'))
  t.equal(moved, 2)
})

t.test('an answer is bounded in bytes, and the rest comes with the next ones', async t => {
  const settings = { listedMax: 0, differenceBytesMax: 10_000 }
  const bench = new Bench({ nodes: ['n1', 'n2'], view: V1, settings })
  for (let name = 0; name < 1_500; name++) bench.machine('n1').records.put(recordOf(name, 1))
  let most = 0
  bench.lose = ({ message }) => {
    if (message.kind === 'difference') most = Math.max(most, message.records.length)
    return message.kind === 'complete'
  }
  bench.deliver('n1', 'n2', { kind: 'teach', views: [CHILD] })
  t.same(listed(bench, 'n2'), listed(bench, 'n1'))
  t.ok(most > 0 && most <= 10_000 / 500 + 2, `${most} records in one message`)
})

t.test('a repeated answer does not pass for the answer to a later question', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2'], view: V1, settings: { listedMax: 0 } })
  for (let name = 0; name < 1_500; name++) bench.machine('n1').records.put(recordOf(name, 1))
  bench.lose = envelope => {
    const { message } = envelope
    if (message.kind === 'difference' && message.descend.length === 0 && !repeated.has(envelope)) {
      const again = { ...envelope }
      repeated.add(again)
      bench.wire.push(again)
    }
    return message.kind === 'complete'
  }
  const repeated = new Set<unknown>()
  bench.deliver('n1', 'n2', { kind: 'teach', views: [CHILD] })
  t.same(listed(bench, 'n2'), listed(bench, 'n1'))
})

t.test('the answer to a copy ahead that comes when the range is installed changes nothing', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2'], view: V1 })
  bench.machine('n1').records.put(recordOf(1, 1))
  const answers: Envelope[] = []
  bench.lose = envelope => envelope.message.kind === 'difference' && answers.push(envelope) > 0
  bench.deliver('n1', 'n2', { kind: 'pre-copy', view: V1 })
  bench.lose = ({ message }) => message.kind === 'complete'
  bench.machine('n1').records.put(recordOf(1, 2))
  bench.deliver('n1', 'n2', { kind: 'teach', views: [CHILD] })
  t.ok(bench.state('n2', 'v2').active)
  t.equal(answers.length, 1)
  bench.wire.push(...answers)
  bench.run()
  t.same(listed(bench, 'n2'), ['p1@2'])
})

t.test('ranges overlap when they share a position', async t => {
  const arc = (lo: string, hi: string) => ({ lo: lo.padEnd(40, '0'), hi: hi.padEnd(40, '0') }) as never
  t.ok(overlaps(arc('2', '4'), arc('3', '5')))
  t.ok(overlaps(arc('2', '8'), arc('3', '4')))
  t.notOk(overlaps(arc('2', '4'), arc('4', '6')))
  t.ok(overlaps(arc('e', '2'), arc('1', '3')))
  t.ok(overlaps(arc('1', '1'), arc('4', '6')))
})

/** n1 holds the ring in eighths, and some records. */
function eighths() {
  const cuts = [...'02468ace'].map(digit => digit.padEnd(40, '0') as Identifier)
  const views = cuts.map((lo, index): View => {
    const hi = cuts[(index + 1) % cuts.length] as Identifier
    return { ...wholeView(['n1'], ['n1'], `q${index}`), lo, hi }
  })
  const bench = new Bench({ nodes: ['n1', 'n2'], view: V1 })
  for (let name = 0; name < 400; name++) bench.machine('n1').records.put(recordOf(name, 1))
  bench.machine('n1').views.clear()
  for (const view of views) {
    const state = { ...freshState(view), installed: true, active: true, complete: true }
    bench.machine('n1').views.set(view.id, state)
  }
  const preCopy = () => {
    for (const view of views) {
      const { boot } = bench.machine('n1')
      const nodes = { from: 'n1' as NodeId, to: 'n2' as NodeId }
      bench.wire.push({ ...nodes, boot, message: { kind: 'pre-copy', view } })
    }
    bench.run()
  }
  return { bench, views, preCopy }
}

t.test('of many ranges that a node copies ahead, four are copied at a time, and all in the end', async t => {
  const { bench, preCopy } = eighths()
  let most = 0
  bench.lose = ({ message }) => {
    const running = [...bench.machine('n2').transfers.values()].filter(({ steps }) => steps > 0)
    most = Math.max(most, running.length)
    return message.kind === 'pre-copied'
  }
  preCopy()
  t.equal(most, 4)
  t.same(listed(bench, 'n2'), listed(bench, 'n1'))
  t.equal(bench.machine('n2').transfers.size, 0)
})

t.test('a copy whose source is silent makes room for the next one', async t => {
  const { bench, views, preCopy } = eighths()
  const silent = views.slice(0, 4)
  bench.lose = ({ message }) =>
    message.kind === 'pre-copied' ||
    (message.kind === 'compare' && silent.some(({ id }) => id === message.view.id))
  preCopy()
  t.same(listed(bench, 'n2'), [], 'four wait for an answer, and the others for them')
  bench.fire('transfer')
  const others = [...bench.machine('n1').records.within(V1)].filter(
    ({ position }) => !silent.some(view => arcContains(view, position)),
  )
  t.same(listed(bench, 'n2'), others.map(({ path }) => `${path}@1`).sort())
})
