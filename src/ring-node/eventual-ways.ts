/**
 * The way to the other nodes of a network with eventual consistency. What one can't tell another because the link between them carries nothing, a third node asks in its place:
 * else the other would stay behind as long as the link is broken, and what was removed be remembered. Large bodies go no such way: the other fetches them from
 * another replica.
 */
import { isPeerCall, type PeerAnswer, type PeerCall, type PeerCalls } from '../calls/calls.ts'
import type { Env } from '../env.ts'
import { errorCode, StoreError } from '../errors.ts'
import type { Members } from '../membership/members.ts'
import type { Asking } from '../operations/asking.ts'
import { PROTOCOL_VERSION } from '../peer/protocol.ts'
import { decode, encode } from '../peer/wire.ts'
import type { EventualAsk, EventualAsks } from '../replication/eventual/eventual-calls.ts'
import type { Boot, NodeId } from '../views/view.ts'

/** One call, ms: a node that is there answers sooner, and the next one can take the write. */
const CALL_TIMEOUT_MS = 3_000

/** A call that carries many records, ms. */
const LONG_CALL_TIMEOUT_MS = 15_000

const LONG: ReadonlySet<EventualAsk> = new Set<EventualAsk>(['take', 'confirm', 'collected'])

/** Third nodes that are tried, one after the other. */
const WAYS_MAX = 3

/** A way round is taken first for so long, ms; then the direct one is tried again. */
const WAY_MS = 60_000

type Forward = PeerCalls['eventual-forward']

export interface EventualWaysComponents {
  readonly env: Env
  readonly members: Pick<Members, 'addressOf' | 'others'>
  readonly asking: () => Pick<Asking, 'ask'>
  /** The newest start that this node knows of another one. */
  readonly startOf: (node: NodeId) => Boot | undefined
  /** Whether a node is there, by what everybody says. */
  readonly isAlive: (node: NodeId) => boolean
}

export class EventualWays {
  readonly #components: EventualWaysComponents
  /** By whom a node was reached that this one did not reach, and until when it is asked that way. */
  readonly #ways = new Map<NodeId, { readonly third: NodeId; readonly untilMs: number }>()

  constructor(components: EventualWaysComponents) {
    this.#components = components
  }

  /** @throws StoreError, UNAVAILABLE when the node does not answer. */
  async ask<Kind extends EventualAsk>(
    node: NodeId,
    kind: Kind,
    ask: EventualAsks[Kind]['ask'],
  ): Promise<EventualAsks[Kind]['answer']> {
    const call = callOf(kind, ask)
    const mayGoRound = !hasOthers(kind, ask)
    const way = mayGoRound ? this.#wayTo(node) : undefined
    const direct = () => this.#call(node, call, timeoutOf(kind))
    try {
      return (await (way === undefined
        ? direct()
        : this.#forward(way, node, call))) as EventualAsks[Kind]['answer']
    } catch (error) {
      if (errorCode(error) !== 'UNAVAILABLE' || !mayGoRound || !this.#components.isAlive(node)) throw error
      if (way !== undefined) {
        this.#ways.delete(node)
        return (await direct()) as EventualAsks[Kind]['answer']
      }
      return (await this.#goRound(node, call, error)) as EventualAsks[Kind]['answer']
    }
  }

  /** Asks in the place of another node. @throws StoreError. */
  async forward({ to, asked }: Forward['ask']): Promise<Forward['answer']> {
    const call = decode(asked)
    if (!isPeerCall(call, PROTOCOL_VERSION) || !isForwarded(call))
      throw new StoreError('INVALID_REQUEST', 'What was passed on is not as the peer protocol has it.')
    return { answer: encode(await this.#call(to, call, CALL_TIMEOUT_MS)) }
  }

  #call(nodeId: NodeId, call: PeerCall, timeoutMs: number): Promise<PeerAnswer> {
    const { members, asking, startOf } = this.#components
    const address = members.addressOf(nodeId)
    if (address === undefined) throw new StoreError('UNAVAILABLE', 'The address of a node is not known.')
    // What is asked in the place of another one names the start that this one remembers, or else that the other does.
    const met = startOf(nodeId) ?? ('met' in call ? call.met : undefined)
    return asking().ask({ nodeId, address }, { ...call, ...(met && { met }) }, timeoutMs)
  }

  #wayTo(node: NodeId): NodeId | undefined {
    const way = this.#ways.get(node)
    if (way === undefined || this.#components.env.clock.monotonicMs() < way.untilMs) return way?.third
    this.#ways.delete(node)
    return undefined
  }

  async #goRound(to: NodeId, call: PeerCall, direct: unknown): Promise<PeerAnswer> {
    const { env, members, isAlive } = this.#components
    const others = members.others().map(({ nodeId }) => nodeId)
    const thirds = others.filter(node => node !== to && isAlive(node))
    for (const third of thirds.slice(0, WAYS_MAX)) {
      try {
        const answer = await this.#forward(third, to, call)
        this.#ways.set(to, { third, untilMs: env.clock.monotonicMs() + WAY_MS })
        return answer
      } catch (error) {
        if (errorCode(error) === undefined) throw error
      }
    }
    throw direct
  }

  async #forward(third: NodeId, to: NodeId, call: PeerCall): Promise<PeerAnswer> {
    const met = this.#components.startOf(to)
    const asked = encode({ ...call, ...(met && { met }) })
    const forward = { kind: 'eventual-forward', to, asked } as const
    const { answer } = (await this.#call(third, forward, 2 * CALL_TIMEOUT_MS)) as Forward['answer']
    return decode(answer) as PeerAnswer
  }
}

function callOf<Kind extends EventualAsk>(kind: Kind, ask: EventualAsks[Kind]['ask']): PeerCall {
  const name = kind === 'digests' || kind === 'versions' ? kind : `eventual-${kind}`
  return { ...ask, kind: name } as unknown as PeerCall
}

function timeoutOf(kind: EventualAsk): number {
  return LONG.has(kind) ? LONG_CALL_TIMEOUT_MS : CALL_TIMEOUT_MS
}

/** A write is taken by another node, and a read answered by another replica: nobody shall wait for a way round. */
function hasOthers(kind: EventualAsk, ask: EventualAsks[EventualAsk]['ask']): boolean {
  return kind === 'accept' || (kind === 'fetch' && 'asReplica' in ask)
}

function isForwarded({ kind }: PeerCall): boolean {
  return (
    kind === 'digests' || kind === 'versions' || (kind.startsWith('eventual-') && kind !== 'eventual-forward')
  )
}
