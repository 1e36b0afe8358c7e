import fc from 'fast-check'
import t from 'tap'
import { gapsOf, RingWalk } from '../../src/operations/ring-walk.ts'
import { type Arc, arcContains } from '../../src/ring/arc.ts'
import type { Address, Identifier, NodeId } from '../../src/ring/identifier.ts'
import type { View } from '../../src/views/view.ts'

const at = (digit: string) => digit.padEnd(40, '0') as Identifier
const digits = [...'0123456789abcdef']
const arc = (lo: string, hi: string): Arc => ({ lo: at(lo), hi: at(hi) })

t.test('law: a gap begins where no arc goes on, and without gaps the arcs cover the ring', async t => {
  const anyArc = fc
    .tuple(fc.constantFrom(...digits), fc.constantFrom(...digits))
    .map(([lo, hi]) => arc(lo, hi))
  fc.assert(
    fc.property(fc.array(anyArc, { maxLength: 6 }), arcs => {
      const gaps = gapsOf(arcs)
      for (const gap of gaps) t.notOk(arcs.some(one => arcContains(one, gap)))
      const open = digits
        .map(digit => at(`${digit}8`))
        .filter(one => !arcs.some(each => arcContains(each, one)))
      t.equal(gaps.length === 0, open.length === 0)
    }),
    { numRuns: 200 },
  )
})

/** Sixteen nodes with a range each; this one is node 0. */
const nodes = digits.map(digit => ({ nodeId: `node-${digit}` as NodeId, address: `${digit}:1` as Address }))
const arcOf = (index: number) => arc(digits.at(index - 1) as string, digits[index] as string)

function walk(isPartial: boolean, known: readonly number[], silent: readonly number[] = []) {
  const asked: string[] = []
  const lookups: Identifier[] = []
  const viewAt = (position: Identifier): View => {
    const index = digits.findIndex((_, one) => arcContains(arcOf(one), position))
    const members = nodes.map(({ nodeId, address }) => ({ node: nodeId, contact: { address } }))
    const replicas = [index, (index + 1) % 16].map(one => (nodes[one] as (typeof nodes)[0]).nodeId)
    return {
      id: '1-x-0',
      epoch: 1,
      ...arcOf(index),
      replicas,
      acceptors: replicas,
      sources: [],
      members,
    } as never
  }
  const ring = new RingWalk({
    members: {
      self: nodes[0],
      others: () => known.map(index => nodes[index]),
      addressOf: () => undefined,
      routing: { isPartial },
    } as never,
    known: { self: (nodes[0] as (typeof nodes)[0]).nodeId, covering: () => undefined },
    lookup: async key => {
      lookups.push(key)
      return { view: viewAt(key) }
    },
    askEach: async some => {
      asked.push(...some.map(({ nodeId }) => nodeId))
      const isSilent = ({ nodeId }: { nodeId: NodeId }) => silent.some(one => nodes[one]?.nodeId === nodeId)
      const there = some.filter(one => !isSilent(one))
      const answers = there.map(one => [
        one.nodeId,
        [arcOf(nodes.findIndex(node => node.nodeId === one.nodeId))],
      ])
      return { answers, silent: some.filter(isSilent) } as never
    },
  })
  return { ask: () => ring.ask<Arc[]>({ kind: 'ranges' }, [arcOf(0)], arcs => arcs), asked, lookups }
}

t.test('a node that knows three others asks all, each once', async t => {
  const { ask, asked } = walk(true, [3, 7, 12])
  const { answers, nodes: met } = await ask()
  t.same(
    [...asked].sort(),
    nodes
      .slice(1)
      .map(({ nodeId }) => nodeId)
      .sort(),
  )
  t.equal(answers.length, 15)
  t.equal(met.length, 15)
})

t.test('of silent nodes it learns, and it comes to an end', async t => {
  const { ask } = walk(true, [3], [5, 6])
  const { answers, silent } = await ask()
  t.equal(answers.length, 13)
  t.same(silent.map(({ nodeId }) => nodeId).sort(), ['node-5', 'node-6'])
})

t.test('who knows all looks nothing up', async t => {
  const everybody = nodes.map((_, index) => index).slice(1)
  const { ask, lookups } = walk(false, everybody, [5])
  t.equal((await ask()).answers.length, 14)
  t.same(lookups, [])
})
