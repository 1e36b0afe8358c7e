/**
 * What nodes that gossip believe at the end of a run: when all trouble is over, all members believe each other to be alive within twice T_fail.
 */
import type { Gossip } from '../../membership/gossip/gossip.ts'
import type { NodeId } from '../../ring/identifier.ts'
import { NODE_MS } from './faster-env.ts'
import type { VirtualClock } from './virtual-clock.ts'

export interface BelievingNode {
  readonly name: string
  readonly id: NodeId
  readonly whole:
    | { readonly ring: { readonly gossip: Pick<Gossip, 'opinions' | 'failMs'> | undefined } | undefined }
    | undefined
}

/** Virtual ms between two looks. */
const LOOK_MS = 25

/** Who still doubts whom; undefined when nobody does. */
export async function beliefsGoneWrong({
  clock,
  nodes,
}: {
  readonly clock: Pick<VirtualClock, 'monotonicMs' | 'runSettled'>
  readonly nodes: readonly BelievingNode[]
}): Promise<string | undefined> {
  const gossips = nodes.map(({ whole }) => whole?.ring?.gossip)
  const failMs = Math.max(0, ...gossips.map(gossip => gossip?.failMs ?? 0))
  const untilMs = clock.monotonicMs() + (2 * failMs) / NODE_MS
  for (;;) {
    const doubts = nodes.flatMap(node => doubtsOf(node, nodes))
    if (doubts.length === 0) return undefined
    if (clock.monotonicMs() >= untilMs) return doubts[0]
    await clock.runSettled(clock.monotonicMs() + LOOK_MS)
  }
}

function doubtsOf({ name, whole }: BelievingNode, nodes: readonly BelievingNode[]): string[] {
  return (whole?.ring?.gossip?.opinions() ?? []).flatMap(({ node, belief, reason }) => {
    const other = nodes.find(({ id }) => id === node)
    return other === undefined || belief === 'alive'
      ? []
      : [`${name} takes ${other.name} for ${belief}: ${reason}`]
  })
}
