/**
 * What a simulated node is made from, and what is kept of its disk.
 */
import type { ChainSettings } from '../../replication/chain/machine-state.ts'
import type { Address } from '../../ring/identifier.ts'
import type { ViewState } from '../../views/view.ts'
import type { DiskImage } from './simulated-disk.ts'
import type { NodeName } from './simulated-network.ts'
import type { SimulatedWire } from './simulated-peers.ts'
import type { WholeNodeInit } from './whole-node.ts'

export interface ChainNodeInit {
  readonly name: NodeName
  /** How its wall clock is off. */
  readonly clock: { readonly aheadMs: number; readonly drift: number }
  readonly settings: ChainSettings
  /** It is a whole node, which finds its network and the others itself. */
  readonly whole?: WholeNodeSetting | undefined
}

export interface WholeNodeSetting
  extends Pick<WholeNodeInit, 'zone' | 'gossips' | 'routing' | 'consistency'> {
  readonly wire: SimulatedWire
  readonly address: () => Address
  readonly boots: () => readonly Address[]
}

export type StopReason = 'disk' | 'impostor' | 'alone'

/** A disk as it was at the beginning of a start. */
export interface StartImage {
  readonly disk: DiskImage<Uint8Array>
  /** How often it had been started. */
  readonly boot: number
  readonly views: readonly ViewState[]
}
