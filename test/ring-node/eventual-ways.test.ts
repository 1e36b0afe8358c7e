import t from 'tap'
import type { PeerCall } from '../../src/calls/calls.ts'
import { realEnv } from '../../src/env.ts'
import { StoreError } from '../../src/errors.ts'
import { VirtualClock } from '../../src/lab/simulator/virtual-clock.ts'
import { encode } from '../../src/peer/wire.ts'
import type { Memory } from '../../src/replication/eventual/eventual-calls.ts'
import type { NodeId } from '../../src/ring/identifier.ts'
import { EventualWays } from '../../src/ring-node/eventual-ways.ts'

const TAKE = { records: [], memory: '' as Memory }

/** A node `a` whose link to `b` carries nothing; everybody else reaches everybody. */
function broken() {
  const clock = new VirtualClock()
  const env = { ...realEnv(), clock }
  const nodes = ['a', 'b', 'c', 'd'] as NodeId[]
  const asked: string[] = []
  const cuts = new Set(['a b'])
  const dead = new Set<NodeId>()
  const ways = new Map<NodeId, EventualWays>()
  const answer = async (from: NodeId, to: NodeId, call: PeerCall) => {
    asked.push(`${from} ${to} ${call.kind}`)
    if (cuts.has(`${from} ${to}`)) throw new StoreError('UNAVAILABLE', 'No answer.')
    if (call.kind === 'eventual-forward') return ways.get(to)?.forward(call)
    return { memory: `of ${to}`, lacking: [], stale: [] }
  }
  for (const self of nodes) {
    const members = {
      addressOf: (node: NodeId) => `${node}:1`,
      others: () => nodes.filter(node => node !== self).map(nodeId => ({ nodeId })),
    }
    const asking = () => ({
      ask: ({ nodeId }: { nodeId: NodeId }, call: PeerCall) => answer(self, nodeId, call),
    })
    const isAlive = (node: NodeId) => !dead.has(node)
    ways.set(self, new EventualWays({ env, members, asking, isAlive, startOf: () => undefined } as never))
  }
  const tell = (node: string) => ways.get('a' as NodeId)?.ask(node as NodeId, 'take', TAKE)
  return { clock, asked, cuts, dead, ways: ways.get('a' as NodeId) as EventualWays, tell }
}

t.test('what a link does not carry goes round, and that way first for a while', async t => {
  const { asked, tell, clock, cuts } = broken()
  t.match(await tell('b'), { memory: 'of b' })
  t.same(asked.splice(0), ['a b eventual-take', 'a c eventual-forward', 'c b eventual-take'])
  t.match(await tell('b'), { memory: 'of b' })
  t.same(asked.splice(0), ['a c eventual-forward', 'c b eventual-take'])
  clock.runUntil(61_000)
  cuts.clear()
  t.match(await tell('b'), { memory: 'of b' })
  t.same(asked.splice(0), ['a b eventual-take'], 'the direct way is tried again')
})

t.test('a third node that does not reach the other one either is not the last', async t => {
  const { asked, tell, cuts } = broken()
  cuts.add('c b')
  t.match(await tell('b'), { memory: 'of b' })
  t.same(asked.slice(3), ['a d eventual-forward', 'd b eventual-take'])
  cuts.add('d b')
  cuts.delete('a b')
  t.match(await tell('b'), { memory: 'of b' }, 'the direct way is there again when the other one is broken')
  t.equal(asked.at(-1), 'a b eventual-take')
})

t.test('nobody goes round to a node that is dead, nor with what another node can do', async t => {
  const { asked, tell, dead, ways } = broken()
  const path = 'f' as never
  const acceptance = { path, condition: 'none', request: 'r', file: undefined } as const
  await t.rejects(ways.ask('b' as NodeId, 'accept', acceptance), { code: 'UNAVAILABLE' })
  await t.rejects(ways.ask('b' as NodeId, 'fetch', { path, asReplica: true }), { code: 'UNAVAILABLE' })
  dead.add('b' as NodeId)
  await t.rejects(tell('b') as Promise<unknown>, { code: 'UNAVAILABLE' })
  t.equal(asked.length, 3)
})

t.test('only what belongs to this model is asked in the place of another', async t => {
  const { ways } = broken()
  const forward = (call: object) => ways.forward({ to: 'c' as NodeId, asked: encode(call) })
  for (const call of [{ kind: 'ranges' }, { kind: 'eventual-take' }, { kind: 'eventual-forward', to: 'c' }])
    await t.rejects(forward(call), { code: 'INVALID_REQUEST' }, call.kind)
})
