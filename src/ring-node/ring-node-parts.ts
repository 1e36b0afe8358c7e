/**
 * What a node of a ring is made of, and what it is told at its beginning.
 */

import type { NetworkConfig } from '../calls/calls.ts'
import type { Connect } from '../calls/ring-peers.ts'
import type { Vitals } from '../calls/vitals.ts'
import type { Env } from '../env.ts'
import type { Defect } from '../invariant.ts'
import type { GossipSettings } from '../membership/gossip/settings.ts'
import type { ProtocolVersion } from '../peer/protocol.ts'
import type { ChainDriver, ChainDriverComponents, ChainDriverInit } from '../replication/chain/driver.ts'
import type { ChainSettings } from '../replication/chain/machine-state.ts'
import { CHAIN_DEFAULTS } from '../replication/chain/patience.ts'
import type { LearningMode } from '../routing/learning.ts'
import type { MapRecord } from '../routing/map-record.ts'
import type { ReplicaStore } from '../storage/replica-store.ts'
import type { Storage } from '../storage/storage.ts'
import type { TrashKeeperInit } from './trash-keeper.ts'

export interface RingNodeComponents {
  readonly env: Env
  readonly storage: Storage & {
    readonly nodeId: string
    readonly boot: number
    readonly replica: ReplicaStore
  }
  /** How it speaks to the others; by HTTP where nothing is said. */
  readonly connect?: Connect
  /** For the simulator, which hears what the driver is asked. */
  readonly drive?: (components: ChainDriverComponents, init: ChainDriverInit) => ChainDriver
}

export interface RingNodeInit {
  readonly network: NetworkConfig
  readonly self: MapRecord
  readonly records: readonly MapRecord[]
  readonly secret: string | undefined
  /** See PeerVersions. */
  readonly speaks?: ProtocolVersion
  readonly scheme: 'http' | 'https'
  readonly learn: LearningMode
  /** Path learning where nothing is said; `kelips` for a node that gossips. */
  readonly routing?: 'path' | 'kelips' | undefined
  /** Without it the node does not gossip. */
  readonly gossip?: GossipSettings | undefined
  /** Waits and bounds of the protocol that are not the usual ones (patience.ts). */
  readonly settings?: Partial<ChainSettings>
  /** Of a node that keeps what it has in the trash within bounds. */
  readonly trash?: TrashKeeperInit
  /** How the node is doing, for whoever looks at the network. */
  readonly vitals?: (() => Vitals) | undefined
  /** The disk is a copy or was restored, or the node was retired: it has to stop. */
  readonly halted: (why: 'copied' | 'retired') => void
  /** The program is wrong: nothing leaves this node any more, and its process has to end. */
  readonly broken: (defect: Defect) => void
}

/** The settings of the protocol that follow from what the node is told. */
export function settingsOf({ network, trash, settings }: RingNodeInit): ChainSettings {
  return { ...CHAIN_DEFAULTS, ...network, ...(trash && { trashMs: trash.keptMs }), ...settings }
}
