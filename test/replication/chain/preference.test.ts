import t from 'tap'
import { avoid, preferredOf } from '../../../src/replication/chain/preference.ts'
import { Bench, node, wholeView } from './bench.ts'

const NAMES = ['n1', 'n2', 'n3', 'n4', 'n5']
const NODES = NAMES.map(node)

t.test('a node asks the same ones first, another node or another view asks others', async t => {
  const bench = new Bench({ nodes: NAMES })
  const orders = NAMES.map(name => preferredOf(bench.machine(name), wholeView(NAMES), NODES))
  t.strictSame(
    NAMES.map(name => preferredOf(bench.machine(name), wholeView(NAMES), NODES)),
    orders,
  )
  for (const order of orders) t.strictSame([...order].sort(), NODES)
  t.ok(new Set(orders.map(([first]) => first)).size > 1, 'not everybody asks the same one')
  const views = Array.from({ length: 16 }, (_, i) => wholeView(NAMES, NAMES, `v${i}`))
  const firsts = new Set(views.map(view => preferredOf(bench.machine('n1'), view, NODES)[0]))
  t.equal(firsts.size, 5, 'over some views, all have their turn')
})

t.test('who counts as dead or gone is left out, who was slow is left out for a while', async t => {
  const bench = new Bench({ nodes: NAMES })
  const machine = bench.machine('n1')
  const preferred = () => [...preferredOf(machine, wholeView(NAMES), NODES)].sort()
  machine.suspects.add(node('n2'))
  t.strictSame(preferred(), ['n1', 'n3', 'n4', 'n5'])
  avoid(machine, node('n3'))
  avoid(machine, node('n1'))
  t.strictSame(preferred(), ['n1', 'n4', 'n5'], 'a node does not avoid itself')
  machine.turns += 999
  t.strictSame(preferred(), ['n1', 'n4', 'n5'])
  machine.turns += 1
  t.strictSame(preferred(), ['n1', 'n3', 'n4', 'n5'])
})
