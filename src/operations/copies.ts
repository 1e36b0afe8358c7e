/**
 * How many copies the network keeps of each file, as an operator changes it while it runs (docs/decisions/0362).
 */
import { type NetworkConfig, ONWARD_MAX, type PeerCall } from '../calls/calls.ts'
import type { Env } from '../env.ts'
import { errorCode, StoreError } from '../errors.ts'
import type { Members } from '../membership/members.ts'
import { isNewer, type NetworkState, withCopies, withRetired } from '../membership/network-config.ts'
import type { PeerVersions, ProtocolVersion } from '../peer/protocol.ts'
import type { NodeId } from '../ring/identifier.ts'
import type { MapRecord } from '../routing/map-record.ts'
import type { Asked, AskedNode } from './asking.ts'

export interface CopiesComponents {
  readonly env: Env
  readonly members: Members
  readonly network: Pick<NetworkState, 'now' | 'take'>
  /** What the others speak. */
  readonly versions: Pick<PeerVersions, 'of' | 'versionFor'>
  /** One call to each of some nodes, or of all others that live. */
  readonly askEach: <Answer>(asked: PeerCall, nodes?: readonly MapRecord[]) => Promise<Asked<Answer>>
}

/** What a node answers to news of the map; a program of before says nothing of the network. */
export interface Learnt {
  readonly record: MapRecord
  readonly network?: NetworkConfig
}

export interface CopiesChanged {
  readonly network: NetworkConfig
  /** Nodes that could not be told yet. */
  readonly silent: readonly AskedNode[]
}

/** Nodes that are asked to tell others of a configuration. */
const THIRDS_MAX = 3

/** Since this version nodes take another configuration. */
const CONFIGURE_VERSION = 5 satisfies ProtocolVersion

export class Copies {
  readonly #components: CopiesComponents

  constructor(components: CopiesComponents) {
    this.#components = components
  }

  /** Somebody may have changed the number of copies while this node, or another one, was away: whoever is behind is told. */
  async agree(answers: readonly (readonly [NodeId, Learnt])[]): Promise<void> {
    const { network, askEach } = this.#components
    for (const [, answer] of answers)
      if (answer.network !== undefined) await this.#takeIfItCan(answer.network)
    const behind = answers.filter(([, told]) => told.network && isNewer(network.now, told.network))
    if (behind.length === 0) return
    const nodes = behind.map(([, { record }]) => record)
    await askEach({ kind: 'configure', network: network.now }, nodes)
  }

  /** A disk that is full keeps nothing: the next node that makes itself known finds this one behind. */
  async #takeIfItCan(told: NetworkConfig): Promise<void> {
    const { env, network } = this.#components
    try {
      await network.take(told)
    } catch (error) {
      if (errorCode(error) === undefined) throw error
      env.log.warn({ op: 'configure', err: error }, 'this node could not keep what the network agreed on')
    }
  }

  /**
   * Every node is told, and each range goes there step by step. Nodes that do not answer are told when they are back.
   * @throws StoreError INVALID_REQUEST, PROTOCOL_UNSUPPORTED as long as a node's program knows nothing of such changes,
   *   PRECONDITION_FAILED when somebody else has changed it meanwhile.
   */
  async change(replicas: number, min?: number): Promise<CopiesChanged> {
    const { env, members, network, versions } = this.#components
    for (const { address } of members.others())
      if (versions.of(address) !== undefined) versions.versionFor(address, CONFIGURE_VERSION, 'configure')
    const wanted = withCopies(network.now, replicas, min)
    env.log.info({ op: 'configure', ...wanted }, 'the number of copies is changed')
    await network.take(wanted)
    const told = await this.#tellAll(wanted)
    for (const [, answer] of told.answers) await network.take(answer.network)
    const { now } = network
    if (now.revision === wanted.revision && now.replicas === replicas)
      return { network: now, silent: told.silent }
    throw new StoreError('PRECONDITION_FAILED', 'Somebody else has changed the number of copies; look again.')
  }

  /**
   * A node never comes back: nobody waits for it any more, and whatever its disk holds is refused. Gives who could not be told yet.
   * @param tell whether this node is to know it, too.
   */
  async retire(node: NodeId, tell: 'all' | 'others' = 'all'): Promise<readonly AskedNode[]> {
    const { env, network } = this.#components
    const wanted = withRetired(network.now, node)
    env.log.info({ op: 'retire', nodeId: node }, 'a node is retired')
    if (tell === 'all') await network.take(wanted)
    const { silent } = await this.#tellAll(wanted)
    return silent.filter(({ nodeId }) => nodeId !== node)
  }

  /** Some who answer tell those who do not: it may only be the link to these that is broken (docs/decisions/0483). */
  async #tellAll(network: NetworkConfig): Promise<Asked<{ readonly network: NetworkConfig }>> {
    const { members, askEach } = this.#components
    const call = { kind: 'configure', network } as const
    const told = await askEach<{ readonly network: NetworkConfig }>(call)
    const onward = told.silent.slice(0, ONWARD_MAX).map(({ nodeId }) => nodeId)
    const reached = new Set(told.answers.map(([node]) => node))
    const thirds = members.others().filter(({ nodeId }) => reached.has(nodeId))
    if (onward.length > 0) await askEach({ ...call, onward }, thirds.slice(0, THIRDS_MAX))
    return told
  }
}
