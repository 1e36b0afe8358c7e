/**
 * One start of a whole simulated node: the program's node of a ring, with its members, lookups, bodies and the calls of others,
 * over the simulated network. Only the HTTP endpoints of a real node are not there.
 */

import type { NetworkWish } from '../../calls/calls.ts'
import type { Envelope } from '../../calls/envelope.ts'
import type { Env } from '../../env.ts'
import { errorCode } from '../../errors.ts'
import { GOSSIP_DEFAULTS } from '../../membership/gossip/settings.ts'
import { type Joined, joinNetwork, takePart } from '../../membership/join.ts'
import type { PeerIdentity } from '../../peer/peers.ts'
import type { ChainSettings } from '../../replication/chain/machine-state.ts'
import type { Envelope as ChainEnvelope } from '../../replication/chain/messages.ts'
import type { Address, NodeId } from '../../ring/identifier.ts'
import { RingNode } from '../../ring-node/ring-node.ts'
import type { RingNodeComponents } from '../../ring-node/ring-node-parts.ts'
import { NODE_MS } from './faster-env.ts'
import { SimulatedEndpoint } from './simulated-endpoint.ts'
import { type Frame, SimulatedPeers, type SimulatedWire } from './simulated-peers.ts'
import type { SimulatedReplicaStore } from './simulated-replica-store.ts'
import { SimulatedStorage } from './simulated-storage.ts'

/** One range for each node: with more, a small world has many ranges of few paths each. */
const WISH: NetworkWish = { replicas: 3, minReplicas: 2, virtualNodes: 1 }

/** How long a network is looked for, ms of a node; then the node starts again. */
const JOIN_TIMEOUT_MS = 60_000

export interface WholeNodeComponents {
  readonly env: Env
  readonly store: SimulatedReplicaStore
  readonly wire: SimulatedWire
  readonly drive: NonNullable<RingNodeComponents['drive']>
}

export interface WholeNodeInit {
  /** Of this start, among all. */
  readonly name: string
  readonly nodeId: NodeId
  readonly boot: number
  readonly address: Address
  readonly zone: string | undefined
  /** Whom to ask for the network; nobody founds one. */
  readonly boots: readonly Address[]
  readonly settings: Partial<ChainSettings>
  readonly gossips: boolean
  readonly routing: 'path' | 'kelips'
  readonly consistency: 'eventual' | undefined
  readonly halted: () => void
  readonly broken: (error: unknown) => void
  /** It has found its network, and what it does for it has begun to be. */
  readonly began: (ring: RingNode, how: Joined['how']) => void
}

export class WholeNode {
  ring: RingNode | undefined
  readonly #components: WholeNodeComponents
  readonly #init: WholeNodeInit
  readonly #peers: SimulatedPeers[] = []
  readonly #endpoint: SimulatedEndpoint
  readonly #stopping = new AbortController()
  #isOpen = false

