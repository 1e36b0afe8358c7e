import t from 'tap'
import { type RoundTripLimits, stretchOf } from '../../../src/replication/chain/patience.ts'
import { node } from './bench.ts'

const all = (ms: number): RoundTripLimits => ({ limitMs: () => ms })
const task = { kind: 'task', tag: 't' as never } as const

t.test('waits grow with round trips, in few steps, up to a limit', async t => {
  for (const [limitMs, stretch] of [
    [0, 1],
    [250, 1],
    [251, 2],
    [500, 2],
    [900, 4],
    [1_500, 8],
    [60_000, 8],
  ] as const)
    t.equal(stretchOf(task, 1_000, all(limitMs)), stretch, `${limitMs} ms`)
})

t.test('a question is as patient as the node that it is put to, everything else as the network', async t => {
  const limits: RoundTripLimits = {
    limitMs: asked => (asked === node('slow') ? 600 : asked === node('new') ? 0 : 10),
  }
  const question = (name: string, isFirst: boolean) =>
    stretchOf({ kind: 'question', node: node(name), tag: 't' as never, isFirst }, 1_000, limits)
  t.equal(question('slow', true), 4)
  t.equal(question('quick', false), 1)
  t.equal(question('quick', true), 1 / 2, 'the first one is put again')
  t.equal(question('new', true), 1, 'of one that nothing is known of')
  t.equal(stretchOf(task, 1_000, limits), 1)
})

t.test('what waits for no answer waits as long as ever', async t => {
  t.equal(stretchOf({ kind: 'deadline', flow: 'f' }, 1_000, all(5_000)), 1)
  t.equal(stretchOf({ kind: 'retry', flow: 'f', tag: 't' as never }, 1_000, all(5_000)), 1)
})
