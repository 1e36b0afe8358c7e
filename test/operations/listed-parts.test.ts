import t from 'tap'
import type { ListAnswer, PeerAnswer, PeerCall } from '../../src/calls/calls.ts'
import { StoreError } from '../../src/errors.ts'
import type { AskedNode } from '../../src/operations/asking.ts'
import { listedParts } from '../../src/operations/listed-parts.ts'
import { coverRing } from '../../src/operations/network-list.ts'
import type { Identifier, NodeId } from '../../src/ring/identifier.ts'

const ZERO = '0'.repeat(40) as Identifier
const MIDDLE = '8'.padEnd(40, '0') as Identifier

/** Two ranges, those of the heads `a` and `b`; their tails are `t` and this node, which is the head of none. */
const RANGES = [
  { lo: ZERO, hi: MIDDLE, epoch: 1, replicas: ['a', 'm', 't'] },
  { lo: MIDDLE, hi: ZERO, epoch: 1, replicas: ['b', 'm', 'self'] },
]

interface World {
  /** These answer nothing. */
  readonly silent?: string
  /** Of these it is known. */
  readonly hanging?: string
  readonly dead?: string
}

async function parts({ silent = '', hanging = silent, dead = '' }: World) {
  const asked: string[] = []
  const answerOf = (name: string, { insteadOf }: { insteadOf?: readonly NodeId[] }): ListAnswer => {
    asked.push(insteadOf === undefined ? name : `${name} for ${insteadOf}`)
    if (silent.includes(name)) throw new StoreError('UNAVAILABLE', 'silent')
    const isListed = ([head, , tail]: string[]) =>
      insteadOf === undefined ? head === name : tail === name && insteadOf.includes(head as NodeId)
    return { lines: [], upTo: undefined, arcs: RANGES.filter(({ replicas }) => isListed(replicas)) }
  }
  const askEach = async (nodes: readonly AskedNode[], call: PeerCall) => {
    const answers: [NodeId, ListAnswer][] = []
    const failed: AskedNode[] = []
    for (const node of nodes) {
      try {
        answers.push([node.nodeId, answerOf(node.nodeId, call as object)])
      } catch {
        failed.push(node)
      }
    }
    return { answers, silent: failed }
  }
  const others = ['a', 'b', 'm', 't'].map(name => ({ nodeId: name, address: `${name}:1` })) as AskedNode[]
  const found = await listedParts(
    {
      driver: {
        known: {
          self: 'self',
          held: () => [],
          covering: (position: Identifier) => RANGES[position > ZERO && position <= MIDDLE ? 0 : 1],
          isAlive: (node: string) => !dead.includes(node),
        },
      } as never,
      asking: { askEach, hangs: (node: string) => hanging.includes(node) && !dead.includes(node) } as never,
      walk: { ask: async (call: PeerCall) => ({ ...(await askEach(others, call)), nodes: others }) } as never,
      own: async (call: PeerCall) => answerOf('self', call as object) as PeerAnswer,
    },
    { prefix: '', limit: 10 },
  )
  return { ...found, isWhole: coverRing(found.parts.flatMap(({ arcs }) => arcs)), asked }
}

t.test('each head lists its range', async t => {
  t.match(await parts({}), { isWhole: true, silent: [], asked: ['a', 'b', 'm', 't'] })
  // A node that is nobody's head is missed by nobody.
  t.match(await parts({ silent: 'm' }), { isWhole: true, silent: [{ nodeId: 'm' }], asked: { length: 4 } })
})

t.test('in place of a head that gives no part its tail does', async t => {
  const one = await parts({ silent: 'a' })
  t.match(one, { isWhole: true, isInVain: false, silent: [{ nodeId: 'a' }] })
  t.same(one.asked.slice(4), ['b for a', 'm for a', 't for a', 'self for a'])
  t.match(await parts({ silent: 'ab' }), { isWhole: true, isInVain: false })
  t.match(await parts({ silent: 'b', dead: 'b' }), { isWhole: true, isInVain: false })
})

t.test('a range is waited for in vain when its tail hangs, too', async t => {
  t.match(await parts({ silent: 'at' }), { isWhole: false, isInVain: true })
  // Somebody will take the place of the dead one.
  t.match(await parts({ silent: 'at', dead: 't' }), { isWhole: false, isInVain: false })
  t.match(await parts({ silent: 'at', hanging: 'a' }), { isWhole: false, isInVain: false })
})
