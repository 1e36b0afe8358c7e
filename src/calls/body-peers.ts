/**
 * How large bodies travel by HTTP between nodes that know each other by their disks.
 */
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { eitherSignal } from '../either-signal.ts'
import type { Timers } from '../env.ts'
import { StoreError } from '../errors.ts'
import type { Peers } from '../peer/peers.ts'
import type { BodyPeers } from '../replication/chain/body-carrier.ts'
import type { Address, NodeId } from '../ring/identifier.ts'
import type { PeerAnswer, PeerCall } from './calls.ts'

/** The question whether a node has a body, ms. A client may wait for its answer. */
const QUESTION_TIMEOUT_MS = 4_000

/**
 * From the last byte of a body until the other node says that it is durable there, ms: a slow disk takes a while to flush
 * a large file.
 */
const DURABLE_TIMEOUT_MS = 5 * 60 * 1000

/** The longest that a node may take no piece of a body that is sent to it, ms: its disk may be behind. */
const STALL_TIMEOUT_MS = 60_000

/**
 * Until the first bytes of a body that is pulled, and between two pieces, ms; while nobody takes what has come the time stands
 * still. As long as others may have the body nobody waits long for one node (docs/decisions/0455).
 */
const PULL_MS = { first: 3_000, between: 4_000 }
const LAST_PULL_MS = { first: 15_000, between: 15_000 }

export interface BodyPeersComponents {
  readonly peers: Pick<Peers<never, PeerCall, PeerAnswer>, 'call' | 'stageBody' | 'fetchBody'>
  readonly addressOf: (node: NodeId) => Address | undefined
  readonly timers: Timers
  /** Aborts when this node stops. */
  readonly signal: AbortSignal
}

export function bodyPeers({ peers, addressOf, timers, signal }: BodyPeersComponents): BodyPeers {
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
      const to = address(node)
      const ends = eitherSignal([signal, ended])
      const limits = { timeoutMs: DURABLE_TIMEOUT_MS, stallMs: STALL_TIMEOUT_MS, signal: ends, node }
      await peers.stageBody(to, blobId, { onward }, bytes, limits).finally(() => ends.clear())
    },
    async pullBody(node, blobId, { first, last, isLastHope }) {
      const to = address(node)
      const limits = isLastHope ? LAST_PULL_MS : PULL_MS
      const late = new AbortController()
      const fault = () => new StoreError('UNAVAILABLE', `The node ${to} sends no byte of a body.`)
      const timer = timers.after(limits.first, () => late.abort(fault()))
      const ends = eitherSignal([signal, late.signal])
      try {
        const options = { timeoutMs: limits.between, signal: ends, node, last }
        const bytes = await peers.fetchBody(to, blobId, first, options)
        bytes.once('close', () => ends.clear())
        await begun(bytes, ends)
        return bytes
      } catch (error) {
        ends.clear()
        throw error
      } finally {
        timer.cancel()
      }
    },
  }
}

/** Resolves when the first bytes are there, or when there are none. @throws what ended the stream, or the signal. */
async function begun(bytes: Readable, signal: AbortSignal): Promise<void> {
  // Whoever reads it meets the error; until then it must not end the process.
  bytes.on('error', () => undefined)
  try {
    await once(bytes, 'readable', { signal })
  } catch (error) {
    bytes.destroy()
    signal.throwIfAborted()
    throw new StoreError('UNAVAILABLE', 'The bytes of a body broke off.', { cause: error })
  }
}
