import t from 'tap'
import { DiskCopies, type NodeWithDisk } from '../../../src/lab/simulator/disk-copies.ts'
import { absentRecord, type ChainRecord } from '../../../src/replication/chain/chain-record.ts'
import type { Machine } from '../../../src/replication/chain/machine-parts.ts'
import type { Write } from '../../../src/replication/chain/machine-state.ts'
import { MemoryRecords } from '../../../src/replication/chain/record-table.ts'
import { identifierOfPath } from '../../../src/ring/identifier.ts'
import type { PathName } from '../../../src/ring/path-name.ts'
import type { BlobId } from '../../../src/storage/record.ts'
import { freshState, type NodeId } from '../../../src/views/view.ts'
import { large, wholeView } from '../../replication/chain/bench.ts'

const PATH = 'a' as PathName
const BLOB = 'b1' as BlobId
const version = (seq: number) => ({ epoch: 1, seq })
const record = (seq: number, body: ChainRecord['body'] = large('b1')): ChainRecord => ({
  ...absentRecord(PATH, identifierOfPath(PATH), version(seq)),
  body,
})
const put = (seq: number): Write => ({ kind: 'record', path: PATH, record: record(seq) })
const removed = (seq: number): Write => ({
  kind: 'record',
  path: PATH,
  record: absentRecord(PATH, identifierOfPath(PATH), version(seq)),
})
const dropped: Write = { kind: 'record', path: PATH, record: undefined }
const noBody: Write = { kind: 'blob', id: BLOB, blob: undefined }

/** Five nodes, of which the first four are replicas of some view, each with the file. */
function disks() {
  const names = ['n1', 'n2', 'n3', 'n4', 'n5'] as NodeId[]
  const view = wholeView(['n1', 'n2', 'n3', 'n4'])
  const nodes = names.map(id => {
    const machine = {
      records: new MemoryRecords(),
      blobs: new Map([[BLOB, undefined]]),
      views: new Map([[view.id, { ...freshState(view), installed: true }]]),
    } as unknown as Machine
    machine.records.put(record(1))
    return { id, machine, restored: false, leaves: false }
  })
  const copies = new DiskCopies<(typeof nodes)[number] & NodeWithDisk>(
    { members: () => nodes, isLeaving: ({ leaves }) => leaves },
    { copies: 3 },
  )
  for (const node of nodes) copies.started(node)
  const step = (at: number, ...writes: Write[]) => {
    const node = nodes[at] as (typeof nodes)[number]
    for (const write of writes) {
      if (write.kind === 'record' && write.record === undefined) node.machine.records.delete(write.path)
      if (write.kind === 'record' && write.record !== undefined) node.machine.records.put(write.record)
      if (write.kind === 'blob') node.machine.blobs.delete(write.id)
    }
    copies.stepped(node, writes)
    return () => copies.durable(node, writes)
  }
  return { nodes, copies, step }
}

t.test('of more than k disks one may give up its copy, of k none', async t => {
  for (const last of [dropped, noBody]) {
    const { copies, step } = disks()
    copies.acknowledged(PATH, version(1))
    step(0, dropped)()
    t.throws(() => step(1, last), /was on 3 disks and is on 2/)
  }
})

t.test('a copy at a node that has no view of it does not count', async t => {
  const { copies, step } = disks()
  copies.acknowledged(PATH, version(1))
  t.doesNotThrow(() => step(4, dropped)())
  t.doesNotThrow(() => step(0, dropped)())
  t.throws(() => step(1, dropped))
})

t.test('what is newer stands for what is acknowledged, once it is durable', async t => {
  const { copies, step } = disks()
  step(0, dropped)()
  copies.acknowledged(PATH, version(1))
  t.doesNotThrow(() => step(1, put(2), noBody))
  copies.acknowledged(PATH, version(2))
  t.doesNotThrow(() => step(2, dropped), 'nothing is promised of what is not durable anywhere')
})

t.test('a disk that is lost takes its copy with it, and so does a node that leaves', async t => {
  const { nodes, copies, step } = disks()
  copies.acknowledged(PATH, version(1))
  step(0, dropped)()
  const [, second, third] = nodes as unknown as [unknown, { id: NodeId }, { leaves: boolean }]
  second.id = 'n2.1' as NodeId
  third.leaves = true
  t.doesNotThrow(() => step(2, dropped)())
  t.throws(() => step(3, dropped), /was on 1 disks and is on 0/)
})

t.test('who gets a copy counts from then on', async t => {
  const { copies, step } = disks()
  step(0, dropped)()
  step(1, dropped)()
  copies.acknowledged(PATH, version(1))
  step(0, put(1))()
  t.throws(() => step(2, dropped), /was on 3 disks and is on 2/)
})

t.test('of what is removed no copy is needed', async t => {
  const { copies, step } = disks()
  for (let at = 0; at < 4; at++) step(at, removed(2))()
  copies.acknowledged(PATH, version(2))
  for (let at = 0; at < 4; at++) t.doesNotThrow(() => step(at, dropped)())
})

t.test('what is given up before it is durable never counts', async t => {
  const { nodes, copies, step } = disks()
  step(0, dropped)()
  copies.acknowledged(PATH, version(1))
  const [, , , lost] = nodes as unknown as [unknown, unknown, unknown, { id: NodeId }]
  lost.id = 'n4.1' as NodeId
  const stored = step(0, put(1))
  const givenUp = step(0, dropped)
  stored()
  t.doesNotThrow(
    () => step(2, put(1))(),
    'a slow disk brings the record when the step that drops it waits behind',
  )
  givenUp()
  t.throws(() => step(1, dropped), /was on 2 disks and is on 1/)
})

t.test('what a replica of an older view has copied ahead does not count', async t => {
  const { copies, step } = disks()
  const newer = { epoch: 2, seq: 1 }
  const ahead: Write = { kind: 'record', path: PATH, record: { ...record(1), version: newer } }
  for (const at of [0, 1, 2, 3]) step(at, ahead)()
  copies.acknowledged(PATH, newer)
  t.doesNotThrow(() => step(0, dropped)(), 'their views are all of the first epoch')
})
