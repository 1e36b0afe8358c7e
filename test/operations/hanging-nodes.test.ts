import t from 'tap'
import { HangingNodes } from '../../src/operations/hanging-nodes.ts'
import type { NodeId } from '../../src/ring/identifier.ts'

const A = 'a' as NodeId

function hangingNodes() {
  let nowMs = 0
  const nodes = new HangingNodes({ clock: { monotonicMs: () => nowMs, nowMs: () => nowMs } })
  return {
    nodes,
    pass: (ms: number) => {
      nowMs += ms
    },
  }
}

t.test('a node hangs until it has answered everything that it left unanswered', async t => {
  const { nodes } = hangingNodes()
  nodes.answered(A, 'list')
  t.notOk(nodes.hangs(A, 'list'))
  nodes.unanswered(A, 'list')
  nodes.unanswered(A, 'ranges')
  t.ok(nodes.hangs(A, 'list') && nodes.hangs(A, 'learn'))
  nodes.answered(A, 'learn')
  nodes.answered(A, 'list')
  t.same(
    ['learn', 'list', 'ranges', 'check'].map(kind => nodes.hangs(A, kind)),
    [false, false, true, true],
  )
  nodes.unanswered(A, 'learn')
  t.ok(nodes.hangs(A, 'learn'), 'what it answered once counts no more')
  nodes.answered(A, 'learn')
  nodes.answered(A, 'ranges')
  t.notOk(nodes.hangs(A, 'check'))
})

t.test('it is asked again by and by', async t => {
  const { nodes, pass } = hangingNodes()
  nodes.unanswered(A, 'list')
  t.notOk(nodes.mayAskAgain(A, 'list', 1_000))
  pass(1_000)
  t.ok(nodes.mayAskAgain(A, 'list', 1_000))
  t.notOk(nodes.mayAskAgain(A, 'list', 1_000))
  t.ok(nodes.mayAskAgain(A, 'ranges', 1_000), 'each kind by itself')
})

t.test('only so many are remembered', async t => {
  const { nodes } = hangingNodes()
  for (let number = 0; number < 2_000; number++) nodes.unanswered(`n${number}` as NodeId, 'list')
  t.notOk(nodes.hangs('n0' as NodeId, 'list'))
  t.ok(nodes.hangs('n1999' as NodeId, 'list'))
})
