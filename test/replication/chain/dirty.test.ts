import fc from 'fast-check'
import t from 'tap'
import { chainOf } from '../../../src/replication/chain/chain-of-view.ts'
import { acknowledgedUpTo, advanceClean, isClean } from '../../../src/replication/chain/dirty.ts'
import type { PathName } from '../../../src/ring/path-name.ts'
import { asSource, type View } from '../../../src/views/view.ts'
import { Bench, path, wholeView } from './bench.ts'

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

t.test('an answer that tells of a write waits until that one is acknowledged', async t => {
  const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
  bench.lose = ({ to, message }) => to === 'n1' && message.kind === 'acknowledge'
  bench.put('n1', 'w', 'a')
  bench.put('n1', 'second', 'a', 'absent')
  t.same([...bench.answers.keys()], [], 'that there is a file would tell of the first write')
  bench.lose = () => false
  bench.fire('resend', 'n1')
  t.match(bench.answers.get('w'), { kind: 'done' })
  t.match(bench.answers.get('second'), { kind: 'failed', reason: 'condition' })
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

t.test(
  'who waits for an acknowledgement when the view is sealed finds out in the next one, at once',
  async t => {
    const old = wholeView(['n1', 'n2', 'n3'])
    const child: View = { ...wholeView(['n1', 'n2'], ['n1', 'n2', 'n3'], 'v2', 2), sources: [asSource(old)] }
    for (const [what, lost] of [
      ['stored by all', 'acknowledge'],
      ['stored by the head alone', 'pass'],
    ] as const) {
      const bench = new Bench({ nodes: ['n1', 'n2', 'n3'] })
      bench.lose = ({ message }) => message.kind === lost
      bench.put('n3', 'w', 'a', 'absent')
      t.equal(bench.answers.get('w'), undefined, what)
      bench.lose = () => false
      bench.deliver('n2', 'n1', { kind: 'decided', view: old, children: [child] })
      t.ok(bench.state('n2', 'v2').active, what)
      bench.fire('retry', 'n3')
      t.match(bench.answers.get('w'), { kind: 'done' }, what)
      t.equal(bench.get('n2', 'r', 'a'), 'w', what)
    }
  },
)
