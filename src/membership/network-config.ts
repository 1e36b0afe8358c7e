/**
 * What every node of one network has in common: the first node fixes it, the others learn it when they join. It is
 * kept beside the files, so that a node resumes in its network whatever its flags say.
 */
import { Packr } from 'msgpackr'
import type { NetworkConfig, NetworkWish } from '../calls/calls.ts'
import { StoreError } from '../errors.ts'
import type { MapRecord } from '../routing/map-record.ts'
import type { ReplicaStore } from '../storage/replica-store.ts'

/** Defaults of a new network. 8 virtual nodes even out the ranges to about a third around their mean. */
export const NETWORK_DEFAULTS = { replicas: 3, minReplicas: 2, virtualNodes: 8 } as const

/** @throws StoreError INVALID_REQUEST that names each setting that the network has otherwise. */
export function assertWish(wish: NetworkWish, network: NetworkConfig): void {
  const names = ['replicas', 'minReplicas', 'virtualNodes'] as const
  const faults = names
    .filter(name => wish[name] !== undefined && wish[name] !== network[name])
    .map(name => `${name} is ${network[name]} in this network, not ${wish[name]}`)
  if (faults.length > 0)
    throw new StoreError('INVALID_REQUEST', `The settings contradict: ${faults.join('; ')}.`)
}

const packr = new Packr({ useRecords: false, moreTypes: true })

const NETWORK = 'network'
const MEMBER = 'member/'

/** What a node has kept of its network; undefined when it has none. */
export function readNetwork(store: ReplicaStore): NetworkConfig | undefined {
  for (const [key, value] of store.values(NETWORK))
    if (key === NETWORK) return packr.unpack(value) as NetworkConfig
  return undefined
}

/** The records of the map that were kept. */
export function readMembers(store: ReplicaStore): MapRecord[] {
  return Array.from(store.values(MEMBER), ([, value]) => packr.unpack(value) as MapRecord)
}

/** Keeps the network, and records of the map; what is kept of other nodes stays. */
export async function keepNetwork(
  store: ReplicaStore,
  network: NetworkConfig,
  records: readonly MapRecord[],
): Promise<void> {
  const members = records.map(record => [MEMBER + record.nodeId, packr.pack(record)] as const)
  await store.apply({
    records: [],
    values: [[NETWORK, packr.pack(network)], ...members],
    keepBlobs: [],
    dropBlobs: [],
  })
}
