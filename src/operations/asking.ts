/**
 * One question to one node, or the same one to many, so that nobody is waited for in vain: a node that does not answer for
 * a second is asked whether it is there at all, and is waited for no longer once it counts as dead. One that is there and does not
 * answer all the same is waited for once, and hardly at all from then on, until it has answered (docs/decisions/0460).
 */

import type { PeerAnswer, PeerCall, PeerStream } from '../calls/calls.ts'
import { eitherSignal } from '../either-signal.ts'
import type { Env } from '../env.ts'
import { StoreError } from '../errors.ts'
import type { Members } from '../membership/members.ts'
import type { CallOptions } from '../peer/peers.ts'
import type { ChainDriver } from '../replication/chain/driver.ts'
import type { Message } from '../replication/chain/messages.ts'
import type { Address, NodeId } from '../ring/identifier.ts'
import { HangingNodes } from './hanging-nodes.ts'

/** One call, ms: whoever asks all nodes is to have an answer within five seconds. */
export const CALL_TIMEOUT_MS = 4_000

/** One call to a node that hangs, ms: an answer on one site takes less, and one that comes later shows that it hangs no longer. */
const HANGING_TIMEOUT_MS = 250

/** Between two calls of one kind to a node that hangs, ms. */
const HANGING_AGAIN_MS = 1_000

/** Between two words of an answer that comes piece by piece, ms: a check says one each second. */
const WORD_TIMEOUT_MS = 15_000

/** The same of a node that hangs, and between two such calls to it, ms. */
const HANGING_WORD_TIMEOUT_MS = 2_000
const HANGING_STREAM_AGAIN_MS = 15_000

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
  readonly stream: (to: Address, call: PeerStream, options: CallOptions) => AsyncIterable<unknown>
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
  readonly #hanging: HangingNodes

  constructor(components: AskingComponents) {
    this.#components = components
    this.#hanging = new HangingNodes(components.env)
  }

  /** Whether a node is there, and leaves questions of that kind without an answer. */
  hangs(node: NodeId, kind: (PeerCall | PeerStream)['kind']): boolean {
    return this.#hanging.hangs(node, kind) && !this.#countsAsDead(node)
  }

  /**
   * @param timeoutMs of a question that is not as quick to answer as most are; what it finds is not remembered.
   * @throws StoreError, UNAVAILABLE as soon as the node counts as dead, and soon when it hangs.
   */
  async ask(node: AskedNode, asked: PeerCall, timeoutMs?: number): Promise<PeerAnswer> {
    if (timeoutMs !== undefined) return this.#ask(node, asked, timeoutMs)
    const { nodeId, address } = node
    const { kind } = asked
    const answered = () =>
      this.#remembering(nodeId, kind, CALL_TIMEOUT_MS, () => this.#ask(node, asked, CALL_TIMEOUT_MS))
    if (!this.hangs(nodeId, kind)) return answered()
    if (!this.#hanging.mayAskAgain(nodeId, kind, HANGING_AGAIN_MS)) throw stillHangs(address)
    return new Promise((resolve, reject) => {
      const late = () => reject(stillHangs(address))
      const timer = this.#components.env.timers.after(HANGING_TIMEOUT_MS, late)
      const inTime = () => timer.cancel()
      answered().finally(inTime).then(resolve, reject)
    })
  }

  /** A question that is answered by many words. @throws StoreError as ask. */
  async *stream({ nodeId, address }: AskedNode, asked: PeerStream): AsyncGenerator<unknown> {
    const { stream, signal } = this.#components
    const { kind } = asked
    const isHanging = this.hangs(nodeId, kind)
    if (isHanging && !this.#hanging.mayAskAgain(nodeId, kind, HANGING_STREAM_AGAIN_MS))
      throw stillHangs(address)
    const timeoutMs = isHanging ? HANGING_WORD_TIMEOUT_MS : WORD_TIMEOUT_MS
    const ended = new AbortController()
    const ends = eitherSignal([signal, ended.signal])
    const options = { timeoutMs, signal: ends, node: nodeId }
    const words = stream(address, asked, options)[Symbol.asyncIterator]()
    try {
      for (;;) {
        const over = this.#lookAfter(nodeId, { limitMs: timeoutMs, giveUp: error => ended.abort(error) })
        const word = await this.#remembering(nodeId, kind, timeoutMs, () => words.next()).finally(over)
        if (word.done) return
        yield word.value
      }
    } finally {
      try {
        await words.return?.()
      } finally {
        ends.clear()
      }
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

  async #ask({ nodeId, address }: AskedNode, asked: PeerCall, timeoutMs: number): Promise<PeerAnswer> {
    const { call, signal } = this.#components
    const wasDead = this.#countsAsDead(nodeId)
    if (wasDead) this.#doubt(nodeId)
    const ended = new AbortController()
    const limitMs = wasDead ? Math.min(timeoutMs, DEAD_TIMEOUT_MS) : timeoutMs
    const ends = eitherSignal([signal, ended.signal])
    const options = { timeoutMs: limitMs, signal: ends, node: nodeId }
    const over = this.#lookAfter(nodeId, { limitMs, giveUp: error => ended.abort(error) })
    return call(address, asked, options).finally(() => {
      over()
      ends.clear()
    })
  }

  /** What comes of a question: one that ran its whole time, at a node that is there, makes that node one that hangs. */
  async #remembering<Result>(
    node: NodeId,
    kind: string,
    limitMs: number,
    asking: () => Promise<Result>,
  ): Promise<Result> {
    const { env, driver } = this.#components
    const wasDead = this.#countsAsDead(node)
    const beganMs = env.clock.monotonicMs()
    try {
      const result = await asking()
      this.#hanging.answered(node, kind)
      return result
    } catch (error) {
      const isThere = !wasDead && !this.#countsAsDead(node) && !driver.known.isInDoubt(node)
      if (isThere && env.clock.monotonicMs() - beganMs >= limitMs) this.#hanging.unanswered(node, kind)
      throw error
    }
  }

  /** Looks after a node that does not answer, until the caller says that this is over or the node counts as dead. */
  #lookAfter(
    node: NodeId,
    { limitMs, giveUp }: { readonly limitMs: number; readonly giveUp: (error: StoreError) => void },
  ): () => void {
    const { timers } = this.#components.env
    const wasDead = this.#countsAsDead(node)
    let isOver = false
    const look = () => {
      if (isOver) return
      this.#doubt(node)
      if (this.#countsAsDead(node) && !wasDead)
        return giveUp(new StoreError('UNAVAILABLE', `The node ${node} does not answer.`))
      timers.after(LOOK_MS, look)
    }
    const first = timers.after(Math.min(DOUBT_MS, limitMs), look)
    return () => {
      isOver = true
      first.cancel()
    }
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

function stillHangs(address: Address): StoreError {
  return new StoreError(
    'UNAVAILABLE',
    `The node ${address} is there, and leaves questions without an answer.`,
  )
}
