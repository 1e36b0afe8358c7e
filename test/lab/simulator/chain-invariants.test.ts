import t from 'tap'
import {
  absentRecord,
  type ChainRecord,
  type RequestId,
} from '../../../src/replication/chain/chain-record.ts'
import type { Envelope } from '../../../src/replication/chain/messages.ts'
import { MemoryRecords } from '../../../src/replication/chain/record-table.ts'
import { identifierOfPath } from '../../../src/ring/identifier.ts'
import type { BlobId } from '../../../src/storage/record.ts'
import { chainBench } from './chain-bench.ts'

async function bench() {
  const made = await chainBench()
  const [path] = made.workload.paths as [never]
  const record = absentRecord(path, identifierOfPath(path), { epoch: 1, seq: 3 })
  const view = made.invariants.newestActive(path)
  if (view === undefined) throw new TypeError('Nothing serves.')
  const nodes = view.replicas.map(id => made.cluster.nodes.find(node => node.id === id))
  const [head, middle] = nodes as [(typeof made.cluster.nodes)[number], (typeof made.cluster.nodes)[number]]
  return { ...made, path, record, view, head, middle }
}

t.test('an acknowledged write has to be everywhere', async t => {
  const { invariants, path } = await bench()
  t.throws(() => invariants.acknowledged(path, { epoch: 1, seq: 1 }), /lacks the acknowledged write/)
})

t.test(
  'an acknowledged write of this view has its body everywhere; a body of an earlier view may be on its way',
  async t => {
    const { invariants, path, record, view, cluster } = await bench()
    const hold = (epoch: number) => {
      const written = { version: { epoch, seq: 3 }, requestId: 'w' as RequestId }
      const content = { blobId: 'b'.repeat(32) as BlobId }
      const body = { size: 9, sha256: 'b', blockChecksums: [1], content } as unknown as ChainRecord['body']
      for (const node of cluster.nodes)
        if (view.replicas.includes(node.id)) node.recordAt = () => ({ ...record, body, written })
    }
    hold(0)
    t.doesNotThrow(() => invariants.acknowledged(path, record.version))
    hold(1)
    t.throws(() => invariants.acknowledged(path, record.version), /lacks the body of an acknowledged write/)
  },
)

t.test('no version goes back, and none is newer downstream', async t => {
  const { invariants, path, record, head, middle } = await bench()
  const write = (seq: number) =>
    [{ kind: 'record', path, record: { ...record, version: { epoch: 1, seq } } }] as const
  invariants.stepped(head, write(3))
  t.throws(() => invariants.stepped(head, write(2)), /goes back/)
  t.throws(() => invariants.stepped(middle, write(3)), /newer/)
})

t.test('no tombstone goes above the floor', async t => {
  const { invariants, path, record, head } = await bench()
  invariants.stepped(head, [{ kind: 'record', path, record }])
  t.throws(() => invariants.stepped(head, [{ kind: 'record', path, record: undefined }]), /tombstone/)
})

t.test('promises never go back, and a view has one successor', async t => {
  const { invariants, view, head } = await bench()
  const state = head.machine?.views.get(view.id)
  if (state === undefined) throw new TypeError('The head holds its view.')
  const promise = (round: number) =>
    ({
      from: head.id,
      message: { kind: 'promise', viewId: view.id, ballot: { round, node: head.id, boot: '' } },
    }) as Envelope
  invariants.sent(promise(2))
  t.throws(() => invariants.sent(promise(1)), /promise/)
  const decided = (id: string) => [{ ...view, id: id as typeof view.id, epoch: 2 }]
  invariants.durable(head, [{ kind: 'view', id: view.id, state: { ...state, next: decided('a') } }])
  const other = { ...state, next: decided('b') }
  t.throws(() => invariants.durable(head, [{ kind: 'view', id: view.id, state: other }]), /two successors/)
})

t.test('two views that can both confirm a key are found', async t => {
  const { invariants, view, head } = await bench()
  const state = head.machine?.views.get(view.id)
  if (state === undefined) throw new TypeError('The head holds its view.')
  const newer = { ...view, id: 'newer' as typeof view.id, epoch: 2 }
  const write = { kind: 'view', id: newer.id, state: { ...state, view: newer } } as const
  t.throws(() => invariants.durable(head, [write]), /both confirm/)
})

t.test('a move may not remove its source before there is a copy', async t => {
  const { invariants, path, record, head } = await bench()
  const history = [{ version: record.version, requestId: 'm:remove' as RequestId }]
  t.throws(
    () => invariants.durable(head, [{ kind: 'record', path, record: { ...record, history } }]),
    /before there was/,
  )
})

t.test(
  'a copy that became durable just before its process ended is one, also when it was written over',
  async t => {
    const { invariants, path, record, head } = await bench()
    const part = (name: string, seq: number) => ({
      version: { epoch: 1, seq },
      requestId: `m:${name}` as RequestId,
      replaced: false,
    })
    const copied = {
      ...record,
      history: [part('copy', 2), { ...part('copy', 3), requestId: 'w' as RequestId }],
    }
    const stable = head.stable()
    const records = new MemoryRecords()
    records.put(copied)
    head.stable = () => ({ ...stable, records })
    invariants.started(head)
    const removed = { ...record, version: { epoch: 1, seq: 4 }, history: [part('remove', 4)] }
    t.throws(
      () => invariants.durable(head, [{ kind: 'record', path, record: removed }]),
      /lacks the acknowledged write/,
      'and what counts now is that it is everywhere',
    )
  },
)

t.test('a view is not installed without what was acknowledged before it', async t => {
  const { clock, workload, cluster, invariants, path, view, head } = await bench()
  workload.order(head, { client: 'c', kind: 'put', path })
  await clock.runSettled(200)
  const state = cluster.node(head.name).machine?.views.get(view.id)
  const record = head.machine?.records.get(path)
  if (state === undefined || record === undefined) throw new TypeError('The head has the file.')
  const child = { ...view, id: 'child' as typeof view.id, epoch: 2 }
  const install = [{ kind: 'view', id: child.id, state: { ...state, view: child, sealed: false } }] as const
  t.doesNotThrow(() => invariants.stepped(head, install))
  invariants.stepped(head, [{ kind: 'view', id: child.id, state: undefined }])
  const records = head.machine?.records as unknown as { delete(path: string): void }
  records.delete(path)
  t.throws(() => invariants.stepped(head, install), /installs view child without the acknowledged write 1.1/)
})
