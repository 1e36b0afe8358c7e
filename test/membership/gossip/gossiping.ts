/**
 * Nodes that gossip with each other in memory, by clocks that a test moves: each can stand still, crash, be cut off, and run a program
 * that does not know what gossip is.
 */

import type { PeerAnswer, PeerCall } from '../../../src/calls/calls.ts'
import { StoreError } from '../../../src/errors.ts'
import { SeededRandom } from '../../../src/lab/simulator/seeded-random.ts'
import { Gossip } from '../../../src/membership/gossip/gossip.ts'
import { GOSSIP_DEFAULTS, type GossipSettings } from '../../../src/membership/gossip/settings.ts'
import { Members } from '../../../src/membership/members.ts'
import type { Address, NodeId } from '../../../src/ring/identifier.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import { type ManualEnv, manualEnv } from '../../manual-env.ts'
import { NETWORK } from '../../ring-node/founded-ring.ts'
import { record } from '../../routing/any.ts'

export interface GossipingNode {
  readonly name: string
  readonly id: NodeId
  readonly env: ManualEnv
  readonly members: Members
  /** Undefined where it is switched off. */
  gossip: Gossip | undefined
  /** What the core was told, as `node-b failed`. */
  readonly beliefs: string[]
  /** Whom the core takes for dead. */
  readonly suspects: Set<NodeId>
  /** Who was heard by the core. */
  readonly heard: NodeId[]
  /** Of one that has crashed the machine still answers; nothing does where one is gone. */
  state: 'runs' | 'stands still' | 'is gone' | 'has crashed' | 'refuses gossip' | 'is overloaded'
}

/** Ms in which all clocks move together. */
const STEP_MS = 50

/** Ms that a message takes. */
const WAY_MS = 5

export class Gossiping {
  readonly nodes: GossipingNode[] = []
  calls = 0
  /** Whether a message from one node reaches another. */
  reaches: (from: string, to: string) => boolean = () => true

  readonly #random: SeededRandom

  constructor(
    names: readonly string[],
    settings: Partial<GossipSettings> = {},
    off: readonly string[] = [],
    seed = 1,
  ) {
    this.#random = new SeededRandom(seed)
    for (const name of names)
      this.nodes.push(
        this.#node(name, names, off.includes(name) ? undefined : { ...GOSSIP_DEFAULTS, ...settings }),
      )
    for (const { gossip } of this.nodes) gossip?.start()
  }

  node(name: string): GossipingNode {
    return this.nodes.find(node => node.name === name) as GossipingNode
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += STEP_MS)
      for (const { env, state } of this.nodes)
        if (state === 'runs' || state === 'refuses gossip' || state === 'is overloaded')
          await env.advance(STEP_MS)
        else env.stall(STEP_MS)
  }

  /** Until it is so. @throws Error when it is not after so many ms. */
  async passUntil(isSo: () => boolean, msMax: number): Promise<void> {
    for (let passed = 0; !isSo(); passed += STEP_MS) {
      if (passed >= msMax) throw new Error(`It is not so after ${msMax} ms.`)
      await this.pass(STEP_MS)
    }
  }

  /** What is believed of a node, by each of the others that runs and gossips. */
  about(name: string): string[] {
    const { id } = this.node(name)
    return this.nodes
      .filter(node => node.id !== id && node.state === 'runs' && node.gossip !== undefined)
      .map(({ gossip }) => gossip?.opinions().find(({ node }) => node === id)?.belief ?? 'nothing')
  }

  #node(name: string, names: readonly string[], settings: GossipSettings | undefined): GossipingNode {
    const env: ManualEnv = Object.assign(manualEnv(), { randomness: this.#random.fork(name) })
    const nothing = () => undefined
    const members = new Members(
      {
        ...{ env, store: new MemoryStorage({ env }).replica, changed: nothing, refuted: nothing },
        ...{ died: nothing, returned: nothing, contested: nothing },
      },
      {
        ...{ network: NETWORK, self: record(name), learn: 'path' },
        records: names.filter(other => other !== name).map(other => record(other)),
      },
    )
    const node: GossipingNode = {
      ...{ name, id: record(name).nodeId, env, members, gossip: undefined, beliefs: [], heard: [] },
      ...{ suspects: new Set(), state: 'runs' },
    }
    const driver = {
      known: { boot: { counter: 1, nonce: 'x' }, isSuspect: (id: NodeId) => node.suspects.has(id) },
      dispatch: ({ node: of, belief }: { node: NodeId; belief: string }) =>
        node.beliefs.push(`${of} ${belief}`),
      deliver: ({ from }: { from: NodeId }) => {
        node.heard.push(from)
        return node.suspects.delete(from)
      },
    }
    const call = (to: Address, asked: PeerCall, options: { timeoutMs: number }) =>
      this.#call(node, to.split(':')[0] as string, asked, options.timeoutMs)
    const components = { env, members, driver, call, signal: new AbortController().signal }
    if (settings !== undefined)
      node.gossip = new Gossip(components as unknown as ConstructorParameters<typeof Gossip>[0], settings)
    return node
  }

  async #call(from: GossipingNode, name: string, asked: PeerCall, timeoutMs: number): Promise<PeerAnswer> {
    this.calls++
    const to = this.nodes.find(node => node.name === name)
    await from.env.timers.sleep(WAY_MS)
    if (to?.state === 'is overloaded') throw new StoreError('OVERLOADED', 'Later.')
    const runs = to?.state === 'runs' || to?.state === 'refuses gossip'
    if (to === undefined || !runs || !this.reaches(from.name, name) || !this.reaches(name, from.name)) {
      if (to?.state === 'has crashed')
        throw new StoreError('UNAVAILABLE', 'It refused.', { cause: { code: 'ECONNREFUSED' } })
      if (to !== undefined && to.state !== 'is gone') await from.env.timers.sleep(timeoutMs)
      throw new StoreError('UNAVAILABLE', 'It does not answer.')
    }
    if (to.state === 'refuses gossip') throw new StoreError('INVALID_REQUEST', 'What is that?')
    const identity = { nodeId: from.id, address: record(from.name).address, boot: { counter: 1, nonce: 'x' } }
    if (asked.kind === 'gossip') return to.gossip?.answer(identity, asked) ?? {}
    if (asked.kind === 'gossip-probe') return (await to.gossip?.probe(asked.node)) ?? {}
    throw new TypeError(asked.kind)
  }
}
