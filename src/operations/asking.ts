/**
 * One question to one node, or the same one to many, so that nobody is waited for in vain: a node that does not answer for
 * a second is asked whether it is there at all, and is waited for no longer once it counts as dead.
 */

import type { PeerAnswer, PeerCall } from '../calls/calls.ts'
import type { Env } from '../env.ts'
import { StoreError } from '../errors.ts'
import type { Members } from '../membership/members.ts'
import type { CallOptions } from '../peer/peers.ts'
import type { ChainDriver } from '../replication/chain/driver.ts'
import type { Message } from '../replication/chain/messages.ts'
import type { Address, NodeId } from '../ring/identifier.ts'

/** One call, ms. */
export const CALL_TIMEOUT_MS = 5_000

/** One call to a node that counts as dead, ms: that belief may be over, and nobody shall wait long for it. */
const DEAD_TIMEOUT_MS = 1_000

/** Without an answer for so long, ms, it is asked whether a node is there; an answer on one site takes less. */
const DOUBT_MS = 1_000

/** How often it is looked at whether a node that is waited for has come to count as dead, ms. */
const LOOK_MS = 50

/** Nodes that are asked the same at the same time. */
const ASK_AT_ONCE = 16

/** Between two doubts of one node, ms. */
const DOUBT_AGAIN_MS = 1_000

export interface AskingComponents {
  readonly env: Env
  readonly call: (to: Address, call: PeerCall, options: CallOptions) => Promise<PeerAnswer>
  readonly members: Pick<Members, 'others'>
  readonly driver: Pick<ChainDriver, 'known' | 'tellMyself'>
  readonly send: (to: NodeId, message: Message) => void
  /** Aborts when the node stops. */
  readonly signal: AbortSignal
}

export interface AskedNode {
  readonly nodeId: NodeId
  readonly address: Address
}

export interface Asked<Answer> {
  readonly answers: readonly (readonly [NodeId, Answer])[]
  /** Those that have not answered. */
  readonly silent: readonly AskedNode[]
}

export class Asking {
  readonly #components: AskingComponents
  readonly #doubtedAtMs = new Map<NodeId, number>()

  constructor(components: AskingComponents) {
    this.#components = components
  }

  /** @throws StoreError, UNAVAILABLE as soon as the node counts as dead. */
  async ask(
    { nodeId, address }: AskedNode,
    asked: PeerCall,
    timeoutMs = CALL_TIMEOUT_MS,
  ): Promise<PeerAnswer> {
    const { env, call, signal } = this.#components
    const wasDead = this.#countsAsDead(nodeId)
    if (wasDead) this.#doubt(nodeId)
    const ended = new AbortController()
    const limitMs = wasDead ? Math.min(timeoutMs, DEAD_TIMEOUT_MS) : timeoutMs
    const options = { timeoutMs: limitMs, signal: AbortSignal.any([signal, ended.signal]), node: nodeId }
    const watching = env.timers.after(Math.min(DOUBT_MS, limitMs), () => this.#watch(nodeId, ended, wasDead))
    try {
      return await call(address, asked, options)
    } finally {
      watching.cancel()
      ended.abort()
    }
  }

  /**
   * Asks each of the nodes, some at a time.
   * @param options.dead whether those are asked that count as dead; else they are silent at once.
   */
  async askEach<Answer>(
    nodes: readonly AskedNode[],
    asked: PeerCall,
    options: { readonly dead: boolean; readonly timeoutMs?: number },
  ): Promise<Asked<Answer>> {
    const answers: [NodeId, Answer][] = []
    const silent: AskedNode[] = []
    const waiting = [...nodes]
    const askNext = async () => {
      for (let node = waiting.shift(); node !== undefined; node = waiting.shift()) {
        if (!options.dead && this.#countsAsDead(node.nodeId)) {
          this.#doubt(node.nodeId)
          silent.push(node)
          continue
        }
        try {
          answers.push([node.nodeId, (await this.ask(node, asked, options.timeoutMs)) as Answer])
        } catch {
          silent.push(node)
        }
      }
    }
    await Promise.all(Array.from({ length: ASK_AT_ONCE }, askNext))
    return { answers, silent }
  }

  /** Looks after a node that does not answer until it does, or counts as dead. */
  #watch(node: NodeId, ended: AbortController, wasDead: boolean): void {
    const { env } = this.#components
    if (ended.signal.aborted) return
    this.#doubt(node)
    const isDead = this.#countsAsDead(node)
    if (isDead && !wasDead) {
      ended.abort(new StoreError('UNAVAILABLE', `The node ${node} does not answer.`))
      return
    }
    env.timers.after(LOOK_MS, () => this.#watch(node, ended, wasDead))
  }

  #doubt(node: NodeId): void {
    const { env } = this.#components
    const nowMs = env.clock.monotonicMs()
    if (nowMs - (this.#doubtedAtMs.get(node) ?? Number.NEGATIVE_INFINITY) < DOUBT_AGAIN_MS) return
    // Of those that nobody has doubted for longest nothing need be kept.
    for (const [other, atMs] of this.#doubtedAtMs)
      if (nowMs - atMs >= DOUBT_AGAIN_MS) this.#doubtedAtMs.delete(other)
    this.#doubtedAtMs.set(node, nowMs)
    this.#seek(node)
  }

  /** Those who share a range with a node replace it when it is gone; this one may have nothing to do with it. */
  #seek(node: NodeId): void {
    const { driver, members, send } = this.#components
    const { self } = driver.known
    const sharing = driver.known.newest().filter(view => [...view.replicas, ...view.acceptors].includes(node))
    const known = new Set(sharing.flatMap(({ replicas }) => replicas))
    const told = known.size > 0 ? [...known] : members.others().map(({ nodeId }) => nodeId)
    for (const other of told) if (other !== self && other !== node) send(other, { kind: 'suspect', node })
    driver.tellMyself({ kind: 'suspect', node })
  }

  /** What this node believes; it may be wrong. */
  #countsAsDead(node: NodeId): boolean {
    return this.#components.driver.known.isSuspect(node)
  }
}
