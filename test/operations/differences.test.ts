import t from 'tap'
import type { PeerAnswer, PeerCall } from '../../src/calls/calls.ts'
import { StoreError } from '../../src/errors.ts'
import { differences } from '../../src/operations/differences.ts'
import type { ChainRecord } from '../../src/replication/chain/chain-record.ts'
import { MemoryRecords } from '../../src/replication/chain/record-table.ts'
import { type Identifier, identifierOfPath, type NodeId } from '../../src/ring/identifier.ts'
import type { PathName } from '../../src/ring/path-name.ts'

const ZERO = '0'.repeat(40) as Identifier
const RING = { lo: ZERO, hi: ZERO }

function record(path: string, seq: number, isFile = true): ChainRecord {
  const name = path as PathName
  const body = isFile
    ? { size: 0, sha256: '', blockChecksums: [], content: { inline: Buffer.alloc(0) } }
    : undefined
  return {
    path: name,
    position: identifierOfPath(name),
    version: { epoch: 1, seq },
    body,
  } as unknown as ChainRecord
}

/** Nodes with records; `between` happens while differences are left to settle. */
function network(
  kept: Record<string, ChainRecord[]>,
  between: (tables: Map<string, MemoryRecords>) => void = () => {},
) {
  const tables = new Map<string, MemoryRecords>()
  for (const [node, records] of Object.entries(kept)) {
    const table = new MemoryRecords()
    for (const one of records) table.put(one)
    tables.set(node, table)
  }
  const calls: PeerCall[] = []
  const ask = async (node: NodeId, call: PeerCall): Promise<PeerAnswer> => {
    calls.push(call)
    const table = tables.get(node)
    if (table === undefined) throw new StoreError('UNAVAILABLE', 'gone')
    if (call.kind === 'digests') return { digests: call.prefixes.map(prefix => table.digest(call, prefix)) }
    if (call.kind !== 'versions') throw new TypeError(call.kind)
    const versions = Array.from(
      table.within(call, call.prefix),
      ({ path, version, body }) => [path, version.epoch, version.seq, body !== undefined] as const,
    )
    return { versions }
  }
  const timers = { sleep: async () => between(tables), after: () => ({ cancel() {} }) }
  const signal = new AbortController().signal
  const found = () =>
    differences({ ask, timers: timers as never, signal }, RING, Object.keys(kept) as NodeId[])
  return { found, calls }
}

const many = Array.from({ length: 200 }, (_, n) => record(`f${n}`, n + 1))

t.test('equal replicas cost one question each', async t => {
  const { found, calls } = network({ a: many, b: many, c: many })
  t.same(await found(), [])
  t.equal(calls.length, 3)
})

t.test('a record that a replica lacks, or has in an older version, is named with who has it', async t => {
  const { found } = network({
    a: many,
    b: many.filter(({ path }) => path !== 'f7'),
    c: many.map(one => (one.path === 'f9' ? record('f9', 3) : one)),
  })
  const byNode = (await found()).sort((a, b) => (a.node < b.node ? -1 : 1))
  t.match(byNode, [
    { path: 'f7', node: 'b', seen: '' },
    { path: 'f9', node: 'c', from: /a|b/, seen: '1.3' },
  ])
  t.equal(byNode.length, 2)
})

t.test('a write on its way, and a tombstone that one has dropped already, are no differences', async t => {
  const arriving = network({ a: [record('x', 2)], b: [record('x', 1)] }, tables =>
    tables.get('b')?.put(record('x', 2)),
  )
  t.same(await arriving.found(), [])
  const busy = network({ a: [record('x', 2)], b: [record('x', 1)] }, tables => {
    tables.get('a')?.put(record('x', 3))
    tables.get('b')?.put(record('x', 2))
  })
  t.same(await busy.found(), [], 'it moves on')
  t.same(await network({ a: [record('x', 2, false)], b: [] }).found(), [])
  t.equal(
    (await network({ a: [record('x', 2, false)], b: [record('x', 1)] }).found()).length,
    1,
    'but a removal is one',
  )
})
