import fc from 'fast-check'
import t from 'tap'
import { arcContains } from '../../src/ring/arc.ts'
import type { Identifier } from '../../src/ring/identifier.ts'
import { ArcMap, boundOf, markBefore, RangeTable, SealMarks } from '../../src/views/range-table.ts'
import { compareViews, type NodeId, type Rank, type View, type ViewId } from '../../src/views/view.ts'

const at = (position: number) => position.toString(16).padStart(2, '0').padEnd(40, '0') as Identifier
const arc = fc
  .record({ lo: fc.nat(15), hi: fc.nat(15) })
  .map(({ lo, hi }) => ({ lo: at(lo * 16), hi: at(hi * 16) }))
const id = fc.constantFrom('a', 'b', 'c').map(text => text as ViewId)
const cover = fc.record({ arc, epoch: fc.nat(3), id })

t.test('the newest view wins at every position, the earlier one among equals', async () => {
  fc.assert(
    fc.property(fc.array(cover, { maxLength: 12 }), covers => {
      const map = new ArcMap<number>()
      for (const [index, { arc, ...rank }] of covers.entries()) map.cover(arc, rank, index)
      for (let position = 0; position < 256; position += 8) {
        let wanted: number | undefined
        covers.forEach(({ arc, ...rank }, index) => {
          if (!arcContains(arc, at(position))) return
          if (wanted === undefined || compareViews(rank, covers[wanted] as Rank) > 0) wanted = index
        })
        if (map.at(at(position)) !== wanted) return false
      }
      return true
    }),
  )
})

/** Those of an older program name no view. */
const mark = fc.record({ arc, epoch: fc.nat(3), id: fc.option(id, { nil: undefined }) })

t.test('covered means covered everywhere', async () => {
  fc.assert(
    fc.property(fc.array(mark, { maxLength: 6 }), arc, fc.nat(3), id, (covers, asked, epoch, id) => {
      const marks = new SealMarks()
      for (const { arc, epoch, id } of covers) marks.seal({ ...arc, epoch, id })
      const positions = Array.from({ length: 32 }, (_, index) => at(index * 8)).filter(each =>
        arcContains(asked, each),
      )
      const isSealed = (position: Identifier) =>
        covers.some(
          each =>
            arcContains(each.arc, position) &&
            compareViews({ epoch, id }, boundOf({ ...each, ...each.arc })) < 0,
        )
      if (marks.coversAll({ ...asked, epoch, id }) !== positions.every(isSealed)) return false
      return marks.covers({ ...asked, epoch, id }) === positions.some(isSealed)
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
  t.equal(table.covering(at(32))?.id, 'whole', 'of one epoch the greater id counts')
  table.learn(view('x', 1, 0, 64))
  t.equal(table.covering(at(32))?.id, 'x', 'in whichever order they were heard of')
  t.same(
    table
      .overlapping({ lo: at(8), hi: at(32) })
      .map(({ id }) => id)
      .sort(),
    ['part', 'x'],
  )
  t.same(
    table
      .all()
      .map(({ id }) => id)
      .sort(),
    ['part', 'whole', 'x'],
  )
})

t.test('a mark covers what came before the view that it was made for, and not that view', async t => {
  const marks = new SealMarks()
  const view = { epoch: 4, id: 'm' as ViewId, lo: at(0), hi: at(16) }
  marks.seal(markBefore(view))
  t.ok(marks.covers({ ...view, epoch: 3, id: 'z' as ViewId }))
  t.ok(marks.covers({ ...view, id: 'a' as ViewId }))
  t.notOk(marks.covers(view))
  t.notOk(marks.covers({ ...view, id: 'z' as ViewId }))
})
