import t from 'tap'
import { etagOfRecord } from '../../../src/replication/chain/chain-record.ts'
import type { ETag } from '../../../src/storage/record.ts'
import { Bench, path } from './bench.ts'

const move = (from: string, to: string) =>
  ({ kind: 'move', condition: 'absent', from: path(from), to: path(to) }) as const
const copy = (from: string, to: string) => ({ kind: 'copy', from: path(from), to: path(to) }) as const

t.test('a copy is a read and a create-only write', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  t.match(bench.ask('n2', 'c0', copy('a', 'b')), { kind: 'failed', reason: 'no-source' })
  bench.put('n1', 'w', 'a')
  t.match(bench.ask('n2', 'c1', copy('a', 'b')), { kind: 'done' })
  t.equal(bench.get('n3', 'r', 'b'), 'w')
  t.match(bench.ask('n2', 'c2', copy('a', 'b')), { kind: 'failed', reason: 'condition' })
})

t.test('a move leaves the file at the other path', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w', 'a')
  t.match(bench.ask('n2', 'm', move('a', 'b')), { kind: 'done' })
  t.same([bench.get('n3', 'r1', 'a'), bench.get('n3', 'r2', 'b')], ['absent', 'w'])
  t.match(bench.ask('n2', 'm2', move('a', 'b')), { kind: 'failed', reason: 'no-source' })
  bench.put('n1', 'w2', 'a')
  t.match(bench.ask('n2', 'm3', move('a', 'b')), { kind: 'failed', reason: 'condition' })
})

t.test('a move replaces what stands at the destination only when it is asked to', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w1', 'a')
  bench.put('n1', 'w2', 'b')
  t.match(bench.ask('n2', 'm1', { ...move('a', 'b'), condition: 'absent' }), {
    kind: 'failed',
    reason: 'condition',
  })
  t.match(bench.ask('n2', 'm2', { ...move('a', 'b'), condition: 'none' }), { kind: 'done' })
  t.same([bench.get('n3', 'r1', 'a'), bench.get('n3', 'r2', 'b')], ['absent', 'w1'])
})

t.test('a removal may name the version that it removes', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w1', 'a')
  const remove = { kind: 'remove', path: path('a') } as const
  const other = { etags: ['"9.9-00000000"' as ETag] }
  t.match(bench.ask('n2', 'd1', { ...remove, condition: other }), { kind: 'failed', reason: 'condition' })
  const record = bench.machine('n1').records.get(path('a'))
  const etag = record && etagOfRecord(record)
  t.match(bench.ask('n2', 'd2', { ...remove, condition: { etags: [etag as ETag] } }), { kind: 'done' })
  t.match(
    bench.ask('n2', 'd3', { ...remove, condition: 'none' }),
    { kind: 'failed' },
    'nothing is left to remove',
  )
})

/** A move of n2 that stops after its intent, because n2 is cut off. */
function halfMove(): Bench {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w', 'a')
  bench.lose = ({ from, message }) => {
    return from === 'n2' && message.kind === 'write' && message.request.operation.kind === 'put'
  }
  bench.ask('n2', 'm', move('a', 'b'))
  t.ok(bench.machine('n1').records.get(path('a'))?.intent)
  return bench
}

t.test('whoever reads a record with an intent settles the move first', async t => {
  const bench = halfMove()
  t.equal(bench.get('n3', 'r1', 'a'), 'absent')
  t.equal(bench.get('n3', 'r2', 'b'), 'w')
  bench.lose = () => false
  bench.fire('task')
  t.match(bench.answers.get('m'), { kind: 'done' }, 'and the mover learns of it')
})

t.test('whoever writes to one does, too', async t => {
  const bench = halfMove()
  t.match(bench.put('n3', 'w2', 'a', 'absent'), { kind: 'done' })
  t.same([bench.get('n3', 'r1', 'a'), bench.get('n3', 'r2', 'b')], ['w2', 'w'])
})

t.test('a move whose destination was taken meanwhile is abandoned, and nothing is lost', async t => {
  const bench = halfMove()
  bench.put('n1', 'other', 'b')
  t.equal(bench.get('n3', 'r1', 'a'), 'w')
  t.equal(bench.machine('n1').records.get(path('a'))?.intent, undefined)
  bench.lose = () => false
  bench.fire('task')
  t.match(bench.answers.get('m'), { kind: 'failed', reason: 'conflict' })
  t.equal(bench.get('n3', 'r2', 'b'), 'other')
})

t.test('a move whose copy was overwritten before the source was removed has happened', async t => {
  for (const key of [undefined, { key: 'k', fingerprint: 'f', expiresAtMs: Number.MAX_SAFE_INTEGER }]) {
    const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
    bench.put('n1', 'w', 'a')
    bench.lose = ({ from, message }) =>
      from === 'n2' && message.kind === 'write' && message.request.operation.kind === 'remove'
    bench.ask('n2', 'm', { ...move('a', 'b'), ...(key && { key }) })
    // More writes than a record's history names, so that only the key remembers the copy.
    for (let write = 0; write < (key === undefined ? 1 : 40); write++) bench.put('n1', `other${write}`, 'b')
    t.equal(bench.get('n3', 'r1', 'a'), 'absent', 'the source is gone')
    bench.lose = () => false
    bench.fire('task')
    t.match(bench.answers.get('m'), { kind: 'done' })
    t.match(bench.get('n3', 'r2', 'b'), /other/)
  }
})

t.test('two moves that cross leave both files', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w', 'a')
  bench.event('n2', { kind: 'request', id: 'm1', request: move('a', 'b') })
  bench.event('n3', { kind: 'request', id: 'm2', request: move('a', 'c') })
  bench.run()
  for (const kind of ['retry', 'task'] as const) bench.fire(kind)
  const found = ['a', 'b', 'c'].map((at, index) => bench.get('n1', `r${index}`, at))
  t.ok(found.includes('w'), found.join())
  t.ok(bench.answers.has('m1') && bench.answers.has('m2'))
})
