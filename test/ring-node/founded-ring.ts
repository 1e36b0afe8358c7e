/**
 * What tests use that need a whole node's replication and no other node: a network of one, founded on a storage.
 */
import type { NetworkConfig } from '../../src/calls/calls.ts'
import type { Env } from '../../src/env.ts'
import type { Address, NodeId } from '../../src/ring/identifier.ts'
import { RingNode } from '../../src/ring-node/ring-node.ts'
import type { RingNodeComponents } from '../../src/ring-node/ring-node-parts.ts'

export const NETWORK = { networkId: 'net-1', replicas: 3, minReplicas: 2, virtualNodes: 8 }

export function foundedRing(
  env: Env,
  storage: RingNodeComponents['storage'],
  address = '127.0.0.1:5000' as Address,
  network: NetworkConfig = NETWORK,
): RingNode {
  const nodeId = storage.nodeId as NodeId
  const self = {
    nodeId,
    address,
    ringAddress: address,
    incarnation: 1,
    status: 'alive',
    zone: undefined,
  } as const
  const ring = new RingNode(
    { env, storage },
    {
      network,
      self,
      records: [],
      secret: undefined,
      scheme: 'http',
      learn: 'path',
      halted() {},
      broken: ({ error }) => {
        throw error
      },
    },
  )
  ring.start({ founds: true })
  return ring
}
