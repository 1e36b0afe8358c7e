/**
 * Whom this node suspects to be gone, and when a suspicion becomes a death.
 *
 * A node that one observer could not reach is suspect: lookups go around it. It is declared dead only when a second
 * observer could not reach it either, because one failing hop may be the fault of the one link (SWIM's indirect probe
 * and its suspicion: Das, Gupta & Motivala, DSN 2002, sections 3.1 and 4.2). Nothing here is periodic: suspicions come
 * from hops that failed, and the second observer is asked on that occasion.
 */
import type { NodeId } from '../ring/identifier.ts'
import type { MapRecord } from './map-record.ts'

/** How long lookups go around a suspect nobody confirmed, ms: long enough for a restart, short for a lost message. */
export const SUSPICION_MS = 30_000

/** Suspicions held at once; the oldest goes first. More than this at once is this node's own network failing. */
export const SUSPECTS_MAX = 1024

interface Suspicion {
  /** A record of a higher incarnation refutes it. */
  readonly incarnation: number
  readonly until: number
  readonly observers: ReadonlySet<NodeId>
}

export class Suspects {
  readonly #suspicions = new Map<NodeId, Suspicion>()

  get size(): number {
    return this.#suspicions.size
  }

  /**
   * `observer` could not reach the node.
   * @returns `dead` when it is the second observer of the same incarnation: the suspicion ends, and the caller spreads
   * the death.
   */
  observe(record: MapRecord, observer: NodeId, nowMs: number): 'suspect' | 'dead' {
    const before = this.#current(record.nodeId, nowMs)
    if (before !== undefined && before.incarnation > record.incarnation) return 'suspect'
    const earlier = before?.incarnation === record.incarnation ? before.observers : []
    const observers = new Set([...earlier, observer])
    this.#suspicions.delete(record.nodeId)
    if (observers.size >= 2) return 'dead'
    this.#makeRoom()
    this.#suspicions.set(record.nodeId, {
      incarnation: record.incarnation,
      until: nowMs + SUSPICION_MS,
      observers,
    })
    return 'suspect'
  }

  isSuspect(nodeId: NodeId, nowMs: number): boolean {
    return this.#suspicions.size > 0 && this.#current(nodeId, nowMs) !== undefined
  }

  /** The same without a look at the time: a suspicion that is over is no reason to choose a node first, either. */
  isKnownSuspect(nodeId: NodeId): boolean {
    return this.#suspicions.has(nodeId)
  }

  /** The node spoke to this one: whatever the observers met, it is there. */
  clear(nodeId: NodeId): void {
    this.#suspicions.delete(nodeId)
  }

  /** A record was learned: a higher incarnation refutes the suspicion, a death or departure settles it. */
  learned(record: MapRecord): void {
    if (this.#suspicions.size === 0) return
    const suspicion = this.#suspicions.get(record.nodeId)
    if (suspicion === undefined) return
    if (record.incarnation > suspicion.incarnation || record.status !== 'alive') this.clear(record.nodeId)
  }

  #current(nodeId: NodeId, nowMs: number): Suspicion | undefined {
    const suspicion = this.#suspicions.get(nodeId)
    if (suspicion === undefined || suspicion.until > nowMs) return suspicion
    this.#suspicions.delete(nodeId)
    return undefined
  }

  #makeRoom(): void {
    if (this.#suspicions.size < SUSPECTS_MAX) return
    const oldest = this.#suspicions.keys().next().value as NodeId
    this.#suspicions.delete(oldest)
  }
}
