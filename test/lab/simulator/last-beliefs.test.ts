import t from 'tap'
import { NODE_MS } from '../../../src/lab/simulator/faster-env.ts'
import { type BelievingNode, beliefsGoneWrong } from '../../../src/lab/simulator/last-beliefs.ts'
import { VirtualClock } from '../../../src/lab/simulator/virtual-clock.ts'
import type { Belief } from '../../../src/membership/gossip/beliefs.ts'
import type { NodeId } from '../../../src/ring/identifier.ts'

const FAIL_MS = 10_000

/** n1, which believes something of n2 and of one that is no member. */
function judge(clock: VirtualClock, belief: () => Belief) {
  const opinion = { sinceMs: 0, reason: 'silence', by: [] }
  const opinions = () => [
    { ...opinion, node: 'n2.0' as NodeId, belief: belief() },
    { ...opinion, node: 'gone' as NodeId, belief: 'failed' as const },
  ]
  const node = (name: string, gossip: BelievingNode['whole']): BelievingNode => ({
    ...{ name, id: `${name}.0` as NodeId, whole: gossip },
  })
  const nodes = [
    node('n1', { ring: { gossip: { opinions, failMs: FAIL_MS } } }),
    node('n2', { ring: { gossip: undefined } }),
    node('n3', undefined),
  ]
  return beliefsGoneWrong({ clock, nodes })
}

t.test('members believe each other to be alive in the end', async t => {
  t.equal(await judge(new VirtualClock(), () => 'alive'), undefined)
  const clock = new VirtualClock()
  t.equal(await judge(clock, () => 'failed'), 'n1 takes n2 for failed: silence')
  t.equal(clock.monotonicMs(), (2 * FAIL_MS) / NODE_MS, 'it is waited for twice T_fail')
  let looks = 0
  t.equal(await judge(new VirtualClock(), () => (looks++ < 5 ? 'suspect' : 'alive')), undefined)
})
