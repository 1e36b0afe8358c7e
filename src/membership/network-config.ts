/**
 * What every node of one network has in common: the first node fixes it, the others learn it when they join. It is
 * kept beside the files, so that a node resumes in its network whatever its flags say.
 */
import { Packr } from 'msgpackr'
import type { NetworkConfig, NetworkWish } from '../calls/calls.ts'
import { StoreError } from '../errors.ts'
import type { NodeId } from '../ring/identifier.ts'
import type { MapRecord } from '../routing/map-record.ts'
import type { ReplicaStore } from '../storage/replica-store.ts'

/** Defaults of a new network. 8 virtual nodes even out the ranges to about a third around their mean. */
export const NETWORK_DEFAULTS = { replicas: 3, minReplicas: 2, virtualNodes: 8 } as const

/**
 * The configuration of the network as it is now. The number of copies can be changed while it runs; of two configurations
 * every node takes the same one, whichever it hears of first: that of more changes, then the one with more copies.
 */
export class NetworkState {
  readonly #store: ReplicaStore
  readonly #changed: () => void
  #now: NetworkConfig

  constructor(
    components: { readonly store: ReplicaStore; readonly changed: () => void },
    init: { readonly network: NetworkConfig },
  ) {
    this.#store = components.store
    this.#changed = components.changed
    this.#now = init.network
  }

  get now(): NetworkConfig {
    return this.#now
  }

  /** Takes what somebody has told, when it is newer, and keeps it. @throws StoreError when the disk refuses. */
  async take(told: NetworkConfig): Promise<void> {
    if (!isNewer(told, this.#now)) return
    const taken = joined(told, this.#now)
    await keepNetwork(this.#store, taken, [])
    // Another one may have come meanwhile.
    if (!isNewer(taken, this.#now)) return keepNetwork(this.#store, this.#now, [])
    this.#now = joined(taken, this.#now)
    this.#changed()
  }
}

/** Whether a configuration of the same network says something that another does not. */
export function isNewer(told: NetworkConfig, known: NetworkConfig): boolean {
  if (told.networkId !== known.networkId) return false
  return countsMore(told, known) || (told.retired ?? []).some(node => !known.retired?.includes(node))
}

/** The one that counts more, with all who were retired. */
function joined(told: NetworkConfig, known: NetworkConfig): NetworkConfig {
  const base = countsMore(told, known) ? told : known
  const retired = [...new Set([...(told.retired ?? []), ...(known.retired ?? [])])].sort()
  return retired.length === 0 ? base : { ...base, retired }
}

function countsMore(told: NetworkConfig, known: NetworkConfig): boolean {
  const rank = ({ revision = 0, replicas, minReplicas }: NetworkConfig) => [revision, replicas, minReplicas]
  const [a, b] = [rank(told), rank(known)] as [number[], number[]]
  const differs = a.findIndex((value, index) => value !== b[index])
  return differs !== -1 && (a[differs] as number) > (b[differs] as number)
}

/** The configuration with another number of copies. @throws StoreError INVALID_REQUEST. */
export function withCopies(network: NetworkConfig, replicas: number, min?: number): NetworkConfig {
  const isUsual = network.minReplicas === Math.min(NETWORK_DEFAULTS.minReplicas, network.replicas)
  const usual = isUsual ? NETWORK_DEFAULTS.minReplicas : network.minReplicas
  if (min !== undefined && min > replicas)
    throw new StoreError('INVALID_REQUEST', 'More copies would be needed for a write than there are.')
  const minReplicas = min ?? Math.min(usual, replicas)
  return { ...network, replicas, minReplicas, revision: (network.revision ?? 0) + 1 }
}

/** Why a node that was retired ends, and why nobody takes anything from it. */
export const RETIRED_REFUSED =
  'This node was retired from its network, which waits for nothing of it any more: start it with an empty folder.'

/** The configuration without a node, which never comes back. */
export function withRetired(network: NetworkConfig, node: NodeId): NetworkConfig {
  return joined({ ...network, retired: [node] }, network)
}

/** @throws StoreError INVALID_REQUEST that names each setting that the network has otherwise. */
export function assertWish(wish: NetworkWish, network: NetworkConfig): void {
  const names = ['replicas', 'minReplicas', 'virtualNodes', 'consistency', 'conflicts'] as const
  const has = {
    ...network,
    consistency: network.consistency ?? 'chain',
    conflicts: network.conflicts ?? 'keep',
  }
  const faults = names
    .filter(name => wish[name] !== undefined && wish[name] !== has[name])
    .map(name => `${name} is ${has[name]} in this network, not ${wish[name]}`)
  if (faults.length > 0)
    throw new StoreError('INVALID_REQUEST', `The settings contradict: ${faults.join('; ')}.`)
}

const packr = new Packr({ useRecords: false, moreTypes: true })

const NETWORK = 'network'
const MEMBER = 'member/'

/** What a node has kept of its network; undefined when it has none. */
export function readNetwork(store: Pick<ReplicaStore, 'values'>): NetworkConfig | undefined {
  for (const [key, value] of store.values(NETWORK))
    if (key === NETWORK) return packr.unpack(value) as NetworkConfig
  return undefined
}

/** The records of the map that were kept. */
export function readMembers(store: ReplicaStore): MapRecord[] {
  return Array.from(store.values(MEMBER), ([, value]) => packr.unpack(value) as MapRecord)
}

/** Keeps the network, records of the map and other notes in one commit; what is kept of other nodes stays. */
export async function keepNetwork(
  store: ReplicaStore,
  network: NetworkConfig,
  records: readonly MapRecord[],
  notes: Values = [],
): Promise<void> {
  await keep(store, [[NETWORK, packr.pack(network)], ...membersOf(records), ...notes])
}

/** Keeps records of the map, and no more those of nodes that were forgotten; what is kept of other nodes stays. */
export async function keepMembers(
  store: ReplicaStore,
  records: readonly MapRecord[],
  forgotten: readonly NodeId[] = [],
): Promise<void> {
  const gone = forgotten.map(nodeId => [MEMBER + nodeId, undefined] as const)
  await keep(store, [...membersOf(records), ...gone])
}

type Values = Parameters<ReplicaStore['apply']>[0]['values']

function membersOf(records: readonly MapRecord[]): Values {
  return records.map(record => [MEMBER + record.nodeId, packr.pack(record)] as const)
}

async function keep(store: ReplicaStore, values: Values): Promise<void> {
  await store.apply({ records: [], values, keepBlobs: [], dropBlobs: [] })
}
