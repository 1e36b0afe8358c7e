import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { realEnv } from '../../../src/env.ts'
import type { ChainRecord } from '../../../src/replication/chain/chain-record.ts'
import { MemoryRecords, type RecordTable } from '../../../src/replication/chain/record-table.ts'
import { StoredRecords } from '../../../src/replication/chain/stored-records.ts'
import type { Arc } from '../../../src/ring/arc.ts'
import { type Identifier, identifierOfPath } from '../../../src/ring/identifier.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import type { ReplicaStore } from '../../../src/storage/replica-store.ts'
import { anyIdentifier } from '../../ring/any.ts'
import { anyRecord, anyRecordAt, NAMES } from './any-record.ts'

type Step =
  | { readonly kind: 'put'; readonly record: ChainRecord }
  | { readonly kind: 'delete'; readonly index: number }
  /** Fills the cache, which must not outlive what it shows. */
  | { readonly kind: 'look'; readonly index: number }
  /** A batch is taken; it becomes durable at the next one, as the driver has one under way at a time. */
  | { readonly kind: 'take' }
  | { readonly kind: 'durable' }
  | { readonly kind: 'restart' }

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: anyRecord.map(record => ({ kind: 'put', record }) as const) },
  { weight: 3, arbitrary: fc.nat(NAMES.length - 1).map(index => ({ kind: 'delete', index }) as const) },
  { weight: 6, arbitrary: fc.nat(NAMES.length - 1).map(index => ({ kind: 'look', index }) as const) },
  { weight: 2, arbitrary: fc.constant({ kind: 'take' } as const) },
  { weight: 2, arbitrary: fc.constant({ kind: 'durable' } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' } as const) },
)
const anyPoint = fc.oneof(fc.constantFrom(...NAMES.map(identifierOfPath)), anyIdentifier)
const anyArc: fc.Arbitrary<Arc> = fc.record({ lo: anyPoint, hi: anyPoint })

const zero = '0'.repeat(40) as Identifier
const ring: Arc = { lo: zero, hi: zero }

class Run {
  readonly store: ReplicaStore = new MemoryStorage({ env: realEnv() }).replica
  records = new StoredRecords({ store: this.store })
  model = new MemoryRecords()
  /** What a crash goes back to. */
  #durable: ChainRecord[] = []
  #under: { batch: ReturnType<StoredRecords['takeBatch']>; state: ChainRecord[] } | undefined

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'put':
        this.records.put(step.record)
        this.model.put(step.record)
        return
      case 'delete': {
        const path = NAMES[step.index] as ChainRecord['path']
        this.records.delete(path)
        this.model.delete(path)
        return
      }
      case 'look': {
        const path = NAMES[step.index] as ChainRecord['path']
        assert.deepEqual(this.records.get(path), this.model.get(path))
        assert.equal(this.records.positionOf(path), identifierOfPath(path))
        return
      }
      case 'take':
        if (this.#under === undefined)
          this.#under = { batch: this.records.takeBatch(), state: [...this.model.within(ring)] }
        return
      case 'durable': {
        if (this.#under === undefined) return
        const { batch, state } = this.#under
        await this.store.apply({ records: batch.records, values: batch.values, keepBlobs: [], dropBlobs: [] })
        this.records.durable(batch.number, batch.records)
        this.#durable = state
        this.#under = undefined
        return
      }
      case 'restart':
        this.#under = undefined
        this.records = new StoredRecords({ store: this.store })
        this.model = new MemoryRecords()
        for (const record of this.#durable) this.model.put(record)
    }
  }
}

const listed = (records: Iterable<ChainRecord>) => [...records].sort((a, b) => (a.path < b.path ? -1 : 1))

function same(records: RecordTable, model: RecordTable, arcs: readonly Arc[]): void {
  for (const path of NAMES) assert.deepEqual(records.get(path), model.get(path))
  for (const arc of [ring, ...arcs]) {
    assert.deepEqual(listed(records.tombstones(arc)), listed(model.tombstones(arc)))
    for (const prefix of ['', ...NAMES.slice(0, 4).flatMap(name => prefixes(identifierOfPath(name)))]) {
      assert.deepEqual(listed(records.within(arc, prefix)), listed(model.within(arc, prefix)))
      assert.deepEqual(records.digest(arc, prefix), model.digest(arc, prefix))
    }
  }
}

const prefixes = (position: Identifier) => [1, 2, 4].map(digits => position.slice(0, digits))

function bodiesOf(model: RecordTable): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { body } of model.within(ring)) {
    if (body === undefined || !('blobId' in body.content)) continue
    counts.set(body.content.blobId, (counts.get(body.content.blobId) ?? 0) + 1)
  }
  return counts
}

t.test('whatever is durable, covered or lost at a restart, it is as records in memory would be', async t => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyStep, { maxLength: 40 }),
      fc.array(anyArc, { maxLength: 3 }),
      async (steps, arcs) => {
        const run = new Run()
        for (const step of steps) {
          await run.take(step)
          assert.deepEqual(
            new Map([...run.records.references()].sort()),
            new Map([...bodiesOf(run.model)].sort()),
          )
        }
        same(run.records, run.model, arcs)
      },
    ),
    { numRuns: 150 },
  )
  t.pass()
})

t.test('a prefix at either end of the ring is found', async t => {
  const run = new Run()
  for (const step of [{ kind: 'take' }, { kind: 'durable' }] as const) await run.take(step)
  for (const prefix of ['0', 'f', '0000', 'ffff']) t.same([...run.records.within(ring, prefix)], [])
})

t.test('what is looked at again and again is as new as what was made durable last', async () => {
  const anyMove = fc.constantFrom('put', 'delete', 'look', 'look at another', 'take', 'durable')
  const one = NAMES[0] as ChainRecord['path']
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(anyMove, anyRecordAt(one)), { minLength: 10, maxLength: 60 }),
      async moves => {
        const run = new Run()
        for (const [kind, record] of moves) {
          if (kind === 'put') await run.take({ kind, record })
          else if (kind === 'take' || kind === 'durable') await run.take({ kind })
          else if (kind === 'look at another') await run.take({ kind: 'look', index: 1 })
          else await run.take({ kind: kind as 'look' | 'delete', index: 0 })
        }
      },
    ),
    { numRuns: 200 },
  )
})
