/**
 * Whom a node asks first where several could answer. It is always the same one, another one for each asking node
 * and view: then the questions of one node share their messages, and those of all nodes are spread. A node that was slow
 * is asked last for a while, so that one that stands still delays only those who were the first to notice.
 */

import type { NodeId, View } from '../../views/view.ts'
import { isAlive, type Nodes } from './liveness.ts'

export interface Preferring extends Nodes {
  /** Nodes that are asked last, until so many tasks have begun. */
  readonly slow: Map<NodeId, number>
  /** Tasks begun so far. */
  turns: number
}

/** Requests of clients until a slow node is tried again: it costs one of them the wait once more. */
const AVOIDED_REQUESTS = 1_000

/** A node took too long. */
export function avoid(m: Preferring, node: NodeId): void {
  if (node !== m.self) m.slow.set(node, m.turns + AVOIDED_REQUESTS)
}

/** Those of `nodes` that are believed alive and were not slow lately, in the order in which this node asks them. */
export function preferredOf(m: Preferring, view: View, nodes: readonly NodeId[]): NodeId[] {
  const good = nodes.filter(node => isAlive(m, node) && !isSlow(m, node))
  if (good.length < 2) return good
  const first = startOf(m, view) % good.length
  return first === 0 ? good : [...good.slice(first), ...good.slice(0, first)]
}

function isSlow(m: Preferring, node: NodeId): boolean {
  if (m.slow.size === 0) return false
  const until = m.slow.get(node)
  if (until === undefined) return false
  if (m.turns < until) return true
  m.slow.delete(node)
  return false
}

/** A number that differs from node to node and from view to view (FNV-1a, 32 bits). */
function startOf({ self }: Preferring, { id }: View): number {
  let hash = 0x811c9dc5
  for (const text of [self, id]) {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  }
  return hash >>> 0
}

/** A number that grows by one with each task. */
export function nextTurn(m: Preferring): number {
  return m.turns++
}
