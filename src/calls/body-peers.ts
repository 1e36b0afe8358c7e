/**
 * How large bodies travel by HTTP between nodes that know each other by their disks.
 */
import { StoreError } from '../errors.ts'
import type { Peers } from '../peer/peers.ts'
import type { BodyPeers } from '../replication/chain/body-carrier.ts'
import type { Address, NodeId } from '../ring/identifier.ts'
import type { PeerAnswer, PeerCall } from './calls.ts'

/** The question whether a node has a body, ms. */
const QUESTION_TIMEOUT_MS = 5_000

/**
 * From the last byte of a body until the other node says that it is durable there, ms: a slow disk takes a while to flush
 * a large file.
 */
const DURABLE_TIMEOUT_MS = 5 * 60 * 1000

/** The longest that a node may take no piece of a body that is sent to it, ms: its disk may be behind. */
const STALL_TIMEOUT_MS = 60_000

/** Between two pieces of a body that is pulled, ms; while nobody takes what has come the time stands still. */
const PIECE_TIMEOUT_MS = 15_000

export interface BodyPeersComponents {
  readonly peers: Pick<Peers<never, PeerCall, PeerAnswer>, 'call' | 'stageBody' | 'fetchBody'>
  readonly addressOf: (node: NodeId) => Address | undefined
  /** Aborts when this node stops. */
  readonly signal: AbortSignal
}

export function bodyPeers({ peers, addressOf, signal }: BodyPeersComponents): BodyPeers {
  const address = (node: NodeId): Address => {
    const known = addressOf(node)
    if (known === undefined) throw new StoreError('UNAVAILABLE', 'The address of a node is not known.')
    return known
  }
  return {
    async hasBody(node, blobId) {
      const question = { timeoutMs: QUESTION_TIMEOUT_MS, signal, node }
      const answer = await peers.call(address(node), { kind: 'has-body', blobId }, question)
      return (answer as { has: boolean }).has
    },
    async pushBody(node, { blobId, sha256 }, bytes) {
      const limits = { timeoutMs: DURABLE_TIMEOUT_MS, stallMs: STALL_TIMEOUT_MS, signal, node }
      await peers.stageBody(address(node), blobId, { sha256 }, bytes, limits)
    },
    async sendAhead(node, blobId, bytes, onward, ended) {
      const ends = AbortSignal.any([signal, ended])
      const limits = { timeoutMs: DURABLE_TIMEOUT_MS, stallMs: STALL_TIMEOUT_MS, signal: ends, node }
      await peers.stageBody(address(node), blobId, { onward }, bytes, limits)
    },
    async pullBody(node, blobId, first, last) {
      const limits = { timeoutMs: PIECE_TIMEOUT_MS, signal, node, last }
      return peers.fetchBody(address(node), blobId, first, limits)
    },
  }
}
