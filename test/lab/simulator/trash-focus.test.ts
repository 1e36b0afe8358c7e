import t from 'tap'
import { checkHistory } from '../../../src/lab/simulator/linearizability.ts'
import { focusesOf } from '../../../src/lab/simulator/trash-focus.ts'
import { create, forget, get, history, type Line, listed, ok, put, restore, saw, trash } from './histories.ts'

t.test('in focus is what some list tells of, and what one should have told of', async t => {
  const valuesOf = (lines: readonly Line[]) => focusesOf(history(lines)).map(({ value }) => value)
  const writes: Line[] = [
    ['c1', 0, 1, create('v1'), ok],
    ['c1', 2, 3, put('v2'), ok],
  ]
  t.same(valuesOf([...writes, ['c1', 4, 5, get, saw('v2')]]), [], 'without a list nothing')
  t.same(valuesOf([...writes, ['c1', 4, 5, trash, listed('v1')]]), ['v1', 'v2'])
  const many = Array.from({ length: 100 }, (_, at): Line => ['c1', 2 * at, 2 * at + 1, put(`v${at}`), ok])
  t.equal(valuesOf([...many, ['c1', 999, 1_000, trash, listed()]]).length, 12)
})

t.test('of what is older than sixteen changes a list need not tell', async t => {
  const overwritten = (times: number): Line[] => [
    ['c1', 0, 1, create('old'), ok],
    ...Array.from({ length: times }, (_, at): Line => ['c1', 2 + at, 2.5 + at, put(`v${at}`), ok]),
  ]
  const values = Array.from({ length: 19 }, (_, at) => `v${at}`)
  const lists = (times: number) => [
    ...overwritten(times),
    ['c1', 99, 100, trash, listed(...values.slice(0, times - 1))] as Line,
  ]
  t.notOk(checkHistory(history(lists(15))).ok)
  t.ok(checkHistory(history(lists(16))).ok)
})

t.test('a restoration of a copy may bring the bytes that stand there', async t => {
  const copied: Line[] = [
    ['c1', 0, 1, create('v1'), ok],
    ['c1', 2, 3, { kind: 'remove' }, ok],
    ['c1', 4, 5, { kind: 'create', value: 'v2', copied: true }, ok],
    ['c1', 6, 7, restore('v1', 'v3'), ok],
    ['c1', 8, 9, forget('v1'), ok],
    ['c1', 10, 11, trash, listed()],
  ]
  t.ok(checkHistory(history(copied)).ok)
  const own = copied.map(
    (line): Line => ('copied' in line[3] ? [line[0], line[1], line[2], create('v2'), ok] : line),
  )
  t.notOk(checkHistory(history(own)).ok)
})
