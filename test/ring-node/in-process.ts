/**
 * Networks of many whole nodes in one process: each is the program's RingNode with its storage in memory, and what they say to each
 * other goes from one to the other as bytes. A node that is killed answers nobody, and comes back with what it had stored.
 */
import { setMaxListeners } from 'node:events'
import type { Readable } from 'node:stream'
import type { PeerAnswer, PeerCall, PeerStream } from '../../src/calls/calls.ts'
import type { Envelope } from '../../src/calls/envelope.ts'
import type { RingPeers, RingPeersInit } from '../../src/calls/ring-peers.ts'
import { realEnv } from '../../src/env.ts'
import { StoreError } from '../../src/errors.ts'
import { GOSSIP_DEFAULTS, type GossipSettings } from '../../src/membership/gossip/settings.ts'
import { joinNetwork, takePart } from '../../src/membership/join.ts'
import type { BodyAnnouncement, CallOptions, PeerIdentity } from '../../src/peer/peers.ts'
import { decode, encode } from '../../src/peer/wire.ts'
import type { CheckWord } from '../../src/replication/chain/range-check.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'
import { RingNode } from '../../src/ring-node/ring-node.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { BlobId } from '../../src/storage/record.ts'

export interface InProcessInit {
  readonly routing: 'path' | 'kelips'
  readonly replicas: number
  readonly virtualNodes: number
  readonly gossip?: GossipSettings | undefined
}

/** Messages and calls that were delivered, by their kinds. */
export type Traffic = Map<string, number>

export class InProcessNode {
  readonly address: Address
  readonly storage: MemoryStorage
  ring: RingNode | undefined
  starts = 0

  constructor(address: Address, storage: MemoryStorage) {
    this.address = address
    this.storage = storage
  }
}

/** The whole network. Close it. */
export class InProcess {
  readonly nodes: InProcessNode[] = []
  readonly traffic: Traffic = new Map()
  readonly #init: InProcessInit
  readonly #env = realEnv()
  readonly #byAddress = new Map<Address, InProcessNode>()
  /** The timers of a node do not keep its process alive; its connections do, and there are none. */
  readonly #alive = setInterval(() => undefined, 60_000)

  constructor(init: InProcessInit) {
    this.#init = init
  }

  get running(): InProcessNode[] {
    return this.nodes.filter(({ ring }) => ring !== undefined)
  }

