/**
 * The parts of a list: each range is listed by its head, and in place of a head that gives no part by its tail (docs/decisions/0454).
 */
import type { ListAnswer, ListAsk, PeerAnswer, PeerCall } from '../calls/calls.ts'
import type { ChainDriver } from '../replication/chain/driver.ts'
import type { Identifier, NodeId } from '../ring/identifier.ts'
import type { Asking } from './asking.ts'
import type { ListedParts } from './network-list.ts'
import { arcsHere } from './own-part.ts'
import { gapsOf, type RingWalk } from './ring-walk.ts'

export interface ListedPartsComponents {
  readonly driver: Pick<ChainDriver, 'known'>
  readonly asking: Pick<Asking, 'askEach' | 'hangs'>
  readonly walk: Pick<RingWalk, 'ask'>
  /** What this node answers itself. @throws StoreError. */
  readonly own: (call: PeerCall) => Promise<PeerAnswer>
}

export async function listedParts(
  { driver: { known }, asking, walk, own }: ListedPartsComponents,
  ask: ListAsk,
): Promise<ListedParts> {
  const here = arcsHere(known)
  const asked = { kind: 'list', ...ask } as const
  const { answers, silent, nodes } = await walk.ask<ListAnswer>(asked, here, ({ arcs }) => arcs)
  const parts = answers.map(([, answer]) => answer)
  const gaps = () => gapsOf([...here, ...parts.flatMap(({ arcs }) => arcs)])
  if (silent.length > 0 && gaps().length > 0) {
    const gone = silent.map(({ nodeId }) => nodeId)
    const call = { ...asked, insteadOf: gone }
    const others = nodes.filter(({ nodeId }) => !gone.includes(nodeId))
    const [told, mine] = await Promise.all([
      asking.askEach<ListAnswer>(others, call, { dead: false }),
      own(call).then(
        part => [part as ListAnswer],
        () => [],
      ),
    ])
    parts.push(...told.answers.map(([, answer]) => answer), ...mine)
  }
  // Nobody takes the place of nodes that are there.
  const isInVain = (gap: Identifier) => {
    const there =
      known.covering(gap)?.replicas.filter(node => node === known.self || known.isAlive(node)) ?? []
    return there.length > 0 && [there[0], there.at(-1)].every(node => asking.hangs(node as NodeId, 'list'))
  }
  return { parts, silent, isInVain: gaps().some(isInVain) }
}
