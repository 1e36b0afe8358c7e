import t from 'tap'
import type { NodeId } from '../../src/ring/identifier.ts'
import { SUSPECTS_MAX, SUSPICION_MS, Suspects } from '../../src/routing/suspects.ts'
import { record } from './any.ts'

const one = 'observer-1' as NodeId
const two = 'observer-2' as NodeId

t.test('one observer makes a suspect, a second one a death', async t => {
  const suspects = new Suspects()
  const node = record('a')
  t.equal(suspects.observe(node, one, 0), 'suspect')
  t.equal(suspects.observe(node, one, 1), 'suspect', 'the same observer is no second one')
  t.ok(suspects.isSuspect(node.nodeId, 1))
  t.equal(suspects.observe(node, two, 2), 'dead')
  t.notOk(suspects.isSuspect(node.nodeId, 2), 'the map says so from here on')
})

t.test('a suspicion ends by itself, and an old observation confirms nothing', async t => {
  const suspects = new Suspects()
  const node = record('a')
  suspects.observe(node, one, 0)
  t.ok(suspects.isSuspect(node.nodeId, SUSPICION_MS - 1))
  t.notOk(suspects.isSuspect(node.nodeId, SUSPICION_MS))
  t.equal(suspects.observe(node, two, SUSPICION_MS), 'suspect')
})

t.test('what settles a suspicion', async t => {
  const node = record('a', { incarnation: 2 })
  const cases: [string, (suspects: Suspects) => void, boolean][] = [
    ['the node spoke', suspects => suspects.clear(node.nodeId), false],
    ['a higher incarnation', suspects => suspects.learned({ ...node, incarnation: 3 }), false],
    ['a death', suspects => suspects.learned({ ...node, status: 'dead' }), false],
    ['a departure', suspects => suspects.learned({ ...node, status: 'left' }), false],
    ['the same record again', suspects => suspects.learned(node), true],
    ['another node', suspects => suspects.learned(record('b', { incarnation: 9 })), true],
  ]
  for (const [what, settle, stays] of cases) {
    const suspects = new Suspects()
    suspects.observe(node, one, 0)
    settle(suspects)
    t.equal(suspects.isSuspect(node.nodeId, 1), stays, what)
  }
})

t.test('observations of different incarnations do not add up', async t => {
  const suspects = new Suspects()
  suspects.observe(record('a'), one, 0)
  t.equal(suspects.observe(record('a', { incarnation: 1 }), two, 0), 'suspect', 'it came back in between')
  t.equal(suspects.observe(record('a'), one, 0), 'suspect', 'the earlier start is of no interest any more')
  t.equal(suspects.observe(record('a', { incarnation: 1 }), one, 0), 'dead')
})

t.test('suspicions are limited; the oldest goes first', async t => {
  const suspects = new Suspects()
  for (let index = 0; index <= SUSPECTS_MAX; index++) suspects.observe(record(`n${index}`), one, 0)
  t.equal(suspects.size, SUSPECTS_MAX)
  t.notOk(suspects.isSuspect(record('n0').nodeId, 0))
  t.ok(suspects.isSuspect(record(`n${SUSPECTS_MAX}`).nodeId, 0))
})
