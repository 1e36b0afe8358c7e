/**
 * The lookups at the end of a run with whole nodes: each node has to find its way to the view that serves, whatever it has been told
 * of the others.
 */

import type { Identifier, NodeId } from '../../ring/identifier.ts'
import type { RingNode } from '../../ring-node/ring-node.ts'
import type { ViewId } from '../../views/view.ts'
import type { VirtualClock } from './virtual-clock.ts'

export interface LookingNode {
  readonly name: string
  readonly whole: { readonly ring: Pick<RingNode, 'lookup' | 'members'> | undefined } | undefined
}

/** Virtual ms between two looks at whether all lookups have ended. */
const LOOK_MS = 50

/** What is wrong with a lookup of any node for any position; undefined when nothing is. */
export async function lookupsGoneWrong(
  {
    clock,
    nodes,
  }: {
    readonly clock: Pick<VirtualClock, 'monotonicMs' | 'runSettled'>
    readonly nodes: readonly LookingNode[]
  },
  init: {
    readonly positions: readonly Identifier[]
    /** The views that serve a position. */
    readonly serving: (position: Identifier) => ReadonlySet<ViewId>
    readonly timeoutMs: number
  },
): Promise<string | undefined> {
  const wrong: string[] = []
  let waiting = 0
  // By Kelips a lookup may end at a node of the key's group, which knows the view.
  const answersFor = (position: Identifier, node: NodeId | undefined) => {
    const ring = nodes.find(({ whole }) => whole?.ring?.members.self.nodeId === node)?.whole?.ring
    return ring?.members.routing.answersFor(position) === true
  }
  // A view may give way to the next while a lookup is on its way: the one that served when it began is right, too.
  for (const position of init.positions) {
    const atFirst = init.serving(position)
    const isRight = (view: ViewId) => atFirst.has(view) || init.serving(position).has(view)
    for (const { name, whole } of nodes) {
      waiting++
      const looked = whole?.ring?.lookup(position).then(
        ({ view, chain }) => {
          const last = chain.at(-1)?.nodeId
          if (!isRight(view.id)) wrong.push(`${name} finds ${view.id} for ${position}`)
          if (!view.replicas.some(node => node === last) && !answersFor(position, last))
            wrong.push(`${name} finds ${last} for ${position}`)
        },
        (error: Error) => wrong.push(`${name} finds no way to ${position}: ${error.message}`),
      )
      void looked?.then(() => waiting--)
    }
  }
  const untilMs = clock.monotonicMs() + init.timeoutMs
  while (waiting > 0 && clock.monotonicMs() < untilMs) await clock.runSettled(clock.monotonicMs() + LOOK_MS)
  return waiting > 0 ? 'A lookup does not end' : wrong[0]
}
