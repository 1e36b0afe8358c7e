import t from 'tap'
import { type ChainRecord, compareVersions } from '../../../src/replication/chain/chain-record.ts'
import { TRASH_PER_PATH_MAX } from '../../../src/replication/chain/trash.ts'
import { WHOLE_RING } from '../../../src/ring/arc.ts'
import { trashedAt, trashPathOf } from '../../../src/ring/trash-path.ts'
import type { BlobId } from '../../../src/storage/record.ts'
import { type TrashName, trashFactsOf } from '../../../src/storage/trash-name.ts'
import { Bench, inline, large, path, wholeView } from './bench.ts'

const NODES = ['n1', 'n2', 'n3']
const settings = { trashMs: 10_000 }

/** What is in the trash of a path at a node: the bodies, the oldest first. */
function trashAt(bench: Bench, name: string, at: string): string[] {
  const { records } = bench.machine(name)
  return (records.get(path(at))?.trash ?? []).map(
    one => records.get(trashPathOf(path(at), one))?.body?.sha256 ?? 'lost',
  )
}

function namesAt(bench: Bench, at: string): readonly TrashName[] {
  return bench.machine('n1').records.get(path(at))?.trash ?? []
}

/** Trashed versions that a node keeps and no record names. */
function strays(bench: Bench, name: string): string[] {
  const { records } = bench.machine(name)
  const isNamed = ({ path: at }: ChainRecord) => {
    const trashed = trashedAt(at)
    return trashed && records.get(trashed.path)?.trash?.includes(trashed.name as TrashName)
  }
  return [...records.within(WHOLE_RING)].filter(one => trashedAt(one.path) && !isNamed(one)).map(r => r.path)
}

function restore(bench: Bench, at: string, restores: TrashName, id = 'restored') {
  const version = bench.machine('n1').records.get(trashPathOf(path(at), restores)) as Required<ChainRecord>
  const { body, meta } = version
  if (body === undefined || meta === undefined) throw new TypeError('nothing of that name')
  const what = { body, meta, writtenAtMs: 0, restores, condition: 'none' } as const
  return bench.ask('n2', id, { kind: 'put', path: path(at), ...what })
}

t.test('what is replaced or removed is kept by every replica, in the step of the write', async t => {
  const bench = new Bench({ nodes: NODES, settings })
  bench.put('n1', 'w1', 'a')
  bench.put('n2', 'w2', 'a')
  bench.ask('n3', 'd', { kind: 'remove', condition: 'none', path: path('a') })
  for (const name of NODES) t.same(trashAt(bench, name, 'a'), ['w1', 'w2'], name)
  const [first, last] = namesAt(bench, 'a').map(trashFactsOf)
  t.match(first, { version: { seq: 1 }, by: { seq: 2 }, wasRemoved: false, atMs: bench.nowMs })
  t.match(last, { version: { seq: 2 }, by: { seq: 3 }, wasRemoved: true })
  for (const name of NODES) bench.restart(name)
  for (const name of NODES) t.same(trashAt(bench, name, 'a'), ['w1', 'w2'], `${name} after a crash`)
})

t.test('nothing goes into the trash that nobody has lost', async t => {
  const bench = new Bench({ nodes: NODES, settings })
  bench.put('n1', 'w1', 'a', 'none', inline('same'))
  bench.put('n1', 'w2', 'a', 'none', inline('same'))
  t.same(trashAt(bench, 'n1', 'a'), [], 'the same bytes again')
  bench.put('n1', 'w3', '.altered-chord/x/part')
  bench.put('n1', 'w4', '.altered-chord/x/part')
  t.same(trashAt(bench, 'n1', '.altered-chord/x/part'), [], "the store's own")
  bench.ask('n1', 'm', { kind: 'move', from: path('a'), to: path('b'), condition: 'none' })
  t.same(trashAt(bench, 'n1', 'a'), [], 'what was moved is where it went')
  bench.put('n1', 'w5', 'c')
  bench.ask('n1', 'm2', { kind: 'move', from: path('b'), to: path('c'), condition: 'none' })
  t.same(trashAt(bench, 'n3', 'c'), ['w5'], 'what a move replaces is')
  const off = new Bench({ nodes: NODES })
  off.put('n1', 'w1', 'a')
  off.put('n1', 'w2', 'a')
  t.same(trashAt(off, 'n1', 'a'), [], 'without a trash')
})

