import fc from 'fast-check'
import t from 'tap'
import { type BlobState, BlobTable } from '../../../src/replication/chain/blob-table.ts'
import type { BlobId } from '../../../src/storage/record.ts'
import { path } from './bench.ts'

const id = (number: number) => `blob${number}` as BlobId

const stateOf = (number: number, isStaged: boolean, at: number | undefined): BlobState => ({
  blob: { blobId: id(number), sha256: `${number}` },
  stagedUntilMs: isStaged ? 1 : undefined,
  replacedBy: at === undefined ? undefined : { path: path(`p${at}`), version: { epoch: 1, seq: 1 } },
})

t.test('what goes by itself is found as if everything were looked over', async () => {
  const change = fc.record({
    number: fc.nat(5),
    isStaged: fc.boolean(),
    at: fc.option(fc.nat(2), { nil: undefined }),
    isDelete: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), changes => {
      const table = BlobTable.of([[id(9), stateOf(9, false, 0)]])
      for (const { number, isStaged, at, isDelete } of changes) {
        if (isDelete) table.delete(id(number))
        else table.set(id(number), stateOf(number, isStaged, at))
      }
      const all = [...table.values()]
      const transient = all.filter(({ stagedUntilMs, replacedBy }) => stagedUntilMs ?? replacedBy)
      t.same(new Set(table.transient()), new Set(transient.map(({ blob }) => blob.blobId)))
      t.equal(table.hasTransient, transient.length > 0)
      for (const at of [0, 1, 2]) {
        const here = all.filter(({ replacedBy }) => replacedBy?.path === path(`p${at}`))
        t.same(new Set(table.replacedAt(path(`p${at}`))), new Set(here.map(({ blob }) => blob.blobId)))
      }
    }),
  )
})

t.test('an emptied table lists nothing', async t => {
  const table = BlobTable.of([
    [id(1), stateOf(1, true, undefined)],
    [id(2), stateOf(2, false, 1)],
  ])
  table.clear()
  t.same([table.size, table.transient(), table.replacedAt(path('p1'))], [0, [], []])
})
