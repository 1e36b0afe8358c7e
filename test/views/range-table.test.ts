import fc from 'fast-check'
import t from 'tap'
import { arcContains } from '../../src/ring/arc.ts'
import type { Identifier } from '../../src/ring/identifier.ts'
import { ArcMap, RangeTable, SealMarks } from '../../src/views/range-table.ts'
import type { NodeId, View, ViewId } from '../../src/views/view.ts'

const at = (position: number) => position.toString(16).padStart(2, '0').padEnd(40, '0') as Identifier
const arc = fc
  .record({ lo: fc.nat(15), hi: fc.nat(15) })
  .map(({ lo, hi }) => ({ lo: at(lo * 16), hi: at(hi * 16) }))
const cover = fc.record({ arc, epoch: fc.nat(5) })

t.test('the newest epoch wins at every position, the earlier one among equals', async () => {
  fc.assert(
    fc.property(fc.array(cover, { maxLength: 12 }), covers => {
      const map = new ArcMap<number>()
      for (const [index, { arc, epoch }] of covers.entries()) map.cover(arc, epoch, index)
      for (let position = 0; position < 256; position += 8) {
        let wanted: number | undefined
        covers.forEach(({ arc, epoch }, index) => {
          if (!arcContains(arc, at(position))) return
          if (wanted === undefined || epoch > (covers[wanted]?.epoch as number)) wanted = index
        })
        if (map.at(at(position)) !== wanted) return false
      }
      return true
    }),
  )
})

t.test('covered means covered everywhere', async () => {
  fc.assert(
    fc.property(fc.array(cover, { maxLength: 6 }), arc, fc.nat(5), (covers, asked, epoch) => {
      const marks = new SealMarks()
      for (const each of covers) marks.seal({ ...each.arc, epoch: each.epoch })
      const positions = Array.from({ length: 32 }, (_, index) => at(index * 8)).filter(each =>
        arcContains(asked, each),
      )
      const isSealed = (position: Identifier) =>
        covers.some(each => arcContains(each.arc, position) && each.epoch >= epoch)
      if (marks.coversAll({ ...asked, epoch }) !== positions.every(isSealed)) return false
      return marks.covers({ ...asked, epoch }) === positions.some(isSealed)
    }),
  )
})

t.test('a table of views', async t => {
  const nodes = { replicas: ['a'] as NodeId[], acceptors: ['a'] as NodeId[], sources: [] }
  const view = (id: string, epoch: number, lo: number, hi: number): View => ({
    id: id as ViewId,
    epoch,
    lo: at(lo),
    hi: at(hi),
    ...nodes,
  })
  const table = new RangeTable()
  t.equal(table.covering(at(5)), undefined)
  table.learn(view('whole', 1, 0, 0))
  table.learn(view('part', 2, 240, 16))
  t.equal(table.covering(at(5))?.id, 'part')
  t.equal(table.covering(at(0))?.id, 'part')
  t.equal(table.covering(at(240))?.id, 'whole')
  table.learn(view('late', 1, 0, 64))
  t.equal(table.covering(at(32))?.id, 'whole', 'what is known of the same epoch stays')
  t.same(
    table
      .overlapping({ lo: at(8), hi: at(32) })
      .map(({ id }) => id)
      .sort(),
    ['part', 'whole'],
  )
  t.same(
    table
      .all()
      .map(({ id }) => id)
      .sort(),
    ['part', 'whole'],
  )
})