t.test('a record never stands without what its trash names, whatever is lost on the way', async t => {
  const bench = new Bench({ nodes: NODES, settings })
  bench.put('n1', 'w1', 'a')
  bench.lose = ({ to, message }) => to === 'n2' && message.kind === 'pass'
  bench.put('n1', 'w2', 'a')
  bench.lose = () => false
  // n2 has missed w2, which this write replaces: it can't make that version itself.
  bench.put('n1', 'w3', 'a')
  t.equal(bench.answers.get('w3'), undefined)
  t.equal(bench.machine('n2').records.get(path('a'))?.body?.sha256, 'w1', 'it takes nothing')
  bench.fire('resend')
  t.match(bench.answers.get('w2'), { kind: 'done' })
  t.match(bench.answers.get('w3'), { kind: 'done' })
  for (const name of NODES) t.same(trashAt(bench, name, 'a'), ['w1', 'w2'], name)
})

t.test('an overwrite looks up no more of the trash, however much the path has', async t => {
  const bench = new Bench({ nodes: NODES, settings })
  const records = NODES.map(name => bench.machine(name).records)
  let looked = 0
  for (const table of records) {
    const get = table.get.bind(table)
    table.get = (at, position) => {
      if (trashedAt(at) !== undefined) looked++
      return get(at, position)
    }
  }
  const counts: number[] = []
  for (let number = 0; number < TRASH_PER_PATH_MAX; number++) {
    looked = 0
    bench.put('n1', `w${number}`, 'a')
    counts.push(looked)
  }
  t.equal(trashAt(bench, 'n3', 'a').length, TRASH_PER_PATH_MAX - 1)
  t.equal(counts.at(-1), counts[2], `${counts}`)
})

t.test(
  'a body that was replaced before all had it is at all of them before that is acknowledged',
  async t => {
    const bench = new Bench({ nodes: NODES, settings })
    const hasFirst = () => NODES.filter(name => bench.machine(name).blobs.has('b1' as BlobId))
    bench.lose = ({ to, message }) => to === 'n2' && message.kind === 'pass'
    bench.put('n1', 'w1', 'a', 'none', large('b1'))
    for (const name of ['n2', 'n3']) bench.machine(name).blobs.delete('b1' as BlobId)
    bench.lose = () => false
    bench.put('n1', 'w2', 'a', 'none', large('b2'))
    bench.lose = ({ message }) => message.kind === 'blob'
    bench.fire('resend')
    t.same(hasFirst(), ['n1'])
    t.equal(bench.answers.get('w1'), undefined, 'only the head could restore it')
    t.equal(bench.answers.get('w2'), undefined)
    bench.lose = () => false
    for (let turn = 0; turn < 3; turn++) bench.fire('resend')
    for (const id of ['w1', 'w2']) t.match(bench.answers.get(id), { kind: 'done' })
    t.same(hasFirst(), NODES)
  },
)

t.test('large bodies stay while the trash names them, and no longer', async t => {
  const bench = new Bench({ nodes: NODES, settings })
  const has = (name: string, blob: string) => bench.machine(name).blobs.has(blob as BlobId)
  const put = (id: string) => {
    for (const name of NODES)
      bench.deliver(name, name, { kind: 'blob', blob: { blobId: id as BlobId, sha256: id } })
    return bench.put('n1', id, 'a', 'none', large(id))
  }
  put('b1')
  put('b2')
  for (const name of NODES) {
    t.ok(has(name, 'b1'), 'replaced, and named by the trash')
    bench.event(name, { kind: 'expire' })
    t.ok(has(name, 'b1'))
  }
  const [only] = namesAt(bench, 'a')
  bench.ask('n2', 'f', { kind: 'forget', path: path('a'), names: [only as TrashName] })
  t.match(bench.answers.get('f'), { kind: 'done' })
  for (const name of NODES) {
    t.notOk(has(name, 'b1'), name)
    t.ok(has(name, 'b2'))
    t.same(trashAt(bench, name, 'a'), [])
    t.same(strays(bench, name), [])
  }
  t.equal(bench.get('n3', 'r', 'a'), 'b2', 'to forget changes nothing that a file shows')
})

t.test('a head that was cut off does not say that something has left the trash', async t => {
  for (const isCutOff of [true, false]) {
    const bench = new Bench({ nodes: NODES, settings })
    bench.put('n1', 'one', 'a')
    // What n1 lacks may have come into the trash in a view that n1 has not heard of.
    if (isCutOff) bench.lose = ({ from, to }) => from !== to
    bench.ask('n1', 'f', { kind: 'forget', path: path('a'), names: ['000000r' as TrashName] })
    t.equal(bench.answers.get('f')?.kind, isCutOff ? undefined : 'done', 'only a confirmed view counts')
  }
})

