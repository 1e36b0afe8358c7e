import t from 'tap'
import { chainOf } from '../../../src/replication/chain/chain-of-view.ts'
import {
  backOffMs,
  dropRecord,
  newTag,
  putRecord,
  sealMark,
} from '../../../src/replication/chain/machine-state.ts'
import type { Identifier } from '../../../src/ring/identifier.ts'
import type { BlobId } from '../../../src/storage/record.ts'
import { Bench, large, path } from './bench.ts'

t.test('tags differ between the starts of a node', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  const before = newTag(bench.machine('n1'))
  bench.restart('n1')
  t.not(newTag(bench.machine('n1')), before)
})

t.test('every change of stable state is a write', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w', 'a', 'none', large('b'))
  const machine = bench.machine('n1')
  const record = machine.records.get(path('a'))
  if (record === undefined) throw new TypeError('It was just put.')
  machine.persist = []
  const gone = { body: undefined, meta: undefined, written: undefined }
  putRecord(machine, { ...record, version: { epoch: 1, seq: 9 }, ...gone })
  t.same(
    machine.persist.map(({ kind }) => kind),
    ['record', 'blob'],
    'the body is marked as replaced, and kept',
  )
  t.ok(machine.blobs.has('b' as BlobId))
  machine.persist = []
  putRecord(machine, record)
  t.equal(machine.blobs.get('b' as BlobId)?.replacedBy, undefined, 'put back, it is needed again')
  dropRecord(machine, record)
  t.notOk(machine.blobs.has('b' as BlobId))
})

t.test('after a restart only the floor is known to be acknowledged', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.put('n1', 'w', 'a')
  t.equal(chainOf(bench.machine('n1'), bench.state('n1')).cleanSeq, 1)
  bench.restart('n2')
  t.equal(chainOf(bench.machine('n2'), bench.state('n2')).cleanSeq, 0)
})

t.test('waits double up to sixteen times the first', async t => {
  const machine = new Bench({ nodes: ['n1'] }).machine('n1')
  t.same(
    [0, 1, 4, 50].map(tries => backOffMs(machine, tries)),
    [10, 20, 160, 160],
  )
})

t.test('what is sealed stays sealed on the disk, whatever is heard of an older view later', async t => {
  const machine = new Bench({ nodes: ['n1', 'n2', 'n3'] }).machine('n1')
  const arc = { lo: '0'.repeat(40) as Identifier, hi: '8'.padEnd(40, '0') as Identifier }
  machine.persist = []
  sealMark(machine, { ...arc, epoch: 4 })
  sealMark(machine, { ...arc, epoch: 2 })
  sealMark(machine, { lo: arc.hi, hi: arc.lo, epoch: 1 })
  t.same(
    machine.markList.map(({ epoch }) => epoch),
    [4, 1],
  )
  const written = machine.persist.at(-1)
  t.same(written?.kind === 'marks' && written.marks, machine.markList, 'as a restart will find it')
  sealMark(machine, { ...arc, epoch: 5 })
  t.same(machine.markList.map(({ epoch }) => epoch).sort(), [1, 5])
})
