import t from 'tap'
import { etagOfRecord } from '../../../src/replication/chain/chain-record.ts'
import type { ETag } from '../../../src/storage/record.ts'
import { Bench, path } from '../chain/bench.ts'

const copy = (from: string, to: string) => ({ kind: 'copy', from: path(from), to: path(to) }) as const

t.test('a copy is a read and a create-only write', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  t.match(bench.ask('n2', 'c0', copy('a', 'b')), { kind: 'failed', reason: 'no-source' })
  bench.put('n1', 'w', 'a')
  t.match(bench.ask('n2', 'c1', copy('a', 'b')), { kind: 'done' })
  t.equal(bench.get('n3', 'r', 'b'), 'w')
  t.match(bench.ask('n2', 'c2', copy('a', 'b')), { kind: 'failed', reason: 'condition' })
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
