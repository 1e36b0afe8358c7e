/**
 * Whether a node serves: shown by a lookup through another one, when there is one that is not given up.
 */
import type { PeerAnswer, PeerCall } from '../calls/calls.ts'
import { StoreError } from '../errors.ts'
import type { Members } from '../membership/members.ts'
import type { CallOptions } from '../peer/peers.ts'
import type { ChainDriver } from '../replication/chain/driver.ts'
import { type Address, type Identifier, identifiersOfAddress } from '../ring/identifier.ts'
import { HOPS_MAX, type LookupReply } from '../routing/lookup.ts'
import type { MapRecord } from '../routing/map-record.ts'
import type { View } from '../views/view.ts'

/** Until another node has answered a lookup, ms, and how many are tried: an orchestrator asks every few seconds. */
const READY_TIMEOUT_MS = 1_000
const READY_PEERS_MAX = 3

interface Components {
  readonly members: Members
  readonly driver: ChainDriver
  readonly call: (to: Address, call: PeerCall, options: CallOptions) => Promise<PeerAnswer>
  readonly signal: AbortSignal
}

/** @throws StoreError UNAVAILABLE. */
export async function proveReady(components: Components): Promise<void> {
  const { members, driver } = components
  if (driver.fault) throw new StoreError('UNAVAILABLE', driver.fault.message)
  const peers = members.others().filter(({ nodeId }) => !driver.known.isSuspect(nodeId))
  if (peers.length === 0) return
  for (const peer of peers.slice(0, READY_PEERS_MAX)) if (await answersLookup(components, peer)) return
  throw new StoreError('UNAVAILABLE', 'No other node that was asked has answered a lookup.')
}

/** The peer is asked for a position of its own, which it can answer without anybody's help. */
async function answersLookup(
  { members, call, signal }: Components,
  { nodeId, address, ringAddress }: MapRecord,
): Promise<boolean> {
  const [key] = identifiersOfAddress(ringAddress, 1) as [Identifier]
  const request = {
    key,
    visited: [members.self.nodeId],
    hopsLeft: HOPS_MAX,
    budgetMs: READY_TIMEOUT_MS,
    suspects: [],
  }
  try {
    const options = { timeoutMs: READY_TIMEOUT_MS, signal, node: nodeId }
    const reply = (await call(address, { kind: 'lookup', request }, options)) as LookupReply<View>
    return reply.view !== undefined
  } catch {
    return false
  }
}
