/**
 * Nodes that hang: they say that they are there, and leave a question without an answer. Nobody replaces such a node, so what asks
 * all nodes would wait for it each time. Each kind of question counts by itself: large answers may be all that is lost.
 */
import type { Clock } from '../env.ts'
import type { NodeId } from '../ring/identifier.ts'

/** Nodes that are remembered; the oldest goes first. */
const NODES_MAX = 1024

interface Hanging {
  /** Kinds of questions that it left unanswered, and when each was asked last, ms of the monotonic clock. */
  readonly unanswered: Map<string, number>
  /** Kinds that it has answered since. */
  readonly answered: Set<string>
}

export class HangingNodes {
  readonly #clock: Clock
  readonly #nodes = new Map<NodeId, Hanging>()

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock
  }

  /** Whether that question is not worth waiting for; of a kind that was not asked since the node hangs the same is expected. */
  hangs(node: NodeId, kind: string): boolean {
    const hanging = this.#nodes.get(node)
    return hanging !== undefined && !hanging.answered.has(kind)
  }

  /** Whether the last question of that kind is so long ago, ms; this one counts as asked then. */
  mayAskAgain(node: NodeId, kind: string, afterMs: number): boolean {
    const unanswered = this.#nodes.get(node)?.unanswered
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - (unanswered?.get(kind) ?? Number.NEGATIVE_INFINITY) < afterMs) return false
    unanswered?.set(kind, nowMs)
    return true
  }

  unanswered(node: NodeId, kind: string): void {
    const hanging = this.#nodes.get(node) ?? this.#add(node)
    hanging.answered.delete(kind)
    hanging.unanswered.set(kind, this.#clock.monotonicMs())
  }

  /** It hangs no longer once it has answered all that it had left unanswered. */
  answered(node: NodeId, kind: string): void {
    const hanging = this.#nodes.get(node)
    if (hanging === undefined) return
    hanging.answered.add(kind)
    hanging.unanswered.delete(kind)
    if (hanging.unanswered.size === 0) this.#nodes.delete(node)
  }

  #add(node: NodeId): Hanging {
    if (this.#nodes.size >= NODES_MAX) {
      const oldest = this.#nodes.keys().next().value
      if (oldest !== undefined) this.#nodes.delete(oldest)
    }
    const hanging: Hanging = { unanswered: new Map(), answered: new Set() }
    this.#nodes.set(node, hanging)
    return hanging
  }
}
