import t from 'tap'
import type { Member } from '../../../src/replication/chain/machine-state.ts'
import { nextStep, type RepairInput, successorsOf } from '../../../src/replication/chain/repair.ts'
import type { Identifier } from '../../../src/ring/identifier.ts'
import type { NodeId, View, ViewId } from '../../../src/views/view.ts'
import { Bench, node } from './bench.ts'

const at = (digit: string) => digit.padEnd(40, '0') as Identifier
const member = (name: string, digit: string, status: Member['status'] = 'member'): Member => ({
  node: node(name),
  identifiers: [at(digit)],
  status,
})
const MEMBERS = [member('a', '2'), member('b', '4'), member('c', '6'), member('d', '8'), member('e', 'a')]

function view(replicas: string, acceptors: string, lo = '2', hi = '4'): View {
  const nodes = { replicas: [...replicas] as NodeId[], acceptors: [...acceptors] as NodeId[] }
  return { id: 'v' as ViewId, epoch: 1, lo: at(lo), hi: at(hi), sources: [], ...nodes }
}

function input(change: Partial<RepairInput> & { dead?: string }): RepairInput {
  const dead = change.dead ?? ''
  const isAlive = (each: NodeId) => !dead.includes(each)
  return { view: view('bcd', 'bcdea'), active: true, members: MEMBERS, isAlive, copies: 3, ...change }
}

t.test('successors are distinct nodes, clockwise', async t => {
  t.same(
    successorsOf(at('5'), MEMBERS, () => true),
    ['c', 'd', 'e', 'a', 'b'],
  )
  t.same(
    successorsOf(at('b'), MEMBERS, each => each !== 'a'),
    ['b', 'c', 'd', 'e'],
  )
  t.same(
    successorsOf(at('5'), [member('a', '6', 'leaving'), ...MEMBERS.slice(1)], () => true),
    ['c', 'd', 'e', 'b'],
  )
})

const STEPS: [string, Partial<RepairInput> & { dead?: string }, unknown][] = [
  ['nothing', {}, undefined],
  ['the survivors, at once', { dead: 'c' }, { kind: 'propose', plans: [{ replicas: ['b', 'd'] }] }],
  ['the survivors, even of a view that never served', { dead: 'b', active: false }, { kind: 'propose' }],
  ['nothing else of a view that does not serve', { view: view('bc', 'bcdea'), active: false }, undefined],
  ['another witness', { dead: 'e' }, { kind: 'propose', plans: [{ acceptors: ['b', 'c', 'd'] }] }],
  ['nobody is left to do it', { dead: 'bcd' }, undefined],
  [
    'a cut where an identifier falls',
    { view: view('bcd', 'bcdea', '1') },
    {
      kind: 'propose',
      plans: [
        { lo: at('1'), hi: at('2'), replicas: ['b', 'c', 'd'] },
        { lo: at('2'), hi: at('4') },
      ],
    },
  ],
  [
    'one more replica, after it has copied',
    { view: view('bd', 'bcdea') },
    { kind: 'pre-copy', node: 'c', plans: [{ replicas: ['b', 'c', 'd'] }] },
  ],
  [
    'in its place',
    { view: view('bde', 'bcdea') },
    { kind: 'pre-copy', plans: [{ replicas: ['b', 'c', 'd'] }] },
  ],
  [
    'the right order',
    { view: view('cbd', 'bcdea') },
    { kind: 'propose', plans: [{ replicas: ['b', 'c', 'd'] }] },
  ],
  [
    'a leaving node goes last',
    { members: [MEMBERS[0], member('b', '4', 'leaving'), ...MEMBERS.slice(2)] as Member[] },
    { kind: 'pre-copy', node: 'e' },
  ],
]

t.test('the next step of a range', async t => {
  for (const [what, change, wanted] of STEPS) {
    const step = nextStep(input(change))
    if (wanted === undefined) t.equal(step, undefined, what)
    else t.match(step, wanted as object, what)
  }
})

t.test('a range finds its way to its successors', async t => {
  const bench = new Bench({ nodes: ['a', 'b', 'c', 'd', 'e'], view: { ...view('ea', 'eabcd', '0', '0') } })
  bench.put('e', 'w', 'file')
  for (const name of ['a', 'b', 'c', 'd', 'e']) bench.event(name, { kind: 'members', members: MEMBERS })
  for (let round = 0; round < 40; round++)
    for (const kind of ['repair', 'watch', 'back-fill'] as const) bench.fire(kind)
  const serving = [...bench.machines.values()]
    .flatMap(machine => [...machine.views.values()].filter(state => state.view.replicas[0] === machine.self))
    .filter(({ active, sealed }) => active && !sealed)
  t.equal(serving.length, 5 + 1, 'cut at five identifiers and where it was cut before')
  for (const state of serving) {
    t.same(state.view.replicas, successorsOf(state.view.hi, MEMBERS, () => true).slice(0, 3))
    t.ok(state.complete)
  }
  t.equal(bench.get('c', 'r', 'file'), 'w')
})
