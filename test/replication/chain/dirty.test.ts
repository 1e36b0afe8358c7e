import fc from 'fast-check'
import t from 'tap'
import { acknowledgedUpTo, advanceClean, isClean } from '../../../src/replication/chain/dirty.ts'
import { chainOf } from '../../../src/replication/chain/machine-state.ts'
import type { PathName } from '../../../src/ring/path-name.ts'
import { Bench, path } from './bench.ts'

t.test('clean is what the tail is known to have', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.lose = ({ from, message }) => from === 'n2' && message.kind === 'acknowledge'
  bench.put('n1', 'w', 'a')
  const isCleanAt = (name: string) => {
    const record = bench.machine(name).records.get(path('a'))
    return record !== undefined && isClean(bench.machine(name), bench.state(name), record)
  }
  t.same(['n1', 'n2', 'n3'].map(isCleanAt), [false, true, true])
})

// "the highest seq below every unacknowledged one": a path that is written again while dirty keeps its first number.
t.test('nothing unacknowledged is at or below the common mark', async () => {
  const write = fc.record({ at: fc.nat(4), isAck: fc.boolean() })
  fc.assert(
    fc.property(fc.array(write, { maxLength: 40 }), actions => {
      const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
      const state = bench.state('n1')
      const chain = chainOf(bench.machine('n1'), state)
      const open = new Map<PathName, number[]>()
      let seq = 0
      for (const { at, isAck } of actions) {
        const name = path(`p${at}`)
        if (isAck) {
          open.delete(name)
          chain.dirty.delete(name)
        } else {
          seq++
          open.set(name, [...(open.get(name) ?? []), seq])
          chain.dirty.set(name, { first: chain.dirty.get(name)?.first ?? seq, last: seq })
        }
        const lowest = Math.min(seq + 1, ...[...open.values()].flat())
        if (acknowledgedUpTo({ ...state, seq }, chain) !== lowest - 1) return false
      }
      return true
    }),
  )
})

t.test('single marks go when the common one covers them', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  const chain = chainOf(bench.machine('n1'), bench.state('n1'))
  for (const seq of [1, 2, 3]) chain.acknowledged.set(path(`p${seq}`), { epoch: 1, seq })
  advanceClean(chain, 2)
  t.same([...chain.acknowledged.keys()], ['p3'])
  advanceClean(chain, 1)
  t.equal(chain.cleanSeq, 2, 'never back')
})