t.test('to restore is to put: what stood there goes into the trash, what came back leaves it', async t => {
  const bench = new Bench({ nodes: NODES, settings })
  for (const id of ['b1', 'b2']) {
    for (const name of NODES)
      bench.deliver(name, name, { kind: 'blob', blob: { blobId: id as BlobId, sha256: id } })
    bench.put('n1', id, 'a', 'none', large(id))
  }
  const [b1] = namesAt(bench, 'a')
  t.match(restore(bench, 'a', b1 as TrashName), { kind: 'done' })
  t.equal(bench.get('n3', 'r', 'a'), 'b1')
  for (const name of NODES) {
    t.same(trashAt(bench, name, 'a'), ['b2'], name)
    t.ok(bench.machine(name).blobs.has('b1' as BlobId))
  }
})

t.test('of one path the oldest version goes when there are too many', async t => {
  const bench = new Bench({ nodes: NODES, settings })
  for (let i = 0; i <= TRASH_PER_PATH_MAX + 1; i++) bench.put('n1', `w${i}`, 'a')
  for (const name of NODES) {
    t.equal(trashAt(bench, name, 'a').length, TRASH_PER_PATH_MAX)
    t.equal(trashAt(bench, name, 'a')[0], 'w1')
    t.same(strays(bench, name), [])
  }
})

t.test('what is too young is not forgotten, whatever a wall clock says', async t => {
  const bench = new Bench({ nodes: NODES, settings })
  bench.put('n1', 'w1', 'a')
  bench.ask('n1', 'd', { kind: 'remove', condition: 'none', path: path('a') })
  const aged = (id: string) =>
    bench.ask('n3', id, { kind: 'forget', path: path('a'), names: namesAt(bench, 'a'), agedMs: 10_000 })
  bench.nowMs += 365 * 86_400_000
  t.match(aged('f1'), { kind: 'done' })
  t.same(trashAt(bench, 'n1', 'a'), ['w1'])
  // A step counts for a 25th of the time that outcomes are kept at the most.
  for (let i = 0; i < 11; i++) {
    bench.monotonicMs += 1_000
    bench.event('n1', { kind: 'expire' })
  }
  t.match(aged('f2'), { kind: 'done' })
  for (const name of NODES) t.same(trashAt(bench, name, 'a'), [], name)
  bench.event('n1', { kind: 'collect' })
  bench.run()
  for (const name of NODES) t.equal(bench.machine(name).records.get(path('a')), undefined)
})

t.test('a tombstone stays as long as its trash', async t => {
  const bench = new Bench({ nodes: NODES, settings })
  bench.put('n1', 'w1', 'a')
  bench.ask('n1', 'd', { kind: 'remove', condition: 'none', path: path('a') })
  bench.event('n1', { kind: 'collect' })
  bench.run()
  for (const name of NODES) t.same(trashAt(bench, name, 'a'), ['w1'], name)
})

t.test('a copy of a range brings the trash, and lets go of what its source has not', async t => {
  const bench = new Bench({ nodes: [...NODES, 'n4'], view: wholeView(['n1', 'n2'], NODES), settings })
  for (const name of [...NODES, 'n4']) {
    bench.event(name, { kind: 'members', members: bench.members(...NODES, 'n4') })
  }
  bench.run()
  for (const id of ['w1', 'w2', 'w3']) bench.put('n1', id, 'a')
  for (let i = 0; i < 20; i++) {
    for (const kind of ['repair', 'watch', 'transfer', 'proposal', 'resend', 'back-fill'] as const)
      bench.fire(kind)
  }
  const view = bench.viewAt('n1', 'a')
  t.equal(view?.replicas.length, 3, 'a replica has joined')
  for (const name of view?.replicas ?? []) t.same(trashAt(bench, name, 'a'), ['w1', 'w2'], name)
  bench.ask('n1', 'd', { kind: 'remove', condition: 'none', path: path('a') })
  for (const name of view?.replicas ?? []) t.same(trashAt(bench, name, 'a'), ['w1', 'w2', 'w3'], name)
})

t.test('a node of an older program carries records without their trash', async t => {
  const bench = new Bench({ nodes: NODES, settings })
  bench.put('n1', 'w1', 'a')
  bench.put('n1', 'w2', 'a')
  const record = bench.machine('n1').records.get(path('a')) as ChainRecord
  const version = { epoch: 1, seq: 7 }
  t.ok(compareVersions(version, record.version) > 0)
  // It has the new field from others in its memory, and gives it on with nothing beside it.
  const trash = [...(record.trash ?? []), `${'0'.repeat(68)}o` as TrashName]
  const pass = { kind: 'pass', viewId: bench.state('n1').view.id, cleanSeq: 2 } as const
  bench.deliver('n1', 'n2', { ...pass, record: { ...record, version, trash } })
  t.same(trashAt(bench, 'n2', 'a'), ['w1'], 'what is not to be had is not named')
  t.same(bench.machine('n2').records.get(path('a'))?.version, version)
})