  /** A new node joins by way of another one, or founds the network. */
  async add(init: Partial<Pick<InProcessInit, 'routing'>> = {}): Promise<InProcessNode> {
    const address = `node${this.nodes.length}:5000` as Address
    const node = new InProcessNode(address, new MemoryStorage({ env: this.#env }))
    this.nodes.push(node)
    this.#byAddress.set(address, node)
    await this.start(node, init)
    return node
  }

  /** A node begins, or comes back with what it had. */
  async start(node: InProcessNode, init: Partial<Pick<InProcessInit, 'routing'>> = {}): Promise<void> {
    const { routing, replicas, virtualNodes, gossip = GOSSIP_DEFAULTS } = { ...this.#init, ...init }
    const env = this.#env
    node.starts++
    Object.defineProperty(node.storage, 'boot', { value: node.starts, configurable: true })
    const nodeId = node.storage.nodeId as NodeId
    const connect = (_: unknown, peersInit: RingPeersInit) =>
      this.#peers(
        () =>
          node.ring?.credentials.self() ?? {
            address: node.address,
            nodeId,
            boot: { counter: node.starts, nonce: '0' },
          },
        peersInit,
      )
    const boots = this.running.filter(other => other !== node).slice(0, 1)
    const signal = new AbortController().signal
    const joined = await joinNetwork(
      { env, store: node.storage.replica, connect },
      {
        ...{ nodeId, diskBoot: node.starts, address: node.address, zone: undefined, signal },
        boots: boots.map(({ address }) => address),
        foundsWhenNoneHas: false,
        wish: { replicas, minReplicas: Math.min(2, replicas), virtualNodes },
        secret: undefined,
        scheme: 'http',
        joinTimeoutMs: 60_000,
        waiting: () => undefined,
      },
    )
    const ring = new RingNode(
      { env, storage: node.storage, connect },
      {
        ...{ network: joined.network, self: joined.self, records: joined.records, gossip, routing },
        secret: undefined,
        scheme: 'http',
        learn: 'path',
        halted: () => {
          throw new Error(`${node.address} was halted`)
        },
        broken: ({ error }) => {
          throw error
        },
      },
    )
    node.ring = ring
    await takePart(ring, joined, async () => undefined)
  }

  /** The node ends without a word. */
  async kill(node: InProcessNode): Promise<void> {
    const { ring } = node
    node.ring = undefined
    await ring?.close()
  }

  async close(): Promise<void> {
    clearInterval(this.#alive)
    for (const node of this.nodes) await this.kill(node)
  }

  #count(kind: string): void {
    this.traffic.set(kind, (this.traffic.get(kind) ?? 0) + 1)
  }

  #peers(self: () => PeerIdentity, init: RingPeersInit): RingPeers {
    const waiting = new Map<Address, Envelope[]>()
    let isClosed = false
    const at = (address: Address, node?: NodeId): RingNode => {
      const there = this.#byAddress.get(address)?.ring
      if (isClosed || there === undefined) {
        if (!isClosed) setImmediate(() => init.unreachable(address, 'refused'))
        throw new StoreError('UNAVAILABLE', 'Nobody is there.')
      }
      if (node !== undefined && there.members.self.nodeId !== node)
        throw new StoreError('UNAVAILABLE', 'Somebody else is there.')
      return there
    }
    const answered = async <Answer>(
      { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal },
      ask: (signal: AbortSignal) => Promise<Answer>,
    ): Promise<Answer> => {
      // Not by AbortSignal.any of AbortSignal.timeout: what only such a signal refers to is collected, and never ends.
      const ending = new AbortController()
      const end = () => ending.abort()
      const timer = setTimeout(end, Math.max(1, Math.ceil(timeoutMs)))
      if (signal !== undefined) {
        setMaxListeners(0, signal)
        signal.addEventListener('abort', end)
      }
      if (signal?.aborted) end()
      const failed = new Promise<never>((_, reject) => {
        const fail = () => reject(new StoreError('UNAVAILABLE', 'No answer came in time.'))
        if (ending.signal.aborted) fail()
        ending.signal.addEventListener('abort', fail)
      })
      try {
        return await Promise.race([ask(ending.signal), failed])
      } finally {
        clearTimeout(timer)
        signal?.removeEventListener('abort', end)
      }
    }
    const flush = (to: Address) => {
      const messages = waiting.get(to) ?? []
      waiting.delete(to)
      if (isClosed) return
      for (const [, { kind }] of messages) this.#count(kind)
      try {
        const replies = at(to).messages(self(), copyOf(messages))
        init.took?.(to, 0.1)
        const peer = this.#byAddress.get(to)?.ring?.credentials.self()
        if (peer !== undefined && replies.length > 0) init.messages(peer, copyOf(replies))
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
      }
    }
    return {
      send: (to, message) => {
        const messages = waiting.get(to)
        if (messages !== undefined) messages.push(message)
        else {
          waiting.set(to, [message])
          setImmediate(() => flush(to))
        }
      },
      call: (to, call, options) =>
        answered(options, async signal => {
          this.#count(call.kind)
          await new Promise(setImmediate)
          const answer = await at(to, options.node).call(self(), copyOf(call), signal)
          return copyOf(answer as PeerAnswer)
        }),
      stream: (to: Address, call: PeerStream, options: CallOptions): AsyncIterable<CheckWord> =>
        at(to, options.node).stream(self(), call),
      fetchBody: (from, name, first, options): Promise<Readable> =>
        at(from, options.node).openBody(self(), name as BlobId, first, options.last),
      stageBody: async (to, name, announced: BodyAnnouncement, body, options) => {
        const { Readable } = await import('node:stream')
        const there = at(to, options.node)
        const signal = options.signal ?? new AbortController().signal
        return there.stageBody(self(), name as BlobId, announced, Readable.from(body), signal)
      },
      waitsMs: () => 0,
      close: async () => {
        isClosed = true
      },
    }
  }
}

function copyOf<Value extends PeerCall | PeerAnswer | readonly Envelope[]>(value: Value): Value {
  return decode(encode(value)) as Value
}