  constructor(components: WholeNodeComponents, init: WholeNodeInit) {
    this.#components = components
    this.#init = init
    this.#endpoint = new SimulatedEndpoint({
      timers: components.env.timers,
      send: (to, frame) => this.#send(to, frame),
      self: () => this.#identity(),
      broken: init.broken,
      reception: () => (this.#isOpen ? this.ring : undefined),
    })
  }

  /** Finds its network and takes part in it. @throws StoreError when it can't. */
  async start(): Promise<void> {
    const { env, store, drive } = this.#components
    const { nodeId, boot, address, zone, boots, settings, halted, broken, began, consistency } = this.#init
    const connect: NonNullable<RingNodeComponents['connect']> = (
      _,
      { unreachable, messages, replaced, took },
    ) => this.#connect({ unreachable, messages, ...(replaced && { replaced }), ...(took && { took }) })
    const joined = await joinNetwork(
      { env, store, connect },
      {
        ...{
          nodeId,
          diskBoot: boot,
          address,
          zone,
          boots,
          wish: { ...WISH, ...(consistency && { consistency }) },
        },
        foundsWhenNoneHas: false,
        secret: undefined,
        scheme: 'http',
        joinTimeoutMs: JOIN_TIMEOUT_MS,
        signal: this.#stopping.signal,
        waiting: () => undefined,
      },
    )
    if (this.#stopping.signal.aborted) return
    const storage = new SimulatedStorage({ env, store }, { nodeId, boot })
    const { network, self, records } = joined
    const ring = new RingNode(
      { env, storage, connect, drive },
      {
        ...{ network, self, records, settings, halted },
        secret: undefined,
        scheme: 'http',
        learn: 'path',
        routing: this.#init.routing,
        gossip: this.#init.gossips ? GOSSIP_DEFAULTS : undefined,
        broken: ({ error }) => broken(error),
      },
    )
    this.ring = ring
    // As of a node that is started with -b: what it remembers of the others may be over.
    const asked = { boots, joinTimeoutMs: JOIN_TIMEOUT_MS, env }
    const named = { ...asked, namesBoots: true, dataDirectory: undefined, isForeign: () => undefined }
    await takePart(ring, { ...joined, named }, async () => {
      if (this.#stopping.signal.aborted) return
      this.#isOpen = true
      began(ring, joined.how)
    })
  }

  /** Whether somebody listens here: the node itself, or an endpoint that says that it waits for its network. */
  get listens(): boolean {
    return this.#isOpen || this.ring === undefined
  }

  /** A message of replication arrives. Gives what is said to its sender at once; undefined when nobody listens. */
  message(from: PeerIdentity, { to, message }: ChainEnvelope): readonly Envelope[] | undefined {
    return this.#isOpen ? this.ring?.messages(from, [[to, message]]) : undefined
  }

  /** What came on the answer to messages of this node. */
  answered(from: PeerIdentity, { to, message }: ChainEnvelope): void {
    for (const peers of this.#peers) peers.heard(from, [[to, message]])
  }

  /** What rides on the answer to a message. */
  reply(to: Address, message: Envelope): void {
    this.#components.wire.message(to, message, this.#identity(), true)
  }

  frame(frame: Frame): void {
    if (frame.kind === 'call' || frame.kind === 'fetch' || frame.kind === 'stage') this.#endpoint.asked(frame)
    else if (frame.kind === 'answer' || frame.kind === 'refusal' || !this.#endpoint.knows(frame.id))
      for (const peers of this.#peers) peers.arrived(frame)
    else this.#endpoint.arrived(frame)
  }

  /** The node at an address has taken a message. */
  took(address: Address): void {
    for (const peers of this.#peers) peers.took(address)
  }

  /** Nothing listens at an address. */
  refused(address: Address): void {
    for (const peers of this.#peers) peers.refused(address)
  }

  /** The process ends at this moment. */
  crash(): void {
    this.#stopping.abort(new Error('The process has ended.'))
    this.#isOpen = false
    for (const peers of this.#peers) peers.forget()
    this.ring?.driver.close()
    this.ring?.eventual?.node.close()
  }

  #connect(
    init: Pick<
      ConstructorParameters<typeof SimulatedPeers>[1],
      'unreachable' | 'messages' | 'replaced' | 'took'
    >,
  ) {
    const { env, wire } = this.#components
    const name = `${this.#init.name}/${this.#peers.length}`
    const peers = new SimulatedPeers({ env, wire }, { ...init, name, identity: () => this.#identity() })
    this.#peers.push(peers)
    return peers
  }

  #identity(): PeerIdentity {
    const { address, nodeId, boot } = this.#init
    return this.ring?.credentials.self() ?? { address, nodeId, boot: { counter: boot, nonce: '0' } }
  }

  #send(to: PeerIdentity, frame: Frame): void {
    if (!this.#stopping.signal.aborted) this.#components.wire.frame(to.address, frame, true)
  }
}

/** Whether a start failed in a way that another one may not: nobody answered. */
export function mayStartAgain(error: unknown): boolean {
  return errorCode(error) === 'UNAVAILABLE' || errorCode(error) === 'NO_NETWORK'
}

/** What whole nodes do not take from the program (patience.ts): how long things are kept, which a run has to see the end of. */
export function wholeSettings(settings: ChainSettings): Partial<ChainSettings> {
  const { listedMax, differenceBytesMax, stagedMs, spareMs, outcomesKeptMs, trashMs } = settings
  return {
    ...{ listedMax, differenceBytesMax, trashMs: trashMs * NODE_MS },
    ...{ stagedMs: stagedMs * NODE_MS, spareMs: spareMs * NODE_MS, outcomesKeptMs: outcomesKeptMs * NODE_MS },
  }
}
